"""The desk of a class: slots are counted from reservations, and a grant goes back only if it was never used."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW, PRICE, TICKS, make_class, make_reservation, with_reservations
from fakes.json_patch import PatchError, applied
from videogen_operator.api.generation import KIND
from videogen_operator.api.generation_class import Reservation, VideoGenerationClass
from videogen_operator.api.meta import Key
from videogen_operator.closures import Closure
from videogen_operator.conditions import Reason, Step
from videogen_operator.desk import Desk
from videogen_operator.ledger_names import AttemptId, FolderId
from videogen_operator.reservations import Round, Waiter, identity, operations

MODEL = "veo-3.1-fast-generate-preview"
OURS = "pod-1"


def attempt(name: str, number: int = 1) -> AttemptId:
    return FolderId("films", name, 1).attempt(number)


def waiter(name: str, **changes: Any) -> Waiter:
    fields: dict[str, Any] = {
        "key": Key(KIND, "films", name),
        "attempt": attempt(name),
        "amount": PRICE,
        "model": MODEL,
        "order": ("2026-11-22", "films", name),
    }
    return Waiter(**(fields | changes))


def entry(name: str, number: int = 1, **changes: Any) -> Reservation:
    return make_reservation(attempt(name, number), **changes)


@dataclass
class Play:
    """A desk and its class as the API server holds it; each round is planned, patched and applied."""

    klass: VideoGenerationClass
    desk: Desk = field(default_factory=lambda: Desk("veo"))
    ticks: float = TICKS

    def round(self, *, may_spend: bool = True, writer: str = OURS) -> list[str]:
        """Who was granted a slot."""
        plan = self.plan(may_spend=may_spend, writer=writer)
        self.klass = patched(self.klass, plan)
        return [key.name for key in self.desk.apply(plan, writer)]

    def plan(self, *, may_spend: bool = True, writer: str = OURS) -> Round:
        self.desk.klass = self.klass
        self.desk.see(self.klass.status.reservations, self.ticks)
        return self.desk.plan(self.klass, now=NOW, ticks=self.ticks, writer=writer, may_spend=may_spend)

    def join(self, *names: str, **changes: Any) -> None:
        for name in names:
            self.desk.join(waiter(name, **changes))

    @property
    def entries(self) -> list[str]:
        return [AttemptId(FolderId("films", e.attempt.split("/")[1], 1), 1).folder.name for e in self.reservations]

    @property
    def reservations(self) -> tuple[Reservation, ...]:
        return self.klass.status.reservations


def patched(klass: VideoGenerationClass, plan: Round) -> VideoGenerationClass:
    """The class after the plan's operations; what they give must be what was planned."""
    wire = klass.wire()
    wire["status"] = {name: value for name, value in wire["status"].items() if value not in ([], {})}
    after = VideoGenerationClass.model_validate(applied(wire, operations(klass, plan)))
    assert {e.attempt: e for e in after.status.reservations} == {e.attempt: e for e in plan.after}
    return after


def play(*entries: Reservation, **limits: int) -> Play:
    fields = {"max_in_flight": 3, "submit_concurrency": 2} | limits
    return Play(with_reservations(make_class(limits=fields), *entries))


# ---------------------------------------------------------------- who gets a slot


def test_the_first_to_come_is_the_first_to_go() -> None:
    game = play()
    game.join("c", "a", "b")
    assert game.round() == ["a", "b"]
    assert game.entries == ["a", "b"]


def test_the_order_is_by_age_then_by_name() -> None:
    game = play()
    game.join("young", order=("2026-11-23", "films", "young"))
    game.join("z-old", order=("2026-11-21", "films", "z-old"))
    game.join("a-old", order=("2026-11-21", "films", "a-old"))
    assert game.round() == ["a-old", "z-old"]


def test_an_object_asks_once() -> None:
    desk = Desk("veo")
    assert desk.join(waiter("a"))
    assert not desk.join(waiter("a"))
    assert desk.join(waiter("a", attempt=attempt("a", 2)))
    assert len(desk.waiting) == 1


