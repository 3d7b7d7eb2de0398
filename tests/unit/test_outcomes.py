"""What each answer of the gateway makes of an object and of its class."""

import json
from typing import Any

import pytest

from fakes import Crash, Effect, Life, tiny_mp4
from rehearsal import FOLDER, NAME, NAMESPACE, Cluster, Process, finished, live, object_manifest
from videogen_operator.api.generation import RESOLVE_ANNOTATION
from videogen_operator.errors import KubeTrouble, StoreReason, StoreTrouble
from videogen_operator.ports import Answer, Kind


def after(*lives: Life, seconds: float = 40.0, **spec: Any) -> Cluster:
    """A cluster some seconds after the object was applied, with the gateway behaving as given."""
    cluster = Cluster().ready()
    cluster.api.lives = list(lives)
    cluster.kube.put(object_manifest(**spec))
    with Process(cluster) as process:
        process.run(seconds)
    return cluster


def class_condition(cluster: Cluster, type_: str) -> tuple[str, str]:
    found = next(c for c in cluster.klass()["status"]["conditions"] if c["type"] == type_)
    return found["status"], found["reason"]


def attempts(cluster: Cluster) -> list[tuple[str, str, str | None]]:
    return [(a["id"], a["state"], a.get("billing")) for a in cluster.status()["attempts"]]


# ---------------------------------------------------------------- refused, not billed


def test_a_content_policy_refusal_is_final_and_free() -> None:
    body = {"error": {"message": "prompt violates our content policy", "type": "invalid_request_error"}}
    cluster = after(Life.rejected(400, body))
    assert cluster.status()["phase"] == "Failed"
    assert cluster.condition("Ready")["reason"] == "ContentPolicyRejected"
    assert attempts(cluster) == [("r1-a1", "Rejected", "NotBilled")]
    assert cluster.status()["cost"]["billedUSD"] == "0.00"
    assert cluster.reservations() == []


def test_a_refused_parameter_is_final_and_free() -> None:
    cluster = after(Life.rejected(400, {"code": "invalid_request", "message": "bad size", "data": None}))
    assert cluster.condition("Ready")["reason"] == "RejectedByGateway"
    assert "not billed" in cluster.condition("Ready")["message"]


def test_a_wrong_key_closes_the_class_and_the_object_waits() -> None:
    cluster = Cluster().ready()
    cluster.api.accounts = {"sk-two": "one"}
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(120)
        assert cluster.status()["phase"] == "Queued"
        assert class_condition(cluster, "CredentialsValid") == ("False", "CredentialsRejected")
        assert class_condition(cluster, "Ready")[0] == "False"
        posts = len(cluster.api.posts)
        cluster.kube.secrets["veo-key"] = {"token": "sk-two"}
        assert process.run(600, until=finished(cluster))
    assert posts == 0
    assert cluster.status()["phase"] == "Succeeded"
    assert class_condition(cluster, "CredentialsValid") == ("True", "LastCallAccepted")


def test_a_key_that_turns_bad_costs_one_refused_attempt_and_opens_by_the_free_probe() -> None:
    body = {"error": {"message": "invalid token", "type": "new_api_error", "code": ""}}
    cluster = after(Life.rejected(401, body), seconds=5)
    assert cluster.status()["phase"] == "Queued"
    with Process(cluster) as process:
        assert process.run(600, until=finished(cluster))
    assert len(cluster.api.posts) == 2
    assert attempts(cluster)[0] == ("r1-a1", "Rejected", "NotBilled")


def test_an_empty_balance_closes_the_class_and_opens_by_time() -> None:
    cluster = after(Life.rejected(403, {"code": "insufficient_user_quota", "message": "balance", "data": None}))
    assert class_condition(cluster, "SpendingOpen") == ("False", "InsufficientBalance")
    assert cluster.status()["phase"] == "Queued"
    with Process(cluster) as process:
        assert process.run(1200, until=finished(cluster))
    assert cluster.status()["phase"] == "Succeeded"
    assert class_condition(cluster, "SpendingOpen") == ("True", "BreakerClosed")


