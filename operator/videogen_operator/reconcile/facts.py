"""The writes of facts: a task, a result, an end. Each is decided from the ledger, repeated until it holds."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from pydantic import ValidationError

from .. import actions, conclusion, costs, ledger, ledger_names, writes
from ..api.generation import VideoGeneration
from ..api.money import usd
from ..conditions import Reason, Standing, Step, Type
from ..errors import Superseded
from ..job import OPEN, Job, active_folder, active_revision, own_number, price
from ..ledger_names import AttemptId
from ..ports import Kind
from .announce import Announcer
from .desks import Desks
from .flight import Flight
from .pinning import pins_of_attempt, pins_of_result
from .status_writer import StatusWriter
from .world import World

_LATE_TRIES: Final = 3
_SHOWN_EVENTS: Final = frozenset({Reason.GENERATION_OVERDUE, Reason.TASK_NOT_FOUND})


class FactWrites:
    """What is known is written, announced once, and settled."""

    def __init__(self, world: World, desks: Desks, announcer: Announcer, statuses: StatusWriter) -> None:
        self._world = world
        self._desks = desks
        self._announcer = announcer
        self._statuses = statuses

    # ------------------------------------------------------------ the task

    def task(self, flight: Flight, job: Job, action: actions.RecordTask, *, quiet: bool = False) -> None:
        """Write 2, or the adoption of a task that is paid for. `quiet` leaves the key to the caller."""
        obj, now = flight.known(), self._world.clock.now()
        attempt = active_folder(job.obj).attempt(action.entry.number)
        pins = pins_of_attempt(job, action.entry) if action.adopted else None
        standing = Standing(
            step=Step.GENERATING,
            reason=Reason.GENERATING,
            message=f"task {action.task.task_id} is being made",
            notes={Type.SUBMITTED: f"task {action.task.task_id}"},
            adopted=action.adopted,
        )
        if self._statuses.write(flight, writes.task(obj, attempt, action.task, standing, now, pins)):
            self._announce_task(flight.known(), job, action)
        if not quiet:
            self._world.wake(flight.key)

    def _announce_task(self, obj: VideoGeneration, job: Job, action: actions.RecordTask) -> None:
        task = action.task.task_id
        if action.adopted:
            note = f"Task {task} was already ordered for this revision; it is adopted, no new charge"
            self._announcer.about(obj, Reason.TASK_ADOPTED, note)
            return
        through = f"class {obj.status.class_.name}, " if obj.status.class_ else ""
        model = f"model {obj.status.resolved.api_model}, " if obj.status.resolved else ""
        note = f"Task {task} created: {through}{model}{usd(price(job, action.entry))}, billed when it is completed"
        self._announcer.about(obj, Reason.TASK_CREATED, note)

    def storing(self, flight: Flight, standing: Standing, *, drop: bool = True) -> None:
        """A copy that takes long, with what the video cost. `drop`: as for `StatusWriter.write`."""
        obj = flight.known()
        number = own_number(obj, active_revision(obj))
        if number is None:
            raise ValueError("the status names no attempt")
        write = writes.storing(obj, active_folder(obj).attempt(number), standing, self._world.clock.now())
        self._statuses.write(flight, write, drop=drop)

    # ------------------------------------------------------------ the result

    def result(self, flight: Flight, job: Job, action: actions.Conclude) -> None:
        """Write 3, or the adoption of a video that is in the bucket."""
        obj, result = flight.known(), action.result
        attempt = _attempt_of(job, result.attempt)
        pins = pins_of_result(job, result) if action.adopted else None
        standing = conclusion.standing(action, job.obj)
        write = writes.result(obj, attempt, result, standing, self._world.clock.now(), pins)
        if self._statuses.write(flight, write):
            self._announce_result(flight.known(), action, standing)
            if result.mismatch:
                note = f"The stored video is not as ordered: {result.mismatch}; it was billed and is kept"
                self._announcer.about(flight.known(), Reason.OUTPUT_MISMATCH, note)
        self._settle(job, attempt)
        self._world.wake(flight.key)

    def _announce_result(self, obj: VideoGeneration, action: actions.Conclude, standing: Standing) -> None:
        output, cost = action.result.output, usd(action.result.cost_usd)
        if standing.step is Step.OUTPUT_MISSING:
            self._announcer.about(obj, Reason.OUTPUT_MISSING, standing.message)
        elif action.adopted:
            note = f"{output.uri} was already paid for ({cost}) and is adopted, no new charge"
            self._announcer.about(obj, Reason.OUTPUT_ADOPTED, note)
        else:
            note = f"{output.uri}, {output.size_bytes} bytes, billed {cost}"
            self._announcer.about(obj, Reason.VIDEO_STORED, note)

    # ------------------------------------------------------------ an end

    def end(self, flight: Flight, job: Job, action: actions.RecordEnd) -> None:
        """An attempt that ended without a video."""
        obj = flight.known()
        attempt = active_folder(job.obj).attempt(action.entry.number)
        foreign = own_number(obj, attempt.folder.revision) != attempt.number
        pins = pins_of_attempt(job, action.entry) if foreign else None
        now = self._world.clock.now()
        write = writes.end(
            obj, attempt, action.end, action.standing, now, price=price(job, action.entry), adoption=pins
        )
        told = action.standing.step is Step.FAILED or action.standing.reason is Reason.MODEL_UNAVAILABLE
        if self._statuses.write(flight, write) and told:
            self._announcer.about(flight.known(), action.standing.reason, action.standing.message)
        self._settle(job, attempt)
        self._world.wake(flight.key)

    # ------------------------------------------------------------ shared

    def tell_standing(self, obj: VideoGeneration, standing: Standing, flight: Flight) -> None:
        """The warnings that go with a shown standing, once each."""
        if standing.reason in _SHOWN_EVENTS and standing.reason not in flight.told:
            self.warn(obj, standing, flight)

    def warn(self, obj: VideoGeneration, standing: Standing, flight: Flight) -> None:
        """What lasts too long, once while this process runs."""
        flight.told |= {standing.reason}
        self._announcer.about(obj, standing.reason, standing.message)

    def _settle(self, job: Job, attempt: AttemptId) -> None:
        if job.klass is None:
            return
        name = job.klass.metadata.name
        desk, wait = self._desks.desk(name), self._world.seconds.settle
        desk.settle(attempt, None, self._world.clock.ticks() + wait)
        self._desks.wake(name, 0.0 if desk.waiting else wait)  # a free slot is for who waits; else it rides with others

    def late(self, attempt: AttemptId, record: ledger.End | ledger.Result, amount: Decimal) -> None:
        """A fact of an older attempt, whatever became of its object: it touches only its own item, and the sums.

        May be called again. Raises `KubeTrouble`, and `Superseded` when the object's own turns come first every time.
        """
        folder = attempt.folder
        for tries in range(_LATE_TRIES):
            raw = self._world.kube.read(Kind.GENERATION, folder.namespace, folder.name)
            write = _late_write(raw, attempt, record, amount) if raw is not None else None
            if write is None:
                return
            try:
                self._world.kube.patch_status(Kind.GENERATION, folder.namespace, folder.name, list(write.operations))
            except Superseded:
                if tries + 1 == _LATE_TRIES:
                    raise
            else:
                return


def _late_write(
    raw: Mapping[str, Any], attempt: AttemptId, record: ledger.End | ledger.Result, amount: Decimal
) -> writes.Write | None:
    """What the object lacks of it; None if its item is gone or closed, or the attempt is what it is at itself."""
    try:
        obj = VideoGeneration.model_validate(raw)
    except ValidationError:
        return None
    item = next((a for a in obj.status.attempts if a.id == attempt.short), None)
    if item is None or item.state not in OPEN or obj.status.attempt == attempt.short:
        return None
    ended = costs.completed(item, record) if isinstance(record, ledger.Result) else costs.ended(item, record, amount)
    return writes.fact(obj, ended)


def _attempt_of(job: Job, short: str) -> AttemptId:
    parsed = ledger_names.parse_short(short)
    if parsed is None:
        raise ledger.LedgerUnreadableError(f"{short!r} names no attempt")
    return active_folder(job.obj).attempt(parsed[1])
