"""What to do next for one object: the ordered list of checks that is the specification.

`decide(job, now)` is pure: no clock, no I/O, no framework. First match wins. It returns one action; `reconcile`
performs it, writes at most one status, and asks again. A crash between any two effects is only another starting
state, because everything that is decided here rests on the object, the ledger's folder, and facts that may be lost.
"""

from dataclasses import replace
from typing import Final

from . import adoption, ledger, ledger_names, pursuit
from .actions import (
    Action,
    AskContent,
    Begin,
    Close,
    Conclude,
    Doubt,
    Forget,
    Join,
    MendLedger,
    Observe,
    Poll,
    Recall,
    RecordEnd,
    RecordTask,
    Send,
    Show,
    Store,
    Wait,
)
from .admission import Offer, Refusal
from .api.generation_class import VideoGenerationClass
from .api.generation_status import Attempt, AttemptState, Billing
from .conditions import Reason, Standing, Step, queued, step_shown
from .doubts import doubt, late_answer
from .endings import after_end, final_standing, given_up, retry_due, superseded
from .job import OPEN, Job, active_revision, finished, newest_attempt, own_number, price
from .ledger import Again, Entry, Folder, Intent, Task
from .progress import show_progress
from .pursuit import Moment
from .showing import differs, not_offered, park, refuse, show


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
    late = late_answer(job)
    if late is not None:
        return late
    if job.obj.status.observed_generation != job.obj.metadata.generation:
        return Observe()
    return Forget()


def _without_class(job: Job) -> Action:
    newest = newest_attempt(job.obj)
    in_the_air = newest is not None and newest.state in OPEN
    message = _NO_CLASS if job.obj.spec.class_ref is not None else _NO_DEFAULT
    if not in_the_air or own_number(job.obj, active_revision(job.obj)) is None:
        return park(job, Standing(step=Step.PENDING, reason=Reason.CLASS_NOT_FOUND, message=message))
    shown = step_shown(job.obj.status.conditions)
    if shown is Step.HELD:
        return _finished(job)
    step = shown if shown in {Step.GENERATING, Step.STORING, Step.SUBMITTING} else Step.GENERATING
    message = "the class of this paid work was deleted; create it again, with the same storage, and the work goes on"
    return show(job, Standing(step=step, reason=Reason.CLASS_NOT_FOUND, message=message), until=None)


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
    return park(job, queued(Reason.LEDGER_UNAVAILABLE, message, job.with_class().metadata.name))


def _by_ledger(job: Job, folder: Folder, klass: VideoGenerationClass, now: Moment) -> Action:
    own = own_number(job.obj, folder.id.revision)
    current = folder.id.revision == job.obj.spec.revision
    request = job.offer.request if isinstance(job.offer, Offer) and current else None
    if _status_knows_more(job, folder, own):
        return _mend(job, folder, own)
    verdict = adoption.judge(folder, request, klass.metadata.name, own=own, unsent=job.unsent)
    foreign = _needs_comparison(verdict, own)
    if foreign and request is None and isinstance(job.offer, Refusal):
        return not_offered(job, job.offer, now)
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
            parsed = ledger_names.parse_short(result.attempt)
            return parsed is None or parsed[1] != own
        case adoption.LiveTask(entry=entry) | adoption.Over(entry=entry) | adoption.Unanswered(entry=entry):
            return entry.number != own
        case _:
            return False


def _verdict(job: Job, folder: Folder, verdict: adoption.Verdict, own: int | None, now: Moment) -> Action:
    match verdict:
        case adoption.OtherClass(name=name):
            message = f"this revision was made by class {name}; use that class, or raise spec.revision to pay anew"
            return refuse(job, Reason.LEDGER_CONFLICT, message, now)
        case adoption.OtherContent(entry=entry):
            return refuse(job, Reason.REQUEST_CHANGED, _bought(entry), now)
        case adoption.Done(result=result):
            adopted = own is None or result.attempt != job.obj.status.attempt
            return Conclude(result, adopted)
        case adoption.LiveTask(entry=entry, task=task):
            return _live(job, folder, entry, task, own, now)
        case adoption.GivenUp(entry=entry):
            return _record_final(job, folder, entry, given_up(entry, now))
        case adoption.Over(entry=entry, end=end):
            return _record_final(job, folder, entry, end)
        case adoption.Mine(entry=entry, intent=intent):
            return Send(entry.number) if _may_resume(job, folder, intent) else Close(entry.number)
        case adoption.Unanswered(entry=entry, intent=intent):
            return doubt(job, entry, intent, now)
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


def _bought(entry: Entry) -> str:
    task = f", task {entry.task.task_id}" if entry.task else ""
    return (
        f"this revision was already bought with other content (a{entry.number}{task}); "
        "raise spec.revision to pay for the new one, or put the old fields back"
    )