def test_a_rate_limit_is_waited_for_as_told() -> None:
    body = {"error": {"message": "slow down", "type": "rate_limit"}}
    cluster = Cluster().ready()
    cluster.api.lives = [Life.rejected(429, body, **{"retry-after": "45"})]
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(40)
        assert len(cluster.api.posts) == 1
        assert cluster.condition("Submitted")["reason"] == "RateLimited"
        assert process.run(600, until=finished(cluster))
    assert len(cluster.api.posts) == 2


def test_a_server_error_is_tried_twice_more_with_the_same_seed() -> None:
    body = {"error": {"message": "INTERNAL", "type": "server_error"}}
    cluster = after(*[Life.rejected(500, body)] * 5, seconds=3000)
    assert len(cluster.api.posts) == 3
    assert len({post.body["metadata"]["seed"] for post in cluster.api.posts}) == 1
    assert cluster.condition("Ready")["reason"] == "RejectedByGateway"
    assert "3 attempts failed, none was billed" in cluster.condition("Ready")["message"]


def test_a_server_error_is_unknown_where_the_class_does_not_say_that_it_is_free() -> None:
    cluster = Cluster()
    provider = {
        "type": "OpenAIVideos",
        "openAIVideos": {"endpoints": ["https://one.test/v1"], "apiKeySecretRef": {"name": "veo-key"}},
    }
    cluster.ready(provider=provider)
    cluster.api.lives = [Life.rejected(500, {"error": {"message": "INTERNAL"}})]
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(60)
    assert cluster.status()["phase"] == "Held"
    assert len(cluster.api.posts) == 1


def test_nothing_sent_goes_to_the_next_endpoint_at_once() -> None:
    cluster = after(Life.not_sent(), seconds=5)
    assert [post.endpoint for post in cluster.api.posts] == ["https://two.test/v1"]
    assert attempts(cluster) == [("r1-a1", "NotSent", "NotBilled"), ("r1-a2", "Submitted", None)]


def test_an_outage_costs_one_attempt_an_endpoint_and_opens_by_the_free_probe() -> None:
    cluster = after(Life.not_sent(), Life.not_sent(), seconds=5)
    assert class_condition(cluster, "SpendingOpen")[1] in {"GatewayUnreachable", "BreakerClosed"}
    with Process(cluster) as process:
        assert process.run(900, until=finished(cluster))
    assert len(cluster.api.posts) == 1
    assert cluster.status()["phase"] == "Succeeded"


def test_a_retired_model_makes_its_objects_wait_and_others_go_on() -> None:
    cluster = Cluster().ready()
    gone = Life.rejected(503, {"error": {"message": "no channel for model", "code": "model_not_found"}})
    cluster.api.lives = [gone]
    cluster.kube.put(object_manifest("old"))
    with Process(cluster) as process:
        process.run(20)
        assert cluster.condition("Submitted", "old")["reason"] == "ModelUnavailable"
        assert class_condition(cluster, "ModelsAvailable") == ("False", "ModelUnavailable")
        cluster.kube.put(object_manifest("new", model="standard"))
        process.look()
        assert process.run(300, until=finished(cluster, "new"))
        posts = len(cluster.api.posts)
        assert process.run(1200, until=finished(cluster, "old"))
    assert posts == 2
    assert cluster.status("old")["phase"] == "Succeeded"


def test_a_403_with_a_good_key_is_about_the_model() -> None:
    body = {"error": {"message": "group not allowed", "type": "new_api_error", "code": ""}}
    cluster = after(Life.rejected(403, body), seconds=20)
    assert class_condition(cluster, "ModelsAvailable") == ("False", "ModelUnavailable")
    assert "group not allowed" in cluster.condition("Ready")["message"]


# ---------------------------------------------------------------- unknown


