"""Bringing one paid task to its end: when it is asked for, what is believed, and how hard it is to give it up."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW, TICKS, a_task, attempt_id, later, make_pace, make_pursuit, make_resolved
from videogen_operator import answers, pursuit
from videogen_operator.answers import (
    Canceled,
    Completed,
    ContentFailure,
    ErrorWithoutStatus,
    Failed,
    FailureKind,
    Gone,
    NoSuchTask,
    NotReady,
    PollAnswer,
    Refusal,
    Refused,
    Working,
)
from videogen_operator.api.generation_status import AttemptState, Billing
from videogen_operator.conditions import Reason
from videogen_operator.ledger import Again
from videogen_operator.pursuit import Ending, Moment, Pace, Pursuit, Step

PACE = make_pace()
WORKING = Working(raw_status="in_progress")
FAILED = Failed(kind=FailureKind.OTHER, reason="it failed")
MISSING = NoSuchTask(detail="404")
SILENT = ErrorWithoutStatus(detail="an error and no status")
DOWN = Refused(kind=Refusal.NETWORK, detail="no route")
SERVER = Refused(kind=Refusal.SERVER, detail="HTTP 502")
DAY = 86_400.0


def going_on(found: Pursuit | Ending) -> Pursuit:
    assert isinstance(found, Pursuit), found
    return found


def ended(found: Pursuit | Ending) -> Ending:
    assert isinstance(found, Ending), found
    return found


def polled(p: Pursuit, answer: PollAnswer, now: Moment, pace: Pace = PACE) -> Pursuit | Ending:
    return pursuit.after_poll(p, answer, now, pace)


def at(ticks: float) -> Moment:
    return later(ticks - TICKS)


def schedule(p: Pursuit, answer: PollAnswer, until: float, pace: Pace = PACE) -> list[float]:
    """When polls are made, in seconds after the task, as long as the gateway gives the same answer."""
    times = []
    while p.due - TICKS < until:
        now = at(p.due)
        times.append(p.due - TICKS)
        p = going_on(polled(p, answer, now, pace))
    return times


def begun(pace: Pace = PACE, seconds: float = 0.0) -> Pursuit:
    return pursuit.begin(attempt_id(), a_task(), make_resolved(), later(seconds), pace)


# ---------------------------------------------------------------- when a task is asked for


def test_one_early_poll_then_from_the_tiers_first_poll_on() -> None:
    """Refusals come early; nothing else is to be expected before the tier's first-poll time."""
    times = schedule(begun(), WORKING, 180)
    assert times[0] == pytest.approx(10)
    assert times[1] == pytest.approx(40)
    gaps = [after - before for before, after in pairwise(times[1:])]
    assert all(8 <= gap <= 10 for gap in gaps)
    assert len(set(gaps)) > 1


def test_past_the_deadline_a_task_is_asked_for_once_a_minute() -> None:
    times = schedule(begun(), WORKING, 600)
    gaps = [after - before for before, after in pairwise(times) if before > 180]
    assert gaps
    assert all(gap == pytest.approx(60) for gap in gaps)


@pytest.mark.parametrize(
    ("pace", "first"),
    [
        (make_pace(first_poll=0.0), 0.0),
        (make_pace(first_poll=5.0), 5.0),
        (make_pace(first_poll=10.0), 10.0),
        (make_pace(first_poll=300.0), 10.0),
    ],
)
def test_the_first_poll_is_never_later_than_the_tiers(pace: Pace, first: float) -> None:
    assert first <= begun(pace).due - TICKS <= first + 5


def test_a_slow_tier_is_asked_twice_before_its_time_at_most() -> None:
    times = schedule(begun(make_pace(first_poll=300.0, overdue_after=600.0)), WORKING, 300, make_pace(first_poll=300.0))
    assert times == pytest.approx([10])


@pytest.mark.parametrize("seconds", [10.0, 25.0, 39.0, 100.0, 10_000.0])
def test_after_a_restart_a_task_is_asked_for_soon_and_not_all_at_once(seconds: float) -> None:
    due = [
        pursuit.begin(attempt_id(n), a_task(n), make_resolved(), later(seconds), PACE).due - TICKS - seconds
        for n in range(1, 21)
    ]
    assert all(0 <= wait <= 5 for wait in due)
    assert len(set(due)) > 1


def test_errors_are_answered_by_asking_more_slowly_up_to_a_minute() -> None:
    times = schedule(begun(seconds=50), DOWN, 2000)
    gaps = [after - before for before, after in pairwise(times)]
    assert gaps[0] < 15
    assert all(gap <= 72 for gap in gaps)
    assert gaps[-1] >= 60