def _next(job: Job, folder: Folder, verdict: adoption.Next, own: int | None, now: Moment) -> Action:
    newest = newest_attempt(job.obj)
    if newest is not None and own is not None and _is_doubt_of_a_lost_record(newest, folder.entry(own)):
        return _doubt_by_status(job, newest, folder.entry(own), now)
    number = _number(verdict, newest, own)
    mine = folder.entries.get(own) if own is not None else None
    ended = mine is not None and (mine.end is not None or mine.nothing_made)
    if mine is not None and ended and newest is not None and newest.state in OPEN:
        return _record_end(job, folder, mine, now)
    if mine is not None and mine.intent is not None and newest is not None and newest.state is AttemptState.INTENT:
        return Doubt(mine, mine.intent, held=True, until=now.ticks)  # answered before this object showed the doubt
    recovering = own == number and newest is not None and newest.state in OPEN
    if folder.id.revision < job.obj.spec.revision:
        return Close(number if own is None else own)
    if job.obj.spec.suspend:
        return park(job, Standing(step=Step.SUSPENDED, reason=Reason.SUSPENDED, message=_SUSPENDED))
    if isinstance(job.offer, Refusal):
        return not_offered(job, job.offer, now)
    due = retry_due(folder, job.seconds, now)
    if due is not None:
        return park(job, queued(Reason.BACKING_OFF, _BACKING_OFF, job.with_class().metadata.name), until=due)
    if job.granted != number or job.shut:
        return _queue(job, number)
    return _spend(job, number, recovering=recovering, now=now)


def _is_doubt_of_a_lost_record(newest: Attempt, entry: Entry) -> bool:
    """Unknown is shown only of an attempt whose intent was recorded: if there is none now, or one that closes it, that
    record was lost, and with it the answer to whether it was sent.
    """
    recorded = entry.intent is not None and not entry.intent.closing
    return newest.state is AttemptState.UNKNOWN and not (recorded or entry.end or entry.resolved)


def _doubt_by_status(job: Job, newest: Attempt, entry: Entry, now: Moment) -> Action:
    """The status knows a doubt that the ledger lost: the more advanced evidence wins, and nothing is sent again."""
    intent = Intent(
        attempt=newest.id,
        ticket="",
        time=newest.intent_time or now.wall,
        class_=job.with_class().metadata.name,
        endpoint=newest.endpoint or "",
        resolved=job.obj.status.resolved,
    )
    return doubt(job, replace(entry, intent=intent), intent, now)


def _number(verdict: adoption.Next, newest: Attempt | None, own: int | None) -> int:
    """The next attempt's number; never one below, or an ended one, of the status, whatever a ledger has lost."""
    if own is None or newest is None:
        return verdict.number
    return max(verdict.number, own if newest.state in OPEN else own + 1)


_SUSPENDED: Final = "spec.suspend is true: nothing is sent until it is false; what was already sent is still stored"


_BACKING_OFF: Final = "the last attempt failed and cost nothing; the next one follows by itself"


def _queue(job: Job, number: int) -> Action:
    if job.waits is not None and differs(job, job.waits):
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
            ready = job.intent_seen + job.seconds.intent_fresh
            if now.ticks < ready:
                return Wait(ready)
        return Send(number)
    return Begin(number)


def _record_end(job: Job, folder: Folder, entry: Entry, now: Moment) -> Action:
    end = entry.end or ledger.End(
        attempt=entry.intent.attempt if entry.intent else "",
        state=AttemptState.NOT_SENT,
        billing=Billing.NOT_BILLED,
        reason="NotSent",
        again=Again.FREE,
        time=entry.intent.time if entry.intent else now.wall,
    )
    return RecordEnd(entry, end, after_end(end, folder, job.obj, price(job, entry)))


def _record_final(job: Job, folder: Folder, entry: Entry, end: ledger.End) -> Action:
    """Money was or may have been spent and brought no video: this revision is over, a raised one goes on."""
    cost = price(job, entry)
    return RecordEnd(entry, end, superseded(end, folder, job.obj, cost) or final_standing(end, cost))


def _pursue(job: Job, now: Moment) -> Action:
    p, pace = job.pursuit, job.pace
    if p is None or pace is None:
        return Wait(now.ticks)  # the caller begins the pursuit; it is due at once or later
    if job.klass and p.task.endpoint not in job.klass.spec.provider.open_ai_videos.endpoints:
        message = f"endpoint {p.task.endpoint} is no longer in class {job.klass.metadata.name}; add it back"
        return show(job, Standing(step=Step.GENERATING, reason=Reason.CLASS_NOT_FOUND, message=message), until=None)
    match pursuit.step(p, now):
        case pursuit.Step.POLL:
            return Poll()
        case pursuit.Step.ASK_CONTENT:
            return AskContent()
        case pursuit.Step.STORE:
            return Store()
        case pursuit.Step.WAIT:
            return show_progress(job, p, pace, now)