def test_slots_are_counted_from_the_reservations_and_not_from_memory() -> None:
    """A desk that remembers nothing, as after a restart, sees the slots that other processes hold."""
    game = play(entry("x"), entry("y"), submit_concurrency=2)
    game.join("a", "b")
    assert game.round() == ["a"]
    assert game.entries == ["x", "y", "a"]


def test_a_full_class_gives_no_slot() -> None:
    game = play(entry("x"), entry("y"), entry("z"))
    game.join("a")
    assert game.round() == []
    assert game.plan().empty


def test_no_more_orders_are_in_the_air_than_permitted() -> None:
    game = play(max_in_flight=10, submit_concurrency=2)
    game.join("a", "b", "c")
    assert game.round() == ["a", "b"]
    assert game.round() == []
    game.desk.finish(Key(KIND, "films", "a"))
    assert game.round() == ["c"]


def test_a_reservation_carries_attempt_price_time_and_writer() -> None:
    game = play()
    game.join("a")
    game.round()
    assert game.reservations == (Reservation(attempt="films/a/r1/a1", amount_usd=PRICE, time=NOW, writer=OURS),)


def test_who_finds_his_attempt_entered_takes_it_over_and_needs_no_slot() -> None:
    game = play(entry("a", writer="pod-0"), entry("y"), entry("z"))
    game.join("a")
    assert game.round() == ["a"]
    assert [e.writer for e in game.reservations] == [OURS, OURS, OURS]
    assert game.entries == ["a", "y", "z"]


def test_an_entry_of_ours_is_found_again_without_a_write() -> None:
    game = play(entry("a"))
    game.join("a")
    assert game.plan().empty
    assert game.round() == ["a"]


def test_an_entry_that_was_seen_for_too_long_holds_money_but_no_slot() -> None:
    game = play(entry("x"), entry("y"), entry("z"), slot_seconds=60)
    game.plan()
    game.join("a")
    game.ticks += 59
    assert game.round() == []
    game.ticks += 1
    assert game.round() == ["a"]
    assert game.entries == ["x", "y", "z", "a"]


def test_the_age_of_an_entry_is_counted_anew_when_another_process_takes_it() -> None:
    desk = Desk("veo")
    desk.see([entry("x")], TICKS)
    desk.see([entry("x", writer="pod-9")], TICKS + 50)
    assert desk.age(entry("x", writer="pod-9"), TICKS + 60) == 10
    desk.see([entry("x", writer="pod-9")], TICKS + 70)
    assert desk.age(entry("x", writer="pod-9"), TICKS + 80) == 30


def test_an_unknown_outcome_can_lose_its_slot_and_keep_its_entry() -> None:
    game = play(entry("x"), entry("y"), entry("z"))
    game.desk.slotless.add(entry("x").attempt)
    game.join("a")
    assert game.round() == ["a"]
    assert game.entries == ["x", "y", "z", "a"]


def test_a_slotless_entry_that_is_gone_is_forgotten() -> None:
    desk = Desk("veo")
    desk.slotless |= {entry("x").attempt, entry("y").attempt}
    desk.see([entry("x")], TICKS)
    assert desk.slotless == {entry("x").attempt}


def test_the_list_never_grows_beyond_what_the_schema_takes() -> None:
    many = [entry(f"n{n}") for n in range(2000)]
    game = play(*many, slot_seconds=1)
    game.plan()
    game.ticks += 2
    game.join("a")
    assert game.plan().granted == ()


def test_whoever_may_not_spend_is_granted_nothing() -> None:
    game = play(entry("x"))
    game.join("a")
    game.desk.settle(attempt("x"), None, 0)
    assert game.round(may_spend=False) == []
    assert game.entries == []


# ---------------------------------------------------------------- giving back


@pytest.mark.parametrize("used", [False, True])
def test_a_grant_goes_back_only_if_its_intent_was_never_tried(used: bool) -> None:
    game = play()
    game.join("a")
    game.round()
    key = Key(KIND, "films", "a")
    if used:
        game.desk.use(key)
    game.desk.leave(key)
    game.round()
    assert game.entries == (["a"] if used else [])
    assert game.desk.permits == set()


