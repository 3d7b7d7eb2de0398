"""What was ordered once is never paid again, however often its object is made anew or loses its status.

The count of POSTs and the bill are the simulator's; what is stored is what lies in the bucket.
"""

from collections.abc import Callable, Iterator

import pytest

from integration.harness import Site, condition, make_class, posts_of, site_without_class
from integration.lifecycle import (  # only_own_classes is a fixture
    LOST_ANSWER,
    REFUSED,
    UNTIL_TOLD,
    another_operator,
    answer,
    assert_bought_once,
    change_class,
    complete_and_store,
    only_own_classes,  # noqa: F401
    reapply,
    until,
    wipe_status,
)
from podrunner.pod import Pod
from stack import Stack

pytestmark = pytest.mark.usefixtures("operator", "only_own_classes")


# ---------------------------------------------------------------- deleted and applied again


def test_before_its_class_is_there(site: Site) -> None:
    """Another class, the one of `site`, is not asked in its stead."""
    early = site_without_class(site.stack)
    prompt = f"a kite over dunes, {early.namespace}"
    early.order(prompt=prompt)
    early.wait_phase("Pending")
    reapply(early, prompt=prompt)
    early.wait_phase("Pending")
    assert posts_of(site.stack, prompt) == []
    make_class(early)
    early.stored()
    assert_bought_once(early)


def test_while_it_is_suspended(site: Site) -> None:
    site.order(suspend=True)
    site.wait_phase("Suspended")
    reapply(site, suspend=True)
    site.wait_phase("Suspended")
    assert site.posts() == []
    site.order(suspend=False)
    site.stored()
    assert_bought_once(site)


def test_in_queue(new_site: Callable[..., Site]) -> None:
    """The slot is taken by another; the second one's place in the queue is free, and so is losing it."""
    site = new_site({"limits": {"submitConcurrency": 1, "maxInFlight": 1}})
    site.order("first", prompt=UNTIL_TOLD)
    site.wait_phase("Generating", name="first")
    site.order("second")
    site.wait_phase("Queued", name="second")
    reapply(site, "second")
    site.wait_phase("Queued", name="second")
    assert len(site.posts()) == 1
    site.stack.simulator.complete(site.only_task()["id"])
    site.stored("second")
    assert [task["billed"] for task in site.tasks()] == [0.3, 0.3]


def test_while_the_post_is_held_open_for_10_seconds(site: Site) -> None:
    """The new object has another UID; the answer that comes later is its own."""
    prompt = "a kite over dunes [[sim:slow-answer seconds=10]]"
    site.order(prompt=prompt)
    until(site.stack, site.posts, "the POST")
    before, after = reapply(site, prompt=prompt)
    assert before != after
    assert site.posts()[0]["outcome"] is None  # still held
    found = site.stored()
    assert found["taskID"] == site.only_task()["id"]
    assert_bought_once(site)


def test_while_the_task_runs(site: Site) -> None:
    site.order(prompt=UNTIL_TOLD)
    site.wait_phase("Generating")
    reapply(site, prompt=UNTIL_TOLD)
    site.wait_reason("TaskAdopted", "Submitted")
    complete_and_store(site)
    assert_bought_once(site)


def test_while_the_video_is_copied(site: Site) -> None:
    prompt = "a kite over dunes [[sim:content-slow rate=2000]]"
    site.order(prompt=prompt)
    until(site.stack, lambda: site.tasks() and site.only_task()["downloads"], "the download")
    reapply(site, prompt=prompt)
    site.stored()
    assert_bought_once(site)


def test_when_the_video_is_stored(site: Site) -> None:
    site.order()
    first = site.stored()
    reapply(site)
    again = site.stored()
    assert again["output"] == first["output"]
    assert_bought_once(site)
    assert [one["http"] for one in site.only_task()["downloads"]].count("200") == 1


def test_when_the_gateway_had_refused_it(site: Site) -> None:
    """Nothing was made, so it may be asked again: another refusal, and still no bill."""
    site.order(prompt=REFUSED)
    site.wait_phase("Failed")
    reapply(site, prompt=REFUSED)
    site.wait_phase("Failed")
    assert [post["outcome"] for post in site.posts()] == ["400", "400"]
    assert site.tasks() == []


def test_when_it_was_given_up_by_a_person(site: Site) -> None:
    """The answer stays in the ledger: never a POST again under this revision."""
    site.order(prompt=LOST_ANSWER)
    site.wait_phase("Held")
    answer(site, "r1-a1:abandon")
    site.wait_phase("Failed")
    reapply(site, prompt=LOST_ANSWER)
    site.wait_reason("Abandoned")
    assert len(site.posts()) == 1


