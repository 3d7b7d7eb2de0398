"""The desk of a class: who waits for a slot, who holds one, and why the class is closed. Memory only.

Slots are counted from the durable reservations in the class's status, never from this memory: a restart forgets
all of it and can still not overspend. A round plans one write that carries all reservations and settlements.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from .api.generation_class import MAX_RESERVATIONS, Reservation, VideoGenerationClass
from .api.meta import Key
from .closures import Closed, Closure, is_shut
from .conditions import Reason, Standing, queued
from .ledger_names import AttemptId
from .reservations import Grant, Round, Waiter, entry_of, identity


@dataclass(slots=True)
class Desk:
    """Thread-safe. All times are ticks."""

    name: str
    klass: VideoGenerationClass | None = None
    fingerprint: str = ""
    epoch: int = 0  # counts changes of class or Secret: pursuits look with fresh eyes
    waiting: dict[Key, Waiter] = field(default_factory=dict)
    grants: dict[Key, Grant] = field(default_factory=dict)
    permits: set[str] = field(default_factory=set)
    settled: dict[str, Reservation | None] = field(default_factory=dict)
    returned: dict[str, Reservation] = field(default_factory=dict)
    owed: dict[str, Decimal] = field(default_factory=dict)  # open tasks found without an entry
    slotless: set[str] = field(default_factory=set)  # unknown for long: they hold money, no slot
    first_seen: dict[tuple[str, str, datetime], float] = field(default_factory=dict)
    closures: dict[Closure, Closed] = field(default_factory=dict)
    models: dict[str, Closed] = field(default_factory=dict)
    server_errors: int = 0
    next_settlement: float | None = None
    counters_due: float | None = None  # when changed counters are written at the latest
    lock: threading.RLock = field(default_factory=threading.RLock)

    # ------------------------------------------------------------ objects

    def join(self, waiter: Waiter) -> bool:
        """Ask for a slot; whether a round should look at it now."""
        with self.lock:
            known = self.waiting.get(waiter.key)
            if known is not None and (known.attempt, known.model) == (waiter.attempt, waiter.model):
                return False
            self.waiting[waiter.key] = waiter
            return True

    def leave(self, key: Key) -> None:
        """The object no longer asks; a slot that it got and did not use goes back."""
        with self.lock:
            self.waiting.pop(key, None)
            grant = self.grants.pop(key, None)
            if grant is not None:
                self._give_back(grant)

    def grant(self, key: Key) -> Grant | None:
        with self.lock:
            return self.grants.get(key)

    def use(self, key: Key) -> None:
        """The attempt's intent is about to be tried: from here on its entry is never given back."""
        with self.lock:
            if key in self.grants:
                self.grants[key] = replace(self.grants[key], fresh=False)

    def finish(self, key: Key) -> None:
        """The POST is over and on record, or will never be made: the permit is free, the entry stays."""
        with self.lock:
            grant = self.grants.pop(key, None)
            if grant is not None:
                self.permits.discard(grant.attempt.entry)

    def _give_back(self, grant: Grant) -> None:
        self.permits.discard(grant.attempt.entry)
        if grant.fresh:
            self.returned[grant.attempt.entry] = grant.reservation

    def settle(self, attempt: AttemptId, entry: Reservation | None, due: float) -> None:
        """The attempt is over: its entry goes with the next write, at the latest at `due`.

        `entry` is the entry as it was read before the ledger was; None: whatever it is now.
        """
        with self.lock:
            self.settled[attempt.entry] = entry
            self.owed.pop(attempt.entry, None)
            self.slotless.discard(attempt.entry)
            self.next_settlement = due if self.next_settlement is None else min(self.next_settlement, due)

    def owe(self, attempt: AttemptId, amount: Decimal) -> bool:
        """An open task without an entry gets one, without asking for room; whether it lacked one."""
        with self.lock:
            entries = self.klass.status.reservations if self.klass else ()
            if any(e.attempt == attempt.entry for e in entries) or attempt.entry in self.owed:
                return False
            self.owed[attempt.entry] = amount
            return True

    # ------------------------------------------------------------ closures

    def close(self, why: Closure, message: str, until: float | None = None) -> bool:
        """Stop new work; whether that is news."""
        with self.lock:
            old = self.closures.get(why)
            times = old.times + 1 if old else 1
            self.closures[why] = Closed(message, until, times)
            return old is None or old.message != message

    def open(self, *reasons: Closure) -> bool:
        """Lift these closures (all if none is named); whether any was there."""
        with self.lock:
            chosen = [r for r in (reasons or tuple(Closure)) if r in self.closures]
            for reason in chosen:
                del self.closures[reason]
            return bool(chosen)

    def limit(self, why: Closure, until: float) -> bool:
        """A closure that nothing else would end, ends at `until`; whether it was one."""
        with self.lock:
            closed = self.closures.get(why)
            if closed is None or closed.until is not None:
                return False
            self.closures[why] = replace(closed, until=until)
            return True

    def times(self, why: Closure) -> int:
        """How often in a row it was closed for this, up to now."""
        closed = self.closures.get(why)
        return closed.times if closed else 0

    def close_model(self, model: str, message: str, until: float) -> None:
        with self.lock:
            old = self.models.get(model)
            self.models[model] = Closed(message, until, old.times + 1 if old else 1)

    def open_model(self, model: str) -> bool:
        with self.lock:
            return self.models.pop(model, None) is not None

    def accepted(self, model: str) -> bool:
        """A POST was accepted: key, balance, gateway and model are good; whether anything was closed."""
        with self.lock:
            self.server_errors = 0
            lifted = self.open(
                Closure.CREDENTIALS_REJECTED,
                Closure.INSUFFICIENT_BALANCE,
                Closure.GATEWAY_UNREACHABLE,
                Closure.SERVER_ERRORS,
                Closure.RATE_LIMITED,
            )
            return self.open_model(model) or lifted

    def shut(self, ticks: float) -> bool:
        """Nothing at all may be sent now."""
        return any(is_shut(closed, ticks) for closed in self.closures.values())

    def next_opening(self, ticks: float) -> float | None:
        """When a timed closure ends next."""
        times = [c.until for c in (*self.closures.values(), *self.models.values()) if c.until and c.until > ticks]
        return min(times, default=None)

    def why_waiting(self, waiter: Waiter, ticks: float) -> Standing:
        """What an object that got no slot shows."""
        model = self.models.get(waiter.model)
        for why, closed in self.closures.items():
            if is_shut(closed, ticks):
                message = f"class {self.name} is closed ({why.value}): {closed.message}"
                return queued(_SHOWN.get(why, Reason.BREAKER_OPEN), message, self.name, closed=True)
        if model is not None:
            message = f"not billed: {model.message}; it is tried again by itself"
            return queued(Reason.MODEL_UNAVAILABLE, message, self.name)
        return queued(Reason.QUEUED, f"waits for a free slot of class {self.name}", self.name)

    # ------------------------------------------------------------ the round

    def counters_to_write(self, ticks: float, *, changed: bool, rides: bool, lag: float) -> bool:
        """Whether changed counters are written now: with another write, or alone after `lag` seconds."""
        if not changed or rides:
            self.counters_due = None
            return changed
        if self.counters_due is None:
            self.counters_due = ticks + lag
            return False
        due = ticks >= self.counters_due
        self.counters_due = None if due else self.counters_due
        return due

    def see(self, entries: Iterable[Reservation], ticks: float) -> None:
        """Note when each entry was first seen unchanged, on this process's own clock."""
        with self.lock:
            now = {identity(e): self.first_seen.get(identity(e), ticks) for e in entries}
            self.first_seen = now
            present = {e.attempt for e in entries}
            self.slotless &= present

    def age(self, entry: Reservation, ticks: float) -> float:
        """Seconds since this process first saw the entry as it is."""
        with self.lock:
            return ticks - self.first_seen.get(identity(entry), ticks)

    def holds_slot(self, entry: Reservation, slot_seconds: float, ticks: float) -> bool:
        return entry.attempt not in self.slotless and self.age(entry, ticks) < slot_seconds

    def plan(self, klass: VideoGenerationClass, *, now: datetime, ticks: float, writer: str, may_spend: bool) -> Round:
        """One write: what was settled or came back goes, what is owed comes, and who is first gets the free slots."""
        with self.lock:
            self._consider()
            entries = {e.attempt: e for e in klass.status.reservations}
            gone = self._to_remove(entries)
            kept = {name: e for name, e in entries.items() if name not in {g.attempt for g in gone}}
            added = {
                name: Reservation(attempt=name, amount_usd=amount, time=now, writer=writer)
                for name, amount in self.owed.items()
                if name not in kept
            }
            plan = Round(remove=gone, add=tuple(added.values()), after=(*kept.values(), *added.values()))
            if not may_spend or self.shut(ticks):
                return plan
            return self._fill(plan, klass, now=now, ticks=ticks, writer=writer)

    def _consider(self) -> None:
        for key, waiter in self.waiting.items():
            if not waiter.considered:
                self.waiting[key] = replace(waiter, considered=True)

    def _to_remove(self, entries: Mapping[str, Reservation]) -> tuple[Reservation, ...]:
        gone = []
        for name, as_read in self.settled.items():
            entry = entries.get(name)
            if entry is not None and (as_read is None or identity(as_read) == identity(entry)):
                gone.append(entry)
        for name, ours in self.returned.items():
            entry = entries.get(name)
            if entry is not None and identity(entry) == identity(ours) and entry not in gone:
                gone.append(entry)
        return tuple(gone)

    def _fill(self, plan: Round, klass: VideoGenerationClass, *, now: datetime, ticks: float, writer: str) -> Round:
        limits = klass.spec.limits
        trial = bool(self.closures)
        permits = (1 if trial else limits.submit_concurrency) - len(self.permits)
        after = {e.attempt: e for e in plan.after}
        slots = limits.max_in_flight - sum(self.holds_slot(e, limits.slot_seconds, ticks) for e in plan.after)
        add, over = list(plan.add), list(plan.take_over)
        granted: list[Waiter] = []
        tried: set[str] = set()
        for waiter in sorted(self.waiting.values(), key=lambda w: w.order):
            if permits <= len(granted):
                break
            if not self._model_open(waiter.model, ticks, tried):
                continue
            known = after.get(waiter.attempt.entry)
            if known is None and (slots <= 0 or len(after) >= MAX_RESERVATIONS):
                continue
            entry = entry_of(waiter, known, now, writer)
            if known is None:
                slots -= 1
                add.append(entry)
            elif known.writer != writer:
                over.append((known, writer))
            after[entry.attempt] = entry
            granted.append(waiter)
        return replace(plan, add=tuple(add), take_over=tuple(over), granted=tuple(granted), after=tuple(after.values()))

    def _model_open(self, model: str, ticks: float, tried: set[str]) -> bool:
        """A retired model lets one object try now and then."""
        closed = self.models.get(model)
        if closed is None:
            return True
        if model in tried or (closed.until is not None and closed.until > ticks):
            return False
        tried.add(model)
        return not any(g.model == model and g.attempt.entry in self.permits for g in self.grants.values())

    def apply(self, plan: Round, writer: str) -> list[Key]:
        """The write is durable: hand out the grants. Returns the keys that may go on."""
        with self.lock:
            for entry in plan.remove:
                self.settled.pop(entry.attempt, None)
                self.returned.pop(entry.attempt, None)
            present = {e.attempt for e in plan.after}
            now = {e.attempt: identity(e) for e in plan.after}
            self.settled = {n: e for n, e in self.settled.items() if n in now and (e is None or identity(e) == now[n])}
            self.returned = {n: e for n, e in self.returned.items() if n in present}
            self.owed = {n: a for n, a in self.owed.items() if n not in present}
            self.next_settlement = None if not self.settled else self.next_settlement
            added = {e.attempt for e in plan.add}
            entries = {e.attempt: e for e in plan.after}
            for waiter in plan.granted:
                name = waiter.attempt.entry
                self.waiting.pop(waiter.key, None)
                self.permits.add(name)
                entry = entries[name].model_copy(update={"writer": writer})
                self.grants[waiter.key] = Grant(
                    attempt=waiter.attempt, reservation=entry, fresh=name in added, model=waiter.model
                )
            return [waiter.key for waiter in plan.granted]

    def passed_over(self) -> list[Waiter]:
        """Those that a round left waiting and that have not been told why; from here on they have.

        Who joined while the round was being written is looked at by the next one, and may never have to wait.
        """
        with self.lock:
            untold = [w for w in self.waiting.values() if w.considered and not w.told]
            for waiter in untold:
                self.waiting[waiter.key] = replace(waiter, told=True)
            return untold


_SHOWN: Final[Mapping[Closure, Reason]] = {
    Closure.RATE_LIMITED: Reason.RATE_LIMITED,
    Closure.STORAGE: Reason.LEDGER_UNAVAILABLE,
    Closure.REBUILDING: Reason.REBUILDING,
    Closure.SCHEMA_OUTDATED: Reason.SCHEMA_OUTDATED,
}
