"""The writes of facts: a task, a result, an end, a doubt. Each is decided from the ledger, repeated until it holds."""

import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from .. import actions, answers, ledger, writes
from ..admission import Offer
from ..api.generation import VideoGeneration
from ..api.generation_status import Resolved
from ..api.money import ZERO
from ..conditions import Reason, Standing, Step, Type
from ..errors import KubeTrouble
from ..job import Job, active_revision, finished, newest_attempt, own_number, shows
from ..ledger import AttemptId, Entry, FolderId, Task
from ..redaction import Secret
from .access import Access
from .announce import Announcer
from .attempt import Charge
from .desks import Desks
from .flight import Flight
from .pace import pace_of
from .world import World

log: Final = logging.getLogger("videogen_operator.generation")

RECORD_TRIES: Final = 5
_CLOSED_EVENTS: Final = frozenset({Reason.MODEL_UNAVAILABLE})
_SHOWN_EVENTS: Final = frozenset({Reason.GENERATION_OVERDUE, Reason.TASK_NOT_FOUND})

WriteStatus = Callable[[Flight, writes.Write], bool]


class FactWrites:
    """What is known is written, announced once, and settled."""

    def __init__(self, world: World, desks: Desks, announcer: Announcer, write: WriteStatus) -> None:
        self._world = world
        self._desks = desks
        self._announcer = announcer
        self._write = write

    # ------------------------------------------------------------ the task

    def task(self, flight: Flight, job: Job, action: actions.RecordTask, *, quiet: bool = False) -> None:
        """Write 2, or the adoption of a task that is paid for. `quiet` leaves the key to the caller."""
        obj, now = _object(flight), self._world.clock.now()
        attempt = _attempt(job, action.entry)
        pins = _adoption(job, action.entry) if action.adopted else None
        price = _price(job, action.entry)
        standing = Standing(
            step=Step.GENERATING,
            reason=Reason.GENERATING,
            message=f"task {action.task.task_id} is being made",
            notes={Type.SUBMITTED: f"task {action.task.task_id}"},
            adopted=action.adopted,
        )
        written = self._write(flight, writes.task(obj, attempt, action.task, standing, now, pins))
        if written:
            self._announce_task(job, obj, action, price)
        if not quiet:
            self._world.wake(flight.key)

    def _announce_task(self, job: Job, obj: VideoGeneration, action: actions.RecordTask, price: Decimal) -> None:
        name = job.klass.metadata.name if job.klass else ""
        task = action.task.task_id
        if action.adopted:
            note = f"Task {task} was already ordered for this revision; it is adopted, no new charge"
            self._say(obj, Reason.TASK_ADOPTED, note, action="Adopt", related=name)
        else:
            note = f"Task {task} created through class {name} for {writes.usd(price)}, billed when it is completed"
            self._say(obj, Reason.TASK_CREATED, note, action="Submit", related=name)

    # ------------------------------------------------------------ the result

    def result(self, flight: Flight, job: Job, action: actions.Conclude) -> None:
        """Write 3, or the adoption of a video that is in the bucket."""
        obj, result = _object(flight), action.result
        attempt = _attempt_of(job, result.attempt)
        pins = _result_pins(job, result) if action.adopted else None
        standing = self._result_standing(job, action)
        write = writes.result(obj, attempt, result, standing, self._world.clock.now(), pins)
        if self._write(flight, write):
            self._announce_result(obj, action, standing)
            if result.mismatch:
                note = f"The stored video is not as ordered: {result.mismatch}; it was billed and is kept"
                self._say(obj, Reason.OUTPUT_MISMATCH, note, action="Store", warning=True)
        self._settle(job, attempt)
        self._world.wake(flight.key)

    def _result_standing(self, job: Job, action: actions.Conclude) -> Standing:
        result, output = action.result, action.result.output
        if job.obj.spec.revision > output.revision:
            message = f"revision {output.revision} is stored at {output.uri}; revision {job.obj.spec.revision} is next"
            return Standing(step=Step.QUEUED, reason=Reason.QUEUED, message=message)
        cost = writes.usd(result.cost_usd)
        paid = f"no new charge (billed {cost} before)" if action.adopted else f"billed {cost}"
        seconds = output.duration_millis / 1000
        measured = f"{output.size_bytes} bytes, {seconds:g} s, {output.width_pixels}x{output.height_pixels}"
        asked = f"; not as ordered: {result.mismatch}" if result.mismatch else ""
        notes = {
            Type.SUBMITTED: f"task {result.task_id}",
            Type.GENERATED: _took(result),
            Type.STORED: measured + asked,
            Type.SUCCEEDED: "",
            Type.FINISHED: "",
        }
        if action.adopted and not action.there:
            message = (
                f"the video of this revision was bought and stored at {output.uri}, but is not there any more; "
                "only a raised spec.revision pays for a new one"
            )
            return Standing(step=Step.OUTPUT_MISSING, reason=Reason.OUTPUT_MISSING, message=message, adopted=True)
        return Standing(
            step=Step.SUCCEEDED,
            reason=Reason.SUCCEEDED,
            message=f"Video stored at {output.uri}; {paid}{asked}",
            notes=notes,
            adopted=action.adopted,
            mismatch=bool(result.mismatch),
        )

    def _announce_result(self, obj: VideoGeneration, action: actions.Conclude, standing: Standing) -> None:
        output, cost = action.result.output, writes.usd(action.result.cost_usd)
        if standing.step is Step.OUTPUT_MISSING:
            self._say(obj, Reason.OUTPUT_MISSING, standing.message, action="Adopt", warning=True)
        elif action.adopted:
            note = f"{output.uri} was already paid for ({cost}) and is adopted, no new charge"
            self._say(obj, Reason.OUTPUT_ADOPTED, note, action="Adopt")
        else:
            note = f"{output.uri}, {output.size_bytes} bytes, billed {cost}"
            self._say(obj, Reason.VIDEO_STORED, note, action="Store")

    # ------------------------------------------------------------ an end

    def end(self, flight: Flight, job: Job, action: actions.RecordEnd) -> None:
        """An attempt that ended without a video."""
        obj = _object(flight)
        attempt = _attempt(job, action.entry)
        foreign = own_number(obj, attempt.folder.revision) != attempt.number
        pins = _adoption(job, action.entry) if foreign else None
        price = _price(job, action.entry)
        now = self._world.clock.now()
        write = writes.end(obj, attempt, action.end, action.standing, now, price=price, adoption=pins)
        if self._write(flight, write):
            self._announce_end(obj, action.standing)
        self._settle(job, attempt)
        self._world.wake(flight.key)

    def _announce_end(self, obj: VideoGeneration, standing: Standing) -> None:
        if standing.step is Step.FAILED:
            action = "Submit" if standing.at is Type.SUBMITTED else "Generate"
            self._say(obj, standing.reason, standing.message, action=action, warning=True)
        elif standing.reason in _CLOSED_EVENTS:
            self._say(obj, standing.reason, standing.message, action="Submit", warning=True)

    # ------------------------------------------------------------ a doubt

    def doubt(self, flight: Flight, job: Job, action: actions.Doubt) -> None:
        """An intent without an answer: shown, and after the grace held for a person."""
        obj, attempt = _object(flight), _attempt(job, action.entry)
        foreign = own_number(obj, attempt.folder.revision) != attempt.number
        newest = newest_attempt(obj)
        detail = flight.doubt_detail or (newest.message if newest and newest.message else "")
        standing = _doubtful(action, attempt, _price(job, action.entry), detail)
        known_unknown = newest is not None and newest.state == "Unknown"
        if foreign or not shows(obj, standing) or (action.held and not known_unknown):
            write = writes.doubt(
                obj,
                attempt,
                standing,
                self._world.clock.now(),
                price=_price(job, action.entry),
                held=action.held,
                endpoint=action.intent.endpoint,
                detail=flight.doubt_detail,
                adoption=_adoption(job, action.entry) if foreign else None,
            )
            if self._write(flight, write) and action.held:
                self._say(obj, Reason.SUBMISSION_OUTCOME_UNKNOWN, standing.message, action="Submit", warning=True)
            self._world.wake(flight.key)
            return
        self._world.at(flight.key, action.until)

    def answered(self, flight: Flight, job: Job, action: actions.Resolve) -> None:
        """A person answered: say what it may cost."""
        if action.answer is ledger.Answer.RESUBMIT:
            price = writes.usd(_price(job, action.entry))
            note = f"Sent again by a person's answer; attempt a{action.entry.number} may have been billed {price} too"
            self._say(_object(flight), "Resubmitted", note, action="Submit", warning=True)

    def refused_answer(self, flight: Flight, why: str) -> None:
        """The annotation cannot be taken: the message says why, beside the ways out."""
        obj = _object(flight)
        if finished(obj):
            self._say(obj, "AnswerRefused", f"videogen.dev/resolve was not taken: {why}", action="Adopt", warning=True)
            return
        newest = newest_attempt(obj)
        short = newest.id if newest else "r1-a1"
        where = (obj.metadata.namespace, obj.metadata.name)
        message = f"the answer in videogen.dev/resolve was not taken: {why}. {ways_out(short, *where)}"
        standing = Standing(step=Step.HELD, reason=Reason.SUBMISSION_OUTCOME_UNKNOWN, message=message)
        self._write(flight, writes.show(obj, standing, self._world.clock.now()))

    # ------------------------------------------------------------ shared

    def tell_standing(self, obj: VideoGeneration, standing: Standing, flight: Flight) -> None:
        """The warnings that go with a shown standing, once each."""
        if standing.reason in _SHOWN_EVENTS and standing.reason not in flight.told:
            self.warn(obj, standing, flight)

    def warn(self, obj: VideoGeneration, standing: Standing, flight: Flight) -> None:
        """What lasts too long, once while this process runs."""
        flight.told |= {standing.reason}
        action = "Store" if standing.step is Step.STORING else "Generate"
        self._say(obj, standing.reason, standing.message, action=action, warning=True)

    def _settle(self, job: Job, attempt: AttemptId) -> None:
        if job.klass is None:
            return
        name = job.klass.metadata.name
        due = self._world.clock.ticks() + self._world.seconds.settle
        self._desks.desk(name).settle(attempt, None, due)
        self._desks.wake(name)

    def _say(
        self, obj: VideoGeneration, reason: str, note: str, *, action: str, warning: bool = False, related: str = ""
    ) -> None:
        self._announcer.say(obj.key, obj.metadata, str(reason), note, action=action, warning=warning, related=related)


