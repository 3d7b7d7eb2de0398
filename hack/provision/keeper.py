"""Programs that must not outlive this process, and a temporary directory that goes with them."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from provision import guard

_GUARD_ENDS_WITHIN = 20.0  # seconds: it only kills and removes
_LOOK_AGAIN = 0.05


class ProgramError(RuntimeError):
    """A program could not be started, or ended with another code than was expected."""


class Keeper:
    """Runs programs under a guard process, which ends them when this process ends, however it ends.

    Ctrl-C on the terminal does not reach the programs. Any thread may use a keeper, and programs do not
    depend on the thread that started them. A process that is made by a bare `os.fork` holds the keeper
    too: end it first.

    `keep_logs_in`: where the logs of every keeper go before its directory is removed, for programs whose failure
    a person will want to read about; None, and they are gone.
    """

    keep_logs_in: ClassVar[Path | None] = None

    def __init__(self, prefix: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=f"{prefix}-"))
        self._lock = threading.Lock()
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        inherit: bool = True,
        cwd: Path | None = None,
        log: Path | None = None,
    ) -> int:
        """Start a program and return its pid; `env` is added to this process's environment unless `inherit` is false.

        Raises ProgramError when it cannot be started. A name may be used again after its program ended.
        """
        request = {
            "do": "start",
            "name": name,
            "argv": [str(part) for part in argv],
            "env": {**(os.environ if inherit else {}), **(env or {})},
            "cwd": str(cwd or self.directory),
            "log": str(log or self.log(name)),
        }
        return int(self._ask(request)["pid"])

    def log(self, name: str) -> Path:
        """Where a program's output goes unless its start said otherwise."""
        return self.directory / f"{name}.log"

    def poll(self, name: str) -> int | None:
        """The exit code, None while the program runs."""
        code: int | None = self._ask({"do": "poll", "name": name})["code"]
        return code

    def wait(self, name: str, timeout: float) -> int | None:
        """The exit code, None if the program still runs after `timeout` seconds."""
        until = time.monotonic() + timeout
        while (code := self.poll(name)) is None and time.monotonic() < until:
            time.sleep(_LOOK_AGAIN)
        return code

    def stop(self, name: str, *, grace: float = 10.0) -> int:
        """Stop a program and return its exit code: SIGTERM, SIGKILL after `grace` seconds (0: at once)."""
        return int(self._ask({"do": "stop", "name": name, "grace": grace})["code"])

    def remove_at_end(self, path: Path) -> None:
        """Remove this file too when all ends, for programs that write outside the directory."""
        self._ask({"do": "remove", "name": str(path), "path": str(path)})

    def close(self) -> None:
        """Kill what still runs and remove the directory. May be called twice."""
        self._keep_logs()
        with self._lock:
            _close_quietly(self._guard)
            try:
                self._guard.wait(_GUARD_ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                self._guard.kill()
                self._guard.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _keep_logs(self) -> None:
        if Keeper.keep_logs_in is not None:
            for log in self.directory.glob("*.log"):
                with contextlib.suppress(OSError):
                    shutil.copy(log, Keeper.keep_logs_in / f"{self.directory.name}-{log.name}")

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            line = self._exchange(json.dumps(request) + "\n")
        if not line:
            raise ProgramError(f"cannot {request['do']} {request['name']}: its guard process has ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ProgramError(f"cannot {request['do']} {request['name']}: {answer['error']}")
        return answer

    def _exchange(self, line: str) -> str:
        requests, answers = self._guard.stdin, self._guard.stdout
        if requests is None or answers is None or requests.closed:
            return ""
        try:
            requests.write(line)
            requests.flush()
        except BrokenPipeError:
            return ""
        return answers.readline()


def _close_quietly(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def last_lines(log: Path, count: int = 20) -> str:
    """The end of a log, for an error message; empty when there is no log."""
    try:
        with log.open(encoding="utf-8", errors="replace") as lines:
            return "".join(deque(lines, maxlen=count)).rstrip()
    except OSError:
        return ""
