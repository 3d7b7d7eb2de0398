"""`maxInFlight` holds by the simulator's own record, though two operators share the class and are killed at random."""

import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from integration.disturbance import (
    DOUBT_SECONDS,
    Order,
    Rig,
    assert_stored,
    most_at_once,
    order,
    reservations,
    until,
    until_class_ready,
    until_phase,
    until_settled,
)
from integration.harness import Site
from podrunner.pod import Pod
from stack import Stack

SEED = 20261122
KILLS = 5
SLOTS = 3
ORDERS = 20
# Between two kills, in seconds: long enough for a start, short enough to meet every phase of a life.
SHORTEST, LONGEST = 0.5, 4.0


@dataclass(frozen=True, kw_only=True)
class Storm:
    """What was ordered while the operators were killed, and which orders a person had to answer for."""

    site: Site
    orders: Sequence[Order]
    held: Sequence[Order]
    unsent: Mapping[str, str]  # those of them that had never reached the gateway, and their reservations


@pytest.fixture(scope="module")
def rig(stack: Stack) -> Iterator[Rig]:
    with Rig(stack) as rig:
        yield rig


@pytest.fixture(scope="module")
def storm(rig: Rig) -> Storm:
    """Twenty orders, two pods, five kills in turn; the killed pod is started again at once."""
    site = rig.site({"limits": {"maxInFlight": SLOTS, "submitConcurrency": 2}})
    pods = [rig.pod().start(), rig.pod().start()]
    until_class_ready(site)
    orders = [order(site, f"clip-{number}") for number in range(ORDERS)]
    kill_at_random(pods, site)
    until_phase(orders, "Succeeded", "Held", timeout=DOUBT_SECONDS + 120)
    held = [one for one in orders if one.phase == "Held"]
    unsent = {one.name: resubmit(one) for one in held if not one.tasks()}
    for one in held:
        if one.name not in unsent:
            one.answer(f"{one.status['attempt']}:adopt={one.tasks()[0]['id']}")
    until_phase(orders, "Succeeded", timeout=120)
    until_settled(site, *unsent.values())
    for pod in pods:
        pod.kill()
    return Storm(site=site, orders=orders, held=held, unsent=unsent)


def resubmit(one: Order) -> str:
    """Killed between the intent and the POST: a person has it sent again. The entry that stays, since nobody knows."""
    attempt = one.status["attempt"]
    one.answer(f"{attempt}:resubmit")
    return f"{one.key}/{attempt.replace('-', '/')}"


def kill_at_random(pods: Sequence[Pod], site: Site) -> None:
    chance, never = random.Random(SEED), threading.Event()
    until(site.posts, "the first POST")
    for number in range(KILLS):
        never.wait(chance.uniform(SHORTEST, LONGEST))  # the moment of the kill is what is drawn
        pods[number % 2].kill()
        pods[number % 2].start()


def test_no_more_tasks_are_open_than_there_are_slots(storm: Storm) -> None:
    tasks = storm.site.tasks()
    assert len(tasks) == ORDERS
    assert most_at_once(tasks) == SLOTS


@pytest.mark.parametrize("number", range(ORDERS))
def test_each_order_is_posted_once(storm: Storm, number: int) -> None:
    """One that was Held may have been sent again by the person who answered, when nothing had reached the gateway."""
    one = storm.orders[number]
    assert len(one.posts()) == 1
    assert_stored(one, possible="0.30" if one.name in storm.unsent else "0.00")


def test_few_outcomes_are_unknown(storm: Storm) -> None:
    """At most the POSTs that one process may have in the air, for each kill."""
    assert len(storm.held) <= KILLS * 2


def test_no_slot_is_lost(storm: Storm) -> None:
    assert sorted(reservations(storm.site)) == sorted(storm.unsent.values())