def ways_out(short: str, namespace: str, name: str) -> str:
    """The three answers, ready to paste."""
    return (
        "Look for the task in the gateway's console, then: "
        f"kubectl -n {namespace} annotate vgen {name} --overwrite videogen.dev/resolve={short}:adopt=<taskID> "
        f"(it is there), or ={short}:resubmit (it is not; pays once more), or ={short}:abandon (give it up)"
    )


def _doubtful(action: actions.Doubt, attempt: AttemptId, price: Decimal, detail: str) -> Standing:
    since = action.intent.time
    if not action.held:
        message = f"attempt {attempt.short} of {since:%Y-%m-%dT%H:%M:%SZ} has no answer on record yet; nothing is sent"
        return Standing(step=Step.SUBMITTING, reason=Reason.SUBMISSION_OUTCOME_UNKNOWN, message=message)
    why = f" ({detail})" if detail else ""
    folder = attempt.folder
    message = (
        f"the order of {since:%Y-%m-%dT%H:%M:%SZ} ({attempt.short}) got no clear answer{why} and may be billed "
        f"{writes.usd(price)}; nothing is sent again by itself. "
        f"{ways_out(attempt.short, folder.namespace, folder.name)}"
    )
    return Standing(step=Step.HELD, reason=Reason.SUBMISSION_OUTCOME_UNKNOWN, message=message)