def test_a_gateway_that_says_when_is_not_asked_before() -> None:
    slow = Refused(kind=Refusal.RATE, detail="429", retry_after=300)
    assert going_on(polled(make_pursuit(), slow, later(50))).due == TICKS + 350


def test_an_answer_ends_the_backing_off() -> None:
    p = make_pursuit()
    for second in range(50, 55):
        p = going_on(polled(p, DOWN, later(second)))
    p = going_on(polled(p, WORKING, later(60)))
    assert p.errors == 0
    assert 8 <= p.due - TICKS - 60 <= 10


@given(
    st.floats(0, 10_000),
    st.sampled_from([WORKING, DOWN, SERVER, MISSING, SILENT]),
    st.integers(0, 50),
    st.integers(0, 50),
)
def test_a_poll_is_never_followed_at_once_nor_forgotten(
    seconds: float, answer: PollAnswer, errors: int, misses: int
) -> None:
    p = make_pursuit(errors=errors, misses=misses, missing_since=TICKS)
    wait = going_on(polled(p, answer, later(seconds))).due - TICKS - seconds
    assert 0 < wait <= 72


@pytest.mark.parametrize(
    ("p", "want"),
    [
        (make_pursuit(), Step.POLL),
        (make_pursuit(due=TICKS + 1), Step.WAIT),
        (make_pursuit(completed=later(0)), Step.STORE),
        (make_pursuit(completed=later(0), due=TICKS + 1), Step.WAIT),
        (make_pursuit(silent=2), Step.POLL),
        (make_pursuit(silent=3), Step.ASK_CONTENT),
        (make_pursuit(silent=4), Step.POLL),
    ],
)
def test_what_is_due(p: Pursuit, want: Step) -> None:
    assert pursuit.step(p, later(0)) is want


# ---------------------------------------------------------------- what is believed


def test_completed_is_believed_at_once() -> None:
    p = going_on(polled(make_pursuit(failed_at=TICKS, misses=2, trouble=Reason.TASK_NOT_FOUND), Completed(), later(5)))
    assert (p.completed, p.due, p.trouble) == (later(5), TICKS + 5, None)


def test_failed_is_asked_again_a_period_later() -> None:
    p = going_on(polled(make_pursuit(), FAILED, later(20)))
    assert (p.failed_at, p.due) == (TICKS + 20, TICKS + 30)


def test_failed_is_believed_when_said_twice_a_period_apart() -> None:
    p = going_on(polled(make_pursuit(), FAILED, later(20)))
    end = ended(polled(p, FAILED, later(30)))
    assert (end.state, end.billing, end.reason) == (AttemptState.FAILED, Billing.NOT_BILLED, Reason.GENERATION_FAILED)
    assert end.detail == "it failed"


def test_failed_said_twice_at_once_is_said_once() -> None:
    p = going_on(polled(make_pursuit(), FAILED, later(20)))
    p = going_on(polled(p, FAILED, later(21)))
    assert (p.failed_at, p.due) == (TICKS + 20, TICKS + 30)


@pytest.mark.parametrize("between", [WORKING, MISSING, SILENT], ids=["working", "missing", "silent"])
def test_failed_that_was_taken_back_counts_anew(between: PollAnswer) -> None:
    p = going_on(polled(make_pursuit(), FAILED, later(20)))
    p = going_on(polled(p, between, later(30)))
    assert isinstance(polled(p, FAILED, later(40)), Pursuit)


def test_failed_and_then_completed_is_completed() -> None:
    p = going_on(polled(make_pursuit(), FAILED, later(20)))
    assert going_on(polled(p, Completed(), later(30))).completed == later(30)


def test_an_unclear_answer_between_two_failures_changes_nothing() -> None:
    p = going_on(polled(make_pursuit(), FAILED, later(20)))
    p = going_on(polled(p, DOWN, later(30)))
    assert isinstance(polled(p, FAILED, later(40)), Ending)


@pytest.mark.parametrize(
    ("kind", "reason", "again"),
    [
        (FailureKind.POLICY, Reason.CONTENT_POLICY_REJECTED, Again.NEVER),
        (FailureKind.CAPACITY, Reason.GENERATION_FAILED, Again.COUNTED),
        (FailureKind.OTHER, Reason.GENERATION_FAILED, Again.COUNTED),
        (FailureKind.NO_REASON, Reason.GENERATION_FAILED, Again.ONCE),
        (FailureKind.MODEL_GONE, Reason.MODEL_UNAVAILABLE, Again.FREE),
    ],
)
def test_what_a_failure_leads_to(kind: FailureKind, reason: Reason, again: Again) -> None:
    end = ended(polled(make_pursuit(failed_at=TICKS), Failed(kind=kind, reason="why"), later(20)))
    assert (end.reason, end.again, end.billing) == (reason, again, Billing.NOT_BILLED)


