"""What to do next for one object: the ordered list of checks that is the specification.

`decide(job, now)` is pure: no clock, no I/O, no framework. First match wins. It returns one action; `reconcile`
performs it, writes at most one status, and asks again. A crash between any two effects is only another starting
state, because everything that is decided here rests on the object, the ledger's folder, and facts that may be lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from . import adoption, backoff, ledger, pursuit
from .admission import Offer, Refusal
from .api.generation import RESOLVE_ANNOTATION, VideoGeneration
from .api.generation_class import VideoGenerationClass
from .api.generation_status import Attempt, AttemptState, Billing
from .api.meta import ConditionStatus
from .conditions import Reason, Standing, Step, Type, find, step_shown
from .ledger import Again, Answer, Entry, Folder, Intent, Result, Task
from .pursuit import Moment, Pace, Pursuit

OPEN: Final = frozenset({AttemptState.INTENT, AttemptState.SUBMITTED, AttemptState.UNKNOWN})
LABELS_RECHECK: Final = 60.0  # seconds until a namespace's labels are looked up again
RECHECK: Final = 600.0  # seconds until a refused request is compared with the ledger again


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The process's own seconds, settings so that tests can scale them."""

    intent_fresh: float = 10.0
    unknown_grace: float = 60.0
    held_recheck: float = 600.0
    retry_base: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that one decision rests on. What is only in memory may be lost at any time, and then is None again."""

    obj: VideoGeneration
    klass: VideoGenerationClass | None
    timing: Timing = field(default_factory=Timing)
    offer: Offer | Refusal | None = None
    ledger_uri: str = ""  # of the folder of the active revision, by the class as it is now
    folder: Folder | None = None
    folder_read: float = 0.0  # ticks
    folder_stale: bool = False  # the object waited since the folder was read
    unsent: frozenset[str] = frozenset()  # tickets of this process whose POST has not begun
    fence: str | None = None  # ticket of the intent that this object's turns wrote and have not used
    granted: int | None = None  # attempt number whose slot is reserved for this turn
    shut: bool = False  # the class takes no new work now, whatever was granted before
    gave_up: int | None = None  # attempt whose task this process has just given up
    begun: int | None = None  # attempt whose intent this process wrote into the status
    intent_seen: float | None = None  # ticks when a status intent of somebody else was first seen
    doubt_since: float | None = None  # ticks when the unanswered ticket was first seen
    doubt_certain: bool = False  # the lost answer was to our own POST: nobody else will record it
    refused_answer: str = ""  # why the resolve annotation could not be taken
    pursuit: Pursuit | None = None
    pace: Pace | None = None
    waits: Standing | None = None  # the queue passed this object over, and why


# ---------------------------------------------------------------- actions


@dataclass(frozen=True, slots=True)
class Forget:
    """Nothing will be done for this object until something about it changes."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing before `ticks`."""

    ticks: float


@dataclass(frozen=True, slots=True)
class Recall:
    """Read the ledger's folder of this revision."""

    revision: int


@dataclass(frozen=True, slots=True)
class Show:
    """One status write that changes no fact; then nothing before `until` (ticks; None: until an event)."""

    standing: Standing
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Observe:
    """A new generation was seen and changes nothing that is shown but `observedGeneration`."""


@dataclass(frozen=True, slots=True)
class Join:
    """Ask for a slot."""

    number: int


@dataclass(frozen=True, slots=True)
class Begin:
    """Status write 1: the intent. From here the paid fields are locked."""

    number: int


@dataclass(frozen=True, slots=True)
class Send:
    """Win the fence, POST once, record the answer."""

    number: int


@dataclass(frozen=True, slots=True)
class Close:
    """Win the fence so that nobody sends this attempt: NotSent."""

    number: int


@dataclass(frozen=True, slots=True)
class MendLedger:
    """The status knows a task that the ledger lacks."""

    task: Task
    number: int


@dataclass(frozen=True, slots=True)
class RecordTask:
    """The ledger knows a task that the status lacks: adoption, or a write that was lost."""

    entry: Entry
    task: Task
    adopted: bool


@dataclass(frozen=True, slots=True)
class Conclude:
    """The video is stored: write the result."""

    result: Result
    adopted: bool
    there: bool = True  # of an adopted video: HEAD found it