def _took(result: ledger.Result) -> str:
    if result.submit_time is None:
        return "completed"
    return f"completed in {(result.completion_time - result.submit_time).total_seconds():.0f} s"


def _object(flight: Flight) -> VideoGeneration:
    if flight.obj is None:
        raise ValueError("the object was not read")
    return flight.obj


def _attempt(job: Job, entry: Entry) -> AttemptId:
    return _folder(job).attempt(entry.number)


def _attempt_of(job: Job, short: str) -> AttemptId:
    parsed = ledger.parse_short(short)
    if parsed is None:
        raise ledger.LedgerUnreadableError(f"{short!r} names no attempt")
    return _folder(job).attempt(parsed[1])


def _folder(job: Job) -> FolderId:
    metadata = job.obj.metadata
    return FolderId(metadata.namespace, metadata.name, active_revision(job.obj))


def _resolved(job: Job, entry: Entry) -> Resolved | None:
    if entry.intent is not None and entry.intent.resolved is not None:
        return entry.intent.resolved
    if job.obj.status.resolved is not None and job.obj.status.submitted_revision == active_revision(job.obj):
        return job.obj.status.resolved
    return job.offer.resolved if isinstance(job.offer, Offer) else None


def _price(job: Job, entry: Entry) -> Decimal:
    resolved = _resolved(job, entry)
    return resolved.price_usd if resolved else ZERO


