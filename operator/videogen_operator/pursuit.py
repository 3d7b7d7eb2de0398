"""Bringing one paid task to its end: when to ask again, what an answer means, when it may be given up.

A deadline is not a failure: a late, lost-looking or unreachable task is asked more slowly and kept. A pursuit lives
in memory only; after a restart it begins anew from the task's record in the ledger. All values are frozen and all
functions pure: time comes in as `Moment`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from . import answers, backoff
from .api.generation_status import AttemptState, Billing, Resolved
from .conditions import Reason
from .ledger import Again, Task
from .ledger_names import AttemptId

MISSES: Final = 3  # "no such task" counts when said this often over at least MISSING_SPAN
MISSING_SPAN: Final = 60.0
SILENT_POLLS: Final = 3  # answers with an error and no status before `/content` is asked once
QUICK_CONTENT_TRIES: Final = 5
UNREACHABLE_ERRORS: Final = 6
CLEAR_ANSWERS: Final = 3  # answers about the task that it takes to give it up


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, on two clocks: `wall` for records (UTC), `ticks` for waiting (seconds that never go back)."""

    wall: datetime
    ticks: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often and how long, in seconds: data of the class's tier and settings of the process."""

    early: float
    first_poll: float
    period: float
    overdue_after: float
    slow: float
    content_retry: float
    copy_trouble: float
    storage_warning: float
    abandon_after: float
    give_up_span: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCopy:
    """A download that is whole, verified and waits for the bucket."""

    path: str
    size: int
    sha256: str
    duration_millis: int
    width: int
    height: int
    content_credentials: bool
    mismatch: str = ""


