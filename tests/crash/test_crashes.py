"""Killed before and after every effect, with the reply lost, with an outage: one submit, one video, one result, always.

The list of effects is recorded from a run; an effect that `EXPECTED` does not name fails, so that nothing is added
to a life without being crash-tested.
"""

import itertools
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from fakes import Crash, Effect
from rehearsal import FOLDER, NAME, Cluster, Process, finished, object_manifest
from videogen_operator.api.generation import RESOLVE_ANNOTATION
from videogen_operator.errors import KubeTrouble, StoreReason, StoreTrouble
from videogen_operator.ports import Kind

OBJECT = f"VideoGeneration marketing/{NAME}"
CLASS = "VideoGenerationClass /veo"

EXPECTED = [
    f"kube.read {OBJECT}",  # first visit
    f"store.keys {FOLDER}",
    f"kube.read {CLASS}",
    f"kube.patch_status {CLASS}",  # the reservation
    f"kube.read {OBJECT}",  # afresh, before it costs anything
    f"kube.patch_status {OBJECT}",  # write 1: the intent
    f"store.create {FOLDER}a1.intent.json",  # the fence
    "video_api.submit https://one.test/v1",
    f"store.create {FOLDER}a1.task.json",
    f"kube.patch_status {OBJECT}",  # write 2: the task ID
    "kube.event TaskCreated",
    "video_api.poll task_0001",
    "video_api.poll task_0001",
    "video_api.poll task_0001",
    f"store.head {FOLDER}{NAME}.mp4",
    "video_api.download task_0001",
    f"store.create_video {FOLDER}{NAME}.mp4",
    f"store.create {FOLDER}result.json",
    f"kube.patch_status {OBJECT}",  # write 3: the result
    "kube.event VideoStored",
    f"store.keys {FOLDER}",  # the walk looks at every entry once a minute, here at the end of its work
    f"store.read {FOLDER}a1.intent.json",
    f"store.read {FOLDER}a1.task.json",
    f"store.read {FOLDER}result.json",
    f"kube.read {OBJECT}",  # does it still list the attempt as open?
    f"kube.patch_status {CLASS}",  # the settlement, within 5 s
]
"""The effects of one life in their order; reads that only repeat (Secrets, the class, probes) are left out."""

_BACKGROUND = ("kube.secret", "kube.names", "store.probe", "video_api.probe", f"kube.read {CLASS}")


def recorded() -> list[Effect]:
    """Every effect of a life without faults."""
    cluster = Cluster().ready()
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        assert process.run(until=finished(cluster))
        process.run(seconds=30)
    return list(cluster.hooks.log)


LIFE = recorded()
POINTS = range(len(LIFE))
START = next(i for i, e in enumerate(LIFE) if e.name == "kube.secret")  # before it the process primes itself
INTENT = next(i for i, e in enumerate(LIFE) if e.target.endswith("a1.intent.json"))
SUBMIT = next(i for i, e in enumerate(LIFE) if e.name == "video_api.submit")
RECORD = next(i for i, e in enumerate(LIFE) if e.target.endswith("a1.task.json"))


def test_every_effect_of_a_life_is_named_here() -> None:
    seen = [str(e) for e in LIFE if not str(e).startswith(_BACKGROUND)]
    named = [e for e in EXPECTED if not e.startswith(_BACKGROUND)]
    assert seen == named


Hook = Callable[[Effect], None]


def at(point: int, raise_: BaseException | type[BaseException]) -> Hook:
    """A hook that raises at the `point`-th effect of the run, once."""
    counter = itertools.count()

    def hook(_: Effect) -> None:
        if next(counter) == point:
            raise raise_

    return hook


def nothing(_: Effect) -> None:
    pass


def trouble(effect: Effect) -> Exception:
    """How a remote part fails."""
    if effect.name.startswith("kube"):
        return KubeTrouble("connection reset")
    return StoreTrouble(StoreReason.UNAVAILABLE, "connection reset")


def killed(point: int, when: str, **manifest: Any) -> Cluster:
    """A life that is cut at one effect, and the restart after it."""
    cluster = Cluster().ready()
    cluster.kube.put(object_manifest(**manifest))
    setattr(cluster.hooks, when, at(point, Crash()))
    with suppress(Crash), Process(cluster) as process:
        process.run(until=finished(cluster))
        process.run(seconds=30)
    setattr(cluster.hooks, when, nothing)
    return cluster


def in_doubt(point: int, when: str) -> bool:
    """From the durable intent to the durable ID nobody can know: held for a person, never sent again."""
    begin = point > INTENT or (point == INTENT and when == "after")
    end = point < RECORD or (point == RECORD and when == "before")
    return begin and end


def restart(cluster: Cluster, seconds: float = 3000.0, writer: str = "operator-b") -> None:
    with Process(cluster, writer=writer) as process:
        process.run(seconds=seconds, until=finished(cluster))
        process.run(seconds=200)
        assert process.temporary_files == []