UNKNOWN = [
    Life.lost(),
    Life.lost(made=False),
    Life(reply=Answer(status=200, body=b"{}")),
    Life(reply=Answer(status=200, body=b"<html>")),
    Life(reply=Answer(status=502, body=b"Bad Gateway"), makes_task=False),
    Life(reply=Answer(status=408, body=b'{"error":{"message":"Timeout"}}')),
]


@pytest.mark.parametrize("life", UNKNOWN)
def test_an_unclear_answer_is_held_and_never_sent_again(life: Life) -> None:
    cluster = after(life, seconds=7200)
    assert cluster.status()["phase"] == "Held"
    assert len(cluster.api.posts) == 1
    assert cluster.status()["cost"] == {"estimatedUSD": "0.00", "billedUSD": "0.00", "possibleUSD": "0.30"}
    assert cluster.condition("Stalled")["reason"] == "SubmissionOutcomeUnknown"
    assert "r1-a1:adopt=<taskID>" in cluster.condition("Ready")["message"]
    assert cluster.events().count("SubmissionOutcomeUnknown") == 1


@pytest.mark.parametrize("answer", ["", "r1-a1:adopt=task_0001", "r1-a1:resubmit", "r1-a1:abandon"])
def test_an_order_in_doubt_stays_in_doubt_when_the_ledger_is_lost(answer: str) -> None:
    """The status knows of it: nothing is sent again by itself, and a person's answer still counts."""
    cluster = after(Life.lost(), seconds=300)
    assert cluster.status()["phase"] == "Held"
    for key in [key for key in cluster.stores.buckets["videos"] if key.startswith(FOLDER)]:
        del cluster.stores.buckets["videos"][key]
    with Process(cluster) as process:
        process.run(1500)
        assert (cluster.status()["phase"], len(cluster.api.posts)) == ("Held", 1)
        assert cluster.status()["cost"]["possibleUSD"] == "0.30"
        assert cluster.reservations() == [f"{NAMESPACE}/{NAME}/r1/a1"]
        if answer:
            cluster.kube.put(object_manifest(annotations={RESOLVE_ANNOTATION: answer}))
            assert process.run(1500, until=finished(cluster))
    ends = {"": "Held", "r1-a1:abandon": "Failed"}
    assert cluster.status()["phase"] == ends.get(answer, "Succeeded")
    assert len(cluster.api.posts) == (2 if answer.endswith("resubmit") else 1)


def test_an_answer_that_names_another_attempt_is_refused_with_the_reason() -> None:
    cluster = after(Life.lost(), seconds=60)
    cluster.kube.put(object_manifest(annotations={"videogen.dev/resolve": "r1-a7:resubmit"}))
    with Process(cluster) as process:
        process.run(1000)
    assert len(cluster.api.posts) == 1
    assert "it names r1-a7" in cluster.condition("Ready")["message"]


def test_a_task_that_the_gateway_does_not_know_is_not_adopted() -> None:
    cluster = after(Life.lost(made=False), seconds=60)
    cluster.kube.put(object_manifest(annotations={"videogen.dev/resolve": "r1-a1:adopt=task_9"}))
    with Process(cluster) as process:
        process.run(1000)
    assert cluster.status()["phase"] == "Held"
    assert "does not know task task_9" in cluster.condition("Ready")["message"]


def test_a_raised_revision_starts_anew_beside_a_held_attempt() -> None:
    cluster = after(Life.lost(), seconds=60)
    cluster.kube.put(object_manifest(revision=2))
    with Process(cluster) as process:
        assert process.run(1200, until=finished(cluster))
    assert cluster.status()["phase"] == "Succeeded"
    assert cluster.status()["cost"] == {"estimatedUSD": "0.30", "billedUSD": "0.30", "possibleUSD": "0.30"}


# ---------------------------------------------------------------- failed tasks


def failing(reason: str = "", words: int = 9) -> Life:
    body: dict[str, object] = {"id": "task", "status": "failed"}
    if reason:
        body["error"] = {"message": reason}
    failed = Answer(status=200, body=json.dumps(body).encode())
    return Life(polls=["queued", *[failed] * words])