@dataclass(frozen=True, slots=True)
class RecordEnd:
    """The ledger knows an end that the status lacks."""

    entry: Entry
    end: ledger.End
    standing: Standing


@dataclass(frozen=True, slots=True)
class Doubt:
    """An intent without an answer: wait for an old process (`held` False), or hold for a person."""

    entry: Entry
    intent: Intent
    held: bool
    until: float


@dataclass(frozen=True, slots=True)
class Resolve:
    """A person's answer to an unknown outcome."""

    entry: Entry
    answer: Answer | None  # None: adopt `task_id`
    task_id: str = ""


@dataclass(frozen=True, slots=True)
class RefuseAnswer:
    """The resolve annotation cannot be taken; say why."""

    why: str


@dataclass(frozen=True, slots=True)
class Poll:
    """Ask the gateway for the task."""


@dataclass(frozen=True, slots=True)
class AskContent:
    """Ask `/content` once, since polls say an error and no status."""


@dataclass(frozen=True, slots=True)
class Store:
    """Bring the video into the bucket."""


Action = (
    Forget
    | Wait
    | Recall
    | Show
    | Observe
    | Join
    | Begin
    | Send
    | Close
    | MendLedger
    | RecordTask
    | Conclude
    | RecordEnd
    | Doubt
    | Resolve
    | RefuseAnswer
    | Poll
    | AskContent
    | Store
)


# ---------------------------------------------------------------- reading the object


def newest_attempt(obj: VideoGeneration) -> Attempt | None:
    """The item of `status.attempts` that `status.attempt` names."""
    return next((a for a in obj.status.attempts if a.id == obj.status.attempt), None)


def active_revision(obj: VideoGeneration) -> int:
    """The revision that is worked on: an attempt in the air is finished before a raised revision begins."""
    newest = newest_attempt(obj)
    if newest is not None and newest.state in {AttemptState.INTENT, AttemptState.SUBMITTED}:
        revision, _ = ledger.parse_short(newest.id) or (obj.spec.revision, 0)
        return min(revision, obj.spec.revision)
    return obj.spec.revision


def own_number(obj: VideoGeneration, revision: int) -> int | None:
    """The number of `status.attempt` if it belongs to `revision`."""
    parsed = ledger.parse_short(obj.status.attempt or "")
    return parsed[1] if parsed and parsed[0] == revision else None


def finished(obj: VideoGeneration) -> bool:
    """Nothing more will happen by itself for the revision that is asked for."""
    ended = find(obj.status.conditions, Type.FINISHED)
    return (
        ended is not None
        and ended.status is ConditionStatus.TRUE
        and obj.status.submitted_revision is not None
        and obj.status.submitted_revision >= obj.spec.revision
    )


def parse_answer(obj: VideoGeneration) -> tuple[str, Answer | None, str] | None:
    """(attempt, answer, task ID) of the resolve annotation; None if there is none or it says nothing we know."""
    attempt, colon, said = obj.metadata.annotations.get(RESOLVE_ANNOTATION, "").strip().partition(":")
    if not colon:
        return None
    word, _, value = said.partition("=")
    if word == "adopt" and value.strip():
        return attempt, None, value.strip()
    return (attempt, Answer(word), "") if word in set(Answer) and not value else None


# ---------------------------------------------------------------- the decision


def decide(job: Job, now: Moment) -> Action:
    """The next action. The order of the checks is the specification."""
    obj = job.obj
    if obj.metadata.deletion_timestamp is not None:
        return Forget()
    if finished(obj):
        return _finished(job)
    if job.klass is None:
        return _without_class(job)
    moved = _ledger_moved(job)
    if moved is not None:
        return moved
    revision = active_revision(obj)
    if job.folder is None or job.folder.id.revision != revision:
        return Recall(revision)
    return _by_ledger(job, job.folder, job.klass, now)


def _finished(job: Job) -> Action:
    late = _late_adoption(job)
    if late is not None:
        return late
    if job.obj.status.observed_generation != job.obj.metadata.generation:
        return Observe()
    return Forget()


