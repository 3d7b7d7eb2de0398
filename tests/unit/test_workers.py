"""The threads: every key gets its turn, a turn that raises comes back, and the end is waited for."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from videogen_operator.api.meta import Key
from videogen_operator.workers import Turn, Workers
from videogen_operator.workqueue import Lane, WorkQueue

A = Key("VideoGeneration", "films", "a")
SOON = 10.0
THREADS = {Lane.TURN: 2, Lane.SUBMIT: 1, Lane.COPY: 1}


class Hand:
    """A clock that is moved by hand."""

    ticks = 0.0

    def __call__(self) -> float:
        return self.ticks


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def queue(clock: Hand) -> WorkQueue:
    return WorkQueue(clock)


@contextmanager
def running(queue: WorkQueue, turn: Turn) -> Iterator[Workers]:
    workers = Workers(queue, turn, THREADS)
    workers.start()
    try:
        yield workers
    finally:
        queue.close()
        for lane in THREADS:
            assert workers.join(SOON, lane)


@pytest.mark.parametrize("lane", Lane)
def test_a_key_gets_its_turn_in_its_lane(queue: WorkQueue, lane: Lane) -> None:
    seen: list[tuple[Key, Lane]] = []
    done = threading.Event()

    def turn(key: Key, in_lane: Lane) -> None:
        seen.append((key, in_lane))
        done.set()

    with running(queue, turn):
        queue.add(A, lane=lane)
        assert done.wait(SOON)
    assert seen == [(A, lane)]


def fail(_key: Key, _lane: Lane) -> None:
    raise ZeroDivisionError


def one_turn(queue: WorkQueue, workers: Workers, lane: Lane = Lane.TURN) -> None:
    key = queue.take(lane, timeout=0)
    assert key is not None
    workers.one(key, lane)


def test_a_turn_that_raises_puts_its_key_back(queue: WorkQueue, clock: Hand, caplog: pytest.LogCaptureFixture) -> None:
    queue.add(A)
    with caplog.at_level(logging.ERROR):
        one_turn(queue, Workers(queue, fail, THREADS))
    assert queue.in_hand() == 0
    due = queue.next_due()
    assert due is not None
    assert 1.0 <= due - clock() <= 1.2
    assert "it is tried again" in caplog.text


def test_a_turn_that_keeps_raising_is_tried_more_and_more_slowly(queue: WorkQueue, clock: Hand) -> None:
    workers = Workers(queue, fail, THREADS)
    queue.add(A)
    waits = []
    for _ in range(10):
        one_turn(queue, workers)
        due = queue.next_due()
        assert due is not None
        waits.append(due - clock())
        clock.ticks = due
    assert waits[0] < waits[2] < waits[4]
    assert max(waits) <= 72


def test_a_turn_that_raised_in_another_lane_begins_again_in_the_first(queue: WorkQueue, clock: Hand) -> None:
    """The decision is made anew before a copy or a POST is tried again."""
    queue.add(A, lane=Lane.SUBMIT)
    one_turn(queue, Workers(queue, fail, THREADS), Lane.SUBMIT)
    clock.ticks += 100
    assert queue.take(Lane.SUBMIT, timeout=0) is None
    assert queue.take(Lane.TURN, timeout=0) == A


def test_a_good_turn_forgets_the_bad_ones(queue: WorkQueue, clock: Hand) -> None:
    good = threading.Event()

    def turn(key: Key, lane: Lane) -> None:
        if not good.is_set():
            fail(key, lane)

    workers = Workers(queue, turn, THREADS)
    for _ in range(5):
        queue.add(A)
        clock.ticks += 1000
        one_turn(queue, workers)
    good.set()
    clock.ticks += 1000
    one_turn(queue, workers)
    assert len(queue) == 0
    good.clear()
    queue.add(A)
    one_turn(queue, workers)
    due = queue.next_due()
    assert due is not None
    assert due - clock() <= 1.2


def test_one_bad_key_stops_no_other(queue: WorkQueue) -> None:
    done = threading.Event()

    def turn(key: Key, lane: Lane) -> None:
        if key == A:
            fail(key, lane)
        done.set()

    with running(queue, turn) as workers:
        queue.add(A)
        queue.add(Key("VideoGeneration", "films", "b"))
        assert done.wait(SOON)
        assert workers.alive()


def test_what_ends_a_process_is_not_swallowed(queue: WorkQueue) -> None:
    def turn(_key: Key, _lane: Lane) -> None:
        raise SystemExit

    queue.add(A)
    with pytest.raises(SystemExit):
        one_turn(queue, Workers(queue, turn, THREADS))
    assert queue.in_hand() == 0


def test_a_lane_is_waited_for_until_its_turn_has_ended(queue: WorkQueue) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def turn(_key: Key, _lane: Lane) -> None:
        begun.set()
        go_on.wait(SOON)

    workers = Workers(queue, turn, THREADS)
    workers.start()
    queue.add(A, lane=Lane.SUBMIT)
    assert begun.wait(SOON)
    queue.close()
    assert workers.join(SOON, Lane.TURN)
    assert not workers.join(0.01, Lane.SUBMIT)
    go_on.set()
    assert workers.join(SOON, Lane.SUBMIT)


def test_threads_that_were_not_started_are_not_alive(queue: WorkQueue) -> None:
    workers = Workers(queue, fail, THREADS)
    assert (workers.alive(), workers.started) == (False, False)


def test_threads_are_alive_until_they_end(queue: WorkQueue) -> None:
    """The liveness probe must show a thread that ended."""
    workers = Workers(queue, fail, THREADS)
    workers.start()
    seen = [(workers.alive(), workers.started)]
    queue.close()
    assert workers.join(SOON, Lane.TURN)
    seen.append((workers.alive(), workers.started))
    assert seen == [(True, True), (False, True)]
