"""The queue's three rules, its lanes, its close, and many threads on it. Time is the test's own; nothing sleeps."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videogen_operator.api.meta import Key
from videogen_operator.workqueue import Lane, WorkQueue

A, B, C = (Key("VideoGeneration", "films", name) for name in "abc")
SOON = 10.0  # seconds that a test waits for another thread before it fails


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.ticks = 100.0

    def __call__(self) -> float:
        return self.ticks


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def queue(clock: Hand) -> WorkQueue:
    return WorkQueue(clock)


def now(queue: WorkQueue, lane: Lane = Lane.TURN) -> Key | None:
    """What the lane gives at once."""
    return queue.take(lane, timeout=0)


# ---------------------------------------------------------------- the three rules


def test_a_key_in_a_hand_is_not_given_to_another(queue: WorkQueue) -> None:
    queue.add(A)
    assert now(queue) == A
    queue.add(A)
    assert now(queue) is None


def test_what_is_added_meanwhile_comes_again_afterwards(queue: WorkQueue) -> None:
    queue.add(A)
    now(queue)
    queue.add(A)
    queue.add(A)
    queue.done(A)
    assert now(queue) == A
    queue.done(A)
    assert now(queue) is None


@pytest.mark.parametrize(("first", "second"), [(5.0, 30.0), (30.0, 5.0)])
def test_the_earlier_of_two_due_times_wins(queue: WorkQueue, clock: Hand, first: float, second: float) -> None:
    queue.add(A, first)
    queue.add(A, second)
    clock.ticks += 4.9
    assert now(queue) is None
    clock.ticks += 0.1
    assert now(queue) == A
    queue.done(A)
    clock.ticks += 100
    assert now(queue) is None


def test_the_earlier_wins_also_for_a_key_in_a_hand(queue: WorkQueue, clock: Hand) -> None:
    queue.add(A)
    now(queue)
    queue.add(A, 30)
    queue.add(A, 5)
    queue.add(A, 60)
    queue.done(A)
    assert queue.next_due() == clock.ticks + 5


# ---------------------------------------------------------------- order and time


def test_the_earliest_comes_first_and_equals_in_the_order_they_came(queue: WorkQueue, clock: Hand) -> None:
    queue.add(C, 2)
    queue.add(B, 1)
    queue.add(A, 1)
    clock.ticks += 2
    assert [now(queue) for _ in range(4)] == [B, A, C, None]


def test_nothing_is_given_before_its_time(queue: WorkQueue, clock: Hand) -> None:
    queue.add(A, 1e-6)
    assert now(queue) is None
    clock.ticks += 1
    assert now(queue) == A


def test_the_queue_knows_what_waits_and_what_is_in_hand(queue: WorkQueue, clock: Hand) -> None:
    assert (len(queue), queue.in_hand(), queue.next_due()) == (0, 0, None)
    queue.add(A, 7)
    queue.add(B)
    assert (len(queue), queue.in_hand(), queue.next_due()) == (2, 0, clock.ticks)
    assert now(queue) == B
    assert (len(queue), queue.in_hand(), queue.next_due()) == (1, 1, clock.ticks + 7)
    queue.done(B)
    assert (len(queue), queue.in_hand()) == (1, 0)


# ---------------------------------------------------------------- lanes


def test_a_lane_gives_its_own_keys_only(queue: WorkQueue) -> None:
    queue.add(A, lane=Lane.COPY)
    assert now(queue, Lane.TURN) is None
    assert now(queue, Lane.SUBMIT) is None
    assert now(queue, Lane.COPY) == A


def test_a_key_is_in_one_lane_at_a_time(queue: WorkQueue) -> None:
    queue.add(A)
    queue.add(A, lane=Lane.COPY)
    assert now(queue, Lane.TURN) is None
    assert now(queue, Lane.COPY) == A
    queue.done(A)
    assert len(queue) == 0


def test_a_key_that_is_woken_stays_in_its_lane(queue: WorkQueue) -> None:
    queue.add(A, 60, Lane.COPY)
    queue.add(A)
    assert now(queue, Lane.COPY) == A


def test_a_key_in_one_lane_is_in_no_other_ones_hand(queue: WorkQueue) -> None:
    """A slow copy must not let a second hand onto its object."""
    queue.add(A, lane=Lane.COPY)
    now(queue, Lane.COPY)
    queue.add(A)
    assert now(queue, Lane.TURN) is None
    queue.done(A)
    assert now(queue, Lane.TURN) == A


def test_the_lane_that_was_asked_for_while_in_hand_is_kept(queue: WorkQueue) -> None:
    queue.add(A)
    now(queue)
    queue.add(A, 0, Lane.SUBMIT)
    queue.add(A)
    queue.done(A)
    assert now(queue, Lane.SUBMIT) == A


# ---------------------------------------------------------------- the close


def test_nothing_is_given_after_the_close(queue: WorkQueue) -> None:
    queue.add(A)
    queue.close()
    assert queue.take(Lane.TURN) is None
    assert now(queue) is None


def test_every_waiting_hand_returns_at_the_close(queue: WorkQueue) -> None:
    with ThreadPoolExecutor(max_workers=6) as pool:
        waiting = [pool.submit(queue.take, lane) for lane in Lane for _ in range(2)]
        queue.close()
        assert [taken.result(SOON) for taken in waiting] == [None] * 6


def test_a_key_can_be_put_back_after_the_close(queue: WorkQueue) -> None:
    """A turn that ends during the shutdown does so without an error."""
    queue.add(A)
    now(queue)
    queue.close()
    queue.add(A, 5)
    queue.done(A)
    assert len(queue) == 1


# ---------------------------------------------------------------- waiting


@pytest.mark.parametrize("lane", Lane)
def test_a_waiting_hand_gets_what_is_added(queue: WorkQueue, lane: Lane) -> None:
    with ThreadPoolExecutor(max_workers=1) as pool:
        taken = pool.submit(queue.take, lane)
        queue.add(A, lane=lane)
        assert taken.result(SOON) == A


def test_a_waiting_hand_gets_what_becomes_due_earlier(queue: WorkQueue, clock: Hand) -> None:
    queue.add(A, 10_000)
    with ThreadPoolExecutor(max_workers=1) as pool:
        taken = pool.submit(queue.take, Lane.TURN)
        queue.add(A, 0)
        assert taken.result(SOON) == A
    assert clock.ticks == 100.0


def test_what_comes_again_wakes_a_waiting_hand(queue: WorkQueue) -> None:
    queue.add(A)
    now(queue)
    queue.add(A)
    with ThreadPoolExecutor(max_workers=1) as pool:
        taken = pool.submit(queue.take, Lane.TURN)
        queue.done(A)
        assert taken.result(SOON) == A


# ---------------------------------------------------------------- many threads


class Hands:
    """What threads do with a queue: each takes keys of a lane until the close, and notes when two hold one key."""

    def __init__(self, queue: WorkQueue) -> None:
        self.queue = queue
        self.held: set[Key] = set()
        self.taken: list[Key] = []
        self.idle = threading.Event()
        self.lock = threading.Lock()

    def work(self, lane: Lane) -> None:
        while (key := self.queue.take(lane)) is not None:
            with self.lock:
                assert key not in self.held
                self.held.add(key)
                self.taken.append(key)
            with self.lock:
                self.held.discard(key)
            self.queue.done(key)
            if not len(self.queue) and not self.queue.in_hand():
                self.idle.set()


def test_no_key_is_ever_in_two_hands_and_none_is_lost(queue: WorkQueue) -> None:
    keys = [Key("VideoGeneration", "films", f"n{n}") for n in range(20)]
    hands = Hands(queue)
    barrier = threading.Barrier(4)

    def add(seed: int) -> None:
        barrier.wait(SOON)
        for turn in range(200):
            queue.add(keys[(turn * 7 + seed) % 20], 0.0, [None, *Lane][(turn + seed) % 4])

    with ThreadPoolExecutor(max_workers=13) as pool:
        working = [pool.submit(hands.work, lane) for lane in Lane for _ in range(3)]
        for adding in [pool.submit(add, seed) for seed in range(4)]:
            adding.result(SOON)
        hands.idle.clear()
        queue.add(keys[0])  # so that there is an end to be seen after the last addition
        assert hands.idle.wait(SOON)
        queue.close()
        for future in working:
            future.result(SOON)
    assert set(hands.taken) == set(keys)


# ---------------------------------------------------------------- against a model


@dataclass(frozen=True)
class Move:
    """One thing that happens to a queue; `seconds` is a delay, or the time that passes."""

    name: str
    key: Key
    seconds: float
    lane: Lane | None


MOVES = st.lists(
    st.builds(
        Move,
        st.sampled_from(["add", "add", "take", "done", "pass"]),
        st.sampled_from([A, B, C]),
        st.sampled_from([0.0, 1.0, 5.0]),
        st.sampled_from([None, *Lane]),
    ),
    max_size=50,
)


class Model:
    """The queue as one would write it without a thought for speed."""

    def __init__(self, clock: Hand) -> None:
        self.clock = clock
        self.due: dict[Key, tuple[float, Lane]] = {}
        self.held: dict[Key, tuple[float, Lane | None] | None] = {}

    def add(self, key: Key, delay: float, lane: Lane | None) -> None:
        due = self.clock() + delay
        if key in self.held:
            old = self.held[key]
            self.held[key] = (due, lane) if old is None else (min(due, old[0]), lane or old[1])
            return
        self._put(key, due, lane)

    def _put(self, key: Key, due: float, lane: Lane | None) -> None:
        old = self.due.get(key)
        self.due[key] = (due, lane or Lane.TURN) if old is None else (min(due, old[0]), lane or old[1])

    def ready(self, lane: Lane) -> set[Key]:
        """Of the keys that are due, the earliest ones."""
        due = {key: at for key, (at, in_lane) in self.due.items() if in_lane is lane and at <= self.clock()}
        return {key for key, at in due.items() if at == min(due.values())}

    def take(self, key: Key) -> None:
        del self.due[key]
        self.held[key] = None

    def done(self, key: Key) -> None:
        if key in self.held:
            again = self.held.pop(key)
            if again is not None:
                self._put(key, *again)


@given(MOVES)
def test_the_queue_does_what_the_model_does(moves: list[Move]) -> None:
    clock = Hand()
    queue, model = WorkQueue(clock), Model(clock)
    for move in moves:
        match move.name:
            case "add":
                queue.add(move.key, move.seconds, move.lane)
                model.add(move.key, move.seconds, move.lane)
            case "done":
                queue.done(move.key)
                model.done(move.key)
            case "pass":
                clock.ticks += move.seconds
            case _:
                lane = move.lane or Lane.TURN
                ready, taken = model.ready(lane), now(queue, lane)
                assert (taken in ready) if ready else (taken is None)
                if taken is not None:
                    model.take(taken)
        assert len(queue) == len(model.due)
        assert queue.in_hand() == len(model.held)
        assert queue.next_due() == min((due for due, _ in model.due.values()), default=None)
