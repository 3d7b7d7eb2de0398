"""`make bench-quick`: our numbers beside their goals. A benchmark, no gate: the exit code says only that it ran.

python -m bench.quick                    # everything, about ten minutes on two cores
python -m bench.quick --only copies      # one leg: videos, copies, flights or finished
python -m bench.quick --sizes 4,40,400   # the sizes of the copies, in MB
"""

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from bench import copies, finished, flights, videos
from bench.table import Row, markdown
from provision import cache, progress
from provision.keeper import Keeper

_SIZES = (4, 40)


def main() -> int:
    """Run the legs one after another, each on fresh servers, and print one table."""
    given = _arguments()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    Keeper.keep_logs_in = logs = _log_folder()
    legs: dict[str, Callable[[], Sequence[Row]]] = {
        "videos": videos.run,
        "copies": lambda: copies.run(given.sizes),
        "flights": flights.run,
        "finished": finished.run,
    }
    began = time.monotonic()
    load = os.getloadavg()[0]
    rows: list[Row] = []
    failed = 0
    for name in [name for name in legs if given.only in (None, name)]:
        try:
            rows += legs[name]()
        except Exception as error:  # noqa: BLE001  # told to a person; the other legs stand on servers of their own
            failed += 1
            progress.say("bench", f"{name} FAILED: {type(error).__name__}: {error}")
        else:
            progress.say("bench", f"{name} is done, {progress.spent(time.monotonic() - began)} in all")
    print(_report(rows, time.monotonic() - began, load))
    if failed:
        progress.say("bench", f"logs of all parts: {logs}")
        return 1
    shutil.rmtree(logs, ignore_errors=True)  # some 50 MB a run
    return 0


def _report(rows: Sequence[Row], took: float, load: float) -> str:
    missed = sum(row.met is False for row in rows)
    judged = sum(row.met is not None for row in rows)
    machine = f"{os.cpu_count()} cores, load {load:.1f} before the start"
    ordered = sorted(rows, key=lambda row: int(row.metric[1:]))
    summary = f"{judged - missed} of {judged} goals met. {machine}; it took {progress.spent(took)}."
    return f"\n{markdown(ordered)}\n\n{summary}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("videos", "copies", "flights", "finished"), help="one leg")
    parser.add_argument("--sizes", type=_sizes, default=_SIZES, help="of the copies, in MB, with commas")
    return parser.parse_args()


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _log_folder() -> Path:
    folder = cache.logs() / f"bench-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    return folder


def _leave(number: int, _frame: object) -> NoReturn:
    for every in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(every, signal.SIG_IGN)  # the way out takes a second and is taken once
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
