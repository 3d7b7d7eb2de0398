"""Where an object stands, in the words that tools read: conditions, and the phase derived from them.

Conditions and reasons are API: a word here is kept for ever. `phase` is for people; it is computed from the
conditions and no code reads it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from .api.meta import Condition, ConditionStatus


class Type(StrEnum):
    """The conditions of a VideoGeneration, in the order in which `kubectl describe` shows them."""

    READY = "Ready"  # the video of this revision can be used now
    ACCEPTED = "Accepted"  # the request is valid, class and price are known
    SUBMITTED = "Submitted"  # a task ID is on record
    GENERATED = "Generated"  # the gateway says completed: the moment of billing
    STORED = "Stored"  # the bytes are verified and in the bucket
    SUCCEEDED = "Succeeded"  # the result of the run; never goes back
    FINISHED = "Finished"  # nothing more will happen by itself
    RECONCILING = "Reconciling"  # present only when True
    STALLED = "Stalled"  # present only when True


class Reason(StrEnum):
    """Every reason that a VideoGeneration can show."""

    # the good ends
    VIDEO_STORED = "VideoStored"
    OUTPUT_ADOPTED = "OutputAdopted"
    OUTPUT_VERIFIED = "OutputVerified"
    OUTPUT_MISMATCH = "OutputMismatch"
    SUCCEEDED = "Succeeded"
    # steps
    PENDING = "Pending"
    ACCEPTED = "Accepted"
    TASK_CREATED = "TaskCreated"
    TASK_ADOPTED = "TaskAdopted"
    TASK_COMPLETED = "TaskCompleted"
    SUBMITTING = "Submitting"
    GENERATING = "Generating"
    DOWNLOADING = "Downloading"
    IN_PROGRESS = "InProgress"
    HELD = "Held"
    FAILED = "Failed"
    # waiting for something
    CLASS_NOT_FOUND = "ClassNotFound"
    QUEUED = "Queued"
    SUSPENDED = "Suspended"
    RATE_LIMITED = "RateLimited"
    BREAKER_OPEN = "BreakerOpen"
    MODEL_UNAVAILABLE = "ModelUnavailable"
    BACKING_OFF = "BackingOff"
    LEDGER_UNAVAILABLE = "LedgerUnavailable"
    REBUILDING = "Rebuilding"
    SCHEMA_OUTDATED = "SchemaOutdated"
    GENERATION_OVERDUE = "GenerationOverdue"
    GATEWAY_UNREACHABLE = "GatewayUnreachable"
    TASK_NOT_FOUND = "TaskNotFound"
    STORAGE_UNAVAILABLE = "StorageUnavailable"
    OUTPUT_TOO_LARGE = "OutputTooLarge"
    # needs an edit
    NAMESPACE_NOT_ALLOWED = "NamespaceNotAllowed"
    MODEL_NOT_OFFERED = "ModelNotOffered"
    TIER_NOT_OFFERED = "TierNotOffered"
    ASPECT_RATIO_NOT_OFFERED = "AspectRatioNotOffered"
    DURATION_NOT_OFFERED = "DurationNotOffered"
    PRICE_ABOVE_MAX = "PriceAboveMax"
    REQUEST_CHANGED = "RequestChanged"
    LEDGER_CONFLICT = "LedgerConflict"
    # needs a person
    SUBMISSION_OUTCOME_UNKNOWN = "SubmissionOutcomeUnknown"
    # final, not billed
    REJECTED_BY_GATEWAY = "RejectedByGateway"
    CONTENT_POLICY_REJECTED = "ContentPolicyRejected"
    GENERATION_FAILED = "GenerationFailed"
    ATTEMPTS_EXHAUSTED = "AttemptsExhausted"
    CANCELED = "Canceled"
    # final, money may be spent
    TASK_LOST = "TaskLost"
    ABANDONED = "Abandoned"
    COMPLETED_WITHOUT_VIDEO = "CompletedWithoutVideo"
    SOURCE_EXPIRED = "SourceExpired"
    OUTPUT_MISSING = "OutputMissing"


class Step(StrEnum):
    """The states of the machine that an object can show."""

    PENDING = "Pending"  # waits for its class
    REFUSED = "Refused"  # needs an edit
    QUEUED = "Queued"
    SUSPENDED = "Suspended"
    SUBMITTING = "Submitting"
    HELD = "Held"
    GENERATING = "Generating"
    STORING = "Storing"
    SUCCEEDED = "Succeeded"
    OUTPUT_MISSING = "OutputMissing"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where an object stands and why; `notes` are messages of conditions other than the one that `step` is about.

    `at` says for `FAILED` which step failed: Submitted, Generated or Stored.
    """

    step: Step
    reason: Reason
    message: str = ""
    at: Type = Type.SUBMITTED
    notes: Mapping[Type, str] = field(default_factory=dict)
    adopted: bool = False
    mismatch: bool = False
    doubtful: bool = False  # of `FAILED`: whether it was submitted was never known


