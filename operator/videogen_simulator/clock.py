"""Time as the simulator sees it: wall time, or a clock that a test moves by hand."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What the simulator asks of a clock."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def wait(self, released: threading.Event, until: float) -> None:
        """Return when `released` is set, or at the time `until`."""


class SystemClock:
    """Wall time."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def wait(self, released: threading.Event, until: float) -> None:
        """Return when `released` is set, or at the time `until`."""
        released.wait(max(0.0, until - time.time()))


class ManualClock:
    """Stands still until `advance` is called; waits end when the time is moved past them."""

    def __init__(self, now: float = 1_775_025_000.0) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._waiting: list[tuple[float, threading.Event]] = []

    def now(self) -> float:
        """Seconds since the epoch, as last set."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> None:
        """Move the time forward and end the waits that are due."""
        with self._lock:
            self._now += seconds
            due = [event for at, event in self._waiting if at <= self._now]
            self._waiting = [entry for entry in self._waiting if entry[0] > self._now]
        for event in due:
            event.set()

    def wait(self, released: threading.Event, until: float) -> None:
        """Return when `released` is set, or when the time was moved to `until`."""
        with self._lock:
            if until <= self._now:
                return
            self._waiting.append((until, released))
        released.wait()
