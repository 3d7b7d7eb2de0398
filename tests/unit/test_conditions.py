"""What each state shows: the table that is API."""

from datetime import timedelta

import pytest

from builders import NOW
from videogen_operator import conditions
from videogen_operator.api.meta import Condition, ConditionStatus
from videogen_operator.conditions import Reason, Standing, Step, Type

T, F, U = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN

IN_PROGRESS = {Type.FINISHED: F, Type.SUCCEEDED: U}

# step, phase, Ready, Reconciling, Stalled, Finished, Succeeded, and the four steps in their order
ROWS: list[tuple[Step, str, ConditionStatus, bool, bool, ConditionStatus, ConditionStatus, str]] = [
    (Step.PENDING, "Pending", U, True, False, F, U, "FUUU"),
    (Step.REFUSED, "Pending", F, False, True, F, U, "FUUU"),
    (Step.QUEUED, "Queued", U, True, False, F, U, "TFUU"),
    (Step.SUSPENDED, "Suspended", U, False, False, F, U, "TFUU"),
    (Step.SUBMITTING, "Submitting", U, True, False, F, U, "TUUU"),
    (Step.HELD, "Held", F, False, True, F, U, "TUUU"),
    (Step.GENERATING, "Generating", U, True, False, F, U, "TTUU"),
    (Step.STORING, "Storing", U, True, False, F, U, "TTTU"),
    (Step.SUCCEEDED, "Succeeded", T, False, False, T, T, "TTTT"),
    (Step.OUTPUT_MISSING, "Succeeded", F, False, True, T, T, "TTTF"),
    (Step.FAILED, "Failed", F, False, True, T, F, "TFUU"),
]
STEPS = (Type.ACCEPTED, Type.SUBMITTED, Type.GENERATED, Type.STORED)
FAILED_AT = {Type.SUBMITTED: "TFUU", Type.GENERATED: "TTFU", Type.STORED: "TTTF"}


def shown(standing: Standing, before: tuple[Condition, ...] = (), seconds: float = 0) -> dict[str, Condition]:
    listed = conditions.conditions(standing, generation=3, now=NOW + timedelta(seconds=seconds), before=before)
    return {condition.type: condition for condition in listed}


def test_every_step_has_its_row() -> None:
    assert {row[0] for row in ROWS} == set(Step)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_the_row_of_the_table(
    row: tuple[Step, str, ConditionStatus, bool, bool, ConditionStatus, ConditionStatus, str],
) -> None:
    step, phase, ready, reconciling, stalled, finished, succeeded, steps = row
    found = shown(Standing(step=step, reason=Reason.QUEUED))
    assert found[Type.READY].status is ready
    assert (Type.RECONCILING in found) is reconciling
    assert (Type.STALLED in found) is stalled
    assert found[Type.FINISHED].status is finished
    assert found[Type.SUCCEEDED].status is succeeded
    assert "".join(found[type_].status[0] for type_ in STEPS) == steps
    assert conditions.phase(found.values()) == phase


@pytest.mark.parametrize(("at", "steps"), FAILED_AT.items())
def test_a_failure_shows_how_far_it_came(at: Type, steps: str) -> None:
    found = shown(Standing(step=Step.FAILED, reason=Reason.ABANDONED, at=at))
    assert "".join(found[type_].status[0] for type_ in STEPS) == steps
    assert found[at].reason == Reason.ABANDONED


def standings() -> list[Standing]:
    everything = [Standing(step=step, reason=reason) for step in Step for reason in Reason]
    failed = [Standing(step=Step.FAILED, reason=reason, at=at) for reason in Reason for at in FAILED_AT]
    stored = [
        Standing(step=step, reason=Reason.SUCCEEDED, adopted=adopted, mismatch=mismatch)
        for step in (Step.SUCCEEDED, Step.OUTPUT_MISSING, Step.GENERATING)
        for adopted in (True, False)
        for mismatch in (True, False)
    ]
    return everything + failed + stored


@pytest.mark.parametrize("step", Step)
def test_the_step_is_read_back_from_what_is_shown(step: Step) -> None:
    """For every reason, every place of a failure, adopted or not, as ordered or not."""
    for standing in standings():
        if standing.step is step:
            assert conditions.step_shown(shown(standing).values()) is step, standing


@pytest.mark.parametrize("step", Step)
def test_reconciling_and_stalled_are_never_shown_together(step: Step) -> None:
    """Of the two kstatus takes whichever comes first."""
    for standing in standings():
        if standing.step is step:
            assert not {Type.RECONCILING, Type.STALLED} <= set(shown(standing)), standing


@pytest.mark.parametrize("type_", [Type.RECONCILING, Type.STALLED])
@pytest.mark.parametrize("step", Step)
def test_reconciling_and_stalled_are_there_only_when_true(step: Step, type_: Type) -> None:
    found = shown(Standing(step=step, reason=Reason.QUEUED))
    assert type_ not in found or found[type_].status is T


@pytest.mark.parametrize("step", Step)
def test_ready_comes_first_and_the_order_never_changes(step: Step) -> None:
    order = list(shown(Standing(step=step, reason=Reason.QUEUED)))
    assert order[0] == Type.READY
    assert order == [type_ for type_ in Type if type_ in order]


