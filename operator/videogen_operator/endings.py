"""What follows from an attempt that ended without a video: again, later, or never."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Final

from . import backoff, ledger
from .api.generation import VideoGeneration
from .api.generation_status import AttemptState, Billing
from .api.money import usd
from .conditions import Reason, Standing, Step, Type, queued
from .ledger import Again, Entry, Folder
from .pursuit import Moment
from .timings import Timings

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


def retry_due(folder: Folder, seconds: Timings, now: Moment) -> float | None:
    """When the next attempt may be made after one that failed; None if now. 30 s, 2 min, 8 min, with jitter."""
    newest = folder.newest
    if newest is None or newest.end is None or newest.end.again not in {Again.COUNTED, Again.ONCE}:
        return None
    seed = folder.id.attempt(newest.number).entry
    wait = backoff.delay(counted(folder), seed, base=seconds.retry_base, factor=4.0, most=16 * seconds.retry_base)
    left = newest.end.time + timedelta(seconds=wait) - now.wall
    return now.ticks + left.total_seconds() if left > timedelta(0) else None


def superseded(end: ledger.End, folder: Folder, obj: VideoGeneration, price: Decimal) -> Standing | None:
    """Where the object stands when a raised revision follows; None if none does."""
    if obj.spec.revision <= folder.id.revision:
        return None
    message = (
        f"revision {folder.id.revision} ended without a video ({end.detail or end.reason}; {bill(end, price)}); "
        f"revision {obj.spec.revision} is next"
    )
    return queued(Reason.QUEUED, message, _class_of(obj))


def after_end(end: ledger.End, folder: Folder, obj: VideoGeneration, price: Decimal) -> Standing:
    """Where the object stands after an attempt ended without a video."""
    next_one = superseded(end, folder, obj, price)
    if next_one is not None:
        return next_one
    exhausted = counted(folder) >= obj.spec.retry_policy.max_attempts
    said_nothing = sum(1 for e in folder.entries.values() if e.end and e.end.again is Again.ONCE)
    if end.again is Again.FREE:
        return queued(_free_reason(end), _waiting(end.detail), _class_of(obj))
    if end.again is Again.NEVER or (end.again is Again.ONCE and said_nothing > 1):
        return final_standing(end, price)
    if exhausted:
        return _exhausted(end, counted(folder))
    return queued(Reason.BACKING_OFF, _waiting(end.detail), _class_of(obj))


def _exhausted(end: ledger.End, attempts: int) -> Standing:
    """No attempt is left. What was refused at the submit is still that, however often it was tried."""
    refused = end.state is AttemptState.REJECTED
    reason = Reason.REJECTED_BY_GATEWAY if refused else Reason.ATTEMPTS_EXHAUSTED
    message = f"{attempts} attempts failed, none was billed: {end.detail}; to try again, raise spec.revision"
    return _failure(_failed_step(end), reason, message)


def _class_of(obj: VideoGeneration) -> str:
    """The class that the ended attempt was made through."""
    return obj.status.class_.name if obj.status.class_ is not None else ""


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


def bill(end: ledger.End, price: Decimal) -> str:
    """What an ended attempt cost, in words."""
    match end.billing:
        case Billing.NOT_BILLED:
            return "not billed"
        case Billing.BILLED:
            return f"billed {usd(price)}"
        case Billing.POSSIBLE:
            return f"may have been billed {usd(price)}: look for the task in the gateway's console"


def final_standing(end: ledger.End, price: Decimal) -> Standing:
    """The final failure that an end stands for."""
    reason = Reason(end.reason) if end.reason in set(Reason) else Reason.GENERATION_FAILED
    message = f"{(end.detail or end.reason).rstrip('.')}; {bill(end, price)}; to try again, raise spec.revision"
    standing = _failure(_failed_step(end), reason, message)
    return replace(standing, doubtful=end.state is AttemptState.ABANDONED and end.task_id is None)


def _failure(at: Type, reason: Reason, message: str) -> Standing:
    return Standing(step=Step.FAILED, reason=reason, message=message, at=at)
