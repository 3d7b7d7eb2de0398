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
        self.started = False
        self._threads = {
            lane: [
                threading.Thread(target=self._run, args=(lane,), name=f"{lane}-{number}", daemon=True)
                for number in range(count)
            ]
            for lane, count in threads.items()
        }

    def start(self) -> None:
        for thread in self._all():
            thread.start()
        self.started = True

    def _all(self) -> list[threading.Thread]:
        return [thread for threads in self._threads.values() for thread in threads]

    def alive(self) -> bool:
        """Every thread runs; one that does not is a bug that the liveness probe must show."""
        return all(thread.is_alive() for thread in self._all())

    def join(self, timeout: float, lane: Lane) -> bool:
        """Wait for a lane's turns in hand after the queue was closed; whether all ended within `timeout` seconds."""
        ended = threading.Event()
        threads = self._threads[lane]
        waiter = threading.Thread(target=_join_all, args=(threads, ended), daemon=True)
        waiter.start()
        return ended.wait(timeout)

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


def _join_all(threads: list[threading.Thread], ended: threading.Event) -> None:
    for thread in threads:
        thread.join()
    ended.set()
