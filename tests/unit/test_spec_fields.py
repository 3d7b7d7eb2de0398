"""The fields of a spec change what the operator does: shown by its POSTs, its polls, its buckets and its status.

Values are never the defaults, and never those of another field, so that an operator that ignores or swaps one fails.
What is refused, retried and queued is in `test_objects` and `test_outcomes`.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from fakes import Effect, Life
from rehearsal import NAME, NAMESPACE, Cluster, Process, class_manifest, finished, object_manifest
from videogen_operator.api.generation_class import KIND as CLASS_KIND
from videogen_operator.ports import Kind, StoreAddress
from videogen_operator.redaction import Secret

NEVER = Life(polls=["queued"] * 2000)
SIZES = {"16:9": "1920x1080", "9:16": "1080x1920"}


def provider(**gateway: Any) -> dict[str, Any]:
    """The gateway of `class_manifest`, with other values."""
    given: dict[str, Any] = class_manifest()["spec"]["provider"]["openAIVideos"]
    return {"type": "OpenAIVideos", "openAIVideos": {**given, **gateway}}


def tier(name: str = "720p", **changes: Any) -> dict[str, Any]:
    fields = {"name": name, "firstPollSeconds": 50, "overdueAfterSeconds": 180, "durationsSeconds": [4, 6, 8]}
    return {**fields, "sizes": SIZES, **changes}


def bucket(**s3: Any) -> dict[str, Any]:
    return {"type": "S3", "s3": {"bucket": "videos", "region": "us-east-1", **s3}}


def without(*fields: str, name: str = NAME) -> dict[str, Any]:
    """A manifest that leaves fields of its spec out."""
    manifest = object_manifest(name)
    manifest["spec"] = {key: value for key, value in manifest["spec"].items() if key not in fields}
    return manifest


def run(cluster: Cluster, seconds: float = 900) -> Cluster:
    with Process(cluster) as process:
        process.run(seconds)
    return cluster


def ordered(cluster: Cluster, manifest: Mapping[str, Any] | None = None, seconds: float = 900) -> Cluster:
    """The cluster some time after one object was applied."""
    cluster.kube.put(manifest or object_manifest())
    return run(cluster, seconds)


def ready_message(cluster: Cluster, name: str = "veo") -> str:
    found = next(c for c in cluster.klass(name)["status"]["conditions"] if c["type"] == "Ready")
    return str(found["message"])


def storage_status(cluster: Cluster) -> str:
    found = next(c for c in cluster.klass()["status"]["conditions"] if c["type"] == "StorageReady")
    return str(found["status"])


def polls(cluster: Cluster) -> list[float]:
    """When polls are made from now on, by the clock of the test."""
    times: list[float] = []

    def note(effect: Effect) -> None:
        if effect.name == "video_api.poll":
            times.append(cluster.clock.passed)

    cluster.hooks.after = note
    return times


# ---------------------------------------------------------------- the gateway


def test_an_answer_is_waited_for_as_long_as_the_class_says() -> None:
    cluster = ordered(Cluster().ready(provider=provider(submitTimeoutSeconds=45)), seconds=30)
    assert [post.timeout for post in cluster.api.posts] == [45.0]


def test_the_key_is_the_entry_of_the_secret_that_the_class_names() -> None:
    cluster = Cluster()
    cluster.kube.secrets = {
        "veo-key": {"token": "sk-wrong", "apiKey": "sk-wrong"},
        "other": {"token": "sk-wrong", "apiKey": "sk-right"},
    }
    ordered(cluster.ready(provider=provider(apiKeySecretRef={"name": "other", "key": "apiKey"})), seconds=30)
    assert [post.key for post in cluster.api.posts] == ["sk-right"]


def test_the_order_goes_to_the_first_endpoint_of_the_class() -> None:
    cluster = ordered(Cluster().ready(provider=provider(endpoints=["https://three.test/v1"])), seconds=30)
    assert [post.endpoint for post in cluster.api.posts] == ["https://three.test/v1"]


def test_polls_follow_the_first_poll_the_period_and_the_lateness_of_the_class() -> None:
    """Early at 10 s; then from the tier's first poll on, at the class's period; overdue, once a minute."""
    slow = tier(firstPollSeconds=100, overdueAfterSeconds=300)
    cluster = Cluster().ready(provider=provider(pollPeriodSeconds=30), tiers=[slow, tier("1080p")])
    cluster.api.lives = [NEVER]
    times, start = polls(cluster), cluster.clock.passed
    ordered(cluster, seconds=600)
    early, first, *_ = [time - start for time in times]
    gaps = [(before - start, after - before) for before, after in pairwise(times[1:])]
    assert [early, first] == pytest.approx([10, 100], abs=1)
    assert all(24 <= gap <= 30 for since, gap in gaps if since <= 300)
    assert all(gap == pytest.approx(60) for since, gap in gaps if since > 301)
    assert sum(since > 301 for since, _ in gaps) == 4
    assert cluster.condition("Generated")["reason"] == "GenerationOverdue"


def test_a_task_is_given_up_after_the_time_of_the_class() -> None:
    """By default it takes a day; the hour of clear answers is the process's own."""
    cluster = Cluster().ready(abandonAfterSeconds=600)
    cluster.api.lives = [NEVER]
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        assert process.run(2 * 3600, until=finished(cluster))
    assert cluster.condition("Ready")["reason"] == "Abandoned"