def test_every_kind_of_failure_is_known() -> None:
    for kind in FailureKind:
        assert isinstance(polled(make_pursuit(failed_at=TICKS), Failed(kind=kind, reason=""), later(20)), Ending)


def test_canceled_is_final_and_free() -> None:
    end = ended(polled(make_pursuit(), Canceled(reason="expired"), later(20)))
    assert (end.state, end.reason, end.again) == (AttemptState.CANCELED, Reason.CANCELED, Again.NEVER)
    assert end.billing is Billing.NOT_BILLED


@pytest.mark.parametrize("word", ["queued", "in_progress", "a word of next year", ""])
def test_any_other_word_is_work(word: str) -> None:
    p = going_on(polled(make_pursuit(), Working(raw_status=word, known=False), later(20)))
    assert p.completed is None


# ---------------------------------------------------------------- missing tasks


def missing(times: int, gap: float) -> Pursuit:
    p = make_pursuit()
    for number in range(times):
        p = going_on(polled(p, MISSING, later(50 + number * gap)))
    return p


@pytest.mark.parametrize(
    ("times", "gap", "shown"),
    [(2, 60.0, False), (3, 10.0, False), (3, 30.0, True), (7, 10.0, True), (6, 10.0, False)],
)
def test_a_missing_task_is_shown_when_said_three_times_over_a_minute(times: int, gap: float, shown: bool) -> None:
    assert (missing(times, gap).trouble is Reason.TASK_NOT_FOUND) is shown


def test_a_missing_task_is_asked_for_slowly_and_never_ended_before_its_day() -> None:
    p = missing(1000, 60.0)
    assert p.due - (TICKS + 50 + 999 * 60.0) == pytest.approx(60)
    assert p.trouble is Reason.TASK_NOT_FOUND


def test_a_task_that_is_found_again_goes_on_as_before() -> None:
    p = going_on(polled(missing(5, 30.0), WORKING, later(300)))
    assert (p.misses, p.trouble) == (0, None)


def test_another_key_or_class_looks_with_fresh_eyes() -> None:
    """A key of another account sees no task: as soon as the Secret changes it is asked for again."""
    p = pursuit.fresh_eyes(replace(missing(5, 30.0), clear=2, errors=3), later(300))
    assert (p.due, p.misses, p.errors, p.clear) == (TICKS + 300, 0, 0, 0)


def test_a_gateway_that_cannot_be_reached_is_shown_after_several_errors() -> None:
    p = make_pursuit()
    for number in range(1, 7):
        p = going_on(polled(p, DOWN, later(50 + number * 60)))
        assert (p.trouble is Reason.GATEWAY_UNREACHABLE) is (number == 6)


# ---------------------------------------------------------------- an error and no status


def test_content_is_asked_once_after_several_errors_without_a_status() -> None:
    p = make_pursuit()
    for number in range(3):
        assert pursuit.step(p, at(p.due)) is Step.POLL, number
        p = going_on(polled(p, SILENT, at(p.due + 50)))
    assert pursuit.step(p, at(p.due)) is Step.ASK_CONTENT
    p = going_on(pursuit.after_asking_content(p, failure=False, now=at(p.due), pace=PACE))
    for _ in range(10):
        assert pursuit.step(p, at(p.due)) is Step.POLL
        p = going_on(polled(p, SILENT, at(p.due)))


def test_content_that_says_failure_ends_it_for_free() -> None:
    p = make_pursuit(silent=3, detail="no status")
    end = ended(pursuit.after_asking_content(p, failure=True, now=later(90), pace=PACE))
    assert (end.state, end.billing, end.again) == (AttemptState.FAILED, Billing.NOT_BILLED, Again.ONCE)


def test_a_status_in_between_starts_the_count_anew() -> None:
    p = going_on(polled(make_pursuit(silent=2), WORKING, later(60)))
    assert p.silent == 0


# ---------------------------------------------------------------- copies

COPYING = make_pursuit(completed=later(60), due=TICKS + 60)
NOT_READY = NotReady(detail="400")


def test_content_is_retried_five_times_quickly_then_more_and_more_slowly() -> None:
    p, gaps = COPYING, []
    for _ in range(12):
        now = at(p.due)
        p = going_on(pursuit.after_content(p, NOT_READY, now, PACE))
        gaps.append(p.due - now.ticks)
    assert gaps[:5] == pytest.approx([4.0] * 5)
    assert all(before < after for before, after in pairwise(gaps[4:11]))
    assert max(gaps) <= 720


