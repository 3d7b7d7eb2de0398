"""The process that holds programs which must not outlive their owner; `keeper.py` starts it.

It lives in a session of its own, so Ctrl-C does not reach it, and reads one JSON request a line. When
its standard input ends, because the owner closed it or died of whatever signal, every program is killed
with its process group and the owner's temporary directory is removed. Were the guard itself killed, the
kernel would kill the programs (PR_SET_PDEATHSIG, Linux only).
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LOOK_AGAIN = 0.02  # seconds between two looks at a program that was told to stop


class Programs:
    """The programs of one owner, by name."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._leftovers: list[Path] = []
        self._die_with_me = _parent_death_signal()

    def start(self, request: dict[str, Any]) -> dict[str, Any]:
        """Start a program in a group of its own, its output appended to a log file."""
        with Path(request["log"]).open("ab") as log:
            process = subprocess.Popen(
                request["argv"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=request["env"],
                cwd=request["cwd"],
                start_new_session=True,
                preexec_fn=self._die_with_me,  # noqa: PLW1509  # this process has one thread
            )
        self._running[request["name"]] = process
        return {"pid": process.pid}

    def poll(self, request: dict[str, Any]) -> dict[str, Any]:
        """The exit code of a program, null while it runs. What it left in its group is killed."""
        process = self._running[request["name"]]
        if process.returncode is None and _has_ended(process):
            _end_group(process)
        return {"code": process.returncode}

    def stop(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask with SIGTERM, wait for `grace` seconds, then kill."""
        process = self._running[request["name"]]
        if process.returncode is None:
            until = time.monotonic() + request["grace"]
            if request["grace"]:
                process.send_signal(signal.SIGTERM)
            while not _has_ended(process) and time.monotonic() < until:
                time.sleep(_LOOK_AGAIN)
            _end_group(process)
        return {"code": process.returncode}

    def remove_at_end(self, request: dict[str, Any]) -> dict[str, Any]:
        """Note a file outside the owner's directory that a program will leave behind."""
        self._leftovers.append(Path(request["path"]))
        return {}

    def kill_all(self) -> None:
        """Kill every program that still runs, newest first, and remove what was noted."""
        for process in reversed(self._running.values()):
            if process.returncode is None:
                _end_group(process)
        for leftover in self._leftovers:
            leftover.unlink(missing_ok=True)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Look without reaping, so that neither the pid nor the group's id can be given to others yet."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _end_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _parent_death_signal() -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    guard = os.getpid()

    def die_with_guard() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard:
            os._exit(1)

    return die_with_guard


def _answer(programs: Programs, line: str) -> dict[str, Any]:
    request: dict[str, Any] = json.loads(line)
    try:
        match request["do"]:
            case "start":
                return programs.start(request)
            case "poll":
                return programs.poll(request)
            case "stop":
                return programs.stop(request)
            case _:
                return programs.remove_at_end(request)
    except OSError as error:
        return {"error": str(error)}


def _leave(_signal: int, _frame: object) -> None:
    sys.exit(0)


def main(directory: str) -> None:
    """Serve the owner until its end of the pipe is closed, then leave nothing behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    programs = Programs()
    try:
        for line in sys.stdin:
            print(json.dumps(_answer(programs, line)), flush=True)
    except BrokenPipeError:
        pass  # the owner died between its request and our answer
    finally:
        programs.kill_all()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
