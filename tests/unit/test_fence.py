"""The fence, the walk and late facts: what happens around a POST that should not, or can no longer, be made."""

import json
from contextlib import suppress

import pytest

from fakes import Crash, Effect, Life
from rehearsal import FOLDER, NAME, NAMESPACE, Cluster, Process, class_manifest, finished, object_manifest
from videogen_operator.api.generation import RESOLVE_ANNOTATION
from videogen_operator.errors import KubeTrouble, StoreReason, StoreTrouble
from videogen_operator.ports import Kind, StoreAddress


def bucket_out(cluster: Cluster, seconds: float, target: str = "a1.intent.json") -> None:
    """The bucket refuses a key until that much time has passed since the first try."""
    first: list[float] = []

    def hook(effect: Effect) -> None:
        if effect.name == "store.create" and effect.target.endswith(target):
            first.append(cluster.clock.passed)
            if cluster.clock.passed < first[0] + seconds:
                raise StoreTrouble(StoreReason.UNAVAILABLE, "503 SlowDown")

    cluster.hooks.before = hook


def end_of(cluster: Cluster, attempt: str = "a1") -> dict[str, str]:
    found: dict[str, str] = json.loads(cluster.bucket[f"{FOLDER}{attempt}.end.json"])
    return found


def test_an_intent_that_is_soon_recorded_is_sent() -> None:
    cluster = Cluster().ready()
    bucket_out(cluster, 4)
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        assert process.run(until=finished(cluster))
    assert [a["state"] for a in cluster.status()["attempts"]] == ["Completed"]


def test_an_intent_that_needed_long_is_ended_unsent_and_the_next_attempt_is_sent() -> None:
    cluster = Cluster().ready()
    bucket_out(cluster, 60)
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        assert process.run(until=finished(cluster))
    assert end_of(cluster)["state"] == "NotSent"
    assert [a["state"] for a in cluster.status()["attempts"]] == ["NotSent", "Completed"]
    assert len(cluster.api.posts) == 1


def test_a_bucket_that_loses_the_reply_of_the_intent_does_not_lose_the_attempt() -> None:
    cluster = Cluster().ready()
    lost: list[Effect] = []

    def hook(effect: Effect) -> None:
        if effect.target.endswith("a1.intent.json") and not lost:
            lost.append(effect)
            raise StoreTrouble(StoreReason.UNAVAILABLE, "connection reset")

    cluster.hooks.after = hook
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        assert process.run(until=finished(cluster))
    assert [a["id"] for a in cluster.status()["attempts"]] == ["r1-a1"]
    assert cluster.status()["phase"] == "Succeeded"


def test_what_is_sent_is_what_the_intent_says() -> None:
    """The class changes while the intent has no clear answer: the same bytes are won, and then not used."""
    cluster = Cluster().ready()
    refused: list[Effect] = []

    def edit(effect: Effect) -> None:
        if effect.name == "store.create" and effect.target.endswith("a1.intent.json") and not refused:
            refused.append(effect)
            edited = class_manifest()
            edited["spec"]["tiers"][0]["resolution"] = "540p"
            cluster.kube.put(edited)
            raise StoreTrouble(StoreReason.UNAVAILABLE, "503 SlowDown")

    cluster.hooks.before = edit
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        assert process.run(until=finished(cluster))
    sent = [post.body["metadata"]["resolution"] for post in cluster.api.posts]
    recorded = json.loads(cluster.bucket[f"{FOLDER}a2.intent.json"])["request"]["resolution"]
    assert [a["state"] for a in cluster.status()["attempts"]] == ["NotSent", "Completed"]
    assert (sent, recorded) == (["540p"], "540p")


def test_nothing_is_sent_once_the_process_was_told_to_stop() -> None:
    cluster = Cluster().ready()
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:

        def stop(effect: Effect) -> None:
            if effect.target.endswith("a1.intent.json"):
                process.whole.world.stopping.set()

        cluster.hooks.after = stop
        process.run(60)
    assert cluster.api.posts == []
    assert end_of(cluster)["detail"] == "the operator is stopping"
    cluster.hooks.after = lambda _: None
    with Process(cluster) as process:
        assert process.run(until=finished(cluster))
    assert len(cluster.api.posts) == 1


def killed_before_the_fence(cluster: Cluster) -> None:
    """Write 1 is done, the intent file is not."""

    def crash(effect: Effect) -> None:
        if effect.target.endswith("a1.intent.json"):
            raise Crash

    cluster.hooks.before = crash
    with suppress(Crash), Process(cluster) as process:
        process.run(60)
    cluster.hooks.before = lambda _: None