def test_failed_is_believed_when_said_twice() -> None:
    false = Answer(status=200, body=b'{"id":"task","status":"failed"}')
    cluster = after(Life(polls=["queued", false, "completed"]), seconds=900)
    assert cluster.status()["phase"] == "Succeeded"
    assert len(cluster.api.posts) == 1


def test_a_policy_failure_is_final_and_free() -> None:
    cluster = after(failing("blocked by safety policy"), seconds=900)
    assert cluster.condition("Ready")["reason"] == "ContentPolicyRejected"
    assert cluster.condition("Generated")["status"] == "False"
    assert cluster.status()["cost"]["billedUSD"] == "0.00"


def test_a_capacity_failure_is_tried_again_with_the_same_seed() -> None:
    cluster = after(failing("high load, try again later"), seconds=1800)
    assert cluster.status()["phase"] == "Succeeded"
    assert len(cluster.api.posts) == 2
    assert len({post.body["metadata"]["seed"] for post in cluster.api.posts}) == 1
    assert [a[1] for a in attempts(cluster)] == ["Failed", "Completed"]


def test_a_failure_without_a_reason_is_tried_once_more() -> None:
    cluster = after(failing(), failing(), failing(), seconds=3600)
    assert len(cluster.api.posts) == 2
    assert cluster.condition("Ready")["reason"] == "GenerationFailed"


def test_max_attempts_bounds_the_retries() -> None:
    lives = [failing("high load, try again later")] * 9
    cluster = after(*lives, seconds=7200, retryPolicy={"maxAttempts": 2})
    assert len(cluster.api.posts) == 2
    assert cluster.condition("Ready")["reason"] == "AttemptsExhausted"


def test_an_overdue_task_is_flagged_and_kept() -> None:
    cluster = after(Life(polls=["queued"] * 500), seconds=3000)
    assert cluster.condition("Generated")["reason"] == "GenerationOverdue"
    assert len(cluster.api.posts) == 1
    assert cluster.events().count("GenerationOverdue") == 1
    assert len(cluster.reservations()) == 1


def test_a_task_is_given_up_only_after_the_deadline_and_an_hour_of_clear_answers() -> None:
    cluster = after(Life(polls=["queued"]), seconds=86400)
    assert cluster.status()["phase"] == "Generating"
    with Process(cluster) as process:
        assert process.run(2 * 3600, until=finished(cluster))
        process.run(30)
    assert cluster.condition("Ready")["reason"] == "Abandoned"
    assert cluster.status()["cost"]["possibleUSD"] == "0.30"
    assert len(cluster.api.posts) == 1
    assert cluster.reservations() == []


def test_a_key_of_another_account_sees_no_task_and_the_task_is_kept() -> None:
    cluster = Cluster().ready()
    cluster.api.accounts = {"sk-one": "a", "sk-two": "b"}
    cluster.api.lives = [Life(polls=["queued"] * 12 + ["completed"])]
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(30)
        cluster.kube.secrets["veo-key"] = {"token": "sk-two"}
        process.run(400)
        assert cluster.condition("Generated")["reason"] == "TaskNotFound"
        cluster.kube.secrets["veo-key"] = {"token": "sk-one"}
        assert process.run(1200, until=finished(cluster))
    assert cluster.status()["phase"] == "Succeeded"
    assert len(cluster.api.posts) == 1


def test_a_task_that_is_lost_is_not_given_up_if_its_video_is_stored() -> None:
    """A process dies between the video and `result.json`, and the gateway forgets the task."""
    cluster = Cluster().ready()
    cluster.kube.put(object_manifest())

    def dies(effect: Effect) -> None:
        if effect.name == "store.create_video":
            raise Crash

    cluster.hooks.after = dies
    live(cluster)
    cluster.hooks.after = lambda _: None
    cluster.api.tasks.clear()
    with Process(cluster) as process:
        process.run(2 * 86400)
    assert cluster.status()["phase"] == "Succeeded"
    assert f"{FOLDER}result.json" in cluster.bucket
    assert cluster.status()["cost"]["billedUSD"] == "0.30"


