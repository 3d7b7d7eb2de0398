"""A control plane and a bucket that stay until they are told to go: `up`, `down`, `status`.

A process in the background holds them. It keeps a lock on its state file while it lives, so a state file
without a lock is only a remnant, and a process id in a locked one is right.
"""

import argparse
import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from provision import binaries, cache
from provision.failure import PartError
from provision.keeper import last_lines
from servers.control_plane import ControlPlane, ControlPlaneError
from servers.s3 import S3Server, S3ServerError

_BUCKET = "videos"
_READY_WITHIN = 180.0
_LOOK_AGAIN = 0.1


def state_file(name: str) -> Path:
    """Where the background process of a cluster says what it holds."""
    folder = cache.root() / "clusters"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.json"


def state(name: str) -> dict[str, str] | None:
    """What a running cluster says about itself, None when it does not run."""
    file = state_file(name)
    if not file.exists() or not _is_held(file):
        return None
    text = file.read_text()
    said: dict[str, str] | None = json.loads(text) if text else None
    return said


def up(name: str, *, fsync: bool) -> int:
    """Start a cluster unless it runs, and print the environment to use it with."""
    if (said := state(name)) is None:
        file, log = state_file(name), state_file(name).with_suffix(".log")
        file.write_text("")
        command = [sys.executable, __file__, "hold", "--name", name, *(["--fsync"] if fsync else [])]
        with log.open("wb") as output:
            holder = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        if (said := _first_words(file, holder)) is None:
            print(f"{name} did not start. Last lines of {log}:\n{last_lines(log)}", file=sys.stderr)
            return 1
    _print_environment(said)
    return 0


def down(name: str) -> int:
    """Stop a cluster and wait until nothing of it is left."""
    if (said := state(name)) is None:
        print(f"{name} is not running", file=sys.stderr)
        return 0
    os.kill(int(said["PID"]), signal.SIGTERM)
    with state_file(name).open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
    print(f"{name} is stopped and its data removed", file=sys.stderr)
    return 0


def status(name: str) -> int:
    """Say whether a cluster runs; exit code 3, as service scripts have it, when not."""
    if (said := state(name)) is None:
        print(f"{name} is not running")
        return 3
    _print_environment(said)
    return 0


def hold(name: str, *, fsync: bool) -> int:
    """Be the background process: start all, say so, wait for SIGTERM, end all."""
    signals = {signal.SIGTERM, signal.SIGINT}
    with state_file(name).open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with ControlPlane(unsafe_no_fsync=not fsync) as plane, S3Server(_BUCKET) as s3:
            # Blocked only now, since programs inherit what is blocked.
            signal.pthread_sigmask(signal.SIG_BLOCK, signals)
            json.dump(_environment(plane, s3), file)
            file.flush()
            signal.sigwait(signals)
        file.truncate(0)
    return 0


def _environment(plane: ControlPlane, s3: S3Server) -> dict[str, str]:
    return {
        "PID": str(os.getpid()),
        "KUBECONFIG": str(plane.kubeconfig),
        "KUBEBUILDER_ASSETS": str(binaries.find()),
        "AWS_ENDPOINT_URL_S3": s3.endpoint,
        "AWS_REGION": s3.region,
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
        "BUCKET": _BUCKET,
        "DIRECTORY": str(plane.directory),
    }


def _print_environment(said: dict[str, str]) -> None:
    for variable, value in said.items():
        prefix = "# " if variable in {"PID", "DIRECTORY"} else "export "
        print(f"{prefix}{variable}={shlex.quote(value)}")
    print('export PATH="$KUBEBUILDER_ASSETS:$PATH"')


def _first_words(file: Path, holder: subprocess.Popen[bytes]) -> dict[str, str] | None:
    until = time.monotonic() + _READY_WITHIN
    while holder.poll() is None and time.monotonic() < until:
        if text := file.read_text():
            said: dict[str, str] = json.loads(text)
            return said
        time.sleep(_LOOK_AGAIN)
    holder.terminate()
    return None


def _is_held(file: Path) -> bool:
    with file.open() as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def main() -> int:
    """Run one command; the exit code is 0 when it did what it says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["up", "down", "status", "hold"])
    parser.add_argument("--name", default="dev", help="several can run side by side (default: dev)")
    parser.add_argument("--fsync", action="store_true", help="let etcd write through to the disk")
    given = parser.parse_args()
    try:
        match given.command:
            case "up":
                return up(given.name, fsync=given.fsync)
            case "down":
                return down(given.name)
            case "status":
                return status(given.name)
            case _:
                return hold(given.name, fsync=given.fsync)
    except (PartError, ControlPlaneError, S3ServerError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
