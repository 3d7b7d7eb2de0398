"""Answers that are held open: each waits for its time, for `release`, or for the end of the simulator."""

import threading

from .clock import Clock

LONGEST_SECONDS = 86_400.0  # what an operating system's wait can take is less than what a marker may say


class Holds:
    """The waits that are under way."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: set[threading.Event] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def hold(self, seconds: float) -> None:
        """Keep the caller waiting for so many seconds of wall time."""
        released = threading.Event()
        until = self._clock.now() + min(seconds, LONGEST_SECONDS)
        with self._changed:
            if self._closed:
                return
            self._waiting.add(released)
            self._changed.notify_all()
        try:
            self._clock.wait(released, until)
        finally:
            with self._changed:
                self._waiting.discard(released)

    def wait_held(self, count: int, timeout: float) -> bool:
        """Wait until `count` answers are held; False if that did not come within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._waiting) >= count, timeout)

    def release(self) -> int:
        """Let all go that wait now; how many."""
        with self._changed:
            waiting = list(self._waiting)
        for released in waiting:
            released.set()
        return len(waiting)

    def close(self) -> None:
        """Let all go, and nobody wait again."""
        with self._changed:
            self._closed = True
        self.release()