def test_a_grant_for_an_entry_that_was_found_is_never_given_back() -> None:
    """Another process may have sent it."""
    game = play(entry("a", writer="pod-0"))
    game.join("a")
    game.round()
    game.desk.leave(Key(KIND, "films", "a"))
    game.round()
    assert game.entries == ["a"]


def test_an_entry_that_another_process_took_is_not_given_back() -> None:
    game = play()
    game.join("a")
    game.round()
    game.desk.leave(Key(KIND, "films", "a"))
    game.klass = with_reservations(game.klass, entry("a", writer="pod-9"))
    game.round()
    assert game.entries == ["a"]


def test_a_finished_order_frees_the_permit_and_keeps_the_entry() -> None:
    game = play()
    game.join("a")
    game.round()
    game.desk.finish(Key(KIND, "films", "a"))
    game.round()
    assert game.entries == ["a"]
    assert game.desk.permits == set()


def test_who_leaves_the_queue_is_not_granted() -> None:
    game = play()
    game.join("a", "b")
    game.desk.leave(Key(KIND, "films", "a"))
    assert game.round() == ["b"]


def test_an_object_that_returned_its_slot_can_get_one_again() -> None:
    game = play(max_in_flight=1, submit_concurrency=1)
    game.join("a")
    game.round()
    game.desk.leave(Key(KIND, "films", "a"))
    game.join("a")
    assert game.round() == ["a"]
    assert game.entries == ["a"]
    assert game.round() == []
    assert game.entries == ["a"]


# ---------------------------------------------------------------- settling


def test_a_settled_attempt_frees_its_slot_in_the_same_write() -> None:
    game = play(entry("x"), entry("y"), entry("z"))
    game.join("a")
    game.desk.settle(attempt("x"), entry("x"), TICKS + 5)
    assert game.round() == ["a"]
    assert game.entries == ["y", "z", "a"]
    assert game.desk.settled == {}
    assert game.desk.next_settlement is None


@pytest.mark.parametrize(
    "now_there",
    [entry("x", writer="pod-9"), entry("x", time=NOW + timedelta(seconds=1))],
    ids=["another writer", "another time"],
)
def test_an_entry_that_changed_since_its_folder_was_read_is_not_settled(now_there: Reservation) -> None:
    """Somebody may have begun the attempt between: what was read before says nothing about it."""
    game = play(now_there)
    game.desk.settle(attempt("x"), entry("x"), TICKS)
    game.round()
    assert game.entries == ["x"]


def test_what_is_settled_for_certain_is_settled_whoever_wrote_it() -> None:
    game = play(entry("x", writer="pod-9"))
    game.desk.settle(attempt("x"), None, TICKS)
    game.round()
    assert game.entries == []


def test_settling_twice_does_nothing() -> None:
    game = play(entry("x"))
    for _ in range(2):
        game.desk.settle(attempt("x"), None, TICKS)
        game.round()
    assert game.entries == []
    assert game.plan().empty


def test_the_earliest_settlement_decides_when_a_round_is_due() -> None:
    desk = Desk("veo")
    desk.settle(attempt("x"), None, 20)
    desk.settle(attempt("y"), None, 10)
    desk.settle(attempt("z"), None, 30)
    assert desk.next_settlement == 10


def test_a_write_that_failed_loses_no_settlement() -> None:
    """A lost race: the same is planned again on what is there then."""
    game = play(entry("x"), entry("y"))
    game.desk.settle(attempt("x"), entry("x"), TICKS)
    stale = game.plan()
    game.klass = with_reservations(game.klass, entry("y"), entry("x"))
    with pytest.raises(PatchError):
        applied(game.klass.wire(), operations(with_reservations(game.klass, entry("x"), entry("y")), stale))
    game.round()
    assert game.entries == ["y"]


# ---------------------------------------------------------------- counters

Seen = tuple[float, bool, bool, bool]  # ticks, changed, another write goes out, and whether the counters go with it


