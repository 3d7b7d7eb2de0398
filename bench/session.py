"""What every benchmark does: it ends by a signal as by itself, keeps logs for after a failure, and prints a table."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from bench.table import Row, markdown
from provision import cache, progress
from provision.keeper import Keeper


def begin() -> Path:
    """Let a signal end the process as an error does, and keep the logs of all parts in the folder that is returned."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    folder = cache.logs() / f"bench-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    Keeper.keep_logs_in = folder
    return folder


def report(rows: Sequence[Row], took: float, load: float) -> str:
    """The table by number, and a line about goals and machine."""
    missed = sum(row.met is False for row in rows)
    judged = sum(row.met is not None for row in rows)
    machine = f"{os.cpu_count()} cores, load {load:.1f} before the start"
    ordered = sorted(rows, key=lambda row: int(row.metric[1:]))
    summary = f"{judged - missed} of {judged} goals met. {machine}; it took {progress.spent(took)}."
    return f"\n{markdown(ordered)}\n\n{summary}"


def _leave(number: int, _frame: object) -> NoReturn:
    for every in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(every, signal.SIG_IGN)  # the way out takes a second and is taken once
    sys.exit(128 + number)
