"""Edits, deletions, queues and classes: what a user does to objects, and what it costs."""

import json
from collections.abc import Sequence
from typing import Any, Final

import pytest

from fakes import Life
from rehearsal import NAME, NAMESPACE, Cluster, Process, class_manifest, finished, object_manifest
from videogen_operator.ports import Answer, Kind, Operation
from videogen_operator.timings import Timings

SLOW = Life(polls=["queued"] * 8 + ["completed"])


def run(cluster: Cluster, seconds: float = 900) -> None:
    with Process(cluster) as process:
        process.run(seconds)


def done(cluster: Cluster | None = None, **spec: Any) -> Cluster:
    """A cluster with one finished video."""
    cluster = cluster or Cluster().ready()
    cluster.kube.put(object_manifest(**spec))
    with Process(cluster) as process:
        assert process.run(until=finished(cluster)), cluster.status()
        process.run(30)
    return cluster


# ---------------------------------------------------------------- revisions


def test_a_raised_revision_pays_again_and_keeps_the_old_output_in_the_history() -> None:
    cluster = done(seed=7)
    cluster.kube.put(object_manifest(revision=2, tier="1080p", durationSeconds=8, seed=7))
    run(cluster)
    status = cluster.status()
    assert status["phase"] == "Succeeded"
    assert status["output"]["revision"] == 2
    assert [item["revision"] for item in status["history"]] == [1]
    assert status["cost"]["billedUSD"] == "0.60"
    assert [post.body["metadata"]["seed"] for post in cluster.api.posts] == [7, 7]


def test_a_revision_raised_while_an_attempt_is_in_the_air_waits_for_its_end() -> None:
    cluster = Cluster().ready()
    cluster.api.lives = [SLOW]
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(20)
        cluster.kube.put(object_manifest(revision=2, prompt="another one"))
        process.run(20)
        assert len(cluster.api.posts) == 1
        assert cluster.condition("Ready")["status"] == "Unknown"
        assert process.run(1800, until=finished(cluster))
    status = cluster.status()
    assert len(cluster.api.posts) == 2
    assert status["output"]["revision"] == 2
    assert [item["revision"] for item in status["history"]] == [1]


def test_an_edit_of_a_free_field_of_a_finished_object_costs_one_write() -> None:
    cluster = done()
    before = cluster.patches(Kind.GENERATION)
    cluster.kube.put(object_manifest(suspend=True))
    run(cluster)
    assert cluster.status()["observedGeneration"] == 2
    assert cluster.patches(Kind.GENERATION) == before + 1
    assert cluster.condition("Ready")["status"] == "True"


def test_a_finished_object_causes_no_work() -> None:
    cluster = done()
    before, reads = cluster.patches(), len(cluster.hooks.log)
    with Process(cluster) as process:
        process.run(3600)
        assert process.whole.flights.unfinished() == 0
    later = [e for e in cluster.hooks.log[reads:] if NAME in e.target]
    assert later == []
    assert cluster.patches() == before


# ---------------------------------------------------------------- re-creation


def recreate(cluster: Cluster, **spec: Any) -> None:
    cluster.kube.delete(Kind.GENERATION, NAMESPACE, NAME)
    cluster.kube.put(object_manifest(**spec))


def test_the_same_request_applied_again_adopts_the_stored_video() -> None:
    cluster = done()
    recreate(cluster)
    run(cluster)
    assert len(cluster.api.posts) == 1
    assert cluster.status()["phase"] == "Succeeded"
    assert cluster.condition("Ready")["reason"] == "OutputAdopted"
    assert "no new charge" in cluster.condition("Ready")["message"]
    assert cluster.status()["submittedRevision"] == 1
    assert cluster.patches(Kind.GENERATION) == 4


def test_the_same_request_applied_again_adopts_the_task() -> None:
    cluster = Cluster().ready()
    cluster.api.lives = [SLOW]
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(20)
        recreate(cluster)
        assert process.run(1200, until=finished(cluster))
    assert len(cluster.api.posts) == 1
    assert cluster.events() == ["TaskCreated", "TaskAdopted", "VideoStored"]