@pytest.mark.parametrize(
    "rounds",
    [
        [(0, False, False, False), (9, False, False, False)],
        [(0, True, True, True)],
        [(0, True, False, False), (4, True, False, False), (5, True, False, True)],
        [(0, True, False, False), (4, True, True, True), (5, True, False, False)],
        [(0, True, False, False), (4, False, False, False), (5, True, False, False)],
    ],
    ids=["unchanged", "with another write", "alone after a while", "written meanwhile", "as they were meanwhile"],
)
def test_counters_ride_on_another_write_or_wait(rounds: list[Seen]) -> None:
    desk = Desk("veo")
    for ticks, changed, rides, want in rounds:
        assert desk.counters_to_write(ticks, changed=changed, rides=rides, lag=5) is want


# ---------------------------------------------------------------- open tasks without an entry


def test_an_open_task_without_an_entry_gets_one_without_asking_for_room() -> None:
    game = play(entry("x"), entry("y"), entry("z"))
    game.desk.klass = game.klass
    assert game.desk.owe(attempt("found"), Decimal("0.50"))
    assert not game.desk.owe(attempt("found"), Decimal("0.50"))
    game.round(may_spend=False)
    assert game.entries == ["x", "y", "z", "found"]
    assert game.reservations[-1].amount_usd == Decimal("0.50")
    assert game.desk.owed == {}


def test_an_open_task_with_an_entry_needs_no_other() -> None:
    game = play(entry("x"))
    game.desk.klass = game.klass
    assert not game.desk.owe(attempt("x"), PRICE)


def test_an_attempt_that_ended_before_it_got_its_entry_needs_none() -> None:
    game = play()
    game.desk.klass = game.klass
    game.desk.owe(attempt("found"), PRICE)
    game.desk.settle(attempt("found"), None, TICKS)
    game.round()
    assert game.entries == []


# ---------------------------------------------------------------- closures


def test_a_closed_class_grants_nothing_and_settles_all_the_same() -> None:
    game = play(entry("x"))
    game.join("a")
    game.desk.close(Closure.CREDENTIALS_REJECTED, "401")
    game.desk.settle(attempt("x"), None, TICKS)
    assert game.round() == []
    assert game.entries == []


def test_after_its_time_a_closed_class_lets_one_try() -> None:
    game = play(max_in_flight=9, submit_concurrency=3)
    game.join("a", "b", "c")
    game.desk.close(Closure.INSUFFICIENT_BALANCE, "402", TICKS + 60)
    assert game.round() == []
    game.ticks += 60
    assert game.round() == ["a"]
    assert game.round() == []
    game.desk.accepted(MODEL)
    assert game.round() == ["b", "c"]


def test_what_was_closed_without_a_time_stays_closed() -> None:
    desk = Desk("veo")
    desk.close(Closure.GATEWAY_UNREACHABLE, "no route")
    assert desk.shut(10**12)
    assert desk.next_opening(0) is None


def test_the_same_closure_is_news_once() -> None:
    desk = Desk("veo")
    assert desk.close(Closure.STORAGE, "down")
    assert not desk.close(Closure.STORAGE, "down")
    assert desk.close(Closure.STORAGE, "no bucket")
    assert desk.closures[Closure.STORAGE].times == 3


def test_only_the_named_closures_are_lifted() -> None:
    desk = Desk("veo")
    desk.close(Closure.STORAGE, "down")
    desk.close(Closure.CREDENTIALS_REJECTED, "401")
    assert desk.open(Closure.CREDENTIALS_REJECTED)
    assert not desk.open(Closure.CREDENTIALS_REJECTED)
    assert set(desk.closures) == {Closure.STORAGE}
    assert desk.open()
    assert desk.closures == {}


def test_an_accepted_order_proves_key_balance_gateway_and_model_but_not_the_bucket() -> None:
    desk = Desk("veo")
    for why in Closure:
        desk.close(why, "x")
    desk.close_model(MODEL, "gone", TICKS)
    desk.server_errors = 2
    assert desk.accepted(MODEL)
    left = {Closure.STORAGE, Closure.SECRET_NOT_FOUND, Closure.REBUILDING, Closure.SCHEMA_OUTDATED}
    assert set(desk.closures) == left
    assert desk.models == {}
    assert desk.server_errors == 0
    assert not desk.accepted(MODEL)