def late_adoption(obj: VideoGeneration) -> str | None:
    """The task ID that a person names for an attempt that was given up without one; None if there is no such answer."""
    newest, answer = newest_attempt(obj), parse_answer(obj)
    given_up = newest is not None and newest.state is AttemptState.ABANDONED and newest.task_id is None
    if not given_up or newest is None or answer is None or answer[1] is not None or answer[0] != newest.id:
        return None
    return answer[2]


def _late_adoption(job: Job) -> Action | None:
    """A task ID is a fact, also after an abandon: it brings the object back."""
    task_id, revision = late_adoption(job.obj), job.obj.spec.revision
    number = own_number(job.obj, revision)
    if task_id is None or number is None or job.klass is None or job.refused_answer:
        return None
    if job.folder is None or job.folder.id.revision != revision:
        return Recall(revision)
    entry = job.folder.entry(number)
    if entry.task is not None:
        return RecordTask(entry, entry.task, adopted=False)
    return Resolve(entry, None, task_id)


def _without_class(job: Job) -> Action:
    newest = newest_attempt(job.obj)
    in_the_air = newest is not None and newest.state in OPEN
    message = _NO_CLASS if job.obj.spec.class_ref is not None else _NO_DEFAULT
    if not in_the_air or own_number(job.obj, active_revision(job.obj)) is None:
        return _park(job, Standing(step=Step.PENDING, reason=Reason.CLASS_NOT_FOUND, message=message))
    shown = step_shown(job.obj.status.conditions)
    if shown is Step.HELD:
        return _finished(job)
    step = shown if shown in {Step.GENERATING, Step.STORING, Step.SUBMITTING} else Step.GENERATING
    message = "the class of this paid work was deleted; create it again, with the same storage, and the work goes on"
    return _show(job, Standing(step=step, reason=Reason.CLASS_NOT_FOUND, message=message), until=None)


_NO_CLASS: Final = "the class that this object names does not exist; create it, or name another: kubectl get vgclass"
_NO_DEFAULT: Final = (
    "spec.classRef names no class, and none is marked as the default "
    "(annotation videogen.dev/is-default-class); name one: kubectl get vgclass"
)


def _ledger_moved(job: Job) -> Action | None:
    status = job.obj.status
    if status.submitted_revision != active_revision(job.obj) or not status.ledger or not job.ledger_uri:
        return None
    if status.ledger == job.ledger_uri:
        return None
    message = (
        f"what this revision bought is recorded at {status.ledger}, but the class now points to {job.ledger_uri}; "
        "name a class with the first place; nothing is sent"
    )
    return _park(job, Standing(step=Step.QUEUED, reason=Reason.LEDGER_UNAVAILABLE, message=message))


def _by_ledger(job: Job, folder: Folder, klass: VideoGenerationClass, now: Moment) -> Action:
    own = own_number(job.obj, folder.id.revision)
    current = folder.id.revision == job.obj.spec.revision
    request = job.offer.request if isinstance(job.offer, Offer) and current else None
    if _status_knows_more(job, folder, own):
        return _mend(job, folder, own)
    verdict = adoption.judge(folder, request, klass.metadata.name, own=own, unsent=job.unsent)
    foreign = _needs_comparison(verdict, own)
    if foreign and request is None and isinstance(job.offer, Refusal):
        return _not_offered(job, job.offer, now)
    return _verdict(job, folder, verdict, own, now)


def _status_knows_more(job: Job, folder: Folder, own: int | None) -> bool:
    newest = newest_attempt(job.obj)
    return (
        own is not None
        and newest is not None
        and newest.state is AttemptState.SUBMITTED
        and newest.task_id is not None
        and folder.entry(own).task is None
        and folder.entry(own).end is None
        and folder.result is None
    )


def _mend(job: Job, folder: Folder, own: int | None) -> Action:
    newest = newest_attempt(job.obj)
    if newest is None or newest.task_id is None or own is None:
        raise ValueError("the status knows no task")
    time = newest.submit_time or newest.intent_time or job.obj.status.submit_time
    if time is None:
        raise ValueError("a submitted attempt has no time")
    task = Task(attempt=folder.id.attempt(own).short, task_id=newest.task_id, endpoint=newest.endpoint or "", time=time)
    return MendLedger(task, own)