def test_a_task_is_not_given_up_while_the_bucket_cannot_be_asked() -> None:
    cluster = Cluster().ready()
    cluster.kube.put(object_manifest())

    def away(effect: Effect) -> None:
        if effect.name == "store.head":
            raise StoreTrouble(StoreReason.UNAVAILABLE, "503 SlowDown")

    with Process(cluster) as process:
        process.run(30)
        cluster.api.tasks.clear()
        cluster.hooks.before = away
        process.run(2 * 86400)
        assert cluster.condition("Finished")["status"] == "False"
        cluster.hooks.before = lambda _: None
        assert process.run(7200, until=finished(cluster))
    assert cluster.condition("Ready")["reason"] == "TaskLost"


# ---------------------------------------------------------------- content


def test_content_that_is_late_is_retried() -> None:
    late = Answer(status=400, body=b'{"error":{"message":"Task is not completed yet"}}')
    cluster = after(Life(contents=[late] * 4 + [None]), seconds=600)
    assert cluster.status()["phase"] == "Succeeded"


def test_a_slow_copy_is_shown_as_storing_with_one_extra_write() -> None:
    late = Answer(status=400, body=b'{"error":{"message":"Task is not completed yet"}}')
    cluster = Cluster().ready()
    cluster.api.lives = [Life(contents=[late] * 11 + [None])]
    cluster.kube.put(object_manifest())
    phases = []
    with Process(cluster) as process:
        for _ in range(90):
            process.run(10)
            phases.append(cluster.status()["phase"])
    assert "Storing" in phases
    assert phases[-1] == "Succeeded"
    assert cluster.patches(Kind.GENERATION) == 4


@pytest.mark.parametrize("way", ["video_api.download", "store.create_video"])
def test_a_copy_that_takes_long_is_shown_while_it_goes_on_and_as_billed(way: str) -> None:
    cluster = Cluster().ready()
    cluster.kube.put(object_manifest())
    meanwhile: list[dict[str, Any]] = []

    def takes_long(effect: Effect) -> None:
        if effect.name == way:
            cluster.clock.passed += 40
        if effect.name == "store.create" and effect.target.endswith("result.json"):
            meanwhile.append(cluster.status())

    cluster.hooks.before = takes_long
    with Process(cluster) as process:
        assert process.run(600, until=finished(cluster))
    (shown,) = meanwhile
    ready = next(c for c in shown["conditions"] if c["type"] == "Ready")
    assert (shown["phase"], shown["cost"]["billedUSD"]) == ("Storing", "0.30")
    assert "completed, billed 0.30 USD" in ready["message"]
    assert cluster.status()["cost"] == {"estimatedUSD": "0.30", "billedUSD": "0.30", "possibleUSD": "0.00"}
    assert cluster.patches(Kind.GENERATION) == 4


@pytest.mark.parametrize("end", ["stays", "is deleted", "is made anew"])
def test_a_slow_copy_does_not_wait_for_the_api_server(end: str) -> None:
    """It is shown once; what cannot be shown holds up no paid bytes, and an object that goes leaves no file behind."""
    cluster = Cluster().ready()
    cluster.api.lives = [Life(contents=[None])]
    cluster.kube.put(object_manifest())
    during: list[str] = []

    def hook(effect: Effect) -> None:
        if effect.name == "video_api.download":
            during.append("download")
            cluster.clock.passed += 40
            if end != "stays":
                cluster.kube.delete(Kind.GENERATION, NAMESPACE, NAME)
            if end == "is made anew":
                cluster.kube.put(object_manifest())
        elif effect.name == "store.create_video":
            during.append("upload")
            if during.count("upload") == 1:
                raise StoreTrouble(StoreReason.UNAVAILABLE, "503 SlowDown")
        elif effect.name == "kube.patch_status" and NAME in effect.target and during and len(during) < 5:
            during.append("patch")
            if end == "stays":
                cluster.clock.passed += 20
                raise KubeTrouble("time-out")

    cluster.hooks.before = hook
    with Process(cluster) as process:
        process.run(1800)
        assert process.temporary_files == []
    assert during[: during.index("upload") + 1] == ["download", "patch", "upload"]
    assert f"{FOLDER}result.json" in cluster.bucket
    assert len(cluster.api.posts) == 1


