"""The steps of the demo: announced, timed, and named when one fails."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from provision import progress

_USUALLY: Mapping[str, str] = {
    "API server": "3 to 5 s",
    "bucket": "2 s",
    "simulator": "1 s",
    "chart": "2 s",
    "operator": "2 to 5 s",
    "class": "1 to 5 s",
    "video": "5 to 12 s",
    "proof": "1 s",
}


class Stages:
    """Remembers which step failed first."""

    def __init__(self) -> None:
        self.failed: str | None = None

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Announce a step, say how long it took, and note its failure."""
        try:
            with progress.step("demo", name, _USUALLY[name]):
                yield
        except Exception:
            self.failed = self.failed or name
            raise

    def tell_failure(self, error: BaseException, logs: Path) -> None:
        """What failed, why (with the last lines of that part's log), and where all logs are."""
        where = self.failed or "a step between these"
        print(f"\nThe demo failed at: {where}\n{error}\nAll logs: {logs}", file=sys.stderr, flush=True)


def say(text: str = "") -> None:
    """One line for the person who watches."""
    print(text, flush=True)
