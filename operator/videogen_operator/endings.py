"""What follows from an attempt that ended without a video: again, later, or never."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from . import backoff, ledger
from .api.generation import VideoGeneration
from .api.generation_status import AttemptState, Billing
from .conditions import Reason, Standing, Step, Type
from .job import (
    Timing,
)
from .ledger import Again, Entry, Folder
from .pursuit import Moment

_GAVE_UP: Final = "given up by a person's answer"


def given_up(entry: Entry, now: Moment) -> ledger.End:
    """The end that a person's `abandon` stands for."""
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


def superseded(end: ledger.End, folder: Folder, obj: VideoGeneration) -> Standing | None:
    """Where the object stands when a raised revision follows; None if none does."""
    if obj.spec.revision <= folder.id.revision:
        return None
    message = (
        f"revision {folder.id.revision} ended without a video ({end.detail or end.reason}; {_BILLS[end.billing]}); "
        f"revision {obj.spec.revision} is next"
    )
    return Standing(step=Step.QUEUED, reason=Reason.QUEUED, message=message)


def after_end(end: ledger.End, folder: Folder, obj: VideoGeneration) -> Standing:
    """Where the object stands after an attempt ended without a video."""
    next_one = superseded(end, folder, obj)
    if next_one is not None:
        return next_one
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
    message = f"{(end.detail or end.reason).rstrip('.')}; {_BILLS[end.billing]}; to try again, raise spec.revision"
    return _failure(_failed_step(end), reason, message)


def _failure(at: Type, reason: Reason, message: str) -> Standing:
    return Standing(step=Step.FAILED, reason=reason, message=message, at=at)