def _needs_comparison(verdict: adoption.Verdict, own: int | None) -> bool:
    """Adopting something that the object's status does not name needs a request to compare it with."""
    match verdict:
        case adoption.Done(result=result):
            parsed = ledger.parse_short(result.attempt)
            return parsed is None or parsed[1] != own
        case adoption.LiveTask(entry=entry) | adoption.Over(entry=entry) | adoption.Unanswered(entry=entry):
            return entry.number != own
        case _:
            return False


def _verdict(job: Job, folder: Folder, verdict: adoption.Verdict, own: int | None, now: Moment) -> Action:
    match verdict:
        case adoption.OtherClass(name=name):
            message = f"this revision was made by class {name}; use that class, or raise spec.revision to pay anew"
            return _refuse(job, Reason.LEDGER_CONFLICT, message, now)
        case adoption.OtherContent(entry=entry):
            return _refuse(job, Reason.REQUEST_CHANGED, _bought(entry), now)
        case adoption.Done(result=result):
            adopted = own is None or result.attempt != job.obj.status.attempt
            return Conclude(result, adopted)
        case adoption.LiveTask(entry=entry, task=task):
            return _live(job, folder, entry, task, own, now)
        case adoption.GivenUp(entry=entry):
            return _record_final(job, folder, entry, _given_up(entry, now))
        case adoption.Over(entry=entry, end=end):
            return _record_final(job, folder, entry, end)
        case adoption.Mine(entry=entry, intent=intent):
            return Send(entry.number) if _may_resume(job, folder, intent) else Close(entry.number)
        case adoption.Unanswered(entry=entry, intent=intent):
            return _doubt(job, entry, intent, now)
        case adoption.Next():
            return _next(job, folder, verdict, own, now)


def _live(job: Job, folder: Folder, entry: Entry, task: Task, own: int | None, now: Moment) -> Action:
    if entry.end is not None and entry.number == own == job.gave_up:
        return _record_final(job, folder, entry, entry.end)
    known = entry.number == own and job.obj.status.task_id == task.task_id
    return _pursue(job, now) if known else RecordTask(entry, task, adopted=entry.number != own)


def _may_resume(job: Job, folder: Folder, intent: Intent) -> bool:
    """Our intent was won, its POST not begun: go on only with what the intent says, and only if it is still wanted."""
    wanted = folder.id.revision == job.obj.spec.revision and not job.obj.spec.suspend and not job.shut
    same = isinstance(job.offer, Offer) and job.offer.request == intent.request
    ours = job.klass is not None and intent.class_ == job.klass.metadata.name and intent.ticket == job.fence
    return wanted and same and ours


_GAVE_UP: Final = "given up by a person's answer"


def _bought(entry: Entry) -> str:
    task = f", task {entry.task.task_id}" if entry.task else ""
    return (
        f"this revision was already bought with other content (a{entry.number}{task}); "
        "raise spec.revision to pay for the new one, or put the old fields back"
    )


def _given_up(entry: Entry, now: Moment) -> ledger.End:
    intent = entry.intent
    return ledger.End(
        attempt=intent.attempt if intent else f"a{entry.number}",
        state=AttemptState.ABANDONED,
        billing=Billing.POSSIBLE,
        reason=Reason.ABANDONED,
        again=Again.NEVER,
        time=entry.resolved.time if entry.resolved else now.wall,
        detail=_GAVE_UP,
    )


# ---------------------------------------------------------------- a next attempt


def _next(job: Job, folder: Folder, verdict: adoption.Next, own: int | None, now: Moment) -> Action:
    newest = newest_attempt(job.obj)
    mine = folder.entries.get(own) if own is not None else None
    ended = mine is not None and (mine.end is not None or mine.nothing_made)
    if mine is not None and ended and newest is not None and newest.state in OPEN:
        return _record_end(job, folder, mine, now)
    if mine is not None and mine.intent is not None and newest is not None and newest.state is AttemptState.INTENT:
        return Doubt(mine, mine.intent, held=True, until=now.ticks)  # answered before this object showed the doubt
    recovering = own == verdict.number and newest is not None and newest.state in OPEN
    if folder.id.revision < job.obj.spec.revision:
        return Close(verdict.number if own is None else own)
    if job.obj.spec.suspend:
        return _park(job, Standing(step=Step.SUSPENDED, reason=Reason.SUSPENDED, message=_SUSPENDED))
    if isinstance(job.offer, Refusal):
        return _not_offered(job, job.offer, now)
    due = retry_due(folder, job.timing, now)
    if due is not None:
        return _park(job, Standing(step=Step.QUEUED, reason=Reason.BACKING_OFF, message=_BACKING_OFF), until=due)
    if job.granted != verdict.number or job.shut:
        return _queue(job, verdict.number)
    return _spend(job, verdict.number, recovering=recovering, now=now)


