"""The status writes, applied to the object as the API server applies them: what they set, and when they must fail."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from builders import (
    CLASS,
    NOW,
    PRICE,
    PROMPT,
    a_result,
    a_submitted,
    a_task,
    an_end,
    an_output,
    attempt_id,
    given_up,
    make_attempt,
    make_class,
    make_generation,
    make_offer,
    make_status,
    not_sent,
    submitted_status,
)
from fakes.json_patch import PatchError, applied
from videogen_operator import writes
from videogen_operator.api.generation import VideoGeneration
from videogen_operator.api.generation_status import Attempt, AttemptState, Billing, Cost, Status
from videogen_operator.api.meta import ConditionStatus
from videogen_operator.conditions import Reason, Standing, Step, Type, phase
from videogen_operator.writes import Pins, Write

URI = "s3://videos/veo/films/dawn/r1/"
SUBMITTING = Standing(step=Step.SUBMITTING, reason=Reason.SUBMITTING)
GENERATING = Standing(step=Step.GENERATING, reason=Reason.GENERATING, notes={Type.SUBMITTED: "task task-1"})
SUCCEEDED = Standing(step=Step.SUCCEEDED, reason=Reason.SUCCEEDED)
QUEUED = Standing(step=Step.QUEUED, reason=Reason.QUEUED)
HELD = Standing(step=Step.HELD, reason=Reason.SUBMISSION_OUTCOME_UNKNOWN)
FAILED = Standing(step=Step.FAILED, reason=Reason.ABANDONED, at=Type.GENERATED)


def pins(revision: int = 1) -> Pins:
    offer = make_offer(make_generation(revision=revision))
    return writes.pins(offer, make_class(), f"s3://videos/veo/films/dawn/r{revision}/")


def stored(obj: VideoGeneration) -> dict[str, Any]:
    """The object as the API server holds it: the default of the status, no empty lists."""
    wire = obj.wire()
    wire["status"] = {name: value for name, value in wire["status"].items() if value not in ([], {})}
    return wire


def after(obj: VideoGeneration, write: Write) -> VideoGeneration:
    return VideoGeneration.model_validate(applied(stored(obj), write.operations))


def sums(obj: VideoGeneration) -> tuple[str, str, str]:
    cost = (obj.status.cost or Cost()).wire()
    return cost["estimatedUSD"], cost["billedUSD"], cost["possibleUSD"]


def begun(revision: int = 1, status: Status | None = None) -> VideoGeneration:
    obj = make_generation(revision=revision, status=status)
    return after(obj, writes.intent(obj, attempt_id(1, revision), pins(revision), SUBMITTING, NOW))


def with_task() -> VideoGeneration:
    obj = begun()
    return after(obj, writes.task(obj, attempt_id(), a_task(), GENERATING, NOW))


def held() -> VideoGeneration:
    obj = begun()
    return after(obj, writes.doubt(obj, attempt_id(), HELD, NOW, price=PRICE, held=True))


def done() -> VideoGeneration:
    obj = with_task()
    return after(obj, writes.result(obj, attempt_id(), a_result(), SUCCEEDED, NOW))


# ---------------------------------------------------------------- a normal life


def test_a_normal_life_is_three_writes() -> None:
    """Intent, task, result: after the third nothing is left that another write would have to say."""
    obj = done()
    assert [item.state for item in obj.status.attempts] == [AttemptState.COMPLETED]
    assert obj.status.phase == "Succeeded"
    assert obj.status.output == an_output()
    assert obj.status.task_id == "task-1"
    assert obj.status.observed_generation == obj.metadata.generation
    assert (obj.status.start_time, obj.status.submit_time, obj.status.completion_time) == (NOW, NOW, NOW)
    assert sums(obj) == ("0.30", "0.30", "0.00")


def test_the_intent_closes_the_money_lock_and_pins_all_that_was_ordered() -> None:
    status = begun().status
    offer = make_offer()
    assert (status.submitted_revision, status.attempt) == (1, "r1-a1")
    assert status.ledger == URI
    assert status.request_hash == offer.request.hash
    assert status.resolved == offer.resolved
    assert status.class_ is not None
    assert (status.class_.name, status.class_.uid, status.class_.generation) == (CLASS, "class-uid", 1)
    assert status.attempts == (make_attempt(),)
    assert status.phase == "Submitting"
    assert sums(begun()) == ("0.30", "0.00", "0.00")


def test_the_task_is_recorded_where_it_is_polled() -> None:
    obj = with_task()
    item = obj.status.attempts[0]
    assert (item.state, item.task_id, item.endpoint) == (AttemptState.SUBMITTED, "task-1", a_task().endpoint)
    assert item.intent_time == NOW
    assert obj.status.task_id == "task-1"
    assert sums(obj) == ("0.30", "0.00", "0.00")


def test_the_result_says_what_was_billed() -> None:
    item = done().status.attempts[0]
    assert (item.state, item.billing, item.cost_usd) == (AttemptState.COMPLETED, Billing.BILLED, PRICE)
    assert item.task_id == "task-1"


def test_no_write_touches_anything_but_the_status() -> None:
    for obj, write in every_write():
        for operation in write.operations:
            path = operation["path"]
            assert path.startswith("/status/") or (operation["op"] == "test" and path.startswith("/metadata/"))
        changed = applied(stored(obj), write.operations)
        assert changed["spec"] == stored(obj)["spec"]
        assert changed["metadata"] == stored(obj)["metadata"]


def test_no_write_holds_the_prompt() -> None:
    for _, write in every_write():
        assert PROMPT not in str(write.operations)


def test_every_write_shows_the_phase_of_its_conditions() -> None:
    for obj, write in every_write():
        status = after(obj, write).status
        if write.fields & {"phase"}:
            assert status.phase == phase(status.conditions)


def test_phase_is_never_tested() -> None:
    for _, write in every_write():
        assert "/status/phase" not in {op["path"] for op in write.operations if op["op"] == "test"}


def test_every_write_tests_the_uid_first() -> None:
    for obj, write in every_write():
        assert write.operations[0] == {"op": "test", "path": "/metadata/uid", "value": obj.metadata.uid}


def test_every_test_has_a_value() -> None:
    """A `test` without one on a missing field closes the connection of servers up to 1.34."""
    for _, write in every_write():
        assert all("value" in operation for operation in write.operations if operation["op"] == "test")


def test_what_was_sent_is_what_must_come_back() -> None:
    for obj, write in every_write():
        assert writes.missing(write, applied(stored(obj), write.operations)) == []


def test_a_field_that_an_older_crd_dropped_is_named() -> None:
    obj = make_generation()
    write = writes.intent(obj, attempt_id(), pins(), SUBMITTING, NOW)
    pruned = applied(stored(obj), write.operations)
    del pruned["status"]["ledger"]
    assert writes.missing(write, pruned) == ["ledger"]
    assert "ledger" in writes.missing(write, {"metadata": {}})


# ---------------------------------------------------------------- compare-and-set


def every_write() -> list[tuple[VideoGeneration, Write]]:
    """Each write, with the object that it is made for."""
    new, started, running, uncertain = make_generation(), begun(), with_task(), held()
    one = attempt_id()
    return [
        (new, writes.show(new, QUEUED, NOW, price=PRICE)),
        (started, writes.show(started, SUBMITTING, NOW)),
        (running, writes.observe(running)),
        (new, writes.intent(new, one, pins(), SUBMITTING, NOW)),
        (started, writes.task(started, one, a_task(), GENERATING, NOW)),
        (new, writes.task(new, one, a_task(), GENERATING, NOW, pins())),
        (started, writes.doubt(started, one, SUBMITTING, NOW, price=PRICE, held=False)),
        (started, writes.doubt(started, one, HELD, NOW, price=PRICE, held=True)),
        (new, writes.doubt(new, one, HELD, NOW, price=PRICE, held=True, adoption=pins())),
        (running, writes.end(running, one, an_end(), QUEUED, NOW, price=PRICE)),
        (uncertain, writes.end(uncertain, one, given_up(), FAILED, NOW, price=PRICE)),
        (new, writes.end(new, one, given_up(), FAILED, NOW, price=PRICE, adoption=pins())),
        (running, writes.result(running, one, a_result(), SUCCEEDED, NOW)),
        (new, writes.result(new, one, a_result(), SUCCEEDED, NOW, pins())),
        (running, writes.fact(running, make_attempt(state=AttemptState.UNKNOWN))),
    ]


Change = Callable[[dict[str, Any]], None]


def set_status(name: str, value: object) -> Change:
    def change(wire: dict[str, Any]) -> None:
        wire["status"][name] = value

    return change


def set_metadata(name: str, value: object) -> Change:
    def change(wire: dict[str, Any]) -> None:
        wire["metadata"][name] = value

    return change


UID = set_metadata("uid", "uid-2")
GENERATION = set_metadata("generation", 2)
REVISION = set_status("submittedRevision", 2)
ATTEMPT = set_status("attempt", "r1-a2")
TASK = set_status("taskID", "task-9")
LABEL = set_metadata("labels", {"somebody": "else"})
VERSION = set_metadata("resourceVersion", "99")

INTENT_LOSES_TO = {"uid": UID, "generation": GENERATION, "revision": REVISION, "attempt": ATTEMPT, "task": TASK}
FACT_LOSES_TO = {"uid": UID, "attempt": ATTEMPT, "task": TASK}
SHOWN_LOSES_TO = {"uid": UID, "revision": REVISION, "attempt": ATTEMPT}
LOSES_TO: Mapping[str, Mapping[str, Change]] = {
    "shown": SHOWN_LOSES_TO,
    "intent": INTENT_LOSES_TO,
    "adoption": INTENT_LOSES_TO,
    "fact": FACT_LOSES_TO,
    "older fact": {"uid": UID, "attempt": ATTEMPT},
}
HARMLESS = {"label": LABEL, "version": VERSION}


KINDS = [
    "shown", "shown", "shown", "intent", "fact", "adoption", "fact", "fact", "adoption", "fact", "fact", "adoption",
    "fact", "adoption", "older fact",
]  # fmt: skip
RACES = [
    pytest.param(obj, write, change, id=f"{number}-{kind}-{name}")
    for number, ((obj, write), kind) in enumerate(zip(every_write(), KINDS, strict=True))
    for name, change in LOSES_TO[kind].items()
]


@pytest.mark.parametrize(("obj", "write", "change"), RACES)
def test_a_write_fails_when_what_it_rests_on_has_changed(obj: VideoGeneration, write: Write, change: Change) -> None:
    wire = stored(obj)
    change(wire)
    with pytest.raises(PatchError):
        applied(wire, write.operations)


@pytest.mark.parametrize("change", HARMLESS.values(), ids=list(HARMLESS))
def test_what_others_write_makes_nobody_lose(change: Change) -> None:
    for obj, write in every_write():
        wire = stored(obj)
        change(wire)
        applied(wire, write.operations)


def test_an_edit_of_the_spec_does_not_stop_a_fact() -> None:
    """A task ID and a result are paid for: only another attempt or task may be in the way."""
    for (obj, write), kind in zip(every_write(), KINDS, strict=True):
        wire = stored(obj)
        GENERATION(wire)
        if kind == "fact":
            applied(wire, write.operations)


def test_an_object_that_was_made_again_is_never_written_to() -> None:
    for obj, write in every_write():
        again = stored(make_generation(uid="uid-2"))
        with pytest.raises(PatchError):
            applied(again, write.operations)
        assert obj.metadata.uid == "uid-1"


@pytest.mark.parametrize("name", ["intent", "adoption"])
def test_of_two_first_writes_one_wins(name: str) -> None:
    obj = make_generation()
    write = (
        writes.intent(obj, attempt_id(), pins(), SUBMITTING, NOW)
        if name == "intent"
        else writes.result(obj, attempt_id(), a_result(), SUCCEEDED, NOW, pins())
    )
    wire = applied(stored(obj), write.operations)
    with pytest.raises(PatchError):
        applied(wire, writes.intent(obj, attempt_id(), pins(), SUBMITTING, NOW).operations)


# ---------------------------------------------------------------- the list of attempts


def ids(obj: VideoGeneration) -> list[str]:
    return [item.id for item in obj.status.attempts]


def with_attempts(*items: Attempt) -> VideoGeneration:
    return make_generation(status=submitted_status(*items))


def test_a_next_attempt_is_appended() -> None:
    obj = with_attempts(make_attempt(state=AttemptState.NOT_SENT, billing=Billing.NOT_BILLED))
    obj = after(obj, writes.intent(obj, attempt_id(2), pins(), SUBMITTING, NOW))
    assert ids(obj) == ["r1-a1", "r1-a2"]
    assert obj.status.attempt == "r1-a2"


def test_the_same_attempt_is_replaced() -> None:
    obj = with_attempts(make_attempt(state=AttemptState.NOT_SENT, billing=Billing.NOT_BILLED), make_attempt(2))
    obj = after(obj, writes.task(obj, attempt_id(2), a_task(2), GENERATING, NOW))
    assert ids(obj) == ["r1-a1", "r1-a2"]
    assert obj.status.attempts[1].task_id == "task-2"


def test_an_item_that_moved_is_not_replaced() -> None:
    obj = with_attempts(make_attempt(state=AttemptState.NOT_SENT), make_attempt(2))
    write = writes.task(obj, attempt_id(2), a_task(2), GENERATING, NOW)
    wire = stored(obj)
    del wire["status"]["attempts"][0]
    with pytest.raises(PatchError):
        applied(wire, write.operations)


@pytest.mark.parametrize("free", [0, 4])
def test_of_a_full_list_the_oldest_free_one_is_dropped(free: int) -> None:
    items = [
        make_attempt(n, state=AttemptState.FAILED, billing=Billing.NOT_BILLED if n - 1 >= free else Billing.BILLED)
        for n in range(1, 11)
    ]
    obj = with_attempts(*items)
    obj = after(obj, writes.intent(obj, attempt_id(11), pins(), SUBMITTING, NOW))
    assert len(ids(obj)) == 10
    assert f"r1-a{free + 1}" not in ids(obj)
    assert ids(obj)[-1] == "r1-a11"


def test_the_newest_attempt_is_always_in_the_list() -> None:
    """An attempt that the list lacked would be begun again and again: eleven paid revisions are no rarity."""
    items = [
        make_attempt(n, state=AttemptState.COMPLETED, billing=Billing.BILLED, cost_usd=PRICE) for n in range(1, 11)
    ]
    obj = with_attempts(*items)
    obj = after(obj, writes.intent(obj, attempt_id(11), pins(), SUBMITTING, NOW))
    assert ids(obj) == [f"r1-a{n}" for n in range(2, 12)]


def test_what_may_have_been_charged_is_kept_longer_than_what_was() -> None:
    items = [make_attempt(n, state=AttemptState.UNKNOWN, billing=Billing.POSSIBLE) for n in range(1, 10)]
    obj = with_attempts(*items, make_attempt(10, state=AttemptState.COMPLETED, billing=Billing.BILLED))
    obj = after(obj, writes.intent(obj, attempt_id(11), pins(), SUBMITTING, NOW))
    assert ids(obj) == [*(f"r1-a{n}" for n in range(1, 10)), "r1-a11"]


# ---------------------------------------------------------------- sums


def test_an_unknown_outcome_is_possible_spend() -> None:
    obj = held()
    assert sums(obj) == ("0.00", "0.00", "0.30")
    item = obj.status.attempts[0]
    assert (item.state, item.billing, item.cost_usd) == (AttemptState.UNKNOWN, Billing.POSSIBLE, PRICE)


def test_a_doubt_is_shown_before_anything_is_counted() -> None:
    obj = begun()
    obj = after(obj, writes.doubt(obj, attempt_id(), SUBMITTING, NOW, price=PRICE, held=False))
    assert obj.status.attempts[0].state is AttemptState.INTENT
    assert sums(obj) == ("0.30", "0.00", "0.00")


def test_a_doubt_that_is_written_twice_is_counted_once() -> None:
    obj = held()
    obj = after(obj, writes.doubt(obj, attempt_id(), HELD, NOW, price=PRICE, held=True))
    assert sums(obj) == ("0.00", "0.00", "0.30")


def test_a_task_that_turns_up_is_not_possible_spend_any_more() -> None:
    obj = held()
    obj = after(obj, writes.task(obj, attempt_id(), a_task(), GENERATING, NOW))
    assert sums(obj) == ("0.30", "0.00", "0.00")
    assert obj.status.attempts[0].billing is None
    obj = after(obj, writes.result(obj, attempt_id(), a_result(), SUCCEEDED, NOW))
    assert sums(obj) == ("0.30", "0.30", "0.00")


def test_a_held_attempt_that_failed_after_all_cost_nothing() -> None:
    obj = held()
    obj = after(obj, writes.end(obj, attempt_id(), not_sent(), QUEUED, NOW, price=PRICE))
    assert sums(obj) == ("0.00", "0.00", "0.00")
    assert obj.status.attempts[0].cost_usd == Decimal(0)


def test_a_held_attempt_that_was_abandoned_stays_possible_and_is_counted_once() -> None:
    obj = held()
    obj = after(obj, writes.end(obj, attempt_id(), given_up(), FAILED, NOW, price=PRICE))
    assert sums(obj) == ("0.00", "0.00", "0.30")
    assert obj.status.completion_time == NOW


def test_an_end_that_was_paid_is_billed() -> None:
    obj = with_task()
    end = given_up(1, AttemptState.COMPLETED, billing=Billing.BILLED, reason="SourceExpired")
    obj = after(obj, writes.end(obj, attempt_id(), end, FAILED, NOW, price=PRICE))
    assert sums(obj) == ("0.30", "0.30", "0.00")


def test_a_failed_attempt_costs_nothing_and_says_why() -> None:
    obj = with_task()
    obj = after(obj, writes.end(obj, attempt_id(), an_end(), QUEUED, NOW, price=PRICE))
    item = obj.status.attempts[0]
    assert sums(obj) == ("0.00", "0.00", "0.00")
    assert (item.state, item.billing, item.reason) == (AttemptState.FAILED, Billing.NOT_BILLED, "GenerationFailed")
    assert item.message == "no capacity"
    assert item.task_id == "task-1"
    assert obj.status.completion_time is None


def test_an_attempt_sent_again_adds_to_what_may_have_been_paid() -> None:
    obj = held()
    obj = after(obj, writes.intent(obj, attempt_id(2), pins(), SUBMITTING, NOW))
    assert sums(obj) == ("0.30", "0.00", "0.30")
    obj = after(obj, writes.task(obj, attempt_id(2), a_task(2), GENERATING, NOW))
    obj = after(obj, writes.result(obj, attempt_id(2), a_result(2), SUCCEEDED, NOW))
    assert sums(obj) == ("0.30", "0.30", "0.30")


def test_a_fact_of_an_older_attempt_moves_only_its_own_item_and_the_sums() -> None:
    obj = held()
    obj = after(obj, writes.intent(obj, attempt_id(2), pins(), SUBMITTING, NOW))
    paid = obj.status.attempts[0].model_copy(update={"state": AttemptState.COMPLETED, "billing": Billing.BILLED})
    changed = after(obj, writes.fact(obj, paid))
    assert changed.status.attempts == (paid, obj.status.attempts[1])
    assert changed.status.attempt == "r1-a2"
    assert sums(changed)[1:] == ("0.30", "0.00")


def test_revisions_add_up() -> None:
    obj = done()
    raised = obj.model_copy(update={"spec": obj.spec.model_copy(update={"revision": 2})})
    second = after(raised, writes.intent(raised, attempt_id(1, 2), pins(2), SUBMITTING, NOW))
    assert sums(second) == ("0.60", "0.30", "0.00")
    second = after(second, writes.task(second, attempt_id(1, 2), a_task(1, 2), GENERATING, NOW))
    second = after(second, writes.result(second, attempt_id(1, 2), a_result(1, 2), SUCCEEDED, NOW))
    assert sums(second) == ("0.60", "0.60", "0.00")


def test_an_adopted_video_shows_what_it_cost() -> None:
    obj = make_generation()
    obj = after(obj, writes.result(obj, attempt_id(), a_result(), replace(SUCCEEDED, adopted=True), NOW, pins()))
    assert sums(obj) == ("0.30", "0.30", "0.00")
    assert obj.status.submitted_revision == 1
    assert obj.status.task_id == "task-1"
    assert obj.status.start_time == NOW


def test_an_adopted_task_closes_the_lock_in_one_write() -> None:
    obj = make_generation()
    obj = after(obj, writes.task(obj, attempt_id(), a_task(), replace(GENERATING, adopted=True), NOW, pins()))
    assert (obj.status.submitted_revision, obj.status.attempt, obj.status.task_id) == (1, "r1-a1", "task-1")
    assert (obj.status.ledger, obj.status.phase) == (URI, "Generating")
    assert sums(obj) == ("0.30", "0.00", "0.00")


# ---------------------------------------------------------------- a raised revision


def raised() -> VideoGeneration:
    obj = done()
    return obj.model_copy(update={"spec": obj.spec.model_copy(update={"revision": 2})})


def test_the_video_of_a_lower_revision_moves_to_the_history() -> None:
    obj = raised()
    obj = after(obj, writes.intent(obj, attempt_id(1, 2), pins(2), SUBMITTING, NOW))
    assert obj.status.output is None
    (past,) = obj.status.history
    assert (past.revision, past.uri, past.cost_usd) == (1, an_output().uri, PRICE)


def test_the_history_tells_what_was_paid_and_not_what_may_have_been() -> None:
    obj = held()
    obj = after(obj, writes.intent(obj, attempt_id(2), pins(), SUBMITTING, NOW))
    obj = after(obj, writes.task(obj, attempt_id(2), a_task(2), GENERATING, NOW))
    cheaper = a_result(2, cost_usd="0.10")
    obj = after(obj, writes.result(obj, attempt_id(2), cheaper, SUCCEEDED, NOW))
    obj = obj.model_copy(update={"spec": obj.spec.model_copy(update={"revision": 2})})
    obj = after(obj, writes.intent(obj, attempt_id(1, 2), pins(2), SUBMITTING, NOW))
    assert obj.status.history[0].cost_usd == Decimal("0.10")


def test_what_was_of_the_lower_revision_does_not_stay() -> None:
    obj = raised()
    later = NOW + timedelta(minutes=5)
    obj = after(obj, writes.intent(obj, attempt_id(1, 2), pins(2), SUBMITTING, later))
    assert obj.status.task_id is None
    assert obj.status.submit_time is None
    assert obj.status.completion_time is None
    assert obj.status.start_time == later
    assert ids(obj) == ["r1-a1", "r2-a1"]


def test_the_history_is_newest_first_and_bounded() -> None:
    obj = done()
    for revision in range(2, 15):
        obj = obj.model_copy(update={"spec": obj.spec.model_copy(update={"revision": revision})})
        obj = after(obj, writes.intent(obj, attempt_id(1, revision), pins(revision), SUBMITTING, NOW))
        obj = after(obj, writes.task(obj, attempt_id(1, revision), a_task(1, revision), GENERATING, NOW))
        obj = after(obj, writes.result(obj, attempt_id(1, revision), a_result(1, revision), SUCCEEDED, NOW))
    assert [past.revision for past in obj.status.history] == list(range(13, 3, -1))
    assert obj.status.output is not None
    assert obj.status.output.revision == 14


def test_an_attempt_of_the_same_revision_keeps_the_start() -> None:
    obj = begun()
    obj = after(obj, writes.end(obj, attempt_id(), not_sent(), QUEUED, NOW, price=PRICE))
    later = NOW + timedelta(minutes=5)
    obj = after(obj, writes.intent(obj, attempt_id(2), pins(), SUBMITTING, later))
    assert obj.status.start_time == NOW


# ---------------------------------------------------------------- writes that change no fact


def test_waiting_shows_what_it_will_cost() -> None:
    obj = make_generation()
    obj = after(obj, writes.show(obj, QUEUED, NOW, price=PRICE))
    assert obj.status.phase == "Queued"
    assert sums(obj) == ("0.30", "0.00", "0.00")
    assert obj.status.start_time == NOW
    assert obj.status.submitted_revision is None


def test_what_is_shown_of_a_submitted_revision_leaves_its_cost_alone() -> None:
    obj = held()
    obj = after(obj, writes.show(obj, HELD, NOW, price=Decimal(9)))
    assert sums(obj) == ("0.00", "0.00", "0.30")


def test_a_new_generation_is_seen_without_any_other_change() -> None:
    before = make_generation(status=make_status(Step.SUCCEEDED, Reason.SUCCEEDED), generation=2)
    obj = after(before, writes.observe(before))
    assert obj.status.observed_generation == 2
    assert {c.observed_generation for c in obj.status.conditions} == {2}
    assert [(c.type, c.status, c.last_transition_time) for c in obj.status.conditions] == [
        (c.type, c.status, c.last_transition_time) for c in before.status.conditions
    ]


def test_an_object_without_conditions_can_be_observed() -> None:
    obj = make_generation(generation=2)
    assert after(obj, writes.observe(obj)).status.observed_generation == 2


def test_a_stored_video_is_ready() -> None:
    ready = next(c for c in done().status.conditions if c.type == Type.READY)
    assert ready.status is ConditionStatus.TRUE


def test_an_old_item_keeps_what_only_it_knows() -> None:
    obj = make_generation(status=submitted_status(a_submitted(submit_time=NOW - timedelta(seconds=9))))
    result = a_result(submit_time=None)
    obj = after(obj, writes.result(obj, attempt_id(), result, SUCCEEDED, NOW))
    assert obj.status.attempts[0].submit_time == NOW - timedelta(seconds=9)