# ---------------------------------------------------------------- an unknown outcome whose object is gone


def lost_and_deleted(**spec: Any) -> Cluster:
    cluster = Cluster().ready(**spec)
    cluster.api.lives = [Life.lost(made=False)]
    ordered(cluster, seconds=5)
    cluster.kube.delete(Kind.GENERATION, NAMESPACE, NAME)
    return cluster


def told_on_the_class(cluster: Cluster) -> list[str]:
    return [event["reason"] for event in cluster.kube.events if event["regarding"]["kind"] == CLASS_KIND]


def test_a_late_answer_is_waited_for_longer_where_the_class_waits_longer() -> None:
    cluster = lost_and_deleted(provider=provider(submitTimeoutSeconds=600))
    with Process(cluster) as process:
        process.run(600)
        assert told_on_the_class(cluster) == []
        process.run(200)
    assert told_on_the_class(cluster) == ["SubmissionOutcomeUnknown"]


def test_an_unknown_outcome_holds_its_slot_until_its_tier_is_overdue() -> None:
    limits = {"maxInFlight": 1, "submitConcurrency": 1}
    late = tier(overdueAfterSeconds=1200)
    cluster = lost_and_deleted(limits=limits, tiers=[late, tier("1080p")])
    cluster.kube.put(object_manifest("next"))
    with Process(cluster) as process:
        process.run(1100)
        assert len(cluster.api.posts) == 1
        process.run(300)
    assert len(cluster.api.posts) == 2


def test_the_money_of_an_unknown_outcome_is_let_go_after_the_time_of_the_class() -> None:
    cluster = lost_and_deleted(abandonAfterSeconds=600)
    with Process(cluster) as process:
        process.run(500)
        assert cluster.reservations() == [f"{NAMESPACE}/{NAME}/r1/a1"]
        process.run(300)
    assert cluster.reservations() == []


# ---------------------------------------------------------------- limits


def test_an_attempt_that_is_older_than_a_slot_lets_the_next_object_start_and_keeps_its_money() -> None:
    cluster = Cluster().ready(limits={"maxInFlight": 1, "submitConcurrency": 1, "slotSeconds": 300})
    cluster.api.lives = [NEVER, NEVER]
    cluster.kube.put(object_manifest("first"))
    cluster.kube.put(object_manifest("second"))
    with Process(cluster) as process:
        process.run(290)
        assert len(cluster.api.posts) == 1
        assert ready_message(cluster) == ""
        process.run(100)
    assert len(cluster.api.posts) == 2
    assert cluster.reservations() == [f"{NAMESPACE}/first/r1/a1", f"{NAMESPACE}/second/r1/a1"]
    assert cluster.klass()["status"]["inFlight"] == 1
    assert ready_message(cluster) == "1 attempt holds money but no slot any more, such as marketing/first/r1/a1"


# ---------------------------------------------------------------- who may use it