def test_the_next_opening_is_the_earliest_to_come() -> None:
    desk = Desk("veo")
    desk.close(Closure.RATE_LIMITED, "429", TICKS + 30)
    desk.close(Closure.SERVER_ERRORS, "503", TICKS - 1)
    desk.close_model(MODEL, "gone", TICKS + 10)
    assert desk.next_opening(TICKS) == TICKS + 10


# ---------------------------------------------------------------- models

OTHER = "veo-3.1-generate-preview"


def test_a_closed_model_lets_others_go_on() -> None:
    game = play()
    game.join("a", "b")
    game.join("c", model=OTHER)
    game.desk.close_model(MODEL, "gone", TICKS + 600)
    assert game.round() == ["c"]


def test_a_closed_model_lets_one_object_try_now_and_then() -> None:
    game = play(max_in_flight=9, submit_concurrency=5)
    game.join("a", "b", "c")
    game.join("d", model=OTHER)
    game.desk.close_model(MODEL, "gone", TICKS + 600)
    game.ticks += 600
    assert game.round() == ["a", "d"]
    game.desk.finish(Key(KIND, "films", "a"))
    game.desk.close_model(MODEL, "still gone", game.ticks + 600)
    assert game.round() == []
    game.ticks += 600
    assert game.round() == ["b"]
    game.desk.accepted(MODEL)
    assert game.round() == ["c"]


def test_a_model_is_tried_by_one_object_at_a_time() -> None:
    game = play(max_in_flight=9, submit_concurrency=5)
    game.join("a", "b")
    game.desk.close_model(MODEL, "gone", TICKS)
    assert game.round() == ["a"]
    assert game.round() == []


# ---------------------------------------------------------------- what the waiting are told


def test_each_waiting_object_is_told_once() -> None:
    game = play(max_in_flight=1, submit_concurrency=1)
    game.join("a", "b")
    game.round()
    assert [w.key.name for w in game.desk.passed_over()] == ["b"]
    assert game.desk.passed_over() == []


def test_who_joins_while_a_round_is_written_was_not_passed_over_by_it() -> None:
    """A burst: the late one gets its permit in the next round, and its status never says Queued."""
    game = play(max_in_flight=9, submit_concurrency=5)
    game.join("a")
    plan = game.plan()
    game.join("late")
    game.klass = patched(game.klass, plan)
    game.desk.apply(plan, OURS)
    assert game.desk.passed_over() == []
    assert game.round() == ["late"]


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        (Closure.RATE_LIMITED, Reason.RATE_LIMITED),
        (Closure.STORAGE, Reason.LEDGER_UNAVAILABLE),
        (Closure.REBUILDING, Reason.REBUILDING),
        (Closure.SCHEMA_OUTDATED, Reason.SCHEMA_OUTDATED),
        (Closure.CREDENTIALS_REJECTED, Reason.BREAKER_OPEN),
        (Closure.SECRET_NOT_FOUND, Reason.BREAKER_OPEN),
        (Closure.GATEWAY_UNREACHABLE, Reason.BREAKER_OPEN),
        (Closure.INSUFFICIENT_BALANCE, Reason.BREAKER_OPEN),
        (Closure.SERVER_ERRORS, Reason.BREAKER_OPEN),
    ],
)
def test_why_an_object_waits_for_a_closed_class(why: Closure, reason: Reason) -> None:
    desk = Desk("veo")
    desk.close(why, "because")
    standing = desk.why_waiting(waiter("a"), TICKS)
    assert (standing.step, standing.reason) == (Step.QUEUED, reason)
    assert "because" in standing.message


def test_the_closure_that_counts_is_the_one_that_is_told() -> None:
    """One whose time is over closes nothing any more."""
    desk = Desk("veo")
    desk.close(Closure.RATE_LIMITED, "slow down", TICKS - 1)
    desk.close(Closure.CREDENTIALS_REJECTED, "wrong key")
    standing = desk.why_waiting(waiter("a"), TICKS)
    assert standing.reason is Reason.BREAKER_OPEN
    assert "wrong key" in standing.message