def test_a_revision_raised_after_a_crash_before_the_fence_closes_the_old_attempt() -> None:
    cluster = Cluster().ready()
    cluster.kube.put(object_manifest())
    killed_before_the_fence(cluster)
    cluster.kube.put(object_manifest(revision=2, prompt="another"))
    with Process(cluster, writer="operator-b") as process:
        assert process.run(1200, until=finished(cluster))
    assert json.loads(cluster.bucket[f"{FOLDER}a1.intent.json"])["closing"] is True
    assert [(a["id"], a["state"]) for a in cluster.status()["attempts"]] == [
        ("r1-a1", "NotSent"), ("r2-a1", "Completed"),
    ]  # fmt: skip
    assert len(cluster.api.posts) == 1


def test_the_walk_closes_a_reservation_that_nobody_uses_and_nobody_can_use_it_later() -> None:
    cluster = Cluster().ready()
    cluster.kube.put(object_manifest())
    killed_before_the_fence(cluster)
    cluster.kube.delete(Kind.GENERATION, NAMESPACE, NAME)
    with Process(cluster, writer="operator-b") as process:
        process.run(60)
        assert cluster.reservations() == ["marketing/lighthouse/r1/a1"]
        process.run(200)
        assert cluster.reservations() == []
    assert json.loads(cluster.bucket[f"{FOLDER}a1.intent.json"])["closing"] is True
    cluster.kube.put(object_manifest())
    with Process(cluster, writer="operator-c") as process:
        assert process.run(1200, until=finished(cluster))
    assert [a["id"] for a in cluster.status()["attempts"]] == ["r1-a2"]
    assert len(cluster.api.posts) == 1


def held(cluster: Cluster) -> None:
    cluster.api.lives = [Life.lost()]
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(60)
    assert cluster.status()["phase"] == "Held"


def late_task(cluster: Cluster) -> None:
    """An old process that had slept records what it got."""
    task = {
        "attempt": "r1-a1",
        "taskID": "task_0001",
        "endpoint": "https://one.test/v1",
        "time": "2026-11-22T10:41:00Z",
    }
    store = cluster.stores.open(StoreAddress(bucket="videos"), None)
    store.create(f"{FOLDER}a1.task.json", json.dumps(task).encode())


def test_a_task_id_that_comes_late_brings_a_held_object_back() -> None:
    cluster = Cluster().ready()
    held(cluster)
    late_task(cluster)
    with Process(cluster) as process:
        assert process.run(1800, until=finished(cluster))
    assert cluster.status()["phase"] == "Succeeded"
    assert cluster.status()["cost"] == {"estimatedUSD": "0.30", "billedUSD": "0.30", "possibleUSD": "0.00"}
    assert len(cluster.api.posts) == 1


def test_a_second_live_task_of_one_revision_is_stored_too_and_said_so() -> None:
    cluster = Cluster().ready()
    held(cluster)
    cluster.kube.put(object_manifest(annotations={RESOLVE_ANNOTATION: "r1-a1:resubmit"}))
    with Process(cluster) as process:
        process.run(15)
        assert len(cluster.api.posts) == 2
        late_task(cluster)
        assert process.run(1800, until=finished(cluster))
        process.run(1800)
    videos = sorted(key for key in cluster.bucket if key.endswith(".mp4"))
    assert len(videos) == 2
    assert "DuplicateSpend" in cluster.events()
    assert cluster.reservations() == []
    billed = [(a["id"], a["state"], a["billing"]) for a in cluster.status()["attempts"]]
    assert billed == [("r1-a1", "Completed", "Billed"), ("r1-a2", "Completed", "Billed")]
    assert cluster.status()["cost"] == {"estimatedUSD": "0.60", "billedUSD": "0.60", "possibleUSD": "0.00"}


def test_an_order_in_doubt_that_was_sent_again_is_no_order_without_an_object() -> None:
    """The class says so only of orders whose object is gone: then nobody else would."""
    cluster = Cluster().ready()
    held(cluster)
    cluster.kube.put(object_manifest(annotations={RESOLVE_ANNOTATION: "r1-a1:resubmit"}))
    with Process(cluster) as process:
        assert process.run(1800, until=finished(cluster))
        process.run(3600)
    assert [event for event in cluster.kube.events if event["regarding"]["kind"] == Kind.CLASS.value] == []


