"""Orders whose outcome is not known: shown, held for a person, and resolved by the person's answer."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from .. import actions, answers, events, ledger, writes
from ..api.generation_class import VideoGenerationClass
from ..api.money import usd
from ..conditions import Reason, Standing, Step
from ..job import Job, active_folder, finished, newest_attempt, own_number, price, shows
from ..ledger_names import AttemptId
from ..ports import Kind
from . import books
from .access import Access
from .announce import Announcer
from .flight import Flight
from .gathering import annotation
from .pinning import pins_of_attempt
from .status_writer import StatusWriter
from .world import World

_LOOK_UP_AGAIN: Final = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class _Obstacle:
    """What stands in the way of an adoption; `passes`: it is tried again by itself after `retry_after` seconds."""

    why: str
    passes: bool = False
    retry_after: float = _LOOK_UP_AGAIN


class Resolving:
    """Nothing here sends: a person's `resubmit` only permits the next attempt."""

    def __init__(self, world: World, access: Access, statuses: StatusWriter, announcer: Announcer) -> None:
        self._world = world
        self._access = access
        self._statuses = statuses
        self._announcer = announcer

    def doubt(self, flight: Flight, job: Job, action: actions.Doubt) -> None:
        """An intent without an answer: shown, and after the grace held for a person."""
        obj, attempt = flight.known(), active_folder(job.obj).attempt(action.entry.number)
        foreign = own_number(obj, attempt.folder.revision) != attempt.number
        newest = newest_attempt(obj)
        detail = flight.doubt_detail or (newest.message if newest and newest.message else "")
        amount = price(job, action.entry)
        standing = _doubtful(action, attempt, amount, detail)
        known_unknown = newest is not None and newest.state == "Unknown"
        seen = obj.status.observed_generation == obj.metadata.generation
        if not foreign and seen and shows(obj, standing) and (known_unknown or not action.held):
            self._world.at(flight.key, action.until)
            return
        write = writes.doubt(
            obj,
            attempt,
            standing,
            self._world.clock.now(),
            price=amount,
            held=action.held,
            endpoint=action.intent.endpoint,
            detail=flight.doubt_detail,
            adoption=pins_of_attempt(job, action.entry) if foreign else None,
        )
        if self._statuses.write(flight, write) and action.held:
            self._announcer.about(flight.known(), Reason.SUBMISSION_OUTCOME_UNKNOWN, standing.message)
        self._world.wake(flight.key)

    # ------------------------------------------------------------ a person's answer

    def resolve(self, flight: Flight, job: Job, action: actions.Resolve) -> None:
        """Take the answer: into the ledger first, create-only, so that it is used once."""
        if action.answer is not None:
            self._answer(flight, job, action, action.answer)
            return
        obstacle = self._obstacle(flight, job.with_class(), action)
        if obstacle is not None and obstacle.passes:
            self._wait_to_look_it_up(flight, job, obstacle)
            return
        if obstacle is not None:
            self.refuse(flight, job, obstacle.why)
            return
        attempt = active_folder(job.obj).attempt(action.entry.number)
        endpoint = _endpoint(action, job.with_class())
        task = ledger.Task(
            attempt=attempt.short, task_id=action.task_id, endpoint=endpoint, time=self._world.clock.now()
        )
        self._put(flight, job, attempt, "task", task)

    def refuse(self, flight: Flight, job: Job, why: str) -> None:
        """The annotation cannot be taken: the message says why, beside the ways out."""
        obj = flight.known()
        if finished(obj):
            self._announcer.about(obj, events.ANSWER_REFUSED, f"videogen.dev/resolve was not taken: {why}")
        else:
            newest = newest_attempt(obj)
            short = newest.id if newest else "r1-a1"
            where = (obj.metadata.namespace, obj.metadata.name)
            message = f"the answer in videogen.dev/resolve was not taken: {why}. {ways_out(short, *where)}"
            standing = Standing(step=Step.HELD, reason=Reason.SUBMISSION_OUTCOME_UNKNOWN, message=message)
            self._statuses.write(flight, writes.show(obj, standing, self._world.clock.now()))
        flight.refused_annotation, flight.refused_answer = annotation(job.obj), why  # only once it is said
        self._world.wake(flight.key)

    def _answer(self, flight: Flight, job: Job, action: actions.Resolve, answer: ledger.Answer) -> None:
        attempt = active_folder(job.obj).attempt(action.entry.number)
        document = ledger.Resolution(attempt=attempt.short, answer=answer, time=self._world.clock.now())
        self._put(flight, job, attempt, "resolved", document)
        if answer is ledger.Answer.RESUBMIT:
            amount = usd(price(job, action.entry))
            note = f"Sent again by a person's answer; attempt {attempt.short} may have been billed {amount} too"
            self._announcer.about(flight.known(), events.RESUBMITTED, note)

    def _put(
        self, flight: Flight, job: Job, attempt: AttemptId, name: str, document: ledger.Task | ledger.Resolution
    ) -> None:
        klass = job.with_class()
        store, prefix = self._access.store(klass, self._world.clock.ticks()), klass.spec.storage.s3.prefix
        flight.work.note(attempt, books.put(store, prefix, attempt.folder, attempt.file(name), document))
        self._world.wake(flight.key)

    def _wait_to_look_it_up(self, flight: Flight, job: Job, obstacle: _Obstacle) -> None:
        """The answer stands, and is tried again by itself; it says so once."""
        obj = flight.known()
        if flight.awaited_answer != annotation(job.obj) and not finished(obj):
            message = f"the answer in videogen.dev/resolve is taken as soon as that is possible: {obstacle.why}"
            standing = Standing(step=Step.HELD, reason=Reason.SUBMISSION_OUTCOME_UNKNOWN, message=message)
            self._statuses.write(flight, writes.show(obj, standing, self._world.clock.now()))
            flight.awaited_answer = annotation(job.obj)
        self._world.wake(flight.key, obstacle.retry_after)

    def _obstacle(self, flight: Flight, klass: VideoGenerationClass, action: actions.Resolve) -> _Obstacle | None:
        """Why a task cannot be adopted; None after one successful GET of it, if no other object has it."""
        key = self._access.api_key(klass, self._world.clock.ticks())
        if key is None:
            return _Obstacle("the Secret with the API key is missing", passes=True)
        endpoint, task_id = _endpoint(action, klass), action.task_id
        if endpoint not in klass.spec.provider.open_ai_videos.endpoints:
            name = klass.metadata.name
            return _Obstacle(f"endpoint {endpoint} is no longer in class {name}; add it back", passes=True)
        others = self._world.kube.names(Kind.GENERATION, task_id=task_id) - {(flight.key.namespace, flight.key.name)}
        if others:
            return _Obstacle(f"task {task_id} belongs to {'/'.join(min(others))}")
        exchange = self._world.api.poll(endpoint, key, task_id)
        match answers.read_poll(exchange, (key.reveal(),), quote=False):
            case answers.NoSuchTask(detail=detail):
                return _Obstacle(f"the gateway does not know task {task_id}: {detail}")
            case answers.Refused(detail=detail, retry_after=wait):
                why = f"task {task_id} could not be looked up: {detail}"
                return _Obstacle(why, passes=True, retry_after=wait or _LOOK_UP_AGAIN)
            case _:
                return None


def _endpoint(action: actions.Resolve, klass: VideoGenerationClass) -> str:
    """Where the order went, else the class's first."""
    intent = action.entry.intent
    return (intent.endpoint if intent else "") or klass.spec.provider.open_ai_videos.endpoints[0]


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
        f"{usd(price)}; nothing is sent again by itself. "
        f"{ways_out(attempt.short, folder.namespace, folder.name)}"
    )
    return Standing(step=Step.HELD, reason=Reason.SUBMISSION_OUTCOME_UNKNOWN, message=message)
