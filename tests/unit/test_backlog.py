"""What is known and on no record yet is never dropped: a task ID is paid for, an end says that nothing is owed."""

from collections.abc import Callable
from typing import Final

import pytest

from fakes import Effect, Life
from fakes.object_store import Thing
from rehearsal import FOLDER, NAME, NAMESPACE, Cluster, Process, class_manifest, finished, object_manifest
from videogen_operator.errors import KubeTrouble, StoreReason, StoreTrouble
from videogen_operator.ports import Kind

LONG: Final = 90.0  # seconds: more than any number of quick tries

_OF_OBJECTS: Final = frozenset({"kube.patch_status", "kube.read"})

Break = Callable[[Effect], None]


def away(cluster: Cluster, *, file: str, until: float, status_too: bool = False) -> Break:
    """The bucket does not take one file, and perhaps the API server nothing of its object, until a time."""

    def check(effect: Effect) -> None:
        if cluster.clock.passed >= until:
            return
        if effect.name == "store.create" and effect.target == f"{FOLDER}{file}":
            raise StoreTrouble(StoreReason.UNAVAILABLE, "503 SlowDown")
        if status_too and ordered(cluster) and effect.name in _OF_OBJECTS and effect.target.endswith(f"/{NAME}"):
            raise KubeTrouble("no connection")

    return check


def ordered(cluster: Cluster) -> bool:
    return bool(cluster.api.posts)


def test_a_task_id_that_neither_record_takes_is_kept_until_one_does() -> None:
    cluster = Cluster().ready()
    cluster.hooks.before = away(cluster, file="a1.task.json", until=cluster.clock.passed + LONG, status_too=True)
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        assert process.run(900, until=finished(cluster))
    assert cluster.status()["phase"] == "Succeeded"
    assert len(cluster.api.posts) == 1


def test_the_submit_permit_is_held_while_the_task_id_is_on_no_record() -> None:
    """So an outage right after a POST costs at most `submitConcurrency` such orders."""
    cluster = Cluster().ready(limits={"submitConcurrency": 1})
    cluster.hooks.before = away(cluster, file="a1.task.json", until=cluster.clock.passed + LONG, status_too=True)
    for name in (NAME, "other"):
        cluster.kube.put(object_manifest(name))
    posts_when_recorded: list[int] = []

    def count(effect: Effect) -> None:
        if (effect.name, effect.target) == ("store.create", f"{FOLDER}a1.task.json"):
            posts_when_recorded.append(len(cluster.api.posts))

    cluster.hooks.after = count
    with Process(cluster) as process:
        assert process.run(900, until=lambda: finished(cluster)() and finished(cluster, "other")())
    assert posts_when_recorded == [1]


def test_what_is_on_no_record_is_told_in_the_form_that_brings_it_back() -> None:
    cluster = Cluster().ready()
    told: list[list[str]] = []
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        refuse = away(cluster, file="a1.task.json", until=cluster.clock.passed + LONG, status_too=True)

        def listen(effect: Effect) -> None:
            told.append(process.whole.flights.unrecorded())
            refuse(effect)

        cluster.hooks.before = listen
        assert process.run(900, until=finished(cluster))
        assert process.whole.flights.unrecorded() == []
    (task,) = cluster.api.tasks
    assert [f"{NAMESPACE}/{NAME} r1-a1:adopt={task}"] in told


@pytest.mark.parametrize("again", [False, True], ids=["deleted", "made anew"])
def test_an_object_deleted_while_its_post_is_open_loses_no_task_id(*, again: bool) -> None:
    """The bucket is away, too, so that for a while only this process knows the task."""
    cluster = Cluster().ready()
    cluster.kube.put(object_manifest())
    refuse = away(cluster, file="a1.task.json", until=cluster.clock.passed + LONG)

    def prune(effect: Effect) -> None:
        if effect.name == "video_api.submit":
            cluster.kube.delete(Kind.GENERATION, NAMESPACE, NAME)
            if again:
                cluster.kube.put(object_manifest())

    cluster.hooks.before, cluster.hooks.after = refuse, prune
    with Process(cluster) as process:
        process.run(900)
        assert process.whole.flights.unfinished() == 0
    cluster.hooks.after = lambda _: None
    assert f"{FOLDER}a1.task.json" in cluster.bucket
    assert f"{FOLDER}result.json" in cluster.bucket
    assert len(cluster.api.posts) == 1


def test_a_task_file_that_cannot_be_read_holds_no_permit_and_no_poll() -> None:
    """Somebody put something else there; the status has the task, so the work goes on."""
    cluster = Cluster().ready(limits={"submitConcurrency": 1})

    def spoil(effect: Effect) -> None:
        if effect.name == "video_api.submit":
            cluster.stores.buckets["videos"].setdefault(f"{FOLDER}a1.task.json", Thing(b"{}", "application/json"))

    cluster.hooks.after = spoil
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(300)
        cluster.hooks.after = lambda _: None
        assert process.whole.desks.in_the_air() == []
    assert cluster.status()["taskID"] == "task_0001"
    assert cluster.api.asked != []


@pytest.mark.parametrize("through", ["veo", "other"], ids=["the same class", "a class with another bucket"])
def test_an_end_that_the_bucket_did_not_take_survives_its_object(through: str) -> None:
    """Without it the refused order would look like one in doubt. It goes where its intent lies, whatever follows."""
    cluster = Cluster().ready()
    cluster.stores.buckets["elsewhere"] = {}
    other = class_manifest("other", storage={"type": "S3", "s3": {"bucket": "elsewhere", "region": "us-east-1"}})
    cluster.kube.put(other)
    cluster.api.lives = [Life.rejected(401, {"error": {"message": "invalid token", "type": "new_api_error"}})]
    cluster.kube.put(object_manifest())
    cluster.hooks.before = away(cluster, file="a1.end.json", until=cluster.clock.passed + LONG)
    with Process(cluster) as process:
        process.run(20)
        cluster.kube.delete(Kind.GENERATION, NAMESPACE, NAME)
        cluster.kube.put(object_manifest(classRef={"kind": "VideoGenerationClass", "name": through}))
        process.run(1200)
    assert f"{FOLDER}a1.end.json" in cluster.bucket
    assert f"{FOLDER}a1.end.json" not in cluster.stores.buckets["elsewhere"]
    assert cluster.status()["phase"] == "Succeeded"
