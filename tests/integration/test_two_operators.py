"""Two operators at once, without election: the fence is the conditional write of the intent, not who leads."""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from integration.disturbance import (
    DOUBT_SECONDS,
    Order,
    Rig,
    assert_one_of_each,
    assert_stored,
    most_at_once,
    object_path,
    order,
    prompt_of,
    until_class_ready,
    until_phase,
    until_settled,
)
from integration.effect_proxy import Effect, EffectProxy, Moment, effect, hold
from integration.harness import Site
from podrunner.pod import Pod
from stack import Stack

SIDE_BY_SIDE = 20


@pytest.fixture(scope="module")
def rig(stack: Stack) -> Iterator[Rig]:
    with Rig(stack) as rig:
        yield rig


@pytest.fixture(scope="module")
def pods(rig: Rig) -> tuple[Pod, Pod]:
    """Two pods of one Deployment; neither runs."""
    return rig.pod(), rig.pod()


# ------------------------------------------------------------ side by side


@pytest.fixture(scope="module")
def side_by_side(rig: Rig, pods: tuple[Pod, Pod]) -> list[Order]:
    """Twenty orders, seen by both from the first moment."""
    site = rig.site({"limits": {"maxInFlight": 6, "submitConcurrency": 4}})
    for pod in pods:
        pod.start()
    until_class_ready(site)
    for pod in pods:
        pod.wait_ready()
    orders = [order(site, f"clip-{number}") for number in range(SIDE_BY_SIDE)]
    until_phase(orders, "Succeeded", timeout=120)
    until_settled(site)
    for pod in pods:
        pod.kill()
    return orders


@pytest.mark.parametrize("number", range(SIDE_BY_SIDE))
def test_two_operators_buy_each_video_once(side_by_side: list[Order], number: int) -> None:
    assert_one_of_each(side_by_side[number])


def test_two_operators_share_the_slots(side_by_side: list[Order]) -> None:
    assert most_at_once(task for one in side_by_side for task in one.tasks()) <= 6


def test_both_operators_worked_on_them(side_by_side: list[Order], stack: Stack, pods: tuple[Pod, Pod]) -> None:
    """By the audit log, in which a bound token names its pod. Which of the two wins each race is chance."""
    read = {
        (
            event["user"].get("extra", {}).get("authentication.kubernetes.io/pod-name", [""])[0],
            event["objectRef"]["name"],
        )
        for event in stack.audit(verbs=["get"])
        if event.get("objectRef", {}).get("namespace") == side_by_side[0].site.namespace
    }
    assert all((pod.name, one.name) in read for pod in pods for one in side_by_side)


# ------------------------------------------------------------ one is paused in the middle of a submission


@dataclass(frozen=True, kw_only=True)
class Pause:
    """Orders at whose submission the first operator was stopped, and others that were made meanwhile."""

    site: Site
    unfenced: Order  # its intent was on the way to the bucket
    fenced: Order  # its intent was written, its POST not begun
    posted: Order  # its POST was at the gateway
    others: list[Order]
    meanwhile: dict[str, int]  # POSTs of each order when the first operator woke up


@pytest.fixture(scope="module")
def pause(rig: Rig, stack: Stack, pods: tuple[Pod, Pod]) -> Iterator[Pause]:
    """SIGSTOP for longer than an intent is fresh and an outcome in doubt, while the second operator goes on."""
    first, second = pods
    go_on = threading.Event()
    with EffectProxy(stack.s3.endpoint) as bucket, EffectProxy(stack.simulator.url) as gateway:
        site = behind(rig, bucket, gateway)
        first.start()
        until_class_ready(site)
        reached = [
            bucket.trap(intent_of(site, "unfenced"), Moment.BEFORE, hold(threading.Event(), go_on)).sprung,
            bucket.trap(intent_of(site, "fenced"), Moment.AFTER, hold(threading.Event(), go_on)).sprung,
            gateway.trap(
                effect("POST", "/v1/videos", prompt_of(site, "posted")),
                Moment.AFTER,
                hold(threading.Event(), go_on),
            ).sprung,
        ]
        stopped = [order(site, name) for name in ("unfenced", "fenced", "posted")]
        for event in reached:
            assert event.wait(30)
        first.pause()
        second.start()
        others = [order(site, f"other-{number}") for number in range(3)]
        until_phase([stopped[0], *others], "Succeeded")
        until_phase(stopped[1:], "Held", timeout=DOUBT_SECONDS + 30)
        meanwhile = {one.name: len(one.posts()) for one in stopped}
        go_on.set()
        first.resume()
        until_phase([stopped[1]], "Succeeded")
        adopt(stopped[2])
        until_settled(site)
        unfenced, fenced, posted = stopped
        yield Pause(site=site, unfenced=unfenced, fenced=fenced, posted=posted, others=others, meanwhile=meanwhile)
        for pod in pods:
            pod.kill()


def adopt(one: Order) -> None:
    """Its answer came after the submit timeout: a person names the task, if the sleeper did not read it after all."""
    if one.phase == "Held":
        (task,) = one.tasks()
        one.answer(f"r1-a1:adopt={task['id']}")
    until_phase([one], "Succeeded")


def behind(rig: Rig, bucket: EffectProxy, gateway: EffectProxy) -> Site:
    return rig.site(
        {
            "provider": {"openAIVideos": {"endpoints": [f"{gateway.url}/v1"]}},
            "storage": {"s3": {"endpoint": bucket.url}},
            "limits": {"maxInFlight": 10, "submitConcurrency": 4},
        }
    )


def intent_of(site: Site, name: str) -> Callable[[Effect], bool]:
    return effect("PUT", re.escape(f"{object_path(site, name)}a1.intent.json") + r"(\?.*)?")


def test_an_intent_that_never_arrived_is_won_by_the_other(pause: Pause) -> None:
    """The second operator took the same attempt; the first one's late intent was refused, so it sent nothing."""
    assert pause.meanwhile["unfenced"] == 1
    assert_one_of_each(pause.unfenced)
    assert pause.unfenced.status["attempt"] == "r1-a1"


def test_a_written_intent_stops_the_other_for_good(pause: Pause) -> None:
    """Nobody but the sleeper knows whether it was sent: Held. It wakes, finds its intent old, and sends nothing."""
    assert pause.meanwhile["fenced"] == 0
    assert pause.fenced.document("a1.end.json")["state"] == "NotSent"


def test_after_an_unsent_attempt_the_next_one_is_sent_once(pause: Pause) -> None:
    assert_one_of_each(pause.fenced)
    assert pause.fenced.status["attempt"] == "r1-a2"


def test_a_post_whose_sender_sleeps_is_never_repeated(pause: Pause) -> None:
    """The other cannot know what became of it: Held. Its task is adopted, by the sleeper or by a person."""
    assert pause.meanwhile["posted"] == 1
    assert_one_of_each(pause.posted)


def test_the_other_goes_on_while_one_sleeps(pause: Pause) -> None:
    for one in pause.others:
        assert_stored(one)


def test_no_attempt_was_ever_posted_twice(pause: Pause) -> None:
    assert [len(one.posts()) for one in (pause.unfenced, pause.fenced, pause.posted, *pause.others)] == [1] * 6