@pytest.mark.parametrize(
    "change", [{"prompt": "another"}, {"tier": "1080p", "durationSeconds": 8}, {"model": "standard"}, {"seed": 3}]
)
def test_another_request_under_the_same_revision_is_refused(change: dict[str, Any]) -> None:
    cluster = done()
    recreate(cluster, **change)
    run(cluster)
    assert len(cluster.api.posts) == 1
    assert cluster.condition("Accepted")["reason"] == "RequestChanged"
    assert cluster.condition("Stalled")["status"] == "True"
    assert "raise spec.revision" in cluster.condition("Ready")["message"]


def test_another_request_after_nothing_was_made_goes_on() -> None:
    cluster = Cluster().ready()
    cluster.api.lives = [Life.rejected(400, {"code": "invalid_request", "message": "no", "data": None})]
    cluster.kube.put(object_manifest())
    run(cluster, 60)
    recreate(cluster, prompt="another")
    run(cluster)
    assert cluster.status()["phase"] == "Succeeded"


def test_another_request_after_a_failed_task_is_refused() -> None:
    failed = Answer(status=200, body=b'{"status":"failed","error":{"message":"safety policy"}}')
    cluster = Cluster().ready()
    cluster.api.lives = [Life(polls=[failed])]
    cluster.kube.put(object_manifest())
    run(cluster, 300)
    recreate(cluster, prompt="another")
    run(cluster)
    assert cluster.condition("Accepted")["reason"] == "RequestChanged"
    assert len(cluster.api.posts) == 1


def test_another_class_under_the_same_revision_is_refused() -> None:
    cluster = done()
    cluster.kube.put(class_manifest("rehearsal"))
    recreate(cluster, classRef={"name": "rehearsal"})
    run(cluster)
    assert cluster.condition("Accepted")["reason"] == "LedgerConflict"
    assert len(cluster.api.posts) == 1


def test_a_changed_default_of_the_class_makes_another_request() -> None:
    cluster = Cluster().ready()
    manifest = object_manifest()
    del manifest["spec"]["tier"]
    del manifest["spec"]["durationSeconds"]
    cluster.kube.put(manifest)
    run(cluster)
    assert cluster.status()["phase"] == "Succeeded"
    defaults = {"model": "fast", "tier": "1080p", "aspectRatio": "16:9", "durationSeconds": 8}
    cluster.kube.put(class_manifest(defaults=defaults))
    run(cluster, 10)
    assert cluster.status()["phase"] == "Succeeded"
    cluster.kube.delete(Kind.GENERATION, NAMESPACE, NAME)
    cluster.kube.put(manifest)
    run(cluster)
    assert cluster.condition("Accepted")["reason"] == "RequestChanged"
    assert len(cluster.api.posts) == 1


def test_a_changed_default_does_not_disturb_what_is_in_the_air() -> None:
    cluster = Cluster().ready()
    cluster.api.lives = [SLOW]
    manifest = object_manifest()
    del manifest["spec"]["tier"]
    cluster.kube.put(manifest)
    run(cluster, 20)
    defaults = {"model": "fast", "tier": "1080p", "aspectRatio": "16:9", "durationSeconds": 8}
    cluster.kube.put(class_manifest(defaults=defaults))
    run(cluster)
    assert cluster.status()["phase"] == "Succeeded"
    assert len(cluster.api.posts) == 1


def test_a_video_deleted_by_hand_is_said_and_not_bought_again() -> None:
    cluster = done()
    del cluster.stores.buckets["videos"][f"{NAMESPACE}/{NAME}/r1/{NAME}.mp4"]
    recreate(cluster)
    run(cluster)
    assert cluster.condition("Ready")["reason"] == "OutputMissing"
    assert len(cluster.api.posts) == 1


def test_a_pruned_object_whose_task_runs_still_lands_in_the_bucket() -> None:
    cluster = Cluster().ready()
    cluster.api.lives = [SLOW]
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(20)
        cluster.kube.delete(Kind.GENERATION, NAMESPACE, NAME)
        process.run(1200)
        assert process.temporary_files == []
    assert f"{NAMESPACE}/{NAME}/r1/result.json" in cluster.bucket
    assert cluster.reservations() == []


