"""`make bench-quick`: our numbers beside their goals. A benchmark, no gate: the exit code says only that it ran.

python -m bench.quick                    # everything, about ten minutes on two cores
python -m bench.quick --only copies      # one leg: videos, copies, flights or finished
python -m bench.quick --sizes 4,40,400   # the sizes of the copies, in MB
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence

from bench import copies, finished, flights, session, videos
from bench.table import Row
from provision import progress

_SIZES = (4, 40)


def main() -> int:
    """Run the legs one after another, each on fresh servers, and print one table."""
    given = _arguments()
    logs = session.begin()
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
    print(session.report(rows, time.monotonic() - began, load))
    if failed:
        progress.say("bench", f"logs of all parts: {logs}")
        return 1
    shutil.rmtree(logs, ignore_errors=True)  # some 50 MB a run
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("videos", "copies", "flights", "finished"), help="one leg")
    parser.add_argument("--sizes", type=_sizes, default=_SIZES, help="of the copies, in MB, with commas")
    return parser.parse_args()


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