def test_a_bucket_that_stays_away_is_warned_of_once_after_five_minutes_and_costs_nothing_more() -> None:
    cluster = Cluster().ready()
    cluster.kube.put(object_manifest())

    def no_video_is_taken(effect: Effect) -> None:
        if effect.name == "store.create_video":
            raise StoreTrouble(StoreReason.UNAVAILABLE, "503 SlowDown")

    cluster.hooks.before = no_video_is_taken
    with Process(cluster) as process:
        assert process.run(200, until=lambda: cluster.status().get("phase") == "Storing")
        process.run(300 - 30 - 5)
        assert "StorageUnavailable" not in cluster.events()
        process.run(10)
        assert cluster.events().count("StorageUnavailable") == 1
        process.run(3600)
        assert cluster.condition("Ready")["reason"] == "StorageUnavailable"
        cluster.hooks.before = lambda _: None
        assert process.run(300, until=finished(cluster))
    assert cluster.events() == ["TaskCreated", "StorageUnavailable", "VideoStored"]
    assert cluster.patches(Kind.GENERATION) == 4
    assert len(cluster.api.posts) == 1


def test_a_bucket_that_is_back_in_time_is_no_warning() -> None:
    cluster = Cluster().ready()
    cluster.kube.put(object_manifest())
    down_until = 350.0

    def away(effect: Effect) -> None:
        if effect.name == "store.create_video" and cluster.clock.passed < down_until:
            raise StoreTrouble(StoreReason.UNAVAILABLE, "503 SlowDown")

    cluster.hooks.before = away
    with Process(cluster) as process:
        assert process.run(600, until=finished(cluster))
    assert cluster.events() == ["TaskCreated", "VideoStored"]


def test_json_under_a_200_is_never_stored() -> None:
    cluster = after(Life(contents=[b'{"error": "not yet"}'] * 3 + [None]), seconds=900)
    assert cluster.status()["phase"] == "Succeeded"
    assert cluster.bucket[f"{FOLDER}{NAME}.mp4"][4:8] == b"ftyp"


def test_a_clip_of_another_length_is_stored_and_reported() -> None:
    cluster = after(Life(contents=[tiny_mp4(1280, 720, 8)]), seconds=900)
    assert cluster.status()["phase"] == "Succeeded"
    assert cluster.condition("Stored")["reason"] == "OutputMismatch"
    assert "asked for 4 s, got 8.0 s" in cluster.condition("Stored")["message"]
    assert "OutputMismatch" in cluster.events()


def test_expired_content_ends_billed_and_is_never_bought_again() -> None:
    gone = Answer(status=404, body=b'{"error":{"message":"expired"}}')
    cluster = after(Life(contents=[gone]), seconds=86400 + 3 * 3600)
    assert cluster.condition("Ready")["reason"] == "SourceExpired"
    assert cluster.status()["cost"]["billedUSD"] == "0.30"
    assert len(cluster.api.posts) == 1


def test_a_video_larger_than_allowed_waits_for_the_administrator() -> None:
    cluster = Cluster()
    cluster.ready(limits={"maxOutputBytes": 1048576})
    cluster.api.lives = [Life(contents=[b"\0" * 2_000_000])]
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(900)
    assert cluster.condition("Stored")["reason"] == "OutputTooLarge"
    assert cluster.status()["phase"] == "Storing"