# ---------------------------------------------------------------- queues


def queue_of(*names: str) -> Cluster:
    """Orders for three slots, made in this order, a minute apart, and shown by the watch in the opposite one."""
    cluster = Cluster().ready(limits={"maxInFlight": 3, "submitConcurrency": 2})
    for minute, name in reversed(list(enumerate(names))):
        manifest = object_manifest(name, prompt=name)
        manifest["metadata"]["creationTimestamp"] = f"2026-11-22T10:{minute:02}:00Z"
        cluster.kube.put(manifest)
    with Process(cluster) as process:
        assert process.run(7200, until=lambda: all(finished(cluster, name)() for name in names))
    return cluster


def test_slots_are_never_exceeded() -> None:
    names = [f"video-{n:02}" for n in range(12)]
    cluster = queue_of(*names)
    assert cluster.api.max_open == 3
    assert len(cluster.api.posts) == 12
    assert max(cluster.patches(Kind.GENERATION, name) for name in names) <= 4


def test_the_queue_is_served_in_the_order_of_creation() -> None:
    """Neither the names nor the order in which the watch shows the objects decide."""
    names = [f"video-{n:02}" for n in (7, 2, 11, 0, 5, 9, 1, 10, 3, 8, 6, 4)]
    assert [post.body["prompt"] for post in queue_of(*names).api.posts] == names


def test_a_suspended_object_is_not_submitted_until_it_is_resumed() -> None:
    cluster = Cluster().ready()
    cluster.kube.put(object_manifest(suspend=True))
    with Process(cluster) as process:
        process.run(60)
        assert cluster.status()["phase"] == "Suspended"
        assert cluster.api.posts == []
        cluster.kube.put(object_manifest(suspend=False))
        process.look()
        assert process.run(900, until=finished(cluster))
    assert len(cluster.api.posts) == 1


def test_suspending_what_is_submitted_stores_it_all_the_same() -> None:
    cluster = Cluster().ready()
    cluster.api.lives = [SLOW]
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(20)
        cluster.kube.put(object_manifest(suspend=True))
        process.look()
        assert process.run(900, until=finished(cluster))
    assert cluster.status()["phase"] == "Succeeded"


# ---------------------------------------------------------------- classes


def test_a_missing_class_is_waited_for() -> None:
    cluster = Cluster()
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(60)
        assert cluster.condition("Accepted")["reason"] == "ClassNotFound"
        assert cluster.status()["phase"] == "Pending"
        cluster.kube.put(class_manifest())
        process.look()
        assert process.run(900, until=finished(cluster))
    assert cluster.status()["phase"] == "Succeeded"


def test_a_class_deleted_in_mid_flight_is_waited_for() -> None:
    cluster = Cluster().ready()
    cluster.api.lives = [SLOW]
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(20)
        cluster.kube.delete(Kind.CLASS, "", "veo")
        process.run(300)
        assert cluster.condition("Generated")["reason"] == "ClassNotFound"
        cluster.kube.put(class_manifest())
        process.look()
        assert process.run(1200, until=finished(cluster))
    assert cluster.status()["phase"] == "Succeeded"
    assert len(cluster.api.posts) == 1


def test_a_class_that_cannot_be_understood_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """It was stored under another schema: its turns and its walk stay quiet but for one kind of line."""
    cluster = Cluster().ready()
    cluster.kube.put(class_manifest(limits={"submitConcurrency": 5000}))
    cluster.kube.put(object_manifest())
    run(cluster, 600)
    assert cluster.condition("Accepted")["reason"] == "ClassNotFound"
    assert {r.message for r in caplog.records if r.levelname == "ERROR"} == {"the class cannot be understood"}
    cluster.kube.put(class_manifest())
    with Process(cluster) as process:
        assert process.run(600, until=finished(cluster))


