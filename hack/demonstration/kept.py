"""A demo that was left running: how it says what it holds, and how a person goes on with it."""

import fcntl
import json
import os
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import cluster
from demonstration.stages import say
from podrunner.pod import Pod
from podrunner.release import ROOT
from provision import binaries
from stack import Stack

NAME = "demo"
_LOOK_AGAIN = 1.0


@contextmanager
def claimed() -> Iterator[IO[str]]:
    """The state file, locked while this process lives; `hack/cluster.py --name demo` understands it.

    Raises BlockingIOError when another demo is running.
    """
    path = cluster.state_file(NAME)
    path.touch()
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.truncate(0)
        try:
            yield file
        finally:
            file.truncate(0)


def tell_state(file: IO[str], stack: Stack) -> None:
    """Write what is needed to use and to stop it."""
    state = {
        "PID": str(os.getpid()),
        "KUBECONFIG": str(stack.plane.kubeconfig),
        "KUBEBUILDER_ASSETS": str(binaries.find()),
        "AWS_ENDPOINT_URL_S3": stack.s3.endpoint,
        "AWS_REGION": stack.s3.region,
        "AWS_ACCESS_KEY_ID": stack.s3.access_key,
        "AWS_SECRET_ACCESS_KEY": stack.s3.secret_key,
        "DIRECTORY": str(stack.plane.directory),
    }
    json.dump(state, file)
    file.flush()


def next_steps(stack: Stack, url: str) -> str:
    """What a person can do with it now, as commands to paste."""
    example = shlex.quote(str(_shown(ROOT / "examples" / "text-to-video-720p.yaml")))
    return f"""
Everything keeps running in the background. In any shell:

  export KUBECONFIG={shlex.quote(str(stack.plane.kubeconfig))}
  export PATH={shlex.quote(str(binaries.find()))}:$PATH
  kubectl get vgen

the next video (of 720p, on the class `veo`, which is the simulator too):
  kubectl apply -f {example}
  kubectl get vgen --watch

fetch an MP4 and look at it, with whatever plays MP4 files (-o jsonpath='{{.status.output.url}}' prints a URL):
  curl -o lighthouse-dusk.mp4 {shlex.quote(url)}

the operator's log:
  tail -f {shlex.quote(str(stack.operator.log_path))}

stop it and remove all its data:
  make demo-stop"""


def hold(operator: Pod) -> None:
    """Wait for SIGTERM; start the operator again when it ends, as a node would."""
    signals = {signal.SIGTERM, signal.SIGINT}
    # Blocked, so that the signal ends the wait and interrupts nothing else; the keepers' programs are not children.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    while signal.sigtimedwait(signals, _LOOK_AGAIN) is None:
        if (code := operator.exit_code()) is not None:
            say(f"the operator ended (exit code {code}) and is started again")
            operator.start()


def _shown(path: Path) -> Path:
    """As a person in the checkout would write it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