class Clear(StrEnum):
    """What the last clear answer was about, and so what giving up would be called."""

    WORKING = "Abandoned"
    NO_TASK = "TaskLost"
    GONE = "SourceExpired"
    NO_VIDEO = "CompletedWithoutVideo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pursuit:
    """How the work on one task stands."""

    attempt: AttemptId
    task: Task
    resolved: Resolved
    due: float = 0.0  # ticks
    polls: int = 0
    errors: int = 0
    failed_at: float | None = None
    misses: int = 0
    missing_since: float = 0.0
    silent: int = 0
    completed: Moment | None = None
    tries: int = 0  # downloads that did not end well
    refused_sha256: str = ""  # a body that did not verify; the same bytes again are stored as they are
    local: LocalCopy | None = None
    clear: int = 0
    clear_since: float = 0.0
    last_clear: Clear = Clear.WORKING
    trouble: Reason | None = None
    detail: str = ""

    def elapsed(self, now: Moment) -> float:
        """Seconds since the task was made."""
        return (now.wall - self.task.time).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The attempt is over without a stored video."""

    state: AttemptState
    billing: Billing
    reason: Reason
    again: Again
    detail: str = ""
    given_up: bool = False  # not what the gateway said of it, but for how long it said nothing else


class Step(StrEnum):
    """What the pursuit does next."""

    POLL = "poll"
    ASK_CONTENT = "ask content"
    STORE = "store"
    WAIT = "wait"


def begin(attempt: AttemptId, task: Task, resolved: Resolved, now: Moment, pace: Pace) -> Pursuit:
    """A new pursuit: of a task just made, or found in the ledger after a restart."""
    start = Pursuit(attempt=attempt, task=task, resolved=resolved)
    elapsed = start.elapsed(now)
    if elapsed >= min(pace.early, pace.first_poll):
        spread = backoff.jitter(attempt.entry, 0) * min(pace.period, 5.0)
        late = spread if elapsed >= pace.first_poll else min(spread, pace.first_poll - elapsed)
        return replace(start, due=now.ticks + late)
    return replace(start, due=now.ticks + min(pace.early, pace.first_poll) - elapsed)


def step(pursuit: Pursuit, now: Moment) -> Step:
    """What is due now."""
    if now.ticks < pursuit.due:
        return Step.WAIT
    if pursuit.completed is not None:
        return Step.STORE
    return Step.ASK_CONTENT if pursuit.silent == SILENT_POLLS else Step.POLL


def overdue(pursuit: Pursuit, now: Moment, pace: Pace) -> bool:
    """Late, which is a flag and never a verdict."""
    return pursuit.completed is None and pursuit.elapsed(now) > pace.overdue_after


def copy_in_trouble(pursuit: Pursuit, now: Moment, pace: Pace) -> bool:
    """Completed, and not stored for so long that a person should see it."""
    return pursuit.completed is not None and now.ticks - pursuit.completed.ticks > pace.copy_trouble


def storage_is_down(pursuit: Pursuit, now: Moment, pace: Pace) -> bool:
    """A paid video waits for the bucket for so long that somebody should be called."""
    waits = pursuit.completed is not None and pursuit.trouble is Reason.STORAGE_UNAVAILABLE
    return waits and now.ticks > storage_warning_at(pursuit, pace)


def storage_warning_at(pursuit: Pursuit, pace: Pace) -> float:
    """From when on (ticks) a bucket that does not take a completed video is warned of."""
    return (pursuit.completed.ticks if pursuit.completed else pursuit.due) + pace.storage_warning


# ---------------------------------------------------------------- polls


def _poll_delay(pursuit: Pursuit, now: Moment, pace: Pace) -> float:
    if pursuit.errors:
        return backoff.delay(pursuit.errors, pursuit.attempt.entry, base=pace.period, most=pace.slow)
    elapsed = pursuit.elapsed(now)
    for mark in (pace.early, pace.first_poll):
        if elapsed < mark <= pace.first_poll:
            return mark - elapsed
    if pursuit.misses >= MISSES or elapsed > pace.overdue_after:
        return max(pace.slow, pace.period)
    return pace.period * (0.8 + 0.2 * backoff.jitter(pursuit.attempt.entry, pursuit.polls))


def _later(pursuit: Pursuit, now: Moment, pace: Pace) -> Pursuit:
    return replace(pursuit, due=now.ticks + _poll_delay(pursuit, now, pace))


def after_poll(pursuit: Pursuit, answer: answers.PollAnswer, now: Moment, pace: Pace) -> Pursuit | Ending:
    """What one answer to a poll changes."""
    p = replace(pursuit, polls=pursuit.polls + 1)
    match answer:
        case answers.Working():
            return _working(p, now, pace)
        case answers.Completed():
            return replace(_calm(p), completed=now, due=now.ticks)
        case answers.Failed():
            return _failed(p, answer, now, pace)
        case answers.Canceled():
            return _ending(AttemptState.CANCELED, Reason.CANCELED, Again.NEVER, answer.reason)
        case answers.NoSuchTask():
            return _missing(p, answer.detail, now, pace)
        case answers.ErrorWithoutStatus():
            silent = replace(_calm(p), silent=p.silent + 1, detail=answer.detail)
            return _or_give_up(_later(silent, now, pace), Clear.WORKING, now, pace)
        case answers.Refused():
            return _refused(p, answer, now, pace)


def after_asking_content(pursuit: Pursuit, *, failure: bool | None, now: Moment, pace: Pace) -> Pursuit | Ending:
    """`/content` of a task whose polls say an error and no status is asked once; None: that told nothing of it."""
    if failure is None:  # polls come before it is asked again: they may say more by now, and count towards giving up
        return _later(replace(pursuit, silent=SILENT_POLLS - 1, errors=pursuit.errors + 1), now, pace)
    if failure:
        return _ending(AttemptState.FAILED, Reason.GENERATION_FAILED, Again.ONCE, pursuit.detail)
    return _later(replace(pursuit, silent=pursuit.silent + 1), now, pace)


def _calm(p: Pursuit) -> Pursuit:
    return replace(p, errors=0, misses=0, failed_at=None, trouble=None, silent=0, detail="")


def _working(p: Pursuit, now: Moment, pace: Pace) -> Pursuit | Ending:
    return _or_give_up(_later(_calm(p), now, pace), Clear.WORKING, now, pace)


def _failed(p: Pursuit, answer: answers.Failed, now: Moment, pace: Pace) -> Pursuit | Ending:
    """A gateway's one bad poll can say `failed` falsely: it counts when said twice, a period apart."""
    if p.failed_at is None or now.ticks - p.failed_at < pace.period * 0.99:
        first = now.ticks if p.failed_at is None else p.failed_at
        return replace(_calm(p), failed_at=first, due=first + pace.period)
    reason, again = _FAILURES[answer.kind]
    return _ending(AttemptState.FAILED, reason, again, answer.reason)


_FAILURES: Final[Mapping[answers.FailureKind, tuple[Reason, Again]]] = {
    answers.FailureKind.POLICY: (Reason.CONTENT_POLICY_REJECTED, Again.NEVER),
    answers.FailureKind.CAPACITY: (Reason.GENERATION_FAILED, Again.COUNTED),
    answers.FailureKind.OTHER: (Reason.GENERATION_FAILED, Again.COUNTED),
    answers.FailureKind.NO_REASON: (Reason.GENERATION_FAILED, Again.ONCE),
    answers.FailureKind.MODEL_GONE: (Reason.MODEL_UNAVAILABLE, Again.FREE),
}


def _ending(state: AttemptState, reason: Reason, again: Again, detail: str) -> Ending:
    return Ending(state=state, billing=Billing.NOT_BILLED, reason=reason, again=again, detail=detail)


def _missing(p: Pursuit, detail: str, now: Moment, pace: Pace) -> Pursuit | Ending:
    since = p.missing_since if p.misses else now.ticks
    p = replace(p, errors=0, failed_at=None, silent=0, misses=p.misses + 1, missing_since=since, detail=detail)
    if p.misses >= MISSES and now.ticks - since >= min(MISSING_SPAN, pace.slow):
        p = replace(p, trouble=Reason.TASK_NOT_FOUND)
    return _or_give_up(_later(p, now, pace), Clear.NO_TASK, now, pace)


