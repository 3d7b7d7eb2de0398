"""What this process last found out about each class, and when it looks again. It opens and closes the desk."""

from dataclasses import dataclass
from typing import Final

from ..api.generation_class import VideoGenerationClass
from ..api.meta import ConditionStatus, Key
from ..class_conditions import PENDING, ClassType, Probe
from ..closures import Closure
from ..desk import Desk
from ..errors import KubeTrouble
from .access import Access
from .desks import Desks
from .flights import Flights
from .probes import UNCLEAR, Probes
from .world import WALK, World

_OPENED_BY_PROBE: Final = frozenset({Closure.CREDENTIALS_REJECTED, Closure.GATEWAY_UNREACHABLE})
_UNPROBED_KEY: Final = 5  # probe periods until a POST may try a key that only a POST can judge


@dataclass(slots=True)
class Probed:
    """What this process last found out about a class."""

    uid: str = ""
    generation: int = -1
    fingerprint: str = ""
    credentials: Probe = PENDING
    storage: Probe = PENDING
    credentials_due: float = 0.0
    storage_due: float = 0.0


class Probing:
    """One instance a process; each class is probed in its own turn only."""

    def __init__(self, world: World, desks: Desks, access: Access, probes: Probes, flights: Flights) -> None:
        self._world = world
        self._desks = desks
        self._access = access
        self._probes = probes
        self._flights = flights
        self._probed: dict[str, Probed] = {}

    def look_again(self, name: str) -> None:
        """Who waits for the class, or has a task by it, looks with fresh eyes; the walk wakes work without objects."""
        self._flights.wake_class(name)
        self._world.wake(Key(WALK, "", name))

    def look(self, klass: VideoGenerationClass) -> Probed:
        """Probe what is due, or what a change made due."""
        name, ticks = klass.metadata.name, self._world.clock.ticks()
        desk = self._desks.desk(name)
        probed = self._probed.setdefault(name, Probed())
        changed = self._changed(klass, probed)
        if changed:
            probed.credentials_due = probed.storage_due = ticks
        if probed.credentials.ok and _OPENED_BY_PROBE & desk.closures.keys():  # by what a POST met, since
            probed.credentials_due = min(probed.credentials_due, ticks + self._world.seconds.probe)
        if ticks >= probed.storage_due:
            self._probe_storage(klass, desk, probed, thorough=self._must_be_thorough(klass, probed))
        if ticks >= probed.credentials_due:
            self._probe_credentials(klass, desk, probed)
        return probed

    def _changed(self, klass: VideoGenerationClass, probed: Probed) -> bool:
        """Another spec or another Secret: closed doors are tried again, and tasks are asked for at once."""
        metadata = klass.metadata
        try:
            fingerprint = self._access.fingerprint(klass, self._world.clock.ticks())
        except KubeTrouble:
            fingerprint = probed.fingerprint  # the probes say what is wrong with the Secret
        known = (probed.uid, probed.generation, probed.fingerprint)
        now = (metadata.uid, metadata.generation, fingerprint)
        if known == now:
            return False
        probed.uid, probed.generation, probed.fingerprint = now
        if known[0]:
            desk = self._desks.desk(metadata.name)
            with desk.lock:
                desk.epoch += 1
                desk.open()
                desk.models.clear()
            self.look_again(metadata.name)
        return True

    def _must_be_thorough(self, klass: VideoGenerationClass, probed: Probed) -> bool:
        """The race of two writers is shown once for each version of the spec; the status remembers it."""
        if probed.storage.ok:
            return False
        shown = next((c for c in klass.status.conditions if c.type == ClassType.STORAGE_READY), None)
        generation = klass.metadata.generation
        return not (shown and shown.status is ConditionStatus.TRUE and shown.observed_generation == generation)

    def _probe_storage(self, klass: VideoGenerationClass, desk: Desk, probed: Probed, *, thorough: bool) -> None:
        probed.storage = self._probes.storage(klass, thorough=thorough)
        seconds = self._world.seconds
        wait = seconds.storage_recheck if probed.storage.ok else seconds.probe
        probed.storage_due = self._world.clock.ticks() + wait
        if probed.storage.ok:
            desk.open(Closure.STORAGE)
        else:
            desk.close(Closure.STORAGE, f"{probed.storage.reason}: {probed.storage.message}")

    def _probe_credentials(self, klass: VideoGenerationClass, desk: Desk, probed: Probed) -> None:
        probe = self._probes.credentials(klass)
        probed.credentials = probe
        seconds = self._world.seconds
        wait = max(seconds.probe, seconds.storage_recheck) if probe.ok else seconds.probe
        probed.credentials_due = self._world.clock.ticks() + wait
        if probe.ok:
            if desk.open(Closure.CREDENTIALS_REJECTED, Closure.SECRET_NOT_FOUND, Closure.GATEWAY_UNREACHABLE):
                self._flights.wake_class(klass.metadata.name)
        elif probe.reason == Closure.SECRET_NOT_FOUND:
            desk.close(Closure.SECRET_NOT_FOUND, probe.message)
        elif probe.reason == Closure.CREDENTIALS_REJECTED:
            desk.open(Closure.SECRET_NOT_FOUND)
            desk.close(Closure.CREDENTIALS_REJECTED, probe.message)
        elif probe.reason == Closure.GATEWAY_UNREACHABLE:
            desk.close(Closure.GATEWAY_UNREACHABLE, probe.message)
        elif probe.reason == UNCLEAR:
            self._answered_unclearly(klass, desk)

    def _answered_unclearly(self, klass: VideoGenerationClass, desk: Desk) -> None:
        """It is reachable; and since this probe will never say that the key is good, a POST may try it now and then."""
        opened = desk.open(Closure.GATEWAY_UNREACHABLE)
        until = self._world.clock.ticks() + _UNPROBED_KEY * self._world.seconds.probe
        if desk.limit(Closure.CREDENTIALS_REJECTED, until) or opened:
            self._flights.wake_class(klass.metadata.name)