_SUSPENDED: Final = "spec.suspend is true: nothing is sent until it is false; what was already sent is still stored"
_BACKING_OFF: Final = "the last attempt failed and cost nothing; the next one follows by itself"


def _queue(job: Job, number: int) -> Action:
    if job.waits is not None and _differs(job, job.waits):
        return Show(job.waits)
    return Join(number)


def _spend(job: Job, number: int, *, recovering: bool, now: Moment) -> Action:
    """A slot is reserved: the intent, then the POST."""
    if job.folder_stale:
        return Recall(job.obj.spec.revision)
    offer = job.offer
    same = isinstance(offer, Offer) and job.obj.status.request_hash == offer.request.hash
    if recovering and same:
        if job.begun != number and job.intent_seen is not None:
            ready = job.intent_seen + job.timing.intent_fresh
            if now.ticks < ready:
                return Wait(ready)
        return Send(number)
    return Begin(number)


def counted(folder: Folder) -> int:
    """How many attempts reached the gateway and are known not to be billed."""
    return sum(1 for e in folder.entries.values() if e.end and e.end.again in {Again.COUNTED, Again.ONCE})


def retry_due(folder: Folder, timing: Timing, now: Moment) -> float | None:
    """When the next attempt may be made after one that failed; None if now. 30 s, 2 min, 8 min, with jitter."""
    newest = folder.newest
    if newest is None or newest.end is None or newest.end.again not in {Again.COUNTED, Again.ONCE}:
        return None
    seed = folder.id.attempt(newest.number).entry
    wait = backoff.delay(counted(folder), seed, base=timing.retry_base, factor=4.0, most=16 * timing.retry_base)
    left = newest.end.time + timedelta(seconds=wait) - now.wall
    return now.ticks + left.total_seconds() if left > timedelta(0) else None


# ---------------------------------------------------------------- ends


def _record_end(job: Job, folder: Folder, entry: Entry, now: Moment) -> Action:
    end = entry.end or ledger.End(
        attempt=entry.intent.attempt if entry.intent else "",
        state=AttemptState.NOT_SENT,
        billing=Billing.NOT_BILLED,
        reason="NotSent",
        again=Again.FREE,
        time=entry.intent.time if entry.intent else now.wall,
    )
    return RecordEnd(entry, end, after_end(end, folder, job.obj))


def _record_final(job: Job, folder: Folder, entry: Entry, end: ledger.End) -> Action:
    """Money was or may have been spent and brought no video: this revision is over, a raised one goes on."""
    return RecordEnd(entry, end, _superseded(end, folder, job.obj) or final_standing(end))


def _superseded(end: ledger.End, folder: Folder, obj: VideoGeneration) -> Standing | None:
    if obj.spec.revision <= folder.id.revision:
        return None
    message = (
        f"revision {folder.id.revision} ended without a video ({end.detail or end.reason}; {_BILLS[end.billing]}); "
        f"revision {obj.spec.revision} is next"
    )
    return Standing(step=Step.QUEUED, reason=Reason.QUEUED, message=message)


def after_end(end: ledger.End, folder: Folder, obj: VideoGeneration) -> Standing:
    """Where the object stands after an attempt ended without a video."""
    superseded = _superseded(end, folder, obj)
    if superseded is not None:
        return superseded
    exhausted = counted(folder) >= obj.spec.retry_policy.max_attempts
    said_nothing = sum(1 for e in folder.entries.values() if e.end and e.end.again is Again.ONCE)
    if end.again is Again.FREE:
        return Standing(step=Step.QUEUED, reason=_free_reason(end), message=_waiting(end.detail))
    if end.again is Again.NEVER or (end.again is Again.ONCE and said_nothing > 1):
        return final_standing(end)
    if exhausted:
        message = f"{counted(folder)} attempts failed, none was billed: {end.detail}"
        return _failure(_failed_step(end), Reason.ATTEMPTS_EXHAUSTED, message)
    return Standing(step=Step.QUEUED, reason=Reason.BACKING_OFF, message=_waiting(end.detail))


