"""The one place where an object's status is written, and its change told in the log."""

import logging
from typing import Final

from .. import writes
from ..api.generation import VideoGeneration
from ..api.meta import Key
from ..closures import Closure
from ..conditions import Type, find, step_shown
from ..ports import Kind
from ..records import Records
from .desks import Desks
from .flight import Flight
from .flights import Flights
from .gathering import asked
from .world import World

log: Final = logging.getLogger("videogen_operator.generation")


class StatusWriter:
    """Compare-and-set, nothing else."""

    def __init__(self, world: World, desks: Desks, flights: Flights, records: Records) -> None:
        self._world = world
        self._desks = desks
        self._flights = flights
        self._records = records

    def write(self, flight: Flight, write: writes.Write, *, drop: bool = True) -> bool:
        """Whether the object holds it now. A lost race raises `Superseded`; a vanished object is dropped.

        `drop` False: in the middle of an action that still uses what is dropped; the next turn sees that it is gone.
        """
        stored = self._world.kube.patch_status(
            Kind.GENERATION, flight.key.namespace, flight.key.name, list(write.operations)
        )
        if stored is None:
            flight.stale = True
            if drop:
                self._flights.drop(flight.key)
            return False
        lost = writes.missing(write, stored)
        if lost:
            message = f"the CRD does not keep status.{', status.'.join(lost)}: install the CRDs of this version"
            self._desks.close_all(Closure.SCHEMA_OUTDATED, message)
            log.critical("the CRD is older than the operator", extra={"fields": lost})
        self._records.written(stored)
        before, flight.obj = flight.obj, VideoGeneration.model_validate(stored)
        flight.lost_races = 0
        if before is not None and asked(before) != asked(flight.obj):
            flight.work.forget_folder()
            self._world.wake(flight.key)  # an edit came in between: the watch's event of it will be no news
        _log_change(flight.key, before, flight.obj)
        return True


def _log_change(key: Key, before: VideoGeneration | None, now: VideoGeneration) -> None:
    """One line a state change, with the ids that lead to everything else."""
    ready = find(now.status.conditions, Type.READY)
    was = find(before.status.conditions, Type.READY) if before else None
    step = step_shown(now.status.conditions)
    if ready is None or (
        was is not None
        and was.reason == ready.reason
        and step is step_shown(before.status.conditions if before else ())
    ):
        return
    facts = {
        "object": str(key),
        "reason": ready.reason,
        "attempt": now.status.attempt,
        "task_id": now.status.task_id,
        "detail": ready.message,
    }
    log.info("now %s", step, extra={name: value for name, value in facts.items() if value})
