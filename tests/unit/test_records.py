"""What the watch has shown: only news makes work, and a finished object makes none."""

from collections.abc import Mapping
from typing import Any

import pytest

from builders import NOW, make_attempt, make_generation, make_status, submitted_status
from videogen_operator.api.generation import KIND, RESOLVE_ANNOTATION
from videogen_operator.api.generation_status import AttemptState, Status
from videogen_operator.api.meta import Key
from videogen_operator.conditions import Reason, Step
from videogen_operator.records import Records, at_rest

KEY = Key(KIND, "films", "dawn")
DONE = submitted_status(make_attempt(state=AttemptState.COMPLETED), step=Step.SUCCEEDED)
LOST = submitted_status(make_attempt(state=AttemptState.FAILED), step=Step.FAILED, reason=Reason.CANCELED)
GONE = submitted_status(
    make_attempt(state=AttemptState.COMPLETED), step=Step.OUTPUT_MISSING, reason=Reason.OUTPUT_MISSING
)
HELD = submitted_status(
    make_attempt(state=AttemptState.UNKNOWN), step=Step.HELD, reason=Reason.SUBMISSION_OUTCOME_UNKNOWN
)


def body(version: int | str = 5, *, status: Status | None = None, **changes: Any) -> Mapping[str, Any]:
    """The object as the watch shows it."""
    wire = make_generation(status=status, **changes).wire()
    wire["metadata"]["resourceVersion"] = str(version)
    return wire


@pytest.fixture
def records() -> Records:
    return Records()


# ---------------------------------------------------------------- news


def test_an_object_that_was_never_seen_is_news(records: Records) -> None:
    assert records.seen(body()) == KEY
    assert len(records) == 1


NEWS = {
    "generation": body(6, generation=2),
    "deletion": body(6, deletion_timestamp=NOW),
    "another object": body(6, uid="uid-2"),
    "answer": body(6, annotations={RESOLVE_ANNOTATION: "r1-a1:abandon"}),
    "attempt": body(6, status=Status(attempt="r1-a1")),
    "task": body(6, status=Status(task_id="t")),
    "revision": body(6, status=Status(submitted_revision=1)),
    "finished": body(6, status=DONE),
}


@pytest.mark.parametrize("change", NEWS.values(), ids=list(NEWS))
def test_what_decisions_read_is_news(records: Records, change: Mapping[str, Any]) -> None:
    records.seen(body())
    assert records.seen(change) == KEY


NO_NEWS = {
    "label": body(6, labels={"team": "a"}),
    "another annotation": body(6, annotations={"note": "x"}),
    "phase": body(6, status=Status(phase="Queued")),
    "waiting": body(6, status=make_status(Step.QUEUED)),
}


@pytest.mark.parametrize("change", NO_NEWS.values(), ids=list(NO_NEWS))
def test_what_no_decision_reads_is_no_news(records: Records, change: Mapping[str, Any]) -> None:
    records.seen(body())
    assert records.seen(change) is None


def test_the_same_event_twice_is_news_once(records: Records) -> None:
    records.seen(body())
    assert records.seen(body()) is None


def test_an_older_event_is_no_news(records: Records) -> None:
    """A watch that starts anew shows what was, after what is."""
    records.seen(body(7, generation=2))
    assert records.seen(body(6)) is None
    assert records.seen(body(7)) is None
    assert records.seen(body(8, generation=3)) == KEY


def test_versions_are_compared_as_numbers(records: Records) -> None:
    records.seen(body(9, generation=2))
    assert records.seen(body(10)) == KEY


@pytest.mark.parametrize("version", ["", "opaque", "\u0665"])
def test_a_version_that_is_no_number_hides_nothing(records: Records, version: str) -> None:
    records.seen(body(7))
    assert records.seen(body(version, generation=2)) == KEY


# ---------------------------------------------------------------- our own writes


def test_the_echo_of_our_own_write_is_no_news(records: Records) -> None:
    records.seen(body(5))
    records.written(body(6, status=HELD))
    assert records.seen(body(6, status=HELD)) is None


def test_an_event_from_before_our_own_write_is_no_news(records: Records) -> None:
    records.written(body(9, status=HELD))
    assert records.seen(body(8)) is None


def test_an_event_from_after_our_own_write_is_news(records: Records) -> None:
    records.written(body(9, status=HELD))
    assert records.seen(body(10, status=HELD, annotations={RESOLVE_ANNOTATION: "r1-a1:resubmit"})) == KEY


# ---------------------------------------------------------------- finished objects


@pytest.mark.parametrize("status", [DONE, LOST, GONE], ids=["succeeded", "failed", "output missing"])
def test_a_finished_object_is_no_work_at_a_start(records: Records, status: Status) -> None:
    assert records.seen(body(status=status)) is None
    assert len(records) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"status": DONE, "revision": 2},
        {"status": DONE, "generation": 2},
        {"status": HELD},
        {"status": make_status(Step.QUEUED)},
        {},
    ],
    ids=["raised revision", "new generation not shown yet", "held", "queued", "new"],
)
def test_an_object_with_something_to_do_is_work_at_a_start(records: Records, change: dict[str, Any]) -> None:
    assert records.seen(body(**change)) == KEY


@pytest.mark.parametrize(("state", "work"), [(AttemptState.ABANDONED, True), (AttemptState.FAILED, False)])
def test_an_answer_to_an_abandoned_order_is_work_at_a_start(records: Records, state: AttemptState, work: bool) -> None:
    status = submitted_status(make_attempt(state=state), step=Step.FAILED, reason=Reason.ABANDONED)
    found = records.seen(body(status=status, annotations={RESOLVE_ANNOTATION: "r1-a1:adopt=t"}))
    assert (found == KEY) is work


def test_a_finished_object_that_is_edited_is_work(records: Records) -> None:
    records.seen(body(5, status=DONE))
    assert records.seen(body(6, status=DONE, generation=2)) == KEY


def test_rest_needs_no_field_that_an_old_object_may_lack() -> None:
    bare = {"metadata": {"name": "dawn", "namespace": "films", "generation": 1}}
    assert not at_rest(bare)
    assert not at_rest({**bare, "status": None, "spec": None})


def test_a_revision_that_was_left_out_is_the_first() -> None:
    wire = dict(body(status=DONE))
    wire["spec"] = {"prompt": "x"}
    assert at_rest(wire)


# ---------------------------------------------------------------- deletion


def test_a_deleted_object_is_forgotten(records: Records) -> None:
    records.seen(body())
    assert records.gone(body(6)) == KEY
    assert len(records) == 0
    assert records.gone(body(6)) == KEY


def test_an_object_that_is_made_again_is_news(records: Records) -> None:
    records.seen(body(5))
    records.gone(body(6))
    assert records.seen(body(7, uid="uid-2")) == KEY


def test_objects_that_vanished_unseen_are_found_by_a_list(records: Records) -> None:
    records.seen(body())
    records.seen(body(name="dusk"))
    assert records.missing_from({("films", "dusk"), ("films", "noon")}) == [KEY]
    assert records.missing_from({("films", "dusk")}) == []
    assert len(records) == 1
