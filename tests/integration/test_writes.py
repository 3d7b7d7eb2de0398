"""What the operator asks of the API server for a video, and with what rights: counted in the audit log."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from integration.harness import Site, condition, make_site
from podrunner import rights
from podrunner.pod import Pod
from stack import Object, Stack

pytestmark = pytest.mark.usefixtures("operator")

VIDEOS = 50
AT_ONCE = 10  # so few that each one's first visit finds a free permit
QUIET_SECONDS = 20.0
WRITES = ("create", "update", "patch", "delete", "deletecollection")

Right = tuple[str, str, str]


def writes(events: Sequence[Object], user: str) -> Sequence[Object]:
    """The requests of a user that change something."""
    return [one for one in events if one["user"]["username"] == user and one["verb"] in WRITES]


def resource(event: Mapping[str, Any]) -> str:
    """Such as `videogenerations/status`."""
    about = event["objectRef"]
    return "/".join(filter(None, (about["resource"], about.get("subresource"))))


def per_object(events: Sequence[Object], namespace: str) -> Counter[str]:
    """How many of these writes went to each VideoGeneration of a namespace."""
    return Counter(
        one["objectRef"]["name"]
        for one in events
        if one["objectRef"]["resource"] == "videogenerations" and one["objectRef"].get("namespace") == namespace
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Fifty videos, each submitted at once, and what was written meanwhile."""

    site: Site
    names: Sequence[str]
    written: Sequence[Object]


@pytest.fixture(scope="module")
def run(stack: Stack, session_pod: Pod) -> Iterator[Run]:
    """Ordered ten at a time, so that none has to wait in the queue."""
    if session_pod.exit_code() is not None:
        session_pod.start()
    session_pod.wait_ready()
    stack.simulator.change(max_open=2 * VIDEOS)
    site = make_site(stack, {"limits": {"submitConcurrency": 32, "maxInFlight": 100}})
    stack.wait_class(site.class_name, lambda found: condition(found, "Ready").get("status") == "True")
    begun = len(stack.audit())
    names = [f"video-{number:02}" for number in range(VIDEOS)]
    for first in range(0, VIDEOS, AT_ONCE):
        batch = names[first : first + AT_ONCE]
        stack.apply(*(site.manifest(name) for name in batch))
        for name in batch:
            site.wait(lambda found: found.get("status", {}).get("taskID"), name)
    for name in names:
        site.stored(name)
    stack.wait_class(site.class_name, lambda found: not found["status"].get("reservations"))
    yield Run(site=site, names=names, written=writes(stack.audit()[begun:], stack.release.user))
    stack.simulator.change(max_open=10)


def test_each_video_that_is_submitted_at_once_takes_three_writes(
    run: Run, record_property: Callable[[str, object], None]
) -> None:
    """Intent, task, result. The sum over everything that is written is shown beside it at the end of the tests."""
    counted = per_object(run.written, run.site.namespace)
    spread = ", ".join(f"{objects} x {count}" for count, objects in sorted(Counter(counted.values()).items()))
    sums = ", ".join(f"{count} {name}" for name, count in sorted(Counter(map(resource, run.written)).items()))
    record_property("writes to each of the videos", spread)
    record_property("all API writes of a video", f"{len(run.written) / VIDEOS:.2f} ({sums})")
    assert counted == dict.fromkeys(run.names, 3)
    assert len(run.site.posts()) == VIDEOS


def test_all_writes_to_objects_are_patches_of_their_status(run: Run) -> None:
    about = {(one["verb"], resource(one)) for one in run.written if one["objectRef"]["resource"] == "videogenerations"}
    assert about == {("patch", "videogenerations/status")}


def test_nothing_but_statuses_and_events_is_written(run: Run) -> None:
    assert {resource(one) for one in run.written} == {
        "videogenerations/status",
        "videogenerationclasses/status",
        "events",
    }


def test_a_video_has_two_events(run: Run) -> None:
    reasons = {name: [one["reason"] for one in run.site.stack.events(run.site.namespace, name)] for name in run.names}
    assert reasons == {name: ["TaskCreated", "VideoStored"] for name in run.names}


def test_the_metadata_is_the_users_alone(run: Run) -> None:
    """No finalizer, no annotation or label but kubectl's own, and no manager of anything but the status."""
    for found in run.site.stack.list(run.site.namespace):
        metadata = found["metadata"]
        assert "finalizers" not in metadata
        assert set(metadata.get("annotations", {})) == {"kubectl.kubernetes.io/last-applied-configuration"}
        assert "labels" not in metadata
        ours = [one for one in metadata["managedFields"] if not one["manager"].startswith("kubectl")]
        assert {one.get("subresource") for one in ours} == {"status"}


def test_a_finished_object_causes_no_write(run: Run) -> None:
    """Fifty of them, for twenty seconds. Nothing can be awaited here: that it stays quiet is the point."""
    stack = run.site.stack
    begun = len(stack.audit())
    time.sleep(QUIET_SECONDS)
    later = writes(stack.audit()[begun:], stack.release.user)
    assert per_object(later, run.site.namespace) == {}
    assert [one for one in later if one["objectRef"].get("name") == run.site.class_name] == []


def test_a_video_that_had_to_queue_takes_four_writes(stack: Stack) -> None:
    site = make_site(stack, {"limits": {"submitConcurrency": 1, "maxInFlight": 2}})
    begun = len(stack.audit())
    names = [f"queued-{number}" for number in range(8)]
    stack.apply(*(site.manifest(name) for name in names))
    for name in names:
        site.stored(name)
    counted = per_object(writes(stack.audit()[begun:], stack.release.user), site.namespace)
    assert set(counted) == set(names)
    assert max(counted.values()) == 4


# ---------------------------------------------------------------- rights


@pytest.fixture
def everything_asked(run: Run, stack: Stack) -> Run:
    """The run, and beside it a class that asks for the labels of a namespace."""
    site = make_site(stack)
    labels = {"kubernetes.io/metadata.name": site.namespace}
    change = {"spec": {"allowedNamespaces": {"from": "Selector", "selector": {"matchLabels": labels}}}}
    stack.plane.kubectl("patch", "vgclass", site.class_name, "--type=merge", "--patch", json.dumps(change))
    site.order()
    site.stored()
    return run


def granted(stack: Stack) -> set[Right]:
    """What is bound to the operator's ServiceAccount, wherever."""
    held = rights.granted(stack.plane.client, stack.release.account)
    return {(one.group, one.resource, one.verb) for one in held}


def used(stack: Stack) -> set[Right]:
    """What the operator asked for, by the audit log of the whole session; kubectl is another test with its token."""
    said = stack.audit(stack.release.user)
    asked = [one for one in said if "objectRef" in one and not one.get("userAgent", "").startswith("kubectl/")]
    return {(one["objectRef"].get("apiGroup", "core"), resource(one), one["verb"]) for one in asked}


def test_nothing_is_asked_for_without_the_right(everything_asked: Run, stack: Stack) -> None:
    refused = [one for one in stack.audit(stack.release.user) if one["responseStatus"]["code"] in {401, 403}]
    assert refused == []
    assert used(stack) - granted(stack) == set()


def test_no_right_is_granted_without_need(everything_asked: Run, stack: Stack) -> None:
    assert granted(stack) - used(stack) == set()