def test_content_that_says_when_is_not_asked_before() -> None:
    p = going_on(pursuit.after_content(COPYING, NotReady(detail="400", retry_after=77), later(60), PACE))
    assert p.due == TICKS + 137


def test_trouble_with_the_bucket_keeps_the_local_copy() -> None:
    local = pursuit.LocalCopy(
        path="copy.mp4",
        size=1,
        sha256="a",
        duration_millis=1,
        width=1,
        height=1,
        content_credentials=False,
    )
    p = pursuit.after_store_trouble(replace(COPYING, local=local), "down", later(60), PACE)
    assert p.local == local
    assert p.trouble is Reason.STORAGE_UNAVAILABLE
    assert p.due > TICKS + 60


def test_a_bucket_is_tried_at_least_once_a_minute_for_ever() -> None:
    p = COPYING
    for _ in range(200):
        now = at(p.due)
        p = pursuit.after_store_trouble(p, "down", now, PACE)
        assert 0 < p.due - now.ticks <= 72


def test_a_video_that_is_too_large_waits_for_the_administrator_for_ever() -> None:
    p = COPYING
    for _ in range(3000):
        p = pursuit.after_too_large(p, "9 GB", at(p.due), PACE)
    assert p.trouble is Reason.OUTPUT_TOO_LARGE
    assert p.elapsed(at(p.due)) > DAY


def test_bytes_that_are_no_video_are_remembered_to_be_told_from_the_next() -> None:
    p = going_on(pursuit.after_bad_video(COPYING, "cut", "aa", later(60), PACE))
    assert (p.refused_sha256, p.tries, p.trouble) == ("aa", 1, Reason.DOWNLOADING)


@pytest.mark.parametrize(("seconds", "slow"), [(0, False), (30, False), (30.1, True)])
def test_a_copy_is_in_trouble_after_its_time(seconds: float, slow: bool) -> None:
    assert pursuit.copy_in_trouble(COPYING, later(60 + seconds), PACE) is slow
    assert not pursuit.copy_in_trouble(make_pursuit(), later(10_000), PACE)


@pytest.mark.parametrize(("seconds", "late"), [(179, False), (180, False), (181, True)])
def test_a_task_is_overdue_after_its_time_and_never_once_completed(seconds: float, late: bool) -> None:
    assert pursuit.overdue(make_pursuit(), later(seconds), PACE) is late
    assert not pursuit.overdue(COPYING, later(seconds), PACE)


# ---------------------------------------------------------------- giving up


def asked(p: Pursuit, answer: PollAnswer, times: list[float]) -> Pursuit | Ending:
    found: Pursuit | Ending = p
    for seconds in times:
        found = polled(going_on(found), answer, later(seconds))
        if isinstance(found, Ending):
            return found
    return found


@pytest.mark.parametrize("answer", [WORKING, MISSING, SERVER, SILENT], ids=["working", "missing", "5xx", "silent"])
@pytest.mark.parametrize(
    ("times", "over"),
    [
        ([DAY - 7200, DAY - 3700, DAY], False),
        ([DAY + 1, DAY + 2, DAY + 3, DAY + 3600], False),
        ([DAY + 1, DAY + 3602], False),
        ([DAY + 1, DAY + 1800, DAY + 3602], True),
        ([DAY - 60, DAY + 1, DAY + 1800, DAY + 3602], True),
    ],
    ids=["before the day", "less than an hour", "two answers", "three over an hour", "earlier ones do not count"],
)
def test_giving_up_takes_a_day_and_three_clear_answers_over_an_hour(
    answer: PollAnswer, times: list[float], over: bool
) -> None:
    assert isinstance(asked(make_pursuit(), answer, times), Ending) is over


@pytest.mark.parametrize("kind", [Refusal.NETWORK, Refusal.CREDENTIALS, Refusal.RATE])
def test_what_says_nothing_about_the_task_never_counts(kind: Refusal) -> None:
    """So an outage, or a revoked key, longer than the deadline abandons nothing."""
    answer = Refused(kind=kind, detail="no")
    found = asked(make_pursuit(), answer, [DAY * n for n in range(1, 60)])
    assert going_on(found).clear == 0


def test_an_outage_longer_than_the_deadline_is_followed_by_an_hour_of_answers() -> None:
    p = going_on(asked(make_pursuit(), DOWN, [DAY * n for n in range(1, 4)]))
    assert isinstance(polled(p, WORKING, later(4 * DAY)), Pursuit)


