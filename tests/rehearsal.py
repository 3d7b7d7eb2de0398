"""The operator in one thread over the fakes, on a clock that only moves when nothing is due.

A `Cluster` is what survives a process: API server, bucket, gateway. A `Process` is one start of the operator; it is
killed by a `Crash` out of an effect, and forgotten. Everything it knew is gone, as after a SIGKILL.
"""

import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from fakes import Crash, FakeKube, FakeStores, FakeVideoApi, Hooks
from videogen_operator.api.generation import KIND as OBJECT_KIND
from videogen_operator.api.generation_class import KIND as CLASS_KIND
from videogen_operator.api.meta import Key
from videogen_operator.ports import Kind
from videogen_operator.timings import Timings
from videogen_operator.wiring import Whole, assemble
from videogen_operator.workqueue import Lane

START = datetime(2026, 11, 22, 10, 40, tzinfo=UTC)
PREFIX = ""
NAMESPACE = "marketing"
NAME = "lighthouse"
FOLDER = f"{NAMESPACE}/{NAME}/r1/"


def class_manifest(name: str = "veo", **spec: Any) -> dict[str, Any]:
    """A class that offers the channel of record's models; `spec` replaces top-level fields."""
    sizes = {"16:9": "1280x720", "9:16": "720x1280"}
    full = {"16:9": "1920x1080", "9:16": "1080x1920"}
    wanted = {
        "provider": {
            "type": "OpenAIVideos",
            "openAIVideos": {
                "endpoints": ["https://one.test/v1", "https://two.test/v1"],
                "apiKeySecretRef": {"name": "veo-key"},
                "serverErrors": "NotBilled",
            },
        },
        "models": [
            {"name": "fast", "apiModel": "veo-fast", "priceUSD": "0.30"},
            {"name": "standard", "apiModel": "veo-standard", "priceUSD": "1.20"},
        ],
        "tiers": [
            {"name": "720p", "firstPollSeconds": 50, "overdueAfterSeconds": 180, "durationsSeconds": [4, 6, 8],
             "sizes": sizes},
            {"name": "1080p", "firstPollSeconds": 60, "overdueAfterSeconds": 180, "durationsSeconds": [8],
             "sizes": full},
        ],
        "defaults": {"model": "fast", "tier": "720p", "aspectRatio": "16:9", "durationSeconds": 8},
        "storage": {"type": "S3", "s3": {"bucket": "videos", "region": "us-east-1"}},
    }  # fmt: skip
    return {
        "apiVersion": "videogen.dev/v1alpha1",
        "kind": CLASS_KIND,
        "metadata": {"name": name, "annotations": {"videogen.dev/is-default-class": "true"}},
        "spec": {**wanted, **spec},
    }


