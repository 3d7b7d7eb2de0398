"""The threads: take a key, give it one turn, put it back. The last `except` of the program is here."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final

from . import backoff
from .api.meta import Key
from .workqueue import Lane, WorkQueue

log: Final = logging.getLogger(__name__)

Turn = Callable[[Key, Lane], None]
"""Does one action for a key; puts the key back itself, with the next due time."""


class Workers:
    """A group of threads a lane. A turn that raises puts its key back with backoff: nothing dies silently."""

    def __init__(self, queue: WorkQueue, turn: Turn, threads: Mapping[Lane, int]) -> None:
        self._queue = queue
        self._turn = turn
        self._failures: dict[Key, int] = {}
        self._threads = [
            threading.Thread(target=self._run, args=(lane,), name=f"{lane}-{number}", daemon=True)
            for lane, count in threads.items()
            for number in range(count)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def alive(self) -> bool:
        """Every thread runs; one that does not is a bug that the liveness probe must show."""
        return all(thread.is_alive() for thread in self._threads)

    def join(self, timeout: float) -> bool:
        """Wait for turns in hand after the queue was closed; whether all ended in time (seconds, for all together)."""
        left = threading.Event()
        watcher = threading.Thread(target=self._join_all, args=(left,), daemon=True)
        watcher.start()
        return left.wait(timeout)

    def _join_all(self, done: threading.Event) -> None:
        for thread in self._threads:
            thread.join()
        done.set()

    def _run(self, lane: Lane) -> None:
        while (key := self._queue.take(lane)) is not None:
            self.one(key, lane)

    def one(self, key: Key, lane: Lane) -> None:
        """One turn of a key that is in hand."""
        try:
            self._turn(key, lane)
        except Exception:
            tries = self._failures[key] = self._failures.get(key, 0) + 1
            wait = backoff.delay(tries, str(key), base=1.0, most=60.0)
            log.exception("a turn failed; it is tried again", extra={"object": str(key), "in_seconds": round(wait)})
            self._queue.add(key, wait, Lane.TURN)
        else:
            self._failures.pop(key, None)
        finally:
            self._queue.done(key)