def queued(reason: Reason, message: str, class_name: str, *, closed: bool = False) -> Standing:
    """Waiting, and nothing is spent. From one waiting reason to another nothing is written to an object, so the message
    ends with where the current one is. `closed`: the message already says that the class is.
    """
    where = f"kubectl describe vgclass {class_name}"
    end = where if closed else f"or the class is closed: {where}"
    return Standing(step=Step.QUEUED, reason=reason, message=f"{message}; {end}")


_T, _F, _U = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
Row = tuple[ConditionStatus, Reason]
_STEPS: Final = (Type.ACCEPTED, Type.SUBMITTED, Type.GENERATED, Type.STORED)
_REACHED: Final[Mapping[Step, int]] = {
    Step.PENDING: 0,
    Step.REFUSED: 0,
    Step.QUEUED: 1,
    Step.SUSPENDED: 1,
    Step.SUBMITTING: 1,
    Step.HELD: 1,
    Step.GENERATING: 2,
    Step.STORING: 3,
    Step.SUCCEEDED: 4,
    Step.OUTPUT_MISSING: 3,
}
_CURRENT: Final[Mapping[Step, ConditionStatus]] = {
    Step.SUBMITTING: _U,
    Step.HELD: _U,
    Step.GENERATING: _U,
    Step.STORING: _U,
}
_READY: Final[Mapping[Step, ConditionStatus]] = {
    Step.REFUSED: _F,
    Step.HELD: _F,
    Step.FAILED: _F,
    Step.OUTPUT_MISSING: _F,
    Step.SUCCEEDED: _T,
}
_STALLED: Final = frozenset({Step.REFUSED, Step.HELD, Step.FAILED, Step.OUTPUT_MISSING})
_RECONCILING: Final = frozenset({Step.PENDING, Step.QUEUED, Step.SUBMITTING, Step.GENERATING, Step.STORING})


def rows(standing: Standing) -> dict[Type, Row]:
    """Status and reason of each condition; the whole of what the step means to tools."""
    step = standing.step
    table: dict[Type, Row] = {Type.READY: (_READY.get(step, _U), _ready_reason(standing))}
    reached = _STEPS.index(standing.at) if step is Step.FAILED else _REACHED[step]
    for index, type_ in enumerate(_STEPS):
        if index < reached and type_ is Type.SUBMITTED and standing.doubtful:
            table[type_] = (_U, Reason.SUBMISSION_OUTCOME_UNKNOWN)
        elif index < reached:
            table[type_] = (_T, _done(type_, standing))
        elif index == reached:
            table[type_] = (_CURRENT.get(step, _F), standing.reason)
        else:
            table[type_] = (_U, Reason.PENDING)
    table |= _ends(standing)
    if step in _RECONCILING:
        table[Type.RECONCILING] = (_T, standing.reason)
    if step in _STALLED:
        table[Type.STALLED] = (_T, standing.reason)
    return table


def _ready_reason(standing: Standing) -> Reason:
    if standing.step is Step.SUCCEEDED:
        return Reason.OUTPUT_ADOPTED if standing.adopted else Reason.VIDEO_STORED
    return standing.reason


