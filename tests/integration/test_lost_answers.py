"""A POST whose answer was lost: nothing is sent again until a person says so."""

import pytest

from integration.harness import Site, condition
from integration.lifecycle import (  # only_own_classes is a fixture
    LOST_ANSWER,
    answer,
    assert_bought_once,
    only_own_classes,  # noqa: F401
)

pytestmark = pytest.mark.usefixtures("operator", "only_own_classes")


# ---------------------------------------------------------------- a lost answer


def test_a_lost_answer_is_held_and_nothing_is_sent_again(site: Site) -> None:
    site.order(prompt=LOST_ANSWER)
    found = site.wait_phase("Held")
    assert found["status"]["cost"]["possibleUSD"] == "0.30"
    assert "r1-a1:adopt=<taskID>" in condition(found, "Ready")["message"]
    assert len(site.posts()) == 1


def test_a_lost_answer_is_adopted_by_the_task_from_the_console(site: Site) -> None:
    site.order(prompt=LOST_ANSWER)
    site.wait_phase("Held")
    answer(site, f"r1-a1:adopt={site.only_task()['id']}")
    found = site.stored()
    assert found["cost"] == {"estimatedUSD": "0.30", "billedUSD": "0.30", "possibleUSD": "0.00"}
    assert_bought_once(site)


def test_a_task_that_does_not_exist_cannot_be_adopted(site: Site) -> None:
    site.order(prompt=LOST_ANSWER)
    site.wait_phase("Held")
    answer(site, "r1-a1:adopt=task_of_nobody")
    site.wait(lambda found: "does not know task task_of_nobody" in condition(found, "Ready")["message"])
    assert len(site.posts()) == 1


def test_a_lost_answer_is_sent_again_only_by_a_person(site: Site) -> None:
    site.order(prompt=LOST_ANSWER)
    site.wait_phase("Held")
    answer(site, "r1-a1:resubmit")
    found = site.stored()
    assert len(site.posts()) == 2
    assert found["cost"]["possibleUSD"] == "0.30"
    assert found["taskID"] == site.tasks()[1]["id"]


def test_a_lost_answer_is_given_up_only_by_a_person(site: Site) -> None:
    site.order(prompt=LOST_ANSWER)
    site.wait_phase("Held")
    answer(site, "r1-a1:abandon")
    found = site.wait_phase("Failed")
    assert condition(found, "Ready")["reason"] == "Abandoned"
    assert found["status"]["cost"]["possibleUSD"] == "0.30"
    assert len(site.posts()) == 1