@pytest.mark.parametrize("blip", ["kube.read", "kube.patch_status"])
def test_a_late_fact_is_told_although_the_api_server_failed(blip: str) -> None:
    cluster = Cluster().ready()
    held(cluster)
    cluster.kube.put(object_manifest(annotations={RESOLVE_ANNOTATION: "r1-a1:resubmit"}))
    failures = [blip]

    def fail(effect: Effect) -> None:
        if effect.name in failures and NAME in effect.target and f"{FOLDER}a1.end.json" in cluster.bucket:
            failures.clear()
            raise KubeTrouble("503")

    with Process(cluster) as process:
        process.run(15)
        late_task(cluster)
        cluster.hooks.before = fail
        assert process.run(1800, until=finished(cluster))
        process.run(1800)
    assert failures == []
    assert cluster.status()["cost"] == {"estimatedUSD": "0.60", "billedUSD": "0.60", "possibleUSD": "0.00"}
    assert cluster.reservations() == []


@pytest.mark.parametrize(
    ("polls", "state", "billed"),
    [(("completed",), "Completed", "0.60"), (("failed",), "Failed", "0.30")],
    ids=["completed", "failed"],
)
def test_what_became_of_a_doubt_beside_a_raised_revision_is_told(
    polls: tuple[str, ...], state: str, billed: str
) -> None:
    cluster = Cluster().ready()
    held(cluster)
    cluster.api.tasks["task_0001"].life = Life(polls=["queued", *polls])
    cluster.kube.put(object_manifest(revision=2))
    with Process(cluster) as process:
        assert process.run(1800, until=finished(cluster))
        late_task(cluster)
        process.run(3600)
    first = cluster.status()["attempts"][0]
    assert (first["id"], first["state"]) == ("r1-a1", state)
    assert cluster.status()["cost"] == {"estimatedUSD": billed, "billedUSD": billed, "possibleUSD": "0.00"}


def test_an_order_that_a_person_answered_is_in_no_doubt_when_its_object_is_gone() -> None:
    cluster = Cluster().ready()
    held(cluster)
    cluster.kube.put(object_manifest(annotations={RESOLVE_ANNOTATION: "r1-a1:resubmit"}))
    with Process(cluster) as process:
        assert process.run(1800, until=finished(cluster))
        cluster.kube.delete(Kind.GENERATION, NAMESPACE, NAME)
        process.run(3600)
    assert [event for event in cluster.kube.events if event["regarding"]["kind"] == Kind.CLASS.value] == []


def test_an_order_in_doubt_beside_a_raised_revision_is_no_order_without_an_object() -> None:
    cluster = Cluster().ready()
    held(cluster)
    cluster.kube.put(object_manifest(revision=2))
    with Process(cluster) as process:
        assert process.run(1800, until=finished(cluster))
        process.run(3600)
    assert [event for event in cluster.kube.events if event["regarding"]["kind"] == Kind.CLASS.value] == []


def test_a_file_that_cannot_be_read_hides_no_other_attempt_from_the_walk() -> None:
    cluster = Cluster().ready()
    cluster.api.lives = [Life.lost(), Life(polls=["queued"] * 30 + ["completed"])]
    for name in ("a-broken", NAME):
        cluster.kube.put(object_manifest(name))

    def archived(effect: Effect) -> None:
        if effect.name == "store.read" and effect.target.startswith(f"{NAMESPACE}/a-broken/"):
            raise StoreTrouble(StoreReason.UNAVAILABLE, "InvalidObjectState")

    with Process(cluster) as process:
        process.run(300)
        cluster.hooks.before = archived
        for name in ("a-broken", NAME):
            cluster.kube.delete(Kind.GENERATION, NAMESPACE, name)
        process.run(3600)
    assert f"{FOLDER}result.json" in cluster.bucket


def test_an_abandoned_order_can_still_be_adopted() -> None:
    cluster = Cluster().ready()
    held(cluster)
    cluster.kube.put(object_manifest(annotations={RESOLVE_ANNOTATION: "r1-a1:abandon"}))
    with Process(cluster) as process:
        process.run(60)
        assert cluster.condition("Ready")["reason"] == "Abandoned"
        cluster.kube.put(object_manifest(annotations={RESOLVE_ANNOTATION: "r1-a1:adopt=task_0001"}))
        process.look()
        assert process.run(1200, until=finished(cluster))
        process.run(600)
    assert cluster.status()["phase"] == "Succeeded"
    assert len(cluster.api.posts) == 1


def test_an_unknown_outcome_without_its_object_is_told_on_the_class_and_keeps_its_money() -> None:
    cluster = Cluster().ready()
    held(cluster)
    cluster.kube.delete(Kind.GENERATION, NAMESPACE, NAME)
    with Process(cluster) as process:
        process.run(3600)
        assert cluster.reservations() == ["marketing/lighthouse/r1/a1"]
        assert cluster.klass()["status"]["inFlight"] == 0
        process.run(86400)
    assert cluster.reservations() == []
    told = [e for e in cluster.kube.events if e["regarding"]["kind"] == "VideoGenerationClass"]
    assert [e["reason"] for e in told] == ["SubmissionOutcomeUnknown"]
