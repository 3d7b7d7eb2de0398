"""The unfinished objects of this process, and what others may ask of them."""

import threading
from typing import Final

from ..api.generation_status import AttemptState
from ..api.meta import Key
from ..conditions import Standing
from ..job import finished, newest_attempt
from ..ledger import Task
from ..ledger_names import AttemptId
from .attempt import Attempts
from .desks import Desks
from .flight import Flight
from .world import WALK, World

_OWED_RETRY: Final = 2.0


class Flights:
    """Thread-safe. A flight itself is touched in its key's turn only."""

    def __init__(self, world: World, desks: Desks, attempts: Attempts) -> None:
        self._world = world
        self._desks = desks
        self._attempts = attempts
        self._flights: dict[Key, Flight] = {}
        self._lock = threading.Lock()

    def of(self, key: Key) -> Flight:
        """The flight of an object, known or not yet."""
        with self._lock:
            return self._flights.setdefault(key, Flight(key))

    def all(self) -> list[Flight]:
        with self._lock:
            return list(self._flights.values())

    def unfinished(self) -> int:
        with self._lock:
            return len(self._flights)

    # ------------------------------------------------------------ what happened elsewhere

    def notice(self, key: Key) -> None:
        """Something about the object changed: look again."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                flight.stale = True
        self._world.wake(key)

    def wake_class(self, name: str) -> None:
        """The class or its Secret changed: whoever waits for it looks again."""
        for flight in self.all():
            obj = flight.peek()
            klass = self._desks.of(obj) if obj is not None else None
            if klass is None or klass.metadata.name == name:
                self._world.wake(flight.key)

    def pass_over(self, key: Key, standing: Standing) -> None:
        """The queue has no slot for it now; the object says why, once."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                return
            flight.waits = standing
            flight.folder_stale = True
        self._world.wake(key)

    # ------------------------------------------------------------ who works on what

    def pursues(self, attempt: AttemptId) -> bool:
        """Whether an object in this process works on the attempt, so that the walk need not."""
        for flight in self.all():
            p = flight.work.pursuit
            if p is not None and p.attempt == attempt:
                return True
            obj = flight.peek() if _is_of(flight, attempt) else None
            if obj is not None and obj.status.attempt == attempt.short:
                return obj.metadata.deletion_timestamp is None
        return False

    def object_of(self, attempt: AttemptId) -> Flight | None:
        """The unfinished object that the attempt's folder belongs to."""
        return next((flight for flight in self.all() if _is_of(flight, attempt)), None)

    def doubts(self, attempt: AttemptId) -> bool:
        """Whether an object shows that it does not know what became of the attempt."""
        flight = self.object_of(attempt)
        obj = flight.peek() if flight is not None else None
        newest = newest_attempt(obj) if obj is not None else None
        return newest is not None and newest.id == attempt.short and newest.state is AttemptState.UNKNOWN

    def unrecorded(self) -> list[str]:
        """Orders whose task ID is on no record yet, each with the answer that would bring it back."""
        return [
            f"{flight.key.namespace}/{flight.key.name} {item.attempt.short}:adopt={item.document.task_id}"
            for flight in self.all()
            for item in flight.work.unwritten
            if isinstance(item.document, Task)
            and ((obj := flight.peek()) is None or obj.status.task_id != item.document.task_id)
        ]

    # ------------------------------------------------------------ the end

    def drop(self, key: Key) -> None:
        """The object is gone or done. Paid work that is open goes on without it, led by its reservation.

        A flight that still owes the ledger a fact stays until that is written.
        """
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None and not flight.work.unwritten:
                del self._flights[key]
        if flight is None:
            return
        self.leave(flight)
        if flight.work.unwritten:
            flight.stale = True
            self._world.wake(key, _OWED_RETRY)
            return
        self._attempts.forget(flight.work)
        status = flight.obj.status if flight.obj is not None else None
        if status is not None and status.class_ is not None and flight.obj and not finished(flight.obj):
            self._world.wake(Key(WALK, "", status.class_.name))

    def leave(self, flight: Flight, *, but: str = "") -> None:
        """It asks no desk, `but` that of its class, for a slot any more; one that it got and did not use goes back."""
        for desk in self._desks.known():
            if desk.name != but and (desk.grant(flight.key) is not None or flight.key in desk.waiting):
                desk.leave(flight.key)
                self._desks.wake(desk.name)


def _is_of(flight: Flight, attempt: AttemptId) -> bool:
    return (flight.key.namespace, flight.key.name) == (attempt.folder.namespace, attempt.folder.name)