def _done(type_: Type, standing: Standing) -> Reason:
    if type_ is Type.SUBMITTED:
        return Reason.TASK_ADOPTED if standing.adopted else Reason.TASK_CREATED
    if type_ is Type.STORED:
        if standing.mismatch:
            return Reason.OUTPUT_MISMATCH
        return Reason.OUTPUT_ADOPTED if standing.adopted else Reason.OUTPUT_VERIFIED
    return Reason.ACCEPTED if type_ is Type.ACCEPTED else Reason.TASK_COMPLETED


def _ends(standing: Standing) -> dict[Type, Row]:
    match standing.step:
        case Step.SUCCEEDED | Step.OUTPUT_MISSING:
            return {Type.SUCCEEDED: (_T, Reason.SUCCEEDED), Type.FINISHED: (_T, Reason.SUCCEEDED)}
        case Step.FAILED:
            return {Type.SUCCEEDED: (_F, standing.reason), Type.FINISHED: (_T, Reason.FAILED)}
        case Step.HELD:
            return {Type.SUCCEEDED: (_U, Reason.IN_PROGRESS), Type.FINISHED: (_F, Reason.HELD)}
        case _:
            return {Type.SUCCEEDED: (_U, Reason.IN_PROGRESS), Type.FINISHED: (_F, Reason.IN_PROGRESS)}


def conditions(
    standing: Standing, *, generation: int, now: datetime, before: Iterable[Condition] = ()
) -> tuple[Condition, ...]:
    """The whole list for a status write. A transition time moves only when a status changes."""
    old = {condition.type: condition for condition in before}
    table = rows(standing)
    return tuple(
        _condition(type_, table[type_], standing, old.get(type_), generation, now) for type_ in Type if type_ in table
    )


def _condition(
    type_: Type, row: Row, standing: Standing, old: Condition | None, generation: int, now: datetime
) -> Condition:
    status, reason = row
    unchanged = old is not None and old.status is status
    message = standing.notes.get(type_)
    if message is None:
        message = _message(type_, row, standing, old)
    return Condition(
        type=type_,
        status=status,
        reason=reason,
        message=message,
        observed_generation=generation,
        last_transition_time=old.last_transition_time if old is not None and unchanged else now,
    )


def _message(type_: Type, row: Row, standing: Standing, old: Condition | None) -> str:
    status, reason = row
    if type_ in {Type.SUCCEEDED, Type.FINISHED}:
        return ""  # Ready says it already
    if reason is standing.reason or type_ is Type.READY:
        return standing.message
    return old.message if old is not None and (old.status, old.reason) == (status, reason) else ""


# ---------------------------------------------------------------- reading conditions back


def find(conditions_: Iterable[Condition], type_: Type) -> Condition | None:
    """The condition of that type, if it is there."""
    return next((condition for condition in conditions_ if condition.type == type_), None)


def step_shown(conditions_: Iterable[Condition]) -> Step | None:
    """The step that a list of conditions shows; None before the first write."""
    by_type = {condition.type: condition for condition in conditions_}
    if Type.READY not in by_type:
        return None

    def status(type_: Type) -> ConditionStatus | None:
        return by_type[type_].status if type_ in by_type else None

    def reason(type_: Type) -> str:
        return by_type[type_].reason if type_ in by_type else ""

    if status(Type.SUCCEEDED) is _T:
        return Step.SUCCEEDED if status(Type.STORED) is _T else Step.OUTPUT_MISSING
    if status(Type.FINISHED) is _T:
        return Step.FAILED
    if reason(Type.FINISHED) == Reason.HELD:
        return Step.HELD
    if status(Type.ACCEPTED) is not _T:
        return Step.REFUSED if status(Type.STALLED) is _T else Step.PENDING
    if status(Type.SUBMITTED) is _T:
        return Step.STORING if status(Type.GENERATED) is _T else Step.GENERATING
    if status(Type.SUBMITTED) is _U:
        return Step.SUBMITTING
    return Step.SUSPENDED if status(Type.RECONCILING) is not _T else Step.QUEUED


_PHASES: Final[Mapping[Step, str]] = {
    Step.REFUSED: "Pending",
    Step.OUTPUT_MISSING: "Succeeded",
}


def phase(conditions_: Iterable[Condition]) -> str:
    """One word for people, a pure function of the conditions."""
    step = step_shown(conditions_)
    return "Pending" if step is None else _PHASES.get(step, step.value)