def test_a_class_made_again_is_rebuilt_from_the_ledger_before_it_spends() -> None:
    cluster = Cluster().ready()
    cluster.api.lives = [Life(polls=["queued"] * 500)]
    cluster.kube.put(object_manifest("first"))
    run(cluster, 30)
    cluster.kube.delete(Kind.CLASS, "", "veo")
    cluster.kube.put(class_manifest(limits={"maxInFlight": 1, "submitConcurrency": 1}))
    cluster.kube.put(object_manifest("second"))
    run(cluster, 300)
    assert cluster.reservations() == ["marketing/first/r1/a1"]
    assert len(cluster.api.posts) == 1
    assert cluster.status("second")["phase"] == "Queued"


def test_an_object_without_a_class_uses_the_default() -> None:
    cluster = Cluster().ready()
    manifest = object_manifest()
    del manifest["spec"]["classRef"]
    cluster.kube.put(manifest)
    run(cluster)
    assert cluster.status()["class"]["name"] == "veo"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model": "nope"}, "ModelNotOffered"),
        ({"tier": "8k"}, "TierNotOffered"),
        ({"aspectRatio": "1:1"}, "AspectRatioNotOffered"),
        ({"tier": "1080p", "durationSeconds": 4}, "DurationNotOffered"),
        ({"maxCostUSD": "0.10"}, "PriceAboveMax"),
    ],
)
def test_what_the_class_does_not_offer_is_refused_until_it_is_edited(change: dict[str, Any], reason: str) -> None:
    cluster = Cluster().ready()
    cluster.kube.put(object_manifest(**change))
    with Process(cluster) as process:
        process.run(60)
        assert cluster.condition("Accepted")["reason"] == reason
        assert cluster.condition("Stalled")["status"] == "True"
        assert cluster.api.posts == []
        cluster.kube.put(object_manifest())
        process.look()
        assert process.run(900, until=finished(cluster))


def test_a_namespace_that_is_not_allowed_waits_for_its_label() -> None:
    cluster = Cluster()
    cluster.ready(allowedNamespaces={"from": "Selector", "selector": {"matchLabels": {"video": "yes"}}})
    cluster.kube.put(object_manifest())
    run(cluster, 60)
    assert cluster.condition("Accepted")["reason"] == "NamespaceNotAllowed"
    assert cluster.api.posts == []


def test_a_store_without_conditional_writes_closes_the_class() -> None:
    cluster = Cluster()
    cluster.stores.conditional_writes = False
    cluster.ready()
    cluster.kube.put(object_manifest())
    run(cluster, 120)
    ready = {c["type"]: c for c in cluster.klass()["status"]["conditions"]}
    assert ready["StorageReady"]["reason"] == "ConditionalWritesUnsupported"
    assert ready["Ready"]["status"] == "False"
    assert cluster.status()["phase"] == "Queued"
    assert "ConditionalWritesUnsupported" in cluster.condition("Ready")["message"]
    assert cluster.api.posts == []


@pytest.mark.parametrize("missing", ["secret", "bucket"])
def test_a_missing_part_closes_the_class_and_it_opens_when_the_part_is_there(missing: str) -> None:
    cluster = Cluster()
    if missing == "secret":
        cluster.kube.secrets.clear()
    else:
        del cluster.stores.buckets["videos"]
    cluster.kube.put(class_manifest())
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(100)
        assert cluster.status()["phase"] == "Queued"
        assert cluster.api.posts == []
        cluster.kube.secrets["veo-key"] = {"token": "sk-one"}
        cluster.stores.buckets.setdefault("videos", {})
        assert process.run(900, until=finished(cluster))
    assert cluster.status()["phase"] == "Succeeded"


def test_an_older_crd_that_prunes_fields_closes_spending() -> None:
    cluster = Cluster().ready()
    patch = cluster.kube.patch_status

    def pruning(kind: Kind, namespace: str, name: str, operations: Sequence[Operation]) -> dict[str, Any] | None:
        stored = patch(kind, namespace, name, operations)
        if stored and kind is Kind.GENERATION:
            stored["status"].pop("ledger", None)
        return stored

    cluster.kube.patch_status = pruning  # type: ignore[method-assign]
    cluster.kube.put(object_manifest())
    run(cluster, 300)
    spending = next(c for c in cluster.klass()["status"]["conditions"] if c["type"] == "SpendingOpen")
    assert spending["reason"] == "SchemaOutdated"
    assert cluster.api.posts == []


