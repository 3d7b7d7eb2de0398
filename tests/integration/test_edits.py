"""What is ordered survives what people change: the class, its key, the revision, suspend, and a prune."""

import hashlib

import pytest

from integration.harness import Site, make_site
from integration.lifecycle import (  # only_own_classes is a fixture
    UNTIL_TOLD,
    assert_bought_once,
    change_class,
    complete_and_store,
    only_own_classes,  # noqa: F401
    reapply,
    rotate_key,
    until,
)
from servers.control_plane import ControlPlaneError

pytestmark = pytest.mark.usefixtures("operator", "only_own_classes")


# ---------------------------------------------------------------- an edited class


def test_a_changed_default_of_the_class_is_another_request_for_an_object_made_again(site: Site) -> None:
    site.order(tier=None, durationSeconds=None)
    assert site.stored()["resolved"]["tier"] == "1080p"
    change_class(site, lambda spec: spec["defaults"].update(tier="720p"))
    reapply(site, tier=None, durationSeconds=None)
    site.wait_reason("RequestChanged", "Accepted")
    assert_bought_once(site)


def test_a_changed_default_disturbs_nothing_that_was_ordered(site: Site) -> None:
    site.order(tier=None, durationSeconds=None, prompt=UNTIL_TOLD)
    site.wait_phase("Generating")
    change_class(site, lambda spec: spec["defaults"].update(tier="720p"))
    found = complete_and_store(site)
    assert found["output"]["heightPixels"] == 1080
    assert_bought_once(site)


@pytest.mark.parametrize("field", ["bucket", "endpoint", "prefix"])
def test_where_the_ledger_lies_cannot_be_edited(site: Site, field: str) -> None:
    edited = {"bucket": "elsewhere", "endpoint": "http://127.0.0.1:9", "prefix": "elsewhere/"}[field]
    with pytest.raises(ControlPlaneError, match="the ledger of paid work lies there"):
        change_class(site, lambda spec: spec["storage"]["s3"].update({field: edited}))


def test_the_same_manifest_under_another_class_is_refused(site: Site) -> None:
    """A second class with the same bucket and prefix: what the first one bought is not bought again."""
    site.order()
    site.stored()
    other = make_site(site.stack, bucket=site.bucket, prefix=site.prefix)
    reapply(site, classRef={"name": other.class_name})
    site.wait_reason("LedgerConflict", "Accepted")
    assert_bought_once(site)
    assert other.posts() == []


# ---------------------------------------------------------------- a rotated key


def test_a_key_of_an_account_that_knows_no_task_loses_nothing(site: Site) -> None:
    site.stack.simulator.add_key("key-of-a-stranger", "stranger")
    site.order(prompt=UNTIL_TOLD)
    site.wait_phase("Generating")
    rotate_key(site, "key-of-a-stranger")
    site.wait_reason("TaskNotFound", "Generated")
    assert [post["account"] for post in site.stack.simulator.ledger(account="stranger")["posts"]] == []
    rotate_key(site, f"key-{site.class_name}")
    complete_and_store(site)
    assert_bought_once(site)


# ---------------------------------------------------------------- a prune


def test_a_pruned_object_whose_task_runs_still_lands_in_the_bucket(site: Site) -> None:
    site.order(prompt=UNTIL_TOLD)
    site.wait_phase("Generating")
    site.delete()
    site.stack.simulator.complete(site.only_task()["id"])
    until(site.stack, lambda: f"{site.folder()}result.json" in set(site.keys()), "the video of the pruned object")
    assert hashlib.sha256(site.video()).hexdigest() == site.only_task()["content_sha256"]
    assert_bought_once(site)
    site.stack.wait_class(site.class_name, lambda found: not found["status"].get("reservations"))


def test_a_video_deleted_by_hand_is_said_and_not_bought_again(site: Site) -> None:
    site.order()
    site.stored()
    site.stack.s3.client().delete_object(Bucket=site.bucket, Key=f"{site.folder()}clip.mp4")
    reapply(site)
    site.wait_reason("OutputMissing")
    assert_bought_once(site)


# ---------------------------------------------------------------- suspended


def test_what_is_suspended_is_not_sent_until_it_is_resumed(site: Site) -> None:
    site.order("held", suspend=True)
    site.wait_phase("Suspended", name="held")
    site.order("other")
    site.stored("other")
    assert len(site.posts()) == 1
    site.order("held", suspend=False)
    site.stored("held")
    assert len(site.posts()) == 2


def test_what_was_sent_is_stored_though_it_is_suspended(site: Site) -> None:
    site.order(prompt=UNTIL_TOLD)
    site.wait_phase("Generating")
    site.order(prompt=UNTIL_TOLD, suspend=True)
    complete_and_store(site)
    assert_bought_once(site)


# ---------------------------------------------------------------- revisions


def test_an_edit_without_a_raised_revision_is_refused_by_the_api_server(site: Site) -> None:
    site.order(prompt=UNTIL_TOLD)
    site.wait_phase("Generating")
    with pytest.raises(ControlPlaneError, match=r"raise spec\.revision"):
        site.order(prompt="a harbour at noon")


def test_a_revision_raised_in_flight_waits_for_the_first_video(site: Site) -> None:
    """Both are stored and both are paid, the first one is in the history."""
    site.order(prompt=UNTIL_TOLD)
    site.wait_phase("Generating")
    site.order(prompt="a harbour at noon", revision=2)
    site.wait(lambda found: found["status"]["observedGeneration"] == 2)
    assert len(site.posts()) == 1
    site.stack.simulator.complete(site.only_task()["id"])
    found = site.stored()
    assert [task["billed"] for task in site.tasks()] == [0.3, 0.3]
    assert [past["revision"] for past in found["history"]] == [1]
    assert {f"{site.folder(revision=number)}clip.mp4" for number in (1, 2)} <= set(site.keys())
    assert found["cost"]["billedUSD"] == "0.60"


def test_a_revision_raised_afterwards_keeps_the_first_video(site: Site) -> None:
    site.order()
    first = site.stored()
    site.order(revision=2)
    found = site.stored()
    assert [task["billed"] for task in site.tasks()] == [0.3, 0.3]
    assert [past["sha256"] for past in found["history"]] == [first["output"]["sha256"]]
    assert {f"{site.folder(revision=number)}clip.mp4" for number in (1, 2)} <= set(site.keys())
