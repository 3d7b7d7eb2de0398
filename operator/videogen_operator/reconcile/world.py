"""What a turn may use: the ports, the queue, the process's own seconds and names. Built once, in `wiring`."""

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ..api.meta import Key
from ..ports import Clock, Kube, Stores, VideoApi
from ..pursuit import Moment
from ..timings import Timings
from ..workqueue import WorkQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything outside the pure core, as one value."""

    kube: Kube
    api: VideoApi
    stores: Stores
    clock: Clock
    queue: WorkQueue
    seconds: Timings = field(default_factory=Timings)
    writer: str = "videogen-operator"  # names this start of this process in reservations
    temp_dir: str = "/tmp"  # noqa: S108 - the pod's own volume by default
    temp_bytes: int = 8 * 1024**3
    stopping: threading.Event = field(default_factory=threading.Event)

    def moment(self) -> Moment:
        return Moment(wall=self.clock.now(), ticks=self.clock.ticks())

    def wake(self, key: Key, delay: float = 0.0) -> None:
        self.queue.add(key, delay)

    def at(self, key: Key, ticks: float) -> None:
        """Put a key back for a time on the monotonic clock."""
        self.queue.add(key, max(0.0, ticks - self.clock.ticks()))


@dataclass(slots=True)
class Tickets:
    """Tickets of intents whose POST has not begun. A ticket is taken out before the first byte is sent, for ever."""

    _unsent: dict[str, str] = field(default_factory=dict)  # ticket -> attempt
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def issue(self, attempt: str) -> str:
        ticket = secrets.token_hex(16)
        with self._lock:
            self._unsent[ticket] = attempt
        return ticket

    def spend(self, ticket: str) -> bool:
        """Whether the ticket was unsent until now. From here on it never is again."""
        with self._lock:
            return self._unsent.pop(ticket, None) is not None

    def unsent(self) -> frozenset[str]:
        with self._lock:
            return frozenset(self._unsent)


WALK: Final = "Walk"
"""Kind of the queue's keys for the walk over a class's reservations."""

Hidden = tuple[str, ...]
"""Strings that must appear nowhere: the key, the prompt, the negative prompt."""

Facts = Mapping[str, object]
"""Fields of a log line."""
