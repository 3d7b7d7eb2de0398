"""Nothing waits for ever, and nothing turns without end: each change and each passing trouble is followed by a turn."""

import json

import pytest

from fakes import Effect, Life
from rehearsal import NAME, NAMESPACE, Cluster, Process, class_manifest, finished, object_manifest
from videogen_operator.api.generation import RESOLVE_ANNOTATION
from videogen_operator.api.meta import Key
from videogen_operator.errors import KubeTrouble
from videogen_operator.ports import Answer, Exchange, Kind, NoAnswer, Wire

BUSY = Answer(status=503, body=b"busy")
UNCLEAR = Answer(status=400, body=b'{"error":{"message":"bad id"}}')
ADOPT = {RESOLVE_ANNOTATION: "r1-a1:adopt=task_0001"}


def unclear_probes(call: str, _endpoint: str) -> Exchange | None:
    """A gateway on which the free probe says nothing about the key."""
    return UNCLEAR if call == "probe" else None


def held() -> Cluster:
    """A cluster with one object whose order got no answer, long ago."""
    cluster = Cluster().ready()
    cluster.api.lives = [Life.lost()]
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(300)
    assert cluster.status()["phase"] == "Held"
    return cluster


# ---------------------------------------------------------------- changes that come at a bad moment


def test_an_answer_is_taken_although_the_api_server_failed_right_after_it() -> None:
    cluster = held()
    failures = ["once"]

    def fail(effect: Effect) -> None:
        if effect.name == "kube.read" and NAME in effect.target and failures:
            failures.clear()
            raise KubeTrouble("503")

    with Process(cluster) as process:
        process.run(60)
        cluster.hooks.before = fail
        cluster.kube.put(object_manifest(annotations=ADOPT))
        assert process.run(300, until=finished(cluster))
    assert failures == []
    assert cluster.status()["phase"] == "Succeeded"


def test_an_edit_between_our_read_and_our_write_is_followed() -> None:
    cluster = Cluster().ready()
    edits = [object_manifest()]

    def edit(effect: Effect) -> None:
        if effect.name == "kube.patch_status" and NAME in effect.target and edits:
            cluster.kube.put(edits.pop())

    cluster.hooks.before = edit
    cluster.kube.put(object_manifest(suspend=True))
    with Process(cluster) as process:
        assert process.run(600, until=finished(cluster))
    assert cluster.status()["phase"] == "Succeeded"


def test_an_object_that_changes_its_class_keeps_no_place_in_the_old_ones_queue() -> None:
    """Else a ghost gets a slot and a permit there, and everybody behind it waits."""
    cluster = Cluster().ready(limits={"maxInFlight": 5, "submitConcurrency": 1})
    storage = {"type": "S3", "s3": {"bucket": "videos", "prefix": "other/", "region": "us-east-1"}}
    cluster.kube.put(class_manifest("other", storage=storage))
    cluster.api.lives = [Life.rejected(402, {"error": {"message": "balance"}})]
    cluster.kube.put(object_manifest("first"))
    with Process(cluster) as process:
        process.run(20)
        cluster.kube.put(object_manifest("moves"))
        process.run(20)
        assert cluster.status("moves")["phase"] == "Queued"
        cluster.kube.delete(Kind.GENERATION, NAMESPACE, "first")
        cluster.api.lives = [Life.lost()]
        cluster.kube.put(object_manifest("moves", classRef={"kind": "VideoGenerationClass", "name": "other"}))
        process.run(700)
        assert cluster.status("moves")["phase"] == "Held"
        cluster.kube.put(object_manifest("later"))
        assert process.run(1200, until=finished(cluster, "later"))
        process.run(30)
    assert cluster.reservations("veo") == []


# ---------------------------------------------------------------- answers of a person that cannot be taken yet


@pytest.mark.parametrize("passing", ["the gateway is busy", "the Secret is missing", "the endpoint was removed"])
def test_an_answer_that_cannot_be_looked_up_is_taken_later(passing: str) -> None:
    cluster = held()
    if passing == "the gateway is busy":
        cluster.api.instead = lambda call, _: BUSY if call == "poll" else None
    elsewhere = class_manifest()
    elsewhere["spec"]["provider"]["openAIVideos"]["endpoints"] = ["https://two.test/v1"]
    with Process(cluster) as process:
        if passing == "the endpoint was removed":
            cluster.kube.put(elsewhere)
        if passing == "the Secret is missing":
            cluster.kube.secrets.clear()
        process.run(60)
        cluster.kube.put(object_manifest(annotations=ADOPT))
        process.run(600)
        assert cluster.status()["phase"] == "Held"
        assert "is taken as soon as that is possible" in cluster.condition("Ready")["message"]
        assert ("https://one.test/v1" in cluster.api.asked) is (passing == "the gateway is busy")
        before = cluster.patches(Kind.GENERATION)
        cluster.api.instead = lambda *_: None
        cluster.kube.secrets["veo-key"] = {"token": "sk-one"}
        cluster.kube.put(class_manifest())
        assert process.run(300, until=finished(cluster))
    assert cluster.status()["phase"] == "Succeeded"
    assert cluster.patches(Kind.GENERATION) == before + 2