def test_the_prompt_and_the_key_are_nowhere() -> None:
    cluster = done(negativePrompt="no watermark please")
    everything = json.dumps([cluster.status(), cluster.klass(), cluster.kube.events]) + repr(
        {k: v for k, v in cluster.bucket.items() if k.endswith(".json")}
    )
    for hidden in ("slow push-in", "no watermark please", "sk-one"):
        assert hidden not in everything


PROMPT: Final = "a lighthouse at dusk, slow push-in"


def echo(what: str) -> Life:
    """A gateway that repeats the prompt where it says why there is no video."""
    said = {"error": {"message": f"the prompt '{PROMPT}' was refused", "code": "bad_video"}}
    body = {"id": "task_0001", "status": what, **said} if what in {"failed", "canceled"} else said
    answer = Answer(status=200 if "status" in body else 400, body=json.dumps(body).encode())
    if what == "content":
        return Life(contents=[answer] * 9 + [None])
    return Life(polls=["queued", *[answer] * 4, "completed"] if what == "an error" else ["queued", answer])


@pytest.mark.parametrize("without", ["", "its object", "its revision"])
@pytest.mark.parametrize("what", ["failed", "canceled", "content", "an error"])
def test_an_echoed_prompt_is_nowhere(what: str, without: str, caplog: pytest.LogCaptureFixture) -> None:
    """Also where the prompt is not known any more: then the gateway's words are not repeated at all."""
    caplog.set_level("DEBUG")
    cluster = Cluster().ready()
    cluster.api.lives = [echo(what)]
    cluster.kube.put(object_manifest(retryPolicy={"maxAttempts": 1}))
    with Process(cluster, timings=Timings(copy_trouble=2)) as process:
        process.run(15)
        if without == "its object":
            cluster.kube.delete(Kind.GENERATION, NAMESPACE, NAME)
        if without == "its revision":
            cluster.kube.put(object_manifest(prompt="another one", revision=2))
        process.run(900)
    logs = [str(record.__dict__) for record in caplog.records]
    ledger = [body.decode("utf-8", "replace") for body in cluster.bucket.values()]
    written = [str(cluster.kube.patches), str(cluster.kube.events), *logs, *ledger]
    assert [text for text in written if PROMPT[:20] in text] == []
    if what in {"failed", "canceled"}:
        why = "bad_video" if without else "was refused"
        assert [text for text in written if why in text]


def test_a_label_that_comes_later_lets_the_namespace_in() -> None:
    cluster = Cluster()
    cluster.ready(allowedNamespaces={"from": "Selector", "selector": {"matchLabels": {"video": "yes"}}})
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(60)
        cluster.kube.namespaces[NAMESPACE]["video"] = "yes"
        assert process.run(900, until=finished(cluster))
    assert cluster.status()["phase"] == "Succeeded"


def test_an_object_without_a_class_is_told_when_there_is_no_default() -> None:
    cluster = Cluster()
    manifest = object_manifest()
    del manifest["spec"]["classRef"]
    cluster.kube.put(manifest)
    run(cluster, 60)
    assert "none is marked as the default" in cluster.condition("Ready")["message"]


def test_objects_that_wait_are_not_kept_in_memory() -> None:
    cluster = Cluster()
    cluster.ready(limits={"maxInFlight": 1, "submitConcurrency": 1})
    cluster.api.lives = [Life(polls=["queued"] * 500)]
    cluster.kube.put(object_manifest("first"))
    cluster.kube.put(object_manifest("second"))
    with Process(cluster) as process:
        process.run(300)
        flights = {flight.key.name: flight for flight in process.whole.flights.all()}
    assert flights["first"].obj is not None
    assert flights["second"].obj is None
    assert flights["second"].work.folder is None