def one_of_each(cluster: Cluster) -> None:
    """One POST, one video, one result, one price, nothing left over."""
    assert len(cluster.api.posts) == 1
    assert [key for key in cluster.bucket if key.endswith(".mp4")] == [f"{FOLDER}{NAME}.mp4"]
    status = cluster.status()
    assert status["phase"] == "Succeeded"
    assert status["cost"]["billedUSD"] == "0.30"
    assert status["cost"]["possibleUSD"] == "0.00"
    assert json.loads(cluster.bucket[f"{FOLDER}result.json"])["taskID"] == status["taskID"] == "task_0001"
    assert cluster.reservations() == []


def ids(point: int) -> str:
    return f"{point:02}-{LIFE[point]}".replace("/", ".")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", POINTS, ids=ids)
def test_killed_at_an_effect(point: int, when: str) -> None:
    cluster = killed(point, when)
    restart(cluster)
    if not in_doubt(point, when):
        one_of_each(cluster)
        return
    assert cluster.status()["phase"] == "Held"
    assert len(cluster.api.posts) <= 1
    assert cluster.status()["cost"]["possibleUSD"] == "0.30"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", POINTS, ids=ids)
def test_killed_at_an_effect_and_the_object_made_anew(point: int, when: str) -> None:
    """The same manifest under another UID: adopted for nothing, or held; never bought twice."""
    cluster = killed(point, when)
    cluster.kube.delete(Kind.GENERATION, "marketing", NAME)
    cluster.kube.put(object_manifest())
    restart(cluster)
    if in_doubt(point, when):
        assert cluster.status()["phase"] == "Held"
        assert len(cluster.api.posts) <= 1
    else:
        one_of_each(cluster)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", POINTS, ids=ids)
def test_killed_at_an_effect_and_the_status_lost(point: int, when: str) -> None:
    """A restore from a backup without status: the ledger alone is enough."""
    cluster = killed(point, when)
    cluster.kube.wipe_status(Kind.GENERATION, "marketing", NAME)
    restart(cluster)
    if in_doubt(point, when) or (point == RECORD and when == "before"):
        assert cluster.status()["phase"] == "Held"
        assert len(cluster.api.posts) <= 1
    else:
        one_of_each(cluster)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", POINTS, ids=ids)
def test_killed_at_an_effect_and_the_object_deleted(point: int, when: str) -> None:
    """A prune: nothing waits for it, and what was paid for still lands in the bucket."""
    cluster = killed(point, when)
    cluster.kube.delete(Kind.GENERATION, "marketing", NAME)
    restart(cluster)
    assert len(cluster.api.posts) <= 1
    known = f"{FOLDER}a1.task.json" in cluster.bucket
    assert (f"{FOLDER}{NAME}.mp4" in cluster.bucket) is known
    assert (f"{FOLDER}result.json" in cluster.bucket) is known
    unknown = f"{FOLDER}a1.intent.json" in cluster.bucket and not known and cluster.api.posts
    assert cluster.reservations() == (["marketing/lighthouse/r1/a1"] if unknown or in_doubt(point, when) else [])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "point", [p for p in POINTS if p >= START and LIFE[p].name.startswith(("kube", "store"))], ids=ids
)
def test_a_fault_at_an_effect_is_only_a_delay(point: int, when: str) -> None:
    """Refused (before), or done and the reply lost (after): the same process gets there by itself."""
    cluster = Cluster().ready()
    cluster.kube.put(object_manifest())
    setattr(cluster.hooks, when, at(point, trouble(LIFE[point])))
    with Process(cluster) as process:
        process.run(seconds=3000.0, until=finished(cluster))
        process.run(seconds=200)
    one_of_each(cluster)


@pytest.mark.parametrize("point", POINTS, ids=ids)
def test_blind_at_an_effect(point: int) -> None:
    """Killed, and the watch of the next process shows nothing new: decisions rest on fresh reads."""
    cluster = killed(point, "after")
    with Process(cluster, writer="operator-b") as process:
        process.blind = True
        process.run(seconds=3000.0, until=finished(cluster))
        process.run(seconds=200)
    assert len(cluster.api.posts) <= 1
    assert in_doubt(point, "after") or cluster.status()["phase"] == "Succeeded"


@pytest.mark.parametrize("first", [p for p in POINTS if p % 2])
def test_killed_twice(first: int) -> None:
    """A second kill during the recovery from the first."""
    for second in (1, 4, 7, 11):
        cluster = killed(first, "after")
        cluster.hooks.before = at(second, Crash())
        with suppress(Crash), Process(cluster, writer="operator-b") as process:
            process.run(seconds=2000, until=finished(cluster))
        cluster.hooks.before = nothing
        restart(cluster, writer="operator-c")
        assert len(cluster.api.posts) <= 1
        assert cluster.status()["phase"] in {"Succeeded", "Held"}


@pytest.mark.parametrize(
    ("answer", "posts", "phase"),
    [("r1-a1:adopt=task_0001", 1, "Succeeded"), ("r1-a1:resubmit", 2, "Succeeded"), ("r1-a1:abandon", 1, "Failed")],
)
def test_a_person_resolves_an_unknown_outcome(answer: str, posts: int, phase: str) -> None:
    cluster = killed(SUBMIT, "after")
    restart(cluster)
    assert cluster.status()["phase"] == "Held"
    cluster.kube.put(object_manifest(annotations={RESOLVE_ANNOTATION: answer}))
    restart(cluster)
    assert len(cluster.api.posts) == posts
    assert cluster.status()["phase"] == phase