def test_an_answer_that_was_refused_can_be_given_again() -> None:
    """The task appears at the gateway later; the person removes the annotation and sets it again."""
    cluster = held()
    tasks = dict(cluster.api.tasks)
    cluster.api.tasks.clear()
    with Process(cluster) as process:
        cluster.kube.put(object_manifest(annotations=ADOPT))
        process.run(60)
        assert "does not know task" in cluster.condition("Ready")["message"]
        cluster.kube.annotate(Kind.GENERATION, NAMESPACE, NAME, {})
        process.run(60)
        cluster.api.tasks.update(tasks)
        cluster.kube.annotate(Kind.GENERATION, NAMESPACE, NAME, ADOPT)
        assert process.run(600, until=finished(cluster))
    assert cluster.status()["phase"] == "Succeeded"


def test_an_edit_of_a_held_object_is_seen() -> None:
    """Without the write kstatus would say InProgress, where a person must act."""
    cluster = held()
    with Process(cluster) as process:
        cluster.kube.put(object_manifest(retryPolicy={"maxAttempts": 2}))
        process.run(60)
    assert cluster.status()["observedGeneration"] == cluster.object()["metadata"]["generation"] == 2
    assert cluster.status()["phase"] == "Held"


# ---------------------------------------------------------------- closed classes


def test_a_gateway_whose_probe_says_nothing_of_the_key_opens_again() -> None:
    cluster = Cluster()
    cluster.api.instead = unclear_probes
    cluster.ready()
    cluster.api.lives = [Life.not_sent(), Life.not_sent()]
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        assert process.run(900, until=finished(cluster))
    assert cluster.status()["phase"] == "Succeeded"


def test_a_key_that_no_probe_can_judge_is_tried_by_an_order_now_and_then() -> None:
    cluster = Cluster()
    cluster.api.instead = unclear_probes
    cluster.ready()
    cluster.api.lives = [Life.rejected(401, {"error": {"message": "no"}})] * 2
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(240)
        assert len(cluster.api.posts) == 1
        assert process.run(3600, until=finished(cluster))
    assert cluster.status()["phase"] == "Succeeded"
    assert len(cluster.api.posts) == 3


def test_a_dead_spare_endpoint_closes_nothing() -> None:
    cluster = Cluster()
    dead = NoAnswer(wire=Wire.NOT_SENT, detail="refused")
    cluster.api.instead = lambda call, endpoint: (UNCLEAR if "one" in endpoint else dead) if call == "probe" else None
    cluster.ready()
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        assert process.run(600, until=finished(cluster))


def test_after_a_blip_the_probe_comes_within_its_period() -> None:
    cluster = Cluster().ready()
    with Process(cluster) as process:
        process.run(40)
        cluster.api.lives = [Life.not_sent(), Life.not_sent()]
        cluster.kube.put(object_manifest())
        begun = cluster.clock.passed
        assert process.run(900, until=lambda: bool(cluster.api.posts))
    assert cluster.clock.passed - begun <= 65


def test_a_gateway_that_asks_for_no_patience_is_given_some_all_the_same() -> None:
    """429 with `Retry-After: 0`: each refusal in a row doubles the wait."""
    cluster = Cluster().ready()
    cluster.api.lives = [Life.rejected(429, {"error": {"message": "slow down"}}, retry_after="0")] * 300
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(120)
    assert len(cluster.api.posts) <= 7


# ---------------------------------------------------------------- open tasks


@pytest.mark.parametrize("pruned", [False, True], ids=["with its object", "without its object"])
def test_a_changed_secret_has_a_slowly_polled_task_asked_for_at_once(*, pruned: bool) -> None:
    cluster = Cluster().ready()
    cluster.api.accounts = {"sk-one": "a", "sk-two": "b"}
    cluster.api.lives = [Life(polls=["queued"] * 6 + ["completed"])]
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(30)
        if pruned:
            cluster.kube.delete(Kind.GENERATION, NAMESPACE, NAME)
        cluster.kube.secrets["veo-key"] = {"token": "sk-two"}
        process.run(3000)
        cluster.kube.secrets["veo-key"] = {"token": "sk-one"}
        process.whole.classes.notice(Key(Kind.CLASS.value, "", "veo"))
        cluster.api.asked.clear()
        process.run(2)
    assert len(cluster.api.asked) == 1


def test_a_gateway_that_refuses_content_is_still_polled() -> None:
    """Its polls said an error and no status for a while; then the task is completed after all."""
    silent = Answer(status=200, body=json.dumps({"error": {"message": "fetch failed"}}).encode())
    cluster = Cluster().ready()
    cluster.api.lives = [Life(polls=[silent] * 5 + ["completed"], contents=[BUSY])]
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(1200)
    assert cluster.status()["phase"] == "Storing"


def test_content_that_could_not_be_asked_for_is_asked_again() -> None:
    """A gateway's polls say an error and no status; only `/content` knows that the task has failed."""
    silent = Answer(status=200, body=json.dumps({"error": {"message": "fetch failed"}}).encode())
    failed = Answer(status=400, body=b'{"error":{"message":"Task is not completed yet, current status: FAILURE"}}')
    cluster = Cluster().ready()
    cluster.api.lives = [Life(polls=[silent], contents=[BUSY, BUSY, failed])]
    cluster.kube.put(object_manifest(retryPolicy={"maxAttempts": 1}))
    with Process(cluster) as process:
        assert process.run(1800, until=finished(cluster))
    assert cluster.condition("Ready")["reason"] == "AttemptsExhausted"
    assert cluster.status()["cost"] == {"estimatedUSD": "0.00", "billedUSD": "0.00", "possibleUSD": "0.00"}
