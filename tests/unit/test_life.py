"""A video's normal life, and what every promise says about it: counted on the fakes, on a virtual clock."""

import json
import logging

import pytest

from rehearsal import FOLDER, NAME, NAMESPACE, Cluster, Process, finished, object_manifest
from videogen_operator.ports import Kind


def stored(cluster: Cluster) -> None:
    """Apply the object and run until it is done."""
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        assert process.run(until=finished(cluster)), cluster.status()
        process.run(seconds=60)
        assert process.temporary_files == []


def test_a_manifest_becomes_one_stored_video() -> None:
    cluster = Cluster().ready()
    stored(cluster)
    status = cluster.status()
    assert status["phase"] == "Succeeded"
    assert status["taskID"] == "task_0001"
    assert status["cost"] == {"estimatedUSD": "0.30", "billedUSD": "0.30", "possibleUSD": "0.00"}
    assert status["output"]["uri"] == f"s3://videos/{FOLDER}{NAME}.mp4"
    assert len(cluster.api.posts) == 1


def test_a_video_submitted_at_once_costs_three_writes_and_two_events() -> None:
    cluster = Cluster().ready()
    stored(cluster)
    assert cluster.patches(Kind.GENERATION) == 3
    assert cluster.events() == ["TaskCreated", "VideoStored"]


def test_the_folder_explains_itself() -> None:
    cluster = Cluster().ready()
    stored(cluster)
    assert sorted(cluster.bucket) == [
        f"{FOLDER}a1.intent.json", f"{FOLDER}a1.task.json", f"{FOLDER}{NAME}.mp4", f"{FOLDER}result.json",
    ]  # fmt: skip
    result = json.loads(cluster.bucket[f"{FOLDER}result.json"])
    assert result["output"]["sizeBytes"] == len(cluster.bucket[f"{FOLDER}{NAME}.mp4"])


def test_the_slot_is_free_again() -> None:
    cluster = Cluster().ready()
    stored(cluster)
    assert cluster.reservations() == []


# ---------------------------------------------------------------- what is logged


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, ...]]:
    """Each line so far, with the fields that lead to everything else."""
    return [
        (line.getMessage(), *(str(vars(line).get(name, "-")) for name in ("object", "attempt", "task_id")))
        for line in caplog.records
    ]


LIFE = [
    ("now Submitting", f"{NAMESPACE}/{NAME}", "r1-a1", "-"),
    ("task created", f"{NAMESPACE}/{NAME}", "r1-a1", "task_0001"),
    ("now Generating", f"{NAMESPACE}/{NAME}", "r1-a1", "task_0001"),
    ("video stored", "-", f"{NAMESPACE}/{NAME}/r1/a1", "task_0001"),
    ("now Succeeded", f"{NAMESPACE}/{NAME}", "r1-a1", "task_0001"),
]


def test_each_change_is_logged_once_with_what_leads_to_it(caplog: pytest.LogCaptureFixture) -> None:
    """A minute at rest says nothing."""
    cluster = Cluster().ready()
    with caplog.at_level(logging.INFO):
        stored(cluster)
    assert told(caplog) == LIFE


def test_a_restart_in_mid_flight_repeats_no_line(caplog: pytest.LogCaptureFixture) -> None:
    cluster = Cluster().ready()
    with caplog.at_level(logging.INFO):
        cluster.kube.put(object_manifest())
        with Process(cluster) as process:
            process.run(seconds=20)
        with Process(cluster, writer="operator-b") as process:
            assert process.run(until=finished(cluster))
        with Process(cluster, writer="operator-c") as process:
            process.run(seconds=60)
    assert told(caplog) == LIFE
