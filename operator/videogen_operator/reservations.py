"""Who asks for a slot, who holds one, and one planned write to a class's reservations."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from .api.generation_class import Reservation, VideoGenerationClass
from .api.meta import Key
from .ledger_names import AttemptId


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """An object that asks for a slot."""

    key: Key
    attempt: AttemptId
    amount: Decimal
    model: str
    order: tuple[str, str, str]  # creation time, namespace, name: first come, first served
    told: bool = False  # it was already passed over once
    considered: bool = False  # a round looked at it


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A reserved slot and a submit permit, for one attempt."""

    attempt: AttemptId
    reservation: Reservation
    fresh: bool  # the entry was added in this round, not found
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One planned write to a class's reservations."""

    remove: tuple[Reservation, ...] = ()
    add: tuple[Reservation, ...] = ()
    take_over: tuple[tuple[Reservation, str], ...] = ()  # (entry, new writer)
    granted: tuple[Waiter, ...] = ()
    after: tuple[Reservation, ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.remove or self.add or self.take_over)


def identity(entry: Reservation) -> tuple[str, str, datetime]:
    """Two entries with one identity are the same reservation."""
    return entry.attempt, entry.writer, entry.time


def entry_of(waiter: Waiter, known: Reservation | None, now: datetime, writer: str) -> Reservation:
    """A new entry, or the one that is there under our name: who finds his attempt entered replaces the writer."""
    if known is not None:
        return known.model_copy(update={"writer": writer})
    return Reservation(attempt=waiter.attempt.entry, amount_usd=waiter.amount, time=now, writer=writer)


def operations(klass: VideoGenerationClass, plan: Round) -> list[Mapping[str, Any]]:
    """The plan as JSON patch operations: entries are appended and removed, the list is never rewritten."""
    entries = klass.status.reservations
    result: list[Mapping[str, Any]] = []
    index = {e.attempt: i for i, e in enumerate(entries)}
    for entry, writer in plan.take_over:
        path = f"/status/reservations/{index[entry.attempt]}"
        result.append({"op": "test", "path": f"{path}/attempt", "value": entry.attempt})
        result.append({"op": "replace", "path": f"{path}/writer", "value": writer})
    for entry in sorted(plan.remove, key=lambda e: index[e.attempt], reverse=True):
        path = f"/status/reservations/{index[entry.attempt]}"
        result.append({"op": "test", "path": f"{path}/attempt", "value": entry.attempt})
        result.append({"op": "remove", "path": path})
    if plan.add and not entries:
        result.append({"op": "add", "path": "/status/reservations", "value": [e.wire() for e in plan.add]})
    else:
        result += [{"op": "add", "path": "/status/reservations/-", "value": e.wire()} for e in plan.add]
    return result