def object_manifest(name: str = NAME, *, annotations: Mapping[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """A request; `spec` adds and replaces fields (wire names)."""
    defaults = {
        "classRef": {"kind": CLASS_KIND, "name": "veo"},
        "model": "fast",
        "prompt": "a lighthouse at dusk, slow push-in",
        "tier": "720p",
        "aspectRatio": "16:9",
        "durationSeconds": 4,
        "revision": 1,
    }
    metadata: dict[str, Any] = {"name": name, "namespace": NAMESPACE}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {
        "apiVersion": "videogen.dev/v1alpha1",
        "kind": OBJECT_KIND,
        "metadata": metadata,
        "spec": {**defaults, **spec},
    }


class VirtualClock:
    """`ports.Clock` that stands still until it is moved."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed)

    def ticks(self) -> float:
        return 1000.0 + self.passed

    def pause(self, seconds: float) -> None:
        self.passed += seconds

    def together(self, *effects: Callable[[], None]) -> None:
        """One after another, all of them, as threads would; a crash of one ends the process."""
        failed: Exception | None = None
        for effect in effects:
            try:
                effect()
            except Exception as error:  # noqa: BLE001 - raised again below, as the real clock does
                failed = failed or error
        if failed is not None:
            raise failed


@dataclass
class Cluster:
    """What outlives a process."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    hooks: Hooks = field(default_factory=Hooks)

    def __post_init__(self) -> None:
        self.kube = FakeKube(self.hooks)
        self.stores = FakeStores(self.hooks)
        self.api = FakeVideoApi(self.hooks)
        self.kube.secrets["veo-key"] = {"token": "sk-one"}

    def ready(self, **spec: Any) -> "Cluster":
        """With a class that was seen before, so that a test begins with its object."""
        self.kube.put(class_manifest(**spec))
        with Process(self) as process:
            process.run(seconds=30)
        self.hooks.log.clear()
        return self

    # ------------------------------------------------------------ what a user sees

    def object(self, name: str = NAME) -> dict[str, Any]:
        return self.kube.get(Kind.GENERATION, NAMESPACE, name)

    def status(self, name: str = NAME) -> dict[str, Any]:
        status: dict[str, Any] = self.object(name)["status"]
        return status

    def klass(self, name: str = "veo") -> dict[str, Any]:
        return self.kube.get(Kind.CLASS, "", name)

    def condition(self, type_: str, name: str = NAME) -> dict[str, Any]:
        found: dict[str, Any] = next(c for c in self.status(name)["conditions"] if c["type"] == type_)
        return found

    def reservations(self, name: str = "veo") -> list[str]:
        return [entry["attempt"] for entry in self.klass(name)["status"].get("reservations", [])]

    @property
    def bucket(self) -> dict[str, bytes]:
        """What lies in the bucket, the probes left out."""
        found = {key: thing.body for key, thing in self.stores.buckets["videos"].items()}
        return {key: body for key, body in found.items() if ".videogen-probe/" not in key}

    def events(self) -> list[str]:
        return [event["reason"] for event in self.kube.events]

    def patches(self, kind: Kind = Kind.GENERATION, name: str | None = None) -> int:
        """Status writes that changed something."""
        return sum(1 for (k, _, n), _ in self.kube.patches if k is kind and name in (None, n))


class Process:
    """One start of the operator."""

    def __init__(self, cluster: Cluster, *, timings: Timings | None = None, writer: str = "operator-a") -> None:
        self.cluster = cluster
        self._temp = tempfile.TemporaryDirectory(prefix="videogen-test-")
        self.whole: Whole = assemble(
            kube=cluster.kube,
            api=cluster.api,
            stores=cluster.stores,
            clock=cluster.clock,
            timings=timings,
            writer=writer,
            temp_dir=self._temp.name,
        )
        self.blind = False  # the watch shows nothing
        self._shown: dict[tuple[Kind, str, str], str] = {}
        self._failures: dict[Key, int] = {}

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._temp.cleanup()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._temp.cleanup()

    @property
    def temporary_files(self) -> list[str]:
        return [path.name for path in Path(self._temp.name).iterdir()]

    def start(self) -> None:
        """What `__main__` does: know the classes, then list."""
        for _, name in self.cluster.kube.names(Kind.CLASS):
            self.whole.classes.prime(name)
            self.whole.world.wake(Key(CLASS_KIND, "", name))
        self.look()

    def look(self) -> None:
        """The watch: show what changed since the last look."""
        if self.blind:
            return
        kube = self.cluster.kube
        present = dict(kube._objects)  # the watch is the API server's own
        for key, raw in present.items():
            version = raw["metadata"]["resourceVersion"]
            if self._shown.get(key) != version:
                self._shown[key] = version
                self._show(key, raw)
        for key in set(self._shown) - set(present):
            del self._shown[key]
            kind, namespace, name = key
            if kind is Kind.CLASS:
                self.whole.classes.notice(Key(CLASS_KIND, "", name))
            else:
                gone = self.whole.records.gone({"metadata": {"namespace": namespace, "name": name}})
                self.whole.flights.notice(gone)

    def _show(self, key: tuple[Kind, str, str], raw: Mapping[str, Any]) -> None:
        kind, _, name = key
        if kind is Kind.CLASS:
            self.whole.classes.notice(Key(CLASS_KIND, "", name))
            return
        fresh = self.whole.records.seen(raw)
        if fresh is not None:
            self.whole.flights.notice(fresh)

    # ------------------------------------------------------------ time

    def run(self, seconds: float = 600.0, *, until: Callable[[], bool] | None = None, turns: int = 50_000) -> bool:
        """Work for that long on the clock, or until the condition holds; whether it does. A `Crash` comes through."""
        end = self.cluster.clock.passed + seconds
        self.look()
        while turns > 0:
            if until is not None and until():
                return True
            if self._one_turn():
                turns -= 1
                continue
            due = self.whole.world.queue.next_due()
            if due is None or due - 1000.0 > end:
                break
            self.cluster.clock.passed = max(self.cluster.clock.passed, due - 1000.0)
        else:
            raise AssertionError("the operator does not come to rest: it turns without end")
        self.cluster.clock.passed = max(self.cluster.clock.passed, end)
        return until is None or until()

    def _one_turn(self) -> bool:
        queue = self.whole.world.queue
        for lane in (Lane.SUBMIT, Lane.TURN, Lane.COPY):
            key = queue.take(lane, timeout=0)
            if key is not None:
                try:
                    self.whole.turn(key, lane)
                finally:
                    queue.done(key)
                self.look()
                return True
        return False


def finished(cluster: Cluster, name: str = NAME) -> Callable[[], bool]:
    """Whether the object is done, well or badly."""

    def done() -> bool:
        with suppress(StopIteration, KeyError):
            return bool(cluster.condition("Finished", name)["status"] == "True")
        return False

    return done


def live(cluster: Cluster, *, crash: Callable[[Process], None] | None = None, seconds: float = 900.0) -> Process:
    """Start a process and run it; a crash ends it and is swallowed."""
    process = Process(cluster)
    with suppress(Crash), process:
        process.run(seconds)
        if crash is not None:
            crash(process)
    return process
