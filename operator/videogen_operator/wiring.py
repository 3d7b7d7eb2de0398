"""The composition root: settings in, a running whole out. No logic of its own."""

import shutil
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import IO, Final

from .adapters.kube import KubeApi
from .adapters.object_store import S3Stores
from .adapters.video_api import HttpVideoApi
from .api.generation import KIND as OBJECT_KIND
from .api.generation_class import KIND as CLASS_KIND
from .api.meta import Key
from .clock import SystemClock
from .ports import Clock, Kube, Stores, VideoApi
from .reconcile.access import Access
from .reconcile.announce import Announcer
from .reconcile.attempt import Attempts
from .reconcile.backlog import Backlog
from .reconcile.copying import Copying
from .reconcile.desks import Desks
from .reconcile.facts import FactWrites
from .reconcile.flights import Flights
from .reconcile.gathering import Gathering
from .reconcile.generation import Generations
from .reconcile.generation_class import Classes
from .reconcile.ordering import Ordering
from .reconcile.probes import Probes
from .reconcile.probing import Probing
from .reconcile.resolving import Resolving
from .reconcile.status_writer import StatusWriter
from .reconcile.submission import Submission
from .reconcile.walk import ORPHAN, Walk
from .reconcile.world import WALK, Tickets, World
from .records import Records
from .settings import Settings
from .timings import Timings
from .workers import Turn
from .workqueue import Lane, WorkQueue

_TEMP: Final = "videogen-operator-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """The parts that `__main__` starts, asks and stops."""

    world: World
    records: Records
    flights: Flights
    desks: Desks
    classes: Classes
    turns: Mapping[str, Turn]

    def turn(self, key: Key, lane: Lane) -> None:
        """One turn of whatever the key names."""
        self.turns[key.kind](key, lane)


def seconds(settings: Settings) -> Timings:
    """The process's timings."""
    return Timings(
        intent_fresh=settings.intent_fresh_seconds,
        unknown_grace=settings.unknown_grace_seconds,
        unclaimed=settings.unclaimed_seconds,
        walk=settings.walk_seconds,
        settle=settings.settle_seconds,
        held_recheck=settings.held_recheck_seconds,
        retry_base=settings.retry_base_seconds,
        probe=settings.probe_seconds,
        early_poll=settings.early_poll_seconds,
        slow_poll=settings.slow_poll_seconds,
        content_retry=settings.content_retry_seconds,
        copy_trouble=settings.copy_trouble_seconds,
        storage_warning=settings.storage_warning_seconds,
        give_up_span=settings.give_up_span_seconds,
        storage_recheck=settings.storage_recheck_seconds,
    )


def kube_of(settings: Settings, environ: Mapping[str, str]) -> KubeApi:
    """The API server, as the pod's ServiceAccount or as a kubeconfig says. Raises `KubeTrouble`."""
    threads = settings.workers + 2 * settings.copy_workers + 8
    if settings.kubeconfig:
        return KubeApi.from_kubeconfig(Path(settings.kubeconfig), namespace=settings.namespace, workers=threads)
    directory = Path(settings.service_account_dir)
    return KubeApi.from_service_account(directory, environ, namespace=settings.namespace, workers=threads)


def assemble(
    *,
    kube: Kube,
    api: VideoApi,
    stores: Stores,
    clock: Clock,
    timings: Timings | None = None,
    writer: str = "videogen-operator",
    temp_dir: str = "/tmp",  # noqa: S108 - the pod's own volume
    temp_bytes: int = 8 * 1024**3,
) -> Whole:
    """The whole from its ports: what `build` does with real ones and tests do with fakes."""
    world = World(
        kube=kube,
        api=api,
        stores=stores,
        clock=clock,
        queue=WorkQueue(clock.ticks),
        seconds=timings or Timings(),
        writer=writer,
        temp_dir=temp_dir,
        temp_bytes=temp_bytes,
    )
    return _wired(world)


def _wired(world: World) -> Whole:
    """Everything that is made once a process, each part from those below it."""
    records = Records()
    access = Access(world.kube, world.stores)
    desks = Desks(world)
    announcer = Announcer(world.kube, world.clock, world.writer)
    tickets = Tickets()
    backlog = Backlog(world, desks, access)
    attempts = Attempts(world, Copying(world), backlog)
    flights = Flights(world, desks, attempts)
    statuses = StatusWriter(world, desks, flights, records)
    facts = FactWrites(world, desks, announcer, statuses)
    generations = Generations(
        world,
        desks,
        access,
        records,
        flights,
        Gathering(world, access, tickets),
        attempts,
        backlog,
        statuses,
        facts,
        Ordering(world, desks, access, Submission(world, tickets), backlog, statuses, facts),
        Resolving(world, access, statuses, announcer),
    )
    classes = Classes(world, desks, access, Probing(world, desks, access, Probes(world, access), flights), flights)
    walk = Walk(world, desks, access, attempts, backlog, flights, facts, announcer)
    turns: dict[str, Turn] = {
        OBJECT_KIND: generations.turn,
        CLASS_KIND: classes.turn,
        WALK: walk.turn,
        ORPHAN: walk.turn_orphan,
    }
    return Whole(world=world, records=records, flights=flights, desks=desks, classes=classes, turns=turns)


def build(settings: Settings, kube: KubeApi, temp_dir: str) -> Whole:
    """The whole with real ports."""
    return assemble(
        kube=kube,
        api=HttpVideoApi(trust_env=True, connections=settings.workers),
        stores=S3Stores(connections=settings.copy_workers + settings.workers),
        clock=SystemClock(),
        timings=seconds(settings),
        writer=f"{settings.pod_name[:100]}-{uuid.uuid4().hex[:6]}",
        temp_dir=temp_dir,
        temp_bytes=settings.temp_bytes,
    )


class TempDir:
    """A folder of this process below the temporary volume. What a killed process left there is removed at the start."""

    def __init__(self, parent: str) -> None:
        self._parent = Path(parent)
        for old in self._parent.glob(f"{_TEMP}*"):
            _remove_if_dead(old)
        self.path = tempfile.mkdtemp(prefix=_TEMP, dir=parent)
        self._lock = _locked(Path(self.path))

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()


def _locked(folder: Path) -> IO[bytes] | None:
    """The folder's lock, which ends with the process that holds it; None if another holds it."""
    file = (folder / "lock").open("ab")
    try:
        flock(file, LOCK_EX | LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _remove_if_dead(folder: Path) -> None:
    try:
        lock = _locked(folder)
    except OSError:
        return
    if lock is not None:
        shutil.rmtree(folder, ignore_errors=True)
        lock.close()
