"""`make demo`: one manifest becomes one stored video, on a real API server and a real bucket, for $0.

python hack/demo.py          # run, show, and leave nothing behind
python hack/demo.py --keep   # leave everything running in the background
python hack/demo.py --stop   # stop what was left running
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, NoReturn

import cluster
from class_manifests import rehearsal_class
from demonstration import kept
from demonstration.phases import PhaseWatch
from demonstration.proof import Facts
from demonstration.stages import Stages, say
from podrunner.release import ROOT
from provision import cache
from provision.keeper import Keeper
from provision.processes import is_running
from stack import Object, Stack, StackError

_TIME_SCALE = 20
_BUCKET = "rehearsal"
_QUICKSTART = ROOT / "examples" / "quickstart.yaml"
_NAME = "lighthouse-dusk"
_LOOK_AGAIN = 0.1
_WITHIN = 120.0
_HEADLINE = (
    f"One manifest becomes one stored video, in under a minute: the simulator runs {_TIME_SCALE} times as fast as the\n"
    "gateway, which takes 80 to 120 s for 1080p.\n"
)
_SIMULATOR = ("--time-scale", str(_TIME_SCALE), "--pad-bytes", "auto")
_PUBLIC_READ = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["s3:GetObject"],
            "Resource": [f"arn:aws:s3:::{_BUCKET}/*"],
        }
    ],
}


def run(*, keep: IO[str] | None = None) -> int:
    """The demo; with `keep`, a state file, everything stays until a signal comes."""
    stages, logs, begun = Stages(), _empty_log_folder(), time.monotonic()
    say(_HEADLINE)
    try:
        with ExitStack() as exits:
            stack = exits.enter_context(Stack(settings={"logFormat": "plain"}, simulator=_SIMULATOR, stage=stages))
            url = _show(stack, stages, exits.enter_context(Keeper("videogen-demo")))
            if keep is not None:
                _keep_running(stack, url, keep)
    except Exception as error:  # noqa: BLE001  # told to a person, whatever it is
        stages.tell_failure(error, logs)
        return 1
    except SystemExit:
        with suppress(OSError):  # who interrupts may have closed the terminal too
            say("\nInterrupted. All parts are stopped.")
        shutil.rmtree(logs, ignore_errors=True)
        raise
    shutil.rmtree(logs, ignore_errors=True)
    say(f"\nAll of it took {time.monotonic() - begun:.0f} s. Nothing is left running.")
    return 0


def _show(stack: Stack, stages: Stages, keeper: Keeper) -> str:
    stack.start_operator()
    with stages("class"):
        _make_class(stack)
    watch = PhaseWatch(stack, keeper, _NAME)
    say(f"\n$ kubectl apply -f {_QUICKSTART.relative_to(ROOT)}")
    with stages("video"):
        say(stack.apply(_QUICKSTART.read_text()).strip())
        watch.until_stored(_WITHIN)
    say(f"\n$ kubectl get videogeneration {_NAME}")
    say(stack.plane.kubectl("get", "videogeneration", _NAME).stdout)
    with stages("proof"):
        return _prove(stack, keeper.directory / "fetched.mp4")


def _make_class(stack: Stack) -> None:
    stack.s3.make_bucket(_BUCKET)
    stack.s3.client().put_bucket_policy(Bucket=_BUCKET, Policy=json.dumps(_PUBLIC_READ))
    parts = stack.class_parts("rehearsal", bucket=_BUCKET)
    stack.apply(rehearsal_class("rehearsal", parts))
    stack.wait_class("rehearsal", _is_ready, timeout=30)


def _prove(stack: Stack, file: Path) -> str:
    """Print the URL and the facts of what it gives. Raises StackError when they are not what the simulator made."""
    status = (stack.read("default", _NAME) or {})["status"]
    url: str = status["output"]["url"]
    ledger = stack.simulator.ledger(task=status["taskID"])
    measured, recorded = Facts.measured(url, file), Facts.recorded(ledger["tasks"][0])
    say(f"URL      {url}")
    say("measured on a fresh GET of that URL, every frame decoded, and compared with the simulator's record:")
    say(measured.beside(recorded))
    say(f"  paid     {status['cost']['billedUSD']} USD simulated, for {ledger['counters']['posts']} submission\n")
    if measured != recorded:
        raise StackError("what the URL gives is not the video that the simulator made")
    return url


def _keep_running(stack: Stack, url: str, state: IO[str]) -> None:
    stack.apply(rehearsal_class("veo", stack.class_parts("veo", bucket=_BUCKET, prefix="veo/")))
    say(kept.next_steps(stack, url))
    kept.tell_state(state, stack)
    kept.hold(stack.operator)


def _is_ready(found: Object) -> bool:
    conditions = found.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _empty_log_folder() -> Path:
    """Where the logs of all parts go; kept after a failure only, until the next run."""
    for old in cache.logs().glob("demo-*"):
        if not is_running(int(old.name.removeprefix("demo-"))):
            shutil.rmtree(old, ignore_errors=True)
    folder = cache.logs() / f"demo-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    Keeper.keep_logs_in = folder
    return folder


def hold() -> int:
    """Be the background process of a kept demo."""
    with kept.claimed() as state:
        return run(keep=state)


def keep() -> int:
    """Start the background process, show what it says until it stays or fails."""
    if cluster.state(kept.NAME) is not None:
        say("A kept demo is running already. `make demo-stop` stops it; `hack/cluster.py status --name demo` shows it.")
        return 1
    log = cluster.state_file(kept.NAME).with_suffix(".log")
    with log.open("wb") as output:
        command = [sys.executable, "-u", __file__, "--hold"]
        holder = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        return _follow(holder, log)
    except BaseException:
        holder.terminate()
        holder.wait()
        raise


def _follow(holder: subprocess.Popen[bytes], log: Path) -> int:
    with log.open(errors="replace") as words:
        while True:
            stays, code = cluster.state(kept.NAME) is not None, holder.poll()
            sys.stdout.write(words.read())
            sys.stdout.flush()
            if stays or code is not None:
                return code or 0
            time.sleep(_LOOK_AGAIN)


def _leave(number: int, _frame: object) -> NoReturn:
    for every in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(every, signal.SIG_IGN)  # the way out takes a second and is taken once
    sys.exit(128 + number)


def main() -> int:
    """One command; 0 when the video is what the simulator made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--keep", action="store_true", help="leave everything running in the background")
    group.add_argument("--stop", action="store_true", help="stop what was left running")
    group.add_argument("--hold", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    if given.stop:
        return cluster.down(kept.NAME)
    if given.hold:
        return hold()
    return keep() if given.keep else run()


if __name__ == "__main__":
    sys.exit(main())