def _pins(job: Job, request: ledger.Request | None, resolved: Resolved | None) -> writes.Pins:
    if job.klass is None:
        raise ValueError("an adoption needs the class")
    if request is None and isinstance(job.offer, Offer):
        request = job.offer.request
    hash_ = request.hash if request else ""
    return writes.Pins(klass=job.klass, ledger_uri=job.ledger_uri, request_hash=hash_, resolved=resolved)


def _adoption(job: Job, entry: Entry) -> writes.Pins:
    return _pins(job, entry.request, _resolved(job, entry))


def _result_pins(job: Job, result: ledger.Result) -> writes.Pins:
    return _pins(job, result.request, result.resolved)


def charge(flight: Flight, job: Job, access: Access, world: World) -> Charge:
    """What the work on the object's task needs. Raises `KubeTrouble` while the key's Secret is missing."""
    klass, folder = job.klass, flight.work.folder
    number = own_number(job.obj, active_revision(job.obj))
    entry = folder.entry(number) if folder is not None and number is not None else None
    if klass is None or entry is None or entry.task is None:
        raise ValueError("the object has no task")
    resolved = _resolved(job, entry)
    if resolved is None:
        raise ledger.LedgerUnreadableError(f"what attempt {entry.number} ordered is not on record")
    ticks = world.clock.ticks()
    return Charge(
        attempt=_attempt(job, entry),
        task=_task(entry.task, klass.spec.provider.open_ai_videos.endpoints[0]),
        resolved=resolved,
        klass=klass,
        key=needed_key(klass.metadata.name, access.api_key(klass, ticks)),
        store=access.store(klass, ticks),
        pace=pace_of(klass, resolved.tier, world.seconds),
    )


def needed_key(name: str, key: Secret | None) -> Secret:
    """The key, or trouble that passes when the Secret is back."""
    if key is None:
        raise KubeTrouble(f"the Secret with the API key of class {name} is missing", retry_after=10.0)
    return key


def _task(task: Task, default_endpoint: str) -> Task:
    return task if task.endpoint else task.model_copy(update={"endpoint": default_endpoint})


def task_is_there(world: World, endpoint: str, key: Secret, task_id: str) -> str:
    """Why a task that a person named cannot be adopted; empty if one GET finds it."""
    answer = answers.read_poll(world.api.poll(endpoint, key, task_id), (key.reveal(),))
    match answer:
        case answers.NoSuchTask():
            return f"the gateway does not know task {task_id}: {answer.detail}"
        case answers.Refused():
            return f"task {task_id} could not be looked up, try again: {answer.detail}"
        case _:
            return ""