def test_why_an_object_waits_for_its_model_or_a_slot() -> None:
    desk = Desk("veo")
    assert desk.why_waiting(waiter("a"), TICKS).reason is Reason.QUEUED
    desk.close_model(MODEL, "gone", TICKS + 600)
    assert desk.why_waiting(waiter("a"), TICKS).reason is Reason.MODEL_UNAVAILABLE
    assert desk.why_waiting(waiter("b", model=OTHER), TICKS).reason is Reason.QUEUED


def test_every_waiting_message_says_where_the_present_reason_is() -> None:
    """From one waiting reason to another nothing is written, so the message must lead to it."""
    desk = Desk("veo")
    told = [desk.why_waiting(waiter("a"), TICKS)]
    desk.close_model(MODEL, "gone", TICKS + 600)
    told.append(desk.why_waiting(waiter("a"), TICKS))
    desk.close(Closure.STORAGE, "down")
    told.append(desk.why_waiting(waiter("a"), TICKS))
    assert all(standing.message.endswith("kubectl describe vgclass veo") for standing in told)


# ---------------------------------------------------------------- random rounds against a model

NAMES = ["a", "b", "c", "d", "e", "f"]


@dataclass
class Chaos(Play):
    """All that can happen to a desk; `sent` are the attempts that were sent and not settled."""

    sent: set[str] = field(default_factory=set)

    def do(self, move: str, name: str) -> None:
        getattr(self, f"do_{move}")(name, Key(KIND, "films", name))

    def do_join(self, name: str, _: Key) -> None:
        self.join(name)

    def do_round(self, *_: object) -> None:
        before = set(self.entries)
        fresh = [name for name in self.round() if name not in before]
        limits = self.klass.spec.limits
        assert not fresh or len(self.entries) <= limits.max_in_flight
        assert len(self.desk.permits) <= limits.submit_concurrency

    def do_use(self, name: str, key: Key) -> None:
        if self.desk.grant(key) is not None:
            self.desk.use(key)
            self.sent.add(name)

    def do_leave(self, _: str, key: Key) -> None:
        self.desk.leave(key)

    def do_finish(self, _: str, key: Key) -> None:
        self.desk.finish(key)

    def do_settle(self, name: str, key: Key) -> None:
        if self.desk.grant(key) is None:
            known = next((e for e in self.reservations if e.attempt == attempt(name).entry), None)
            self.desk.settle(attempt(name), known, self.ticks)
            self.sent.discard(name)

    def do_take_over(self, *_: object) -> None:
        taken = [e.model_copy(update={"writer": "pod-9"}) for e in self.reservations]
        self.klass = with_reservations(self.klass, *taken)

    def do_restart(self, *_: object) -> None:
        self.desk = Desk("veo")

    def do_lose_a_race(self, *_: object) -> None:
        self.plan()


MOVES = [name.removeprefix("do_") for name in vars(Chaos) if name.startswith("do_")]


@given(
    st.lists(st.tuples(st.sampled_from(MOVES), st.sampled_from(NAMES)), max_size=40),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_no_sequence_of_rounds_overspends(moves: Iterable[tuple[str, str]], slots: int, permits: int) -> None:
    """One entry an attempt, new orders within the slots, and what was sent keeps its entry until it is settled."""
    limits = {"max_in_flight": max(slots, permits), "submit_concurrency": permits}
    game = Chaos(make_class(limits=limits))
    for move, name in moves:
        game.do(move, name)
        assert len(game.entries) == len(set(game.entries))
        assert game.sent <= set(game.entries)


def test_an_identity_is_attempt_writer_and_time() -> None:
    assert identity(entry("x")) == identity(entry("x", amount_usd=Decimal(9)))
    assert identity(entry("x")) != identity(entry("x", writer="pod-9"))


def test_a_plan_without_changes_is_no_write() -> None:
    assert Round().empty
    assert operations(make_class(), Round()) == []


def test_a_plan_made_for_another_list_does_not_apply() -> None:
    """Positions are tested by the attempt that lies there."""
    klass = with_reservations(make_class(), entry("x"), entry("y"))
    plan = Round(remove=(entry("y"),), after=(entry("x"),))
    moved = with_reservations(klass, entry("y"), entry("x"))
    with pytest.raises(PatchError):
        applied(moved.wire(), operations(klass, plan))
