"""A delayed work queue: one heap of due times a lane, keys deduplicated, a key in one hand at a time.

The three rules of client-go's workqueue: what is in a hand is not given to another; what is added meanwhile comes again
afterwards; of two due times the earlier wins. A lane is a group of worker threads: short turns, POSTs, copies. A key is
in one lane at a time, so that a slow copy never holds up polls and a key still has only one hand on it.
"""

import heapq
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .api.meta import Key

_SHORTEST_WAIT: Final = 0.001


class Lane(StrEnum):
    """Which worker threads take a key."""

    TURN = "turn"
    SUBMIT = "submit"
    COPY = "copy"


@dataclass(slots=True)
class _Slot:
    due: float
    lane: Lane
    number: int


class WorkQueue:
    """Thread-safe. `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._heaps: dict[Lane, list[tuple[float, int, Key]]] = {lane: [] for lane in Lane}
        self._slots: dict[Key, _Slot] = {}
        self._in_hand: set[Key] = set()
        self._again: dict[Key, tuple[float, Lane | None]] = {}
        self._numbers = itertools.count()
        self._closed = False

    def add(self, key: Key, delay: float = 0.0, lane: Lane | None = None) -> None:
        """Due after `delay` seconds, or earlier if it already was; `lane` None leaves a key in the lane it is in."""
        due = self._clock() + delay
        with self._changed:
            if key in self._in_hand:
                old_due, old_lane = self._again.get(key, (due, None))
                self._again[key] = (min(due, old_due), lane or old_lane)
                return
            self._put(key, due, lane)

    def _put(self, key: Key, due: float, lane: Lane | None) -> None:
        slot = self._slots.get(key)
        lane = lane or (slot.lane if slot else Lane.TURN)
        if slot is not None:
            due = min(due, slot.due)
            if (due, lane) == (slot.due, slot.lane):
                return
        number = next(self._numbers)
        self._slots[key] = _Slot(due, lane, number)
        heapq.heappush(self._heaps[lane], (due, number, key))
        self._changed.notify_all()

    def take(self, lane: Lane, timeout: float | None = None) -> Key | None:
        """The next due key of the lane, now in the caller's hand; None after `timeout` seconds or at the close."""
        deadline = None if timeout is None else self._clock() + timeout
        with self._changed:
            while not self._closed:
                key, wait = self._due(lane)
                if key is not None:
                    self._in_hand.add(key)
                    return key
                if deadline is not None:
                    left = deadline - self._clock()
                    if left <= 0:
                        return None
                    wait = left if wait is None else min(wait, left)
                self._changed.wait(wait)
            return None

    def _due(self, lane: Lane) -> tuple[Key | None, float | None]:
        heap = self._heaps[lane]
        while heap:
            due, number, key = heap[0]
            slot = self._slots.get(key)
            if slot is None or slot.number != number:
                heapq.heappop(heap)  # superseded by an earlier due time or another lane
                continue
            wait = due - self._clock()
            if wait > 0:
                return None, max(wait, _SHORTEST_WAIT)
            heapq.heappop(heap)
            del self._slots[key]
            return key, None
        return None, None

    def done(self, key: Key) -> None:
        """The hand is empty again; what was added meanwhile goes back into the queue."""
        with self._changed:
            self._in_hand.discard(key)
            again = self._again.pop(key, None)
            if again is not None:
                self._put(key, *again)

    def next_due(self) -> float | None:
        """When the earliest key is due, on the queue's clock; None if nothing waits."""
        with self._changed:
            return min((slot.due for slot in self._slots.values()), default=None)

    def in_hand(self) -> int:
        """How many keys are being worked on."""
        with self._changed:
            return len(self._in_hand)

    def __len__(self) -> int:
        with self._changed:
            return len(self._slots)

    def close(self) -> None:
        """Every waiting and every later `take` returns None."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
