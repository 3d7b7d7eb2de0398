"""What set-up says while it works: one line a step, and a sign of life every few seconds."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGN_OF_LIFE = 10.0  # seconds of silence that a person takes for a hang are more than this

_printing = threading.Lock()


def say(part: str, text: str) -> None:
    """Print one line about a part, whole, whatever other threads print."""
    with _printing:
        print(f"[{part}] {text}", file=sys.stderr, flush=True)


def spent(seconds: float) -> str:
    """Seconds as a person reads them: `42 s`, `3 min 05 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


@contextmanager
def step(part: str, what: str, usually: str, how_far: Callable[[], str] = str) -> Iterator[None]:
    """Announce a step, then every ten seconds how far it is, and at the end how long it took."""
    say(part, f"{what} (usually {usually})")
    begun = time.monotonic()
    over = threading.Event()
    clock = threading.Thread(target=_tick, args=(part, what, begun, over, how_far), daemon=True)
    clock.start()
    try:
        yield
    finally:
        over.set()
        clock.join()
    say(part, f"{what}: done in {spent(time.monotonic() - begun)}")


def _tick(part: str, what: str, begun: float, over: threading.Event, how_far: Callable[[], str]) -> None:
    while not over.wait(SIGN_OF_LIFE):
        state = how_far()
        say(part, f"{what}: {spent(time.monotonic() - begun)}{', ' if state else ''}{state}")
