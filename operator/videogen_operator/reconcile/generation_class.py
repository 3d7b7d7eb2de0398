"""One turn of a class: probe, then one write that carries reservations, settlements and conditions."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from .. import backoff, class_conditions, ledger
from ..api.generation_class import KIND as CLASS_KIND
from ..api.generation_class import VideoGenerationClass
from ..api.meta import Key, to_wire
from ..class_conditions import Health
from ..closures import Closure
from ..desk import Desk
from ..errors import KubeTrouble, StoreTrouble, Superseded
from ..ports import Kind
from ..reservations import Round, operations
from ..workqueue import Lane
from .access import Access
from .desks import Desks
from .flights import Flights
from .probing import Probed, Probing
from .rebuild import open_entries
from .world import World

log: Final = logging.getLogger("videogen_operator.generation_class")

_RETRY: Final = 1.0
_LOST_RACES: Final = 5
_OPENED_BY_PROBE: Final = frozenset({Closure.CREDENTIALS_REJECTED, Closure.GATEWAY_UNREACHABLE})
_UNPROBED_KEY: Final = 5  # probe periods until a POST may try a key that only a POST can judge


class Classes:
    """The classes and their turns. The only writer of a class's status in this process."""

    def __init__(self, world: World, desks: Desks, access: Access, probing: Probing, flights: Flights) -> None:
        self._world = world
        self._desks = desks
        self._access = access
        self._probing = probing
        self._flights = flights
        self._lost_races: dict[str, int] = {}

    def notice(self, key: Key) -> None:
        """The class changed, came or went."""
        self._world.wake(key)

    def prime(self, name: str) -> None:
        """Know a class before the first object asks for it. Raises `KubeTrouble`."""
        self._read(name)

    # ------------------------------------------------------------ the turn

    def turn(self, key: Key, _lane: Lane) -> None:
        """Probe what is due, then one write."""
        try:
            klass = self._read(key.name)
            if klass is None:
                return
            probed = self._probing.look(klass)
            self._round(klass, self._desks.desk(key.name), probed)
        except Superseded as lost:
            self._lost_race(key, lost)
        except KubeTrouble as trouble:
            log.warning("the API server did not answer", extra={"class": key.name, "detail": str(trouble)})
            self._world.wake(key, trouble.retry_after or _RETRY)

    def _lost_race(self, key: Key, lost: Superseded) -> None:
        """Another writer was faster; if it never ends, the schema refuses the write."""
        races = self._lost_races[key.name] = self._lost_races.get(key.name, 0) + 1
        if races <= _LOST_RACES:
            self._world.wake(key)
            return
        log.error("the class's status is refused again and again", extra={"class": key.name, "detail": str(lost)})
        self._world.wake(key, backoff.delay(races - _LOST_RACES, key.name, base=1.0, most=60.0))

    def _read(self, name: str) -> VideoGenerationClass | None:
        raw = self._world.kube.read(Kind.CLASS, "", name)
        desk = self._desks.desk(name)
        before = desk.klass
        try:
            klass = VideoGenerationClass.model_validate(raw) if raw is not None else None
        except ValidationError as error:
            log.error("the class cannot be understood", extra={"class": name, "detail": str(error)[:500]})  # noqa: TRY400
            klass = None
        desk.klass = klass
        if klass is None or before is None or before.metadata.generation != klass.metadata.generation:
            desk.epoch += 1
            self._probing.look_again(name)
        elif before.metadata.annotations != klass.metadata.annotations:
            self._flights.wake_class(name)
        return klass

    # ------------------------------------------------------------ the round

    def _round(self, klass: VideoGenerationClass, desk: Desk, probed: Probed) -> None:
        now, ticks = self._world.clock.now(), self._world.clock.ticks()
        desk.see(klass.status.reservations, ticks)
        initial: tuple[Mapping[str, Any], ...] = ()
        if klass.status.initialized_time is None and Closure.STORAGE not in desk.closures:
            initial = self._rebuild(klass, desk)
        may_spend = not initial and klass.status.initialized_time is not None and not self._world.stopping.is_set()
        plan = desk.plan(klass, now=now, ticks=ticks, writer=self._world.writer, may_spend=may_spend)
        shown = self._shown(klass, desk, probed, plan)
        patch = [*initial, *operations(klass, plan), *shown]
        if patch and not self._write(klass, desk, patch):
            return
        for key in desk.apply(plan, self._world.writer):
            self._flights.notice(key)
        decided = klass.status.initialized_time is not None or desk.shut(ticks)
        for waiter in desk.passed_over() if decided else []:
            self._flights.pass_over(waiter.key, desk.why_waiting(waiter, ticks))
        self._again(klass, desk, probed)
        if initial:
            self._desks.wake(desk.name)

    def _write(self, klass: VideoGenerationClass, desk: Desk, patch: list[Mapping[str, Any]]) -> bool:
        """One compare-and-set on the resourceVersion: reservations are counted from what was read."""
        tests = [
            {"op": "test", "path": "/metadata/uid", "value": klass.metadata.uid},
            {"op": "test", "path": "/metadata/resourceVersion", "value": klass.metadata.resource_version},
        ]
        stored = self._world.kube.patch_status(Kind.CLASS, "", klass.metadata.name, [*tests, *patch])
        if stored is None:
            desk.klass = None
            return False
        desk.klass = VideoGenerationClass.model_validate(stored)
        self._lost_races.pop(klass.metadata.name, None)
        return True

    def _rebuild(self, klass: VideoGenerationClass, desk: Desk) -> tuple[Mapping[str, Any], ...]:
        """A class that is new, or was made again: its entries come from the ledger before anything is spent."""
        try:
            store = self._access.store(klass, self._world.clock.ticks())
            entries = open_entries(store, klass, self._world)
        except (StoreTrouble, ledger.LedgerUnreadableError) as trouble:
            desk.close(Closure.REBUILDING, f"the ledger cannot be read: {trouble}")
            return ()
        desk.open(Closure.REBUILDING)
        known = {e.attempt for e in klass.status.reservations}
        for entry in entries:
            if entry.attempt not in known:
                desk.owed[entry.attempt] = entry.amount_usd
        time = to_wire(self._world.clock.now())
        return ({"op": "add", "path": "/status/initializedTime", "value": time},)

    # ------------------------------------------------------------ what is shown

    def _shown(self, klass: VideoGenerationClass, desk: Desk, probed: Probed, plan: Round) -> list[Mapping[str, Any]]:
        """Conditions and counters, if a person would learn something or a write is made anyway."""
        ticks = self._world.clock.ticks()
        slot_seconds = klass.spec.limits.slot_seconds
        in_flight = sum(desk.holds_slot(e, slot_seconds, ticks) for e in plan.after)
        queued = max(0, len(desk.waiting) - len(plan.granted))
        health = Health(
            credentials=probed.credentials,
            storage=probed.storage,
            closures=dict(desk.closures),
            models=dict(desk.models),
            shares_account_with=self._shares_account(klass),
            note=self._note(klass, desk, plan, ticks),
        )
        listed = class_conditions.conditions(
            health,
            generation=klass.metadata.generation,
            now=self._world.clock.now(),
            before=klass.status.conditions,
        )
        changes: dict[str, Any] = {}
        if [_said(c) for c in listed] != [_said(c) for c in klass.status.conditions]:
            changes["conditions"] = [c.wire() for c in listed]
            changes["observedGeneration"] = klass.metadata.generation
        counted = {"inFlight": in_flight, "queued": queued}
        shown = {"inFlight": klass.status.in_flight, "queued": klass.status.queued}
        written_anyway = bool(changes) or not plan.empty or shown["inFlight"] is None
        if desk.counters_to_write(
            ticks, changed=counted != shown, rides=written_anyway, lag=self._world.seconds.settle
        ):
            changes |= counted
        return [{"op": "add", "path": f"/status/{name}", "value": value} for name, value in changes.items()]

    def _shares_account(self, klass: VideoGenerationClass) -> tuple[str, ...]:
        mine = _account(klass)
        others = (d.klass for d in self._desks.known() if d.klass and d.klass.metadata.name != klass.metadata.name)
        return tuple(sorted(other.metadata.name for other in others if _account(other) & mine))

    def _note(self, klass: VideoGenerationClass, desk: Desk, plan: Round, ticks: float) -> str:
        notes = []
        defaults = [d.name for d in self._desks.known() if d.klass and d.klass.is_default]
        if klass.is_default and len(defaults) > 1:
            notes.append(f"{', '.join(sorted(defaults))} are all default classes; the newest is used")
        old = [e.attempt for e in plan.after if not desk.holds_slot(e, klass.spec.limits.slot_seconds, ticks)]
        if old:
            counted = "1 attempt holds" if len(old) == 1 else f"{len(old)} attempts hold"
            notes.append(f"{counted} money but no slot any more, such as {old[0]}")
        return "; ".join(notes)

    def _again(self, klass: VideoGenerationClass, desk: Desk, probed: Probed) -> None:
        """The next turn: a probe, a settlement, a closure that ends."""
        ticks = self._world.clock.ticks()
        dues = [probed.credentials_due, probed.storage_due, ticks + self._world.seconds.probe]
        if desk.counters_due is not None:
            dues.append(desk.counters_due)
        if desk.next_settlement is not None:
            dues.append(desk.next_settlement)
        opening = desk.next_opening(ticks)
        if opening is not None:
            dues.append(opening)
        self._world.at(Key(CLASS_KIND, "", klass.metadata.name), max(min(dues), ticks))


def _said(condition: Any) -> tuple[str, str, str, str, int | None]:
    c = condition
    return c.type, str(c.status), c.reason, c.message, c.observed_generation


def _account(klass: VideoGenerationClass) -> set[tuple[str, str, str]]:
    gateway = klass.spec.provider.open_ai_videos
    ref = gateway.api_key_secret_ref
    return {(endpoint, ref.name, ref.key) for endpoint in gateway.endpoints}