EVERYBODY = {"from": "All"}
LABELLED = {"from": "Selector", "selector": {"matchLabels": {"video": "yes"}}}
NOT_TEST = {"key": "stage", "operator": "NotIn", "values": ["test"]}


@pytest.mark.parametrize(
    ("allowed", "labels", "posts"),
    [
        (EVERYBODY, {}, 1),
        (LABELLED, {"video": "yes"}, 1),
        (LABELLED, {"video": "no"}, 0),
        ({"from": "Selector", "selector": {"matchExpressions": [NOT_TEST]}}, {"stage": "live"}, 1),
        ({"from": "Selector", "selector": {"matchExpressions": [NOT_TEST]}}, {"stage": "test"}, 0),
    ],
    ids=["all", "label", "another label", "expression", "expression fails"],
)
def test_a_class_serves_the_namespaces_that_it_allows(
    allowed: Mapping[str, Any], labels: dict[str, str], posts: int
) -> None:
    cluster = Cluster().ready(allowedNamespaces=allowed)
    cluster.kube.namespaces[NAMESPACE] = labels
    ordered(cluster, seconds=60)
    assert len(cluster.api.posts) == posts


def marked(name: str, annotation: str | None) -> dict[str, Any]:
    """A class that is the default one, or not."""
    manifest = class_manifest(name)
    manifest["metadata"]["annotations"] = {} if annotation is None else {"videogen.dev/is-default-class": annotation}
    return manifest


@pytest.mark.parametrize("annotation", [None, "false"])
def test_only_a_class_with_the_annotation_is_used_by_objects_that_name_none(annotation: str | None) -> None:
    cluster = Cluster()
    cluster.kube.put(marked("veo", "true"))
    cluster.kube.put(marked("zoo", annotation))
    ordered(cluster, without("classRef"))
    assert cluster.status()["class"]["name"] == "veo"


def test_an_object_waits_until_some_class_has_the_annotation() -> None:
    cluster = Cluster()
    cluster.kube.put(marked("veo", None))
    cluster.kube.put(without("classRef"))
    with Process(cluster) as process:
        process.run(60)
        assert cluster.condition("Accepted")["reason"] == "ClassNotFound"
        cluster.kube.put(marked("veo", "true"))
        process.look()
        assert process.run(900, until=finished(cluster))


def test_of_two_default_classes_the_newest_is_used_and_both_say_so() -> None:
    cluster = Cluster()
    for name, created in (("new", "2026-01-01T00:00:00Z"), ("old", "2025-01-01T00:00:00Z")):
        manifest = marked(name, "true")
        manifest["metadata"]["creationTimestamp"] = created
        cluster.kube.put(manifest)
    ordered(cluster, without("classRef"))
    assert cluster.status()["class"]["name"] == "new"
    for name in ("new", "old"):
        assert "new, old are all default classes; the newest is used" in ready_message(cluster, name)


# ---------------------------------------------------------------- what is offered and asked


def test_all_that_an_object_says_reaches_the_order() -> None:
    cluster = Cluster().ready(tiers=[tier(), tier("1080p", resolution="full-hd", durationsSeconds=[6])])
    wish: dict[str, Any] = {
        "prompt": "a harbour at night",
        "negativePrompt": "text",
        "model": "standard",
        "tier": "1080p",
    }
    ordered(cluster, object_manifest(**wish, aspectRatio="9:16", durationSeconds=6, seed=20260521), seconds=30)
    (post,) = cluster.api.posts
    assert post.body == {
        "model": "veo-standard",
        "prompt": "a harbour at night",
        "duration": "6",
        "seconds": "6",
        "metadata": {
            "durationSeconds": 6,
            "resolution": "full-hd",
            "aspectRatio": "9:16",
            "negativePrompt": "text",
            "seed": 20260521,
        },
    }


def test_what_an_object_leaves_out_is_ordered_as_the_class_says() -> None:
    defaults = {"model": "standard", "tier": "1080p", "aspectRatio": "9:16", "durationSeconds": 6}
    cluster = Cluster().ready(defaults=defaults, tiers=[tier(), tier("1080p", durationsSeconds=[6])])
    ordered(cluster, without("model", "tier", "aspectRatio", "durationSeconds"), seconds=30)
    (post,) = cluster.api.posts
    made = post.body["metadata"]
    assert (post.body["model"], made["resolution"], made["aspectRatio"], made["durationSeconds"]) == (
        "veo-standard",
        "1080p",
        "9:16",
        6,
    )