@pytest.fixture
def impatient(stack: Stack, operator: Pod) -> Iterator[Pod]:
    """An operator that shows a slow copy soon, and holds a lost answer of another process soon."""
    quick = {"VIDEOGEN_COPY_TROUBLE_SECONDS": "0.1", "VIDEOGEN_UNKNOWN_GRACE_SECONDS": "0.1"}
    with another_operator(stack, operator, **quick) as pod:
        yield pod


@pytest.mark.usefixtures("impatient")
def test_while_it_is_shown_as_storing(site: Site) -> None:
    prompt = "a kite over dunes [[sim:content-late seconds=600]]"
    site.order(prompt=prompt)
    site.wait_phase("Storing")
    reapply(site, prompt=prompt)
    site.stored()
    assert_bought_once(site)


@pytest.mark.usefixtures("impatient")
def test_while_an_answer_is_missing(new_site: Callable[..., Site]) -> None:
    """The new object is Held as the old one was, once nobody can record the answer any more; a person resolves it."""
    site = new_site({"provider": {"openAIVideos": {"submitTimeoutSeconds": 30}}})
    site.order(prompt=LOST_ANSWER)
    site.wait_phase("Held")
    reapply(site, prompt=LOST_ANSWER)
    site.wait_reason("SubmissionOutcomeUnknown")
    site.wait_phase("Held", timeout=90)
    answer(site, f"r1-a1:adopt={site.only_task()['id']}")
    site.stored()
    assert_bought_once(site)


# ---------------------------------------------------------------- the same revision, another content


def another_is_refused(site: Site) -> None:
    """Delete, apply with another prompt: refused with the way out, and nothing is sent."""
    reapply(site, prompt="a harbour at noon")
    found = site.wait_reason("RequestChanged", "Accepted")
    assert "raise spec.revision" in condition(found, "Ready")["message"]
    assert condition(found, "Stalled")["status"] == "True"
    assert len(site.posts()) == 1


def test_another_prompt_is_refused_while_a_task_runs(site: Site) -> None:
    site.order(prompt=UNTIL_TOLD)
    site.wait_phase("Generating")
    another_is_refused(site)


def test_another_prompt_is_refused_after_a_video_was_stored(site: Site) -> None:
    site.order()
    site.stored()
    another_is_refused(site)


def test_another_prompt_is_refused_after_a_task_failed(site: Site) -> None:
    site.order(prompt="a kite over dunes [[sim:failed-policy]]")
    site.wait_phase("Failed")
    another_is_refused(site)


def test_another_prompt_is_refused_while_an_answer_is_missing(site: Site) -> None:
    site.order(prompt=LOST_ANSWER)
    site.wait_phase("Held")
    another_is_refused(site)


def test_a_refused_object_goes_on_with_a_raised_revision(site: Site) -> None:
    site.order()
    site.stored()
    another_is_refused(site)
    site.order(prompt="a harbour at noon", revision=2)
    site.stored()
    assert [task["billed"] for task in site.tasks()] == [0.3, 0.3]


def test_another_prompt_goes_on_after_a_refusal(site: Site) -> None:
    site.order(prompt=REFUSED)
    site.wait_phase("Failed")
    reapply(site, prompt="a harbour at noon")
    site.stored()
    assert site.only_task()["billed"] == 0.3


def test_another_prompt_goes_on_after_nothing_was_sent(new_site: Callable[..., Site]) -> None:
    """The first endpoint cannot be reached, so attempts 1 and 3 end NotSent; the second one answers."""
    site = new_site()
    change_class(site, lambda spec: spec["provider"]["openAIVideos"]["endpoints"].insert(0, "http://127.0.0.1:9/v1"))
    site.order(prompt=REFUSED)
    site.wait_phase("Failed")
    reapply(site, prompt="a harbour at noon")
    site.stored()
    ends = {key.rpartition("/")[2] for key in site.keys() if key.endswith(".end.json")}  # noqa: SIM118 - no mapping
    assert ends == {"a1.end.json", "a2.end.json", "a3.end.json"}
    assert [post["outcome"] for post in site.posts()] == ["400", "200"]


# ---------------------------------------------------------------- a lost status


def test_a_status_wiped_while_the_task_runs(site: Site) -> None:
    site.order(prompt=UNTIL_TOLD)
    site.wait_phase("Generating")
    wipe_status(site)
    site.wait_reason("TaskAdopted", "Submitted")
    complete_and_store(site)
    assert_bought_once(site)


def test_a_status_wiped_after_the_end(site: Site) -> None:
    site.order()
    first = site.stored()
    wipe_status(site)
    site.wait_reason("OutputAdopted")
    again = site.stored()
    assert again["output"] == first["output"]
    assert again["submittedRevision"] == 1
    assert_bought_once(site)
