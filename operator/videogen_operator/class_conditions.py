"""Where a class stands: its conditions, from what the probes and the desk know."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from .api.meta import Condition, ConditionStatus
from .closures import Closed, Closure


class ClassType(StrEnum):
    """The conditions of a VideoGenerationClass."""

    READY = "Ready"  # new work may start
    CREDENTIALS_VALID = "CredentialsValid"  # by a free GET, never by a POST
    STORAGE_READY = "StorageReady"  # a probe write, conditional writes included
    SPENDING_OPEN = "SpendingOpen"
    MODELS_AVAILABLE = "ModelsAvailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What one probe found; `ok` None means that it has not run or could not tell."""

    ok: bool | None
    reason: str
    message: str = ""


PENDING: Final = Probe(ok=None, reason="Pending", message="not probed yet")
_CREDENTIALS: Final = frozenset({Closure.CREDENTIALS_REJECTED, Closure.SECRET_NOT_FOUND})
_NOT_SPENDING: Final = frozenset({Closure.STORAGE, Closure.SECRET_NOT_FOUND, Closure.RATE_LIMITED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """All that is known of a class."""

    credentials: Probe = PENDING
    storage: Probe = PENDING
    closures: Mapping[Closure, Closed] = field(default_factory=dict)
    models: Mapping[str, Closed] = field(default_factory=dict)
    shares_account_with: tuple[str, ...] = ()
    note: str = ""  # more than one default class, or tasks that have held a slot too long


def conditions(
    health: Health, *, generation: int, now: datetime, before: Iterable[Condition] = ()
) -> tuple[Condition, ...]:
    """The whole list; a transition time moves only when a status changes."""
    rest = {
        ClassType.CREDENTIALS_VALID: _row(_credentials(health)),
        ClassType.STORAGE_READY: _row(health.storage),
        ClassType.SPENDING_OPEN: _spending(health),
        ClassType.MODELS_AVAILABLE: _models(health),
    }
    rows = {ClassType.READY: _ready(rest, health), **rest}
    old = {condition.type: condition for condition in before}
    return tuple(
        Condition(
            type=type_,
            status=status,
            reason=reason,
            message=message,
            observed_generation=generation,
            last_transition_time=_since(old.get(type_), status, now),
        )
        for type_, (status, reason, message) in rows.items()
    )


_Row = tuple[ConditionStatus, str, str]


def _since(old: Condition | None, status: ConditionStatus, now: datetime) -> datetime:
    return old.last_transition_time if old is not None and old.status is status else now


def _row(probe: Probe) -> _Row:
    status = {True: ConditionStatus.TRUE, False: ConditionStatus.FALSE, None: ConditionStatus.UNKNOWN}[probe.ok]
    return status, probe.reason, probe.message


def _credentials(health: Health) -> Probe:
    """What a POST learned about the key counts more than the last probe."""
    closed = health.closures.get(Closure.CREDENTIALS_REJECTED)
    if closed is not None:
        return Probe(ok=False, reason=Closure.CREDENTIALS_REJECTED, message=closed.message)
    return health.credentials


def _spending(health: Health) -> _Row:
    for why, closed in health.closures.items():
        if why not in _NOT_SPENDING:
            return ConditionStatus.FALSE, why.value, closed.message
    slowed = health.closures.get(Closure.RATE_LIMITED)
    message = f"slowed down by the gateway: {slowed.message}" if slowed else ""
    return ConditionStatus.TRUE, "BreakerClosed", message


def _models(health: Health) -> _Row:
    if not health.models:
        return ConditionStatus.TRUE, "AllAvailable", ""
    message = "; ".join(closed.message for closed in health.models.values())
    return ConditionStatus.FALSE, "ModelUnavailable", f"{message}. Its objects wait, others go on"


def _ready(rest: Mapping[ClassType, _Row], health: Health) -> _Row:
    """New work may start unless one of the others says no; models close only themselves."""
    needed = (ClassType.CREDENTIALS_VALID, ClassType.STORAGE_READY, ClassType.SPENDING_OPEN)
    for wanted in (ConditionStatus.FALSE, ConditionStatus.UNKNOWN):
        for type_ in needed:
            status, reason, message = rest[type_]
            if status is wanted:
                return status, reason, f"{type_}: {message}" if message else f"{type_} is {status}"
    if health.shares_account_with:
        names = ", ".join(health.shares_account_with)
        message = f"shares gateway and key with {names}: divide the account's limit between them"
        return ConditionStatus.TRUE, "AccountShared", _joined(message, health.note)
    return ConditionStatus.TRUE, "Ready", health.note


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