def test_the_price_is_that_of_the_model() -> None:
    cluster = ordered(Cluster().ready(), object_manifest(model="standard"))
    assert cluster.status()["cost"]["billedUSD"] == "1.20"


def test_a_refusal_that_quotes_prompt_and_negative_prompt_shows_neither() -> None:
    cluster = Cluster().ready()
    said = "a lighthouse at dusk, slow push-in / no watermark please: not allowed"
    cluster.api.lives = [Life.rejected(400, {"code": "invalid_request", "message": said, "data": None})]
    ordered(cluster, object_manifest(negativePrompt="no watermark please"), seconds=60)
    shown = str([cluster.status(), cluster.kube.events, cluster.bucket])
    assert "not allowed" in shown
    assert "watermark" not in shown
    assert "lighthouse at dusk" not in shown


# ---------------------------------------------------------------- the bucket


def test_the_bucket_is_opened_as_the_class_says() -> None:
    cluster = Cluster()
    cluster.stores.buckets["films"] = {}
    cluster.kube.secrets["s3-keys"] = {"accessKeyID": "AKIDFILMS", "secretAccessKey": "sesame"}
    where = {"region": "eu-central-1", "endpoint": "https://s3.test", "prefix": "veo/", "pathStyle": True}
    cluster.ready(storage=bucket(bucket="films", credentials={"secretRef": {"name": "s3-keys"}}, **where))
    ((address, credentials),) = cluster.stores.opened
    assert address == StoreAddress(
        bucket="films", region="eu-central-1", endpoint="https://s3.test", prefix="veo/", path_style=True
    )
    assert credentials is not None
    assert (credentials.access_key_id, credentials.secret_access_key) == ("AKIDFILMS", Secret("sesame"))


def test_a_class_without_credentials_opens_the_bucket_with_the_operators_own_identity() -> None:
    cluster = Cluster().ready()
    assert [credentials for _, credentials in cluster.stores.opened] == [None]


def test_all_keys_begin_with_the_prefix_and_the_url_with_the_public_base() -> None:
    storage = bucket(prefix="rehearsal/", publicBaseURL="https://media.example.net")
    cluster = ordered(Cluster().ready(storage=storage))
    assert all(key.startswith(f"rehearsal/{NAMESPACE}/{NAME}/") for key in cluster.bucket)
    output = cluster.status()["output"]
    assert output["url"] == f"https://media.example.net/rehearsal/{NAMESPACE}/{NAME}/r1/{NAME}.mp4"


def test_a_changed_secret_of_the_bucket_is_noticed_at_once() -> None:
    """A bucket that worked is looked at every five minutes; here a key is withdrawn, and a minute is enough."""
    cluster = Cluster()
    cluster.kube.secrets["s3-keys"] = {"accessKeyID": "AKIDGOOD", "secretAccessKey": "x"}
    cluster.stores.access_keys = {"AKIDGOOD"}
    cluster.ready(storage=bucket(credentials={"secretRef": {"name": "s3-keys"}}))
    with Process(cluster) as process:
        process.run(30)
        assert storage_status(cluster) == "True"
        cluster.kube.secrets["s3-keys"] = {"accessKeyID": "AKIDGONE", "secretAccessKey": "x"}
        process.run(70)
        assert storage_status(cluster) == "False"


# ---------------------------------------------------------------- two classes


@pytest.mark.parametrize(("entry", "shared"), [("token", True), ("second", False)])
def test_classes_share_an_account_by_endpoint_and_key(entry: str, shared: bool) -> None:
    cluster = Cluster()
    cluster.kube.secrets["veo-key"]["second"] = "sk-two"
    cluster.kube.put(class_manifest())
    cluster.kube.put(class_manifest("rehearsal", provider=provider(apiKeySecretRef={"name": "veo-key", "key": entry})))
    run(cluster, 120)
    assert ("shares gateway and key with rehearsal" in ready_message(cluster)) is shared
