"""The simulator of the video API as a process of its own, and a client of its control endpoints."""

import json
import os
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from provision.keeper import Keeper, last_lines

_NAME = "simulator"
_READY_WITHIN = 30.0
_LOOK_AGAIN = 0.05
_OPERATOR_FOLDER = Path(__file__).absolute().parent.parent / "operator"


class SimulatorError(RuntimeError):
    """The simulator did not start, or refused a control request."""


class SimulatorProcess:
    """`python -m videogen_simulator` with some options, on a free port, until the block ends or this process dies.

    Inside the block: `url`, `base_url` (what a class names as endpoint), `log_path`.
    """

    url: str
    base_url: str
    log_path: Path

    def __init__(self, *options: str) -> None:
        self._options: Sequence[str] = options
        self._control_key = secrets.token_hex(12)  # never begins with a dash, which argparse would take for an option

    def __enter__(self) -> Self:
        self._keeper = Keeper("videogen-simulator")
        self.log_path = self._keeper.log(_NAME)
        try:
            self._start()
        except BaseException:
            self._keeper.close()
            raise
        headers = {"Authorization": f"Bearer {self._control_key}"}
        self._http = httpx.Client(base_url=f"{self.url}/_sim", headers=headers, timeout=30, trust_env=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()
        self._keeper.close()

    def ledger(self, *, task: str | None = None, account: str | None = None) -> dict[str, Any]:
        """The record of every POST, poll and byte; only those of one task or account if named (the sums stay whole)."""
        record = self.control("GET", "/ledger" + (f"?task={task}" if task else ""))
        if account is not None:
            for part in ("posts", "tasks", "strays"):
                record[part] = [one for one in record.get(part, ()) if one["account"] == account]
        return record

    def arm(self, name: str, posts: int | str = 1, *, task: str | None = None, **parameters: object) -> None:
        """Let a scenario meet the next POSTs, or a task that exists."""
        body = {"name": name, "parameters": parameters, **({"task": task} if task else {"posts": posts})}
        self.control("POST", "/scenario", body)

    def disarm(self) -> None:
        """Take back what is armed."""
        self.control("DELETE", "/scenario")

    def change(self, **settings: object) -> None:
        """Change settings at run time, for example `time_scale=50` or `outage="503"`."""
        self.control("POST", "/settings", settings)

    def add_key(self, key: str, account: str) -> None:
        """Take one more key; keys of one account see the same tasks."""
        self.change(keys={key: account})

    def complete(self, task: str | None = None) -> None:
        """End one open task now, or all."""
        self.control("POST", "/complete", {"task": task} if task else {})

    def release(self) -> None:
        """Let held answers go."""
        self.control("POST", "/release")

    def control(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """One request below `/_sim`. Raises SimulatorError with its words."""
        answer = self._http.request(method, path, json=body)
        if answer.is_error:
            raise SimulatorError(f"{method} {path}: {answer.status_code} {answer.text}")
        said: dict[str, Any] = answer.json()
        return said

    def _start(self) -> None:
        command = [sys.executable, "-m", "videogen_simulator", "--control-key", self._control_key, *self._options]
        paths = [str(_OPERATOR_FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._keeper.start(_NAME, command, env={"PYTHONPATH": os.pathsep.join(paths)})
        said = self._first_words()
        self.url, self.base_url = said["url"], said["base_url"]

    def _first_words(self) -> dict[str, Any]:
        until = time.monotonic() + _READY_WITHIN
        while True:
            lines = self.log_path.read_text().splitlines(keepends=True) if self.log_path.exists() else []
            for line in lines:
                if line.startswith("{") and line.endswith("\n"):
                    said: dict[str, Any] = json.loads(line)
                    return said
            if self._keeper.poll(_NAME) is not None or time.monotonic() > until:
                raise SimulatorError(f"the simulator did not start:\n{last_lines(self.log_path)}")
            time.sleep(_LOOK_AGAIN)