def _refused(p: Pursuit, answer: answers.Refused, now: Moment, pace: Pace) -> Pursuit | Ending:
    p = replace(p, errors=p.errors + 1, detail=answer.detail)
    if p.errors >= UNREACHABLE_ERRORS:
        p = replace(p, trouble=Reason.GATEWAY_UNREACHABLE)
    p = _no_sooner(_later(p, now, pace), answer.retry_after, now)
    return _or_give_up(p, p.last_clear, now, pace) if answer.kind is answers.Refusal.SERVER else p


# ---------------------------------------------------------------- copies


def after_content(pursuit: Pursuit, answer: answers.ContentAnswer, now: Moment, pace: Pace) -> Pursuit | Ending:
    """A download that brought no video: retried hard, since the money is spent."""
    p = _again(pursuit, Reason.DOWNLOADING, answer.detail, now, pace)
    match answer:
        case answers.NotReady():
            return _or_give_up(_no_sooner(p, answer.retry_after, now), Clear.NO_VIDEO, now, pace)
        case answers.Gone():
            return _or_give_up(p, Clear.GONE, now, pace)
        case answers.ContentFailure():
            return _or_give_up(p, Clear.NO_VIDEO, now, pace)
        case answers.Refused():
            p = _no_sooner(p, answer.retry_after, now)
            return _or_give_up(p, Clear.NO_VIDEO, now, pace) if answer.kind is answers.Refusal.SERVER else p


def _no_sooner(p: Pursuit, retry_after: float | None, now: Moment) -> Pursuit:
    return p if retry_after is None else replace(p, due=max(p.due, now.ticks + retry_after))


def _again(p: Pursuit, trouble: Reason, detail: str, now: Moment, pace: Pace) -> Pursuit:
    tries = p.tries + 1
    if tries <= QUICK_CONTENT_TRIES:
        wait = pace.content_retry
    else:
        wait = backoff.delay(tries - QUICK_CONTENT_TRIES, p.attempt.entry, base=2 * pace.content_retry)
    return replace(p, tries=tries, due=now.ticks + wait, trouble=trouble, detail=detail)


def after_bad_video(pursuit: Pursuit, why: str, sha256: str, now: Moment, pace: Pace) -> Pursuit | Ending:
    """Bytes that are no whole video. The same bytes twice are what there is; the caller stores them then."""
    p = _again(pursuit, Reason.DOWNLOADING, why, now, pace)
    return _or_give_up(replace(p, refused_sha256=sha256), Clear.NO_VIDEO, now, pace)


def after_too_large(pursuit: Pursuit, detail: str, now: Moment, pace: Pace) -> Pursuit:
    """Larger than the class allows: waits for the administrator."""
    p = _again(pursuit, Reason.OUTPUT_TOO_LARGE, detail, now, pace)
    return replace(p, due=now.ticks + pace.slow)


def after_store_trouble(pursuit: Pursuit, detail: str, now: Moment, pace: Pace) -> Pursuit:
    """The bucket did not take it: the local copy is kept, so no second download is needed."""
    p = replace(pursuit, tries=pursuit.tries + 1, trouble=Reason.STORAGE_UNAVAILABLE, detail=detail)
    wait = backoff.delay(p.tries, p.attempt.entry, base=pace.content_retry / 2, most=pace.slow)
    return replace(p, due=now.ticks + wait)


# ---------------------------------------------------------------- giving up


def _or_give_up(p: Pursuit, about: Clear, now: Moment, pace: Pace) -> Pursuit | Ending:
    """After `abandon_after`, three clear answers over `give_up_span` of this process's own clock permit it."""
    if p.elapsed(now) <= pace.abandon_after:
        return replace(p, last_clear=about)
    since = p.clear_since if p.clear else now.ticks
    p = replace(p, clear=p.clear + 1, clear_since=since, last_clear=about)
    if p.clear < CLEAR_ANSWERS or now.ticks - since < pace.give_up_span:
        return p
    completed = p.completed is not None
    return Ending(
        state=_GIVE_UP_STATES[about] if not completed else AttemptState.COMPLETED,
        billing=Billing.BILLED if completed else Billing.POSSIBLE,
        reason=Reason(about.value),
        again=Again.NEVER,
        detail=p.detail,
        given_up=True,
    )


_GIVE_UP_STATES: Final[Mapping[Clear, AttemptState]] = {
    Clear.WORKING: AttemptState.ABANDONED,
    Clear.NO_TASK: AttemptState.TASK_LOST,
    Clear.GONE: AttemptState.ABANDONED,
    Clear.NO_VIDEO: AttemptState.ABANDONED,
}


def fresh_eyes(pursuit: Pursuit, now: Moment) -> Pursuit:
    """The Secret or the class changed: ask at once, and count towards giving up anew."""
    return replace(pursuit, due=now.ticks, clear=0, errors=0, misses=0)
