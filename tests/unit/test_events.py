"""What people are told once: each Event's type, action, words and class, on the fakes."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from fakes import Effect, Life, tiny_mp4
from fakes.object_store import Thing
from rehearsal import FOLDER, NAME, NAMESPACE, Cluster, Process, object_manifest
from videogen_operator.api.generation import RESOLVE_ANNOTATION
from videogen_operator.errors import StoreReason, StoreTrouble
from videogen_operator.events import EVENTS
from videogen_operator.ports import Answer, Kind

DAYS: Final = 2 * 86400.0
GONE: Final = Answer(status=404, body=b'{"error":{"message":"expired"}}')
NOT_YET: Final = Answer(status=400, body=b'{"error":{"message":"Task is not completed yet"}}')

Play = Callable[[Cluster, Process], None]


def failed(why: str) -> Life:
    body = {"id": "task_0001", "status": "failed", "error": {"message": why}}
    return Life(polls=["queued", Answer(status=200, body=json.dumps(body).encode())])


def wait(seconds: float) -> Play:
    return lambda _, process: (process.run(seconds), None)[1]


def apply_again(cluster: Cluster, process: Process) -> None:
    process.run(20)
    cluster.kube.delete(Kind.GENERATION, NAMESPACE, NAME)
    cluster.kube.put(object_manifest())
    process.run(300)
    cluster.kube.delete(Kind.GENERATION, NAMESPACE, NAME)
    cluster.kube.put(object_manifest())
    process.run(300)
    del cluster.stores.buckets["videos"][f"{FOLDER}{NAME}.mp4"]
    cluster.kube.delete(Kind.GENERATION, NAMESPACE, NAME)
    cluster.kube.put(object_manifest())
    process.run(300)


def say(*answers: str) -> Play:
    """Let it be held, then annotate it, one answer after another."""

    def play(cluster: Cluster, process: Process) -> None:
        process.run(300)
        for answer in answers:
            cluster.kube.annotate(Kind.GENERATION, NAMESPACE, NAME, {RESOLVE_ANNOTATION: answer})
            process.run(300)

    return play


def lose_the_task(cluster: Cluster, process: Process) -> None:
    process.run(30)
    cluster.api.tasks.clear()
    process.run(DAYS)


def lose_the_bucket(cluster: Cluster, process: Process) -> None:
    def away(effect: Effect) -> None:
        if effect.name == "store.create_video":
            raise StoreTrouble(StoreReason.UNAVAILABLE, "503 SlowDown")

    cluster.hooks.before = away
    process.run(1200)


def record_it_late(cluster: Cluster, process: Process) -> None:
    say("r1-a1:resubmit")(cluster, process)
    task = {
        "attempt": "r1-a1",
        "taskID": "task_0001",
        "endpoint": "https://one.test/v1",
        "time": "2026-11-22T10:40:30Z",
    }
    cluster.stores.buckets["videos"][f"{FOLDER}a1.task.json"] = Thing(json.dumps(task).encode(), "application/json")
    process.run(1800)


SCENES: Final[Mapping[str, tuple[Life, Play, Mapping[str, str]]]] = {
    "all goes well": (
        Life(),
        wait(300),
        {"TaskCreated": "class veo, model veo-fast, 0.30 USD", "VideoStored": "billed 0.30 USD"},
    ),
    "applied again": (
        Life(polls=["queued"] * 6 + ["completed"]),
        apply_again,
        {"TaskAdopted": "no new charge", "OutputAdopted": "no new charge", "OutputMissing": "not there any more"},
    ),
    "no answer": (
        Life.lost(),
        say("r1-a1:resubmit"),
        {"SubmissionOutcomeUnknown": "may be billed 0.30 USD", "Resubmitted": "may have been billed 0.30 USD too"},
    ),
    "a wrong answer": (
        Life.lost(),
        say("r1-a1:abandon", "r1-a1:adopt=task_9999"),
        {"Abandoned": "may have been billed 0.30 USD", "AnswerRefused": "does not know task task_9999"},
    ),
    "two tasks": (Life.lost(), record_it_late, {"DuplicateSpend": "possible duplicate of 0.30 USD"}),
    "refused": (Life.rejected(400, {"message": "bad size"}), wait(60), {"RejectedByGateway": "not billed"}),
    "no model": (
        Life.rejected(503, {"error": {"code": "model_not_found", "message": "no channel"}}),
        wait(60),
        {"ModelUnavailable": "not billed"},
    ),
    "policy": (failed("blocked by safety policy"), wait(300), {"ContentPolicyRejected": "not billed"}),
    "failed": (failed("bad thing"), wait(300), {"AttemptsExhausted": "none was billed"}),
    "canceled": (Life(polls=["queued", "canceled"]), wait(300), {"Canceled": "not billed"}),
    "late": (Life(polls=["queued"]), wait(400), {"GenerationOverdue": "never ordered again"}),
    "never done": (Life(polls=["queued"]), wait(DAYS), {"Abandoned": "may have been billed 0.30 USD"}),
    "lost": (
        Life(polls=["queued"]),
        lose_the_task,
        {"TaskNotFound": "is kept", "TaskLost": "may have been billed 0.30 USD"},
    ),
    "no bucket": (Life(), lose_the_bucket, {"StorageUnavailable": "billed 0.30 USD"}),
    "another clip": (
        Life(contents=[tiny_mp4(1280, 720, 8)]),
        wait(300),
        {"OutputMismatch": "asked for 4 s, got 8.0 s"},
    ),
    "expired": (Life(contents=[GONE]), wait(DAYS), {"SourceExpired": "billed 0.30 USD"}),
    "no video": (Life(contents=[NOT_YET]), wait(DAYS), {"CompletedWithoutVideo": "billed 0.30 USD"}),
}


def played(life: Life, play: Play) -> Cluster:
    cluster = Cluster().ready()
    cluster.api.lives = [life]
    cluster.kube.put(object_manifest(retryPolicy={"maxAttempts": 1}))
    with Process(cluster) as process:
        play(cluster, process)
    return cluster


@pytest.mark.parametrize("scene", SCENES)
def test_an_event_says_what_it_must(scene: str) -> None:
    life, play, wanted = SCENES[scene]
    said: dict[str, dict[str, Any]] = {event["reason"]: event for event in played(life, play).kube.events}
    assert {reason: words in said[reason]["note"] for reason, words in wanted.items()} == dict.fromkeys(wanted, True)
    for reason, event in said.items():
        told = EVENTS[reason]
        assert (event["type"] == "Warning", event["action"]) == (told.warning, told.action)
        about_class = event["regarding"]["kind"] == Kind.CLASS.value
        assert event.get("related", event["regarding"])["name"] == "veo", about_class
        assert len(event["note"]) <= 1000


def test_every_event_is_seen_in_one_of_the_scenes() -> None:
    """`GenerationFailed` is a failure without a reason that comes twice: two attempts are allowed for that."""
    seen = {reason for _, _, wanted in SCENES.values() for reason in wanted}
    assert set(EVENTS) - seen == {"GenerationFailed"}


def test_a_failure_without_a_reason_is_told_when_it_came_twice() -> None:
    cluster = Cluster().ready()
    cluster.api.lives = [failed(""), failed("")]
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(900)
    assert cluster.events().count("GenerationFailed") == 1