def _free_reason(end: ledger.End) -> Reason:
    known = {Reason.RATE_LIMITED, Reason.MODEL_UNAVAILABLE, Reason.BREAKER_OPEN}
    return next((reason for reason in known if reason == end.reason), Reason.QUEUED)


def _waiting(detail: str) -> str:
    return f"not billed; tried again by itself: {detail}" if detail else "not billed; tried again by itself"


_FINAL_STEPS: Final[Mapping[AttemptState, Type]] = {
    AttemptState.NOT_SENT: Type.SUBMITTED,
    AttemptState.REJECTED: Type.SUBMITTED,
    AttemptState.COMPLETED: Type.STORED,
}


def _failed_step(end: ledger.End) -> Type:
    return _FINAL_STEPS.get(end.state, Type.GENERATED)


_BILLS: Final[Mapping[str, str]] = {
    "NotBilled": "not billed",
    "Billed": "billed",
    "Possible": "may have been billed: look for the task in the gateway's console",
}


def final_standing(end: ledger.End) -> Standing:
    """The final failure that an end stands for."""
    reason = Reason(end.reason) if end.reason in set(Reason) else Reason.GENERATION_FAILED
    message = f"{end.detail or end.reason}; {_BILLS[end.billing]}; to try again, raise spec.revision"
    return _failure(_failed_step(end), reason, message)


def _failure(at: Type, reason: Reason, message: str) -> Standing:
    return Standing(step=Step.FAILED, reason=reason, message=message, at=at)


# ---------------------------------------------------------------- unknown outcomes


def _doubt(job: Job, entry: Entry, intent: Intent, now: Moment) -> Action:
    timeout = job.klass.spec.provider.open_ai_videos.submit_timeout_seconds if job.klass else 0
    since = job.doubt_since if job.doubt_since is not None else now.ticks
    certain = job.doubt_certain or _held_before(job, entry)
    decided = since if certain else since + timeout + job.timing.unknown_grace
    if now.ticks < decided:
        return Doubt(entry, intent, held=False, until=decided)
    if not certain and job.folder_read < decided:
        return Recall(_revision(job))
    answer = _answer(job, entry, intent)
    if answer is not None:
        return answer
    recheck = job.folder_read + job.timing.held_recheck
    return Recall(_revision(job)) if now.ticks >= recheck else Doubt(entry, intent, held=True, until=recheck)


def _held_before(job: Job, entry: Entry) -> bool:
    """A process waited the grace out already, and the status says so: a restart need not wait again."""
    newest = newest_attempt(job.obj)
    own = own_number(job.obj, _revision(job)) == entry.number
    return own and newest is not None and newest.state is AttemptState.UNKNOWN


def _answer(job: Job, entry: Entry, intent: Intent) -> Action | None:
    """A person's answer counts once the object is shown as Held; it names the attempt, so it is never used twice."""
    newest = newest_attempt(job.obj)
    said = job.obj.metadata.annotations.get(RESOLVE_ANNOTATION)
    held = newest is not None and newest.state is AttemptState.UNKNOWN
    if not said or not held or job.refused_answer:
        return None
    answer = parse_answer(job.obj)
    if answer is None:
        return RefuseAnswer(_ANSWER_FORM.format(attempt=intent.attempt))
    if ledger.parse_short(answer[0]) != (_revision(job), entry.number):
        return RefuseAnswer(f"it names {answer[0]}, the attempt in question is {intent.attempt}")
    return Resolve(entry, answer[1], answer[2])


_ANSWER_FORM: Final = (
    "the annotation videogen.dev/resolve must be {attempt}:adopt=<taskID>, {attempt}:resubmit or {attempt}:abandon"
)


def _revision(job: Job) -> int:
    return active_revision(job.obj)


# ---------------------------------------------------------------- a task