@pytest.mark.parametrize(
    ("answer", "state", "reason"),
    [
        (WORKING, AttemptState.ABANDONED, Reason.ABANDONED),
        (SILENT, AttemptState.ABANDONED, Reason.ABANDONED),
        (MISSING, AttemptState.TASK_LOST, Reason.TASK_LOST),
    ],
    ids=["working", "silent", "missing"],
)
def test_a_task_that_is_given_up_may_have_been_billed(answer: PollAnswer, state: AttemptState, reason: Reason) -> None:
    end = ended(asked(make_pursuit(), answer, [DAY + 1, DAY + 1800, DAY + 3602]))
    assert (end.state, end.billing, end.reason, end.again) == (state, Billing.POSSIBLE, reason, Again.NEVER)


def test_a_server_error_gives_up_what_was_last_known() -> None:
    p = going_on(asked(make_pursuit(), MISSING, [100, 200, 300]))
    assert ended(asked(p, SERVER, [DAY + 1, DAY + 1800, DAY + 3602])).reason is Reason.TASK_LOST


CONTENT_DOWN = Refused(kind=Refusal.NETWORK, detail="no route")
CONTENT_5XX = Refused(kind=Refusal.SERVER, detail="HTTP 502")


def copied(p: Pursuit, answer: answers.ContentAnswer, times: list[float]) -> Pursuit | Ending:
    found: Pursuit | Ending = p
    for seconds in times:
        found = pursuit.after_content(going_on(found), answer, later(seconds), PACE)
        if isinstance(found, Ending):
            return found
    return found


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Gone(detail="410"), Reason.SOURCE_EXPIRED),
        (ContentFailure(detail="FAILURE"), Reason.COMPLETED_WITHOUT_VIDEO),
        (CONTENT_5XX, Reason.COMPLETED_WITHOUT_VIDEO),
    ],
    ids=["gone", "failure", "5xx"],
)
def test_a_completed_task_without_a_video_is_billed_and_final(answer: answers.ContentAnswer, reason: Reason) -> None:
    end = ended(copied(COPYING, answer, [DAY + 1, DAY + 1800, DAY + 3602]))
    assert (end.state, end.billing, end.reason) == (AttemptState.COMPLETED, Billing.BILLED, reason)
    assert end.again is Again.NEVER


@pytest.mark.parametrize(
    "answer", [Gone(detail="404"), ContentFailure(detail="x"), CONTENT_5XX], ids=["gone", "failure", "5xx"]
)
def test_before_the_day_a_missing_source_is_only_retried(answer: answers.ContentAnswer) -> None:
    assert isinstance(copied(COPYING, answer, [1000 + 60 * n for n in range(1400)]), Pursuit)


@pytest.mark.parametrize("kind", [Refusal.NETWORK, Refusal.CREDENTIALS, Refusal.RATE], ids=lambda kind: kind.value)
def test_a_copy_that_cannot_be_asked_for_is_never_given_up(kind: Refusal) -> None:
    found = copied(COPYING, Refused(kind=kind, detail="no"), [DAY * n for n in range(1, 60)])
    assert going_on(found).clear == 0


def test_what_is_stored_in_vain_is_never_given_up() -> None:
    """The bucket's own outage says nothing about the video."""
    p = COPYING
    for day in range(1, 60):
        p = pursuit.after_store_trouble(p, "down", later(day * DAY), PACE)
    assert p.clear == 0


def test_bytes_that_are_no_video_are_given_up_like_any_other_answer() -> None:
    found: Pursuit | Ending = COPYING
    for number, seconds in enumerate([DAY + 1, DAY + 1800, DAY + 3602]):
        found = pursuit.after_bad_video(going_on(found), "cut", f"sha-{number}", later(seconds), PACE)
    assert ended(found).reason is Reason.COMPLETED_WITHOUT_VIDEO


def test_fresh_eyes_count_anew() -> None:
    p = going_on(asked(make_pursuit(), WORKING, [DAY + 1, DAY + 1800]))
    p = pursuit.fresh_eyes(p, later(DAY + 3000))
    assert isinstance(polled(p, WORKING, later(DAY + 3602)), Pursuit)


def test_nothing_that_happens_to_a_task_ever_leads_to_a_free_second_order_after_completion() -> None:
    for answer in (Gone(detail=""), ContentFailure(detail=""), CONTENT_5XX):
        assert ended(copied(COPYING, answer, [DAY + 1, DAY + 1800, DAY + 3602])).again is Again.NEVER


def test_elapsed_is_counted_from_the_task_and_not_from_this_process() -> None:
    old = make_pursuit(task=a_task(time=NOW - timedelta(days=2)))
    assert old.elapsed(later(0)) == 2 * DAY