@pytest.mark.parametrize("step", Step)
def test_every_condition_says_which_generation_it_is_about(step: Step) -> None:
    assert {c.observed_generation for c in shown(Standing(step=step, reason=Reason.QUEUED)).values()} == {3}


@pytest.mark.parametrize(
    ("type_", "status"),
    [(Type.READY, U), (Type.SUBMITTED, F), (Type.RECONCILING, T)],
)
def test_ready_and_the_step_in_progress_share_their_reason(type_: Type, status: ConditionStatus) -> None:
    found = shown(Standing(step=Step.QUEUED, reason=Reason.BREAKER_OPEN, message="closed"))
    assert (found[type_].status, found[type_].reason, found[type_].message) == (status, Reason.BREAKER_OPEN, "closed")


@pytest.mark.parametrize(
    ("adopted", "mismatch", "ready", "submitted", "stored"),
    [
        (False, False, Reason.VIDEO_STORED, Reason.TASK_CREATED, Reason.OUTPUT_VERIFIED),
        (True, False, Reason.OUTPUT_ADOPTED, Reason.TASK_ADOPTED, Reason.OUTPUT_ADOPTED),
        (False, True, Reason.VIDEO_STORED, Reason.TASK_CREATED, Reason.OUTPUT_MISMATCH),
        (True, True, Reason.OUTPUT_ADOPTED, Reason.TASK_ADOPTED, Reason.OUTPUT_MISMATCH),
    ],
)
def test_the_good_end_says_how_it_came_about(
    adopted: bool, mismatch: bool, ready: Reason, submitted: Reason, stored: Reason
) -> None:
    found = shown(Standing(step=Step.SUCCEEDED, reason=Reason.SUCCEEDED, adopted=adopted, mismatch=mismatch))
    assert found[Type.READY].reason == ready
    assert found[Type.SUBMITTED].reason == submitted
    assert found[Type.GENERATED].reason == Reason.TASK_COMPLETED
    assert found[Type.STORED].reason == stored
    assert found[Type.FINISHED].reason == found[Type.SUCCEEDED].reason == Reason.SUCCEEDED


def test_held_is_not_finished_and_says_so() -> None:
    held = shown(Standing(step=Step.HELD, reason=Reason.SUBMISSION_OUTCOME_UNKNOWN))
    assert held[Type.FINISHED].reason == Reason.HELD
    assert held[Type.SUBMITTED].reason == Reason.SUBMISSION_OUTCOME_UNKNOWN


# ---------------------------------------------------------------- from one write to the next


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("next_step", Step)
def test_a_transition_time_moves_only_when_the_status_changes(step: Step, next_step: Step) -> None:
    before = shown(Standing(step=step, reason=Reason.QUEUED))
    after = shown(Standing(step=next_step, reason=Reason.BACKING_OFF), tuple(before.values()), 60)
    for type_, condition in after.items():
        old = before.get(type_)
        moved = old is None or old.status is not condition.status
        assert condition.last_transition_time == (NOW + timedelta(seconds=60) if moved else NOW), type_


def test_what_a_passed_step_said_stays() -> None:
    first = shown(
        Standing(step=Step.GENERATING, reason=Reason.GENERATING, message="task t", notes={Type.SUBMITTED: "task t-1"})
    )
    second = shown(
        Standing(step=Step.GENERATING, reason=Reason.GENERATION_OVERDUE, message="late"), tuple(first.values())
    )
    assert second[Type.SUBMITTED].message == "task t-1"
    assert second[Type.READY].message == second[Type.GENERATED].message == "late"


def test_a_message_of_another_reason_does_not_stay() -> None:
    first = shown(Standing(step=Step.QUEUED, reason=Reason.BREAKER_OPEN, message="closed"))
    second = shown(Standing(step=Step.GENERATING, reason=Reason.GENERATING, message="task t"), tuple(first.values()))
    assert "closed" not in {condition.message for condition in second.values()}


def test_a_note_comes_before_what_was_said() -> None:
    found = shown(Standing(step=Step.SUCCEEDED, reason=Reason.SUCCEEDED, message="all", notes={Type.FINISHED: ""}))
    assert found[Type.READY].message == "all"
    assert found[Type.FINISHED].message == ""


# ---------------------------------------------------------------- reading


def test_before_the_first_write_no_step_is_shown() -> None:
    assert conditions.step_shown(()) is None
    assert conditions.phase(()) == "Pending"


def test_a_condition_of_somebody_else_is_no_matter() -> None:
    other = Condition(type="Other", status=T, last_transition_time=NOW, reason="Other")
    found = tuple(shown(Standing(step=Step.HELD, reason=Reason.SUBMISSION_OUTCOME_UNKNOWN)).values())
    assert conditions.step_shown((other, *found)) is Step.HELD
    assert conditions.find((other, *found), Type.FINISHED) == found[6]
    assert conditions.find((other,), Type.READY) is None


def test_the_phase_depends_on_the_conditions_only() -> None:
    """Not on the order, the messages, the times or the reasons of the list."""
    for standing in standings():
        listed = list(shown(standing).values())
        plain = [c.model_copy(update={"message": "x", "last_transition_time": NOW}) for c in reversed(listed)]
        assert conditions.phase(plain) == conditions.phase(listed)