def _pursue(job: Job, now: Moment) -> Action:
    p, pace = job.pursuit, job.pace
    if p is None or pace is None:
        return Wait(now.ticks)  # the caller begins the pursuit; it is due at once or later
    if job.klass and p.task.endpoint not in job.klass.spec.provider.open_ai_videos.endpoints:
        message = f"endpoint {p.task.endpoint} is no longer in class {job.klass.metadata.name}; add it back"
        return _show(job, Standing(step=Step.GENERATING, reason=Reason.CLASS_NOT_FOUND, message=message), until=None)
    match pursuit.step(p, now):
        case pursuit.Step.POLL:
            return Poll()
        case pursuit.Step.ASK_CONTENT:
            return AskContent()
        case pursuit.Step.STORE:
            return Store()
        case pursuit.Step.WAIT:
            return _show_progress(job, p, pace, now)


def _show_progress(job: Job, p: Pursuit, pace: Pace, now: Moment) -> Action:
    standing = progress(p, pace, now, job.obj)
    if job.obj.status.observed_generation != job.obj.metadata.generation or _differs(job, standing):
        return Show(standing, p.due)
    return Wait(_next_sight(p, pace, now))


def _next_sight(p: Pursuit, pace: Pace, now: Moment) -> float:
    """The next due time, or the moment from which a slow copy must be shown."""
    if p.completed is None:
        return p.due
    shown_from = p.completed.ticks + pace.copy_trouble
    return min(p.due, shown_from + 0.1) if now.ticks <= shown_from else p.due


def progress(p: Pursuit, pace: Pace, now: Moment, obj: VideoGeneration) -> Standing:
    """Where an object with a task stands; only what a person must see differs from Generating."""
    task = p.task.task_id
    if pursuit.copy_in_trouble(p, now, pace):
        message = f"task {task} is completed and billed; the copy is tried again by itself: {p.detail or 'slow'}"
        return Standing(step=Step.STORING, reason=p.trouble or Reason.DOWNLOADING, message=message)
    if p.trouble is not None and p.completed is None:
        message = f"task {task} is kept and asked for again by itself: {p.detail}"
        return Standing(step=Step.GENERATING, reason=p.trouble, message=message)
    if pursuit.overdue(p, now, pace):
        message = f"task {task} is late; it is kept and asked for once a minute, never ordered again"
        return Standing(step=Step.GENERATING, reason=Reason.GENERATION_OVERDUE, message=message)
    shown = find(obj.status.conditions, Type.READY)
    message = shown.message if shown is not None and shown.reason == Reason.GENERATING else f"task {task}"
    return Standing(step=Step.GENERATING, reason=Reason.GENERATING, message=message)


# ---------------------------------------------------------------- showing


def _not_offered(job: Job, refusal: Refusal, now: Moment) -> Action:
    """Needs an edit, of which a watch tells; but labels of namespaces are not watched, so they are looked up again."""
    standing = Standing(step=Step.REFUSED, reason=refusal.reason, message=refusal.message)
    again = refusal.reason is Reason.NAMESPACE_NOT_ALLOWED
    return _park(job, standing, until=now.ticks + LABELS_RECHECK if again else None)


def _refuse(job: Job, reason: Reason, message: str, now: Moment) -> Action:
    until = job.folder_read + RECHECK
    if now.ticks >= until:
        return Recall(_revision(job))
    return _show(job, Standing(step=Step.REFUSED, reason=reason, message=message), until=until)


def _park(job: Job, standing: Standing, until: float | None = None) -> Action:
    """Not now. From one waiting reason to another nothing is written."""
    return _show(job, standing, until=until)


def _show(job: Job, standing: Standing, *, until: float | None) -> Action:
    if _differs(job, standing) or job.obj.status.observed_generation != job.obj.metadata.generation:
        return Show(standing, until)
    return Forget() if until is None else Wait(until)


def _differs(job: Job, standing: Standing) -> bool:
    return not shows(job.obj, standing)


def shows(obj: VideoGeneration, standing: Standing) -> bool:
    """Whether the object's conditions say it already. Waiting is waiting, whatever for: a write would tell nothing."""
    shown = step_shown(obj.status.conditions)
    if shown is not standing.step:
        return False
    if standing.step is Step.QUEUED:
        return True
    ready = find(obj.status.conditions, Type.READY)
    if ready is None or ready.reason != standing.reason:
        return False
    return standing.step is not Step.REFUSED or ready.message == standing.message
