"""`decide`, branch by branch: state in, action out. The order of the checks is the specification."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from builders import (
    CLASS,
    ENDPOINT,
    NOW,
    PRICE,
    REFUSAL,
    TICKS,
    a_closing,
    a_result,
    a_submitted,
    a_task,
    an_answer,
    an_end,
    an_intent,
    given_up,
    later,
    make_attempt,
    make_class,
    make_folder,
    make_generation,
    make_job,
    make_pace,
    make_pursuit,
    make_request,
    make_status,
    not_sent,
    submitted_status,
)
from videogen_operator import conditions, endings, showing
from videogen_operator.actions import (
    Action,
    AskContent,
    Begin,
    Close,
    Conclude,
    Doubt,
    Forget,
    Join,
    MendLedger,
    Observe,
    Poll,
    Recall,
    RecordEnd,
    RecordTask,
    RefuseAnswer,
    Resolve,
    Send,
    Show,
    Store,
    Wait,
    Warn,
)
from videogen_operator.api.generation import RESOLVE_ANNOTATION, VideoGeneration
from videogen_operator.api.generation_status import Attempt, AttemptState, Billing, Status
from videogen_operator.api.meta import ConditionStatus
from videogen_operator.conditions import Reason, Standing, Step, Type
from videogen_operator.job import Job, active_revision, shows
from videogen_operator.ledger import Again, Answer, End, Folder
from videogen_operator.machine import decide
from videogen_operator.pursuit import SILENT_POLLS, Clear

SPENDING = (Join, Begin, Send)
NOW_MOMENT = later(0)
INTENT = submitted_status(make_attempt())
GENERATING = submitted_status(a_submitted(), step=Step.GENERATING)
HELD = submitted_status(
    make_attempt(state=AttemptState.UNKNOWN, billing=Billing.POSSIBLE),
    step=Step.HELD,
    reason=Reason.SUBMISSION_OUTCOME_UNKNOWN,
)
FAILED = submitted_status(
    make_attempt(state=AttemptState.FAILED), step=Step.FAILED, reason=Reason.CONTENT_POLICY_REJECTED
)
RESUBMIT = an_answer(Answer.RESUBMIT)
ABANDON = an_answer(Answer.ABANDON)


def shown(action: Action) -> Standing:
    assert isinstance(action, Show)
    return action.standing


def decided(obj: VideoGeneration | None = None, folder: Folder | None = None, **changes: Any) -> Action:
    return decide(make_job(obj, folder, **changes), NOW_MOMENT)


# ---------------------------------------------------------------- before the ledger


def test_an_object_that_is_being_deleted_is_forgotten() -> None:
    """Also with a POST unanswered: deletion ends the object, the walk leads the paid work to its end."""
    for status in (Status(), INTENT, GENERATING, HELD, FAILED):
        assert decided(make_generation(status=status, deletion_timestamp=NOW), make_folder(an_intent())) == Forget()


def test_a_finished_object_is_no_work() -> None:
    assert decided(make_generation(status=FAILED)) == Forget()


def test_a_finished_object_shows_that_its_new_generation_was_seen() -> None:
    """Without this one write kstatus would show it in progress for ever."""
    assert decided(make_generation(status=FAILED, generation=2)) == Observe()


def test_a_finished_object_is_finished_without_its_class_too() -> None:
    assert decided(make_generation(status=FAILED), klass=None) == Forget()


def test_a_raised_revision_of_a_finished_object_begins_anew() -> None:
    assert decided(make_generation(status=FAILED, revision=2, generation=2)) == Recall(2)


def test_a_missing_class_is_waited_for() -> None:
    action = decided(klass=None)
    assert action == Show(shown(action))
    assert (shown(action).step, shown(action).reason) == (Step.PENDING, Reason.CLASS_NOT_FOUND)
    seen = make_status(Step.PENDING, Reason.CLASS_NOT_FOUND)
    assert decided(make_generation(status=seen), klass=None) == Forget()


@pytest.mark.parametrize(
    ("status", "step"),
    [
        (INTENT, Step.SUBMITTING),
        (GENERATING, Step.GENERATING),
        (submitted_status(a_submitted(), step=Step.STORING, reason=Reason.DOWNLOADING), Step.STORING),
    ],
    ids=["submitting", "generating", "storing"],
)
def test_paid_work_waits_for_its_deleted_class_where_it_stands(status: Status, step: Step) -> None:
    standing = shown(decided(make_generation(status=status), klass=None))
    assert (standing.step, standing.reason) == (step, Reason.CLASS_NOT_FOUND)


def test_a_held_object_stays_held_when_its_class_is_deleted() -> None:
    """It has no task: to show it as generating would be untrue."""
    assert decided(make_generation(status=HELD), klass=None) == Forget()


def test_a_raised_revision_waits_for_its_class_while_the_held_one_stays_on_record() -> None:
    raised = make_generation(status=HELD, revision=2, generation=2)
    assert shown(decided(raised, klass=None)).step is Step.PENDING


def test_a_class_that_points_to_another_ledger_stops_the_revision() -> None:
    """Nothing is read there: an empty folder in another bucket would mean paying again."""
    for status in (INTENT, HELD, submitted_status(make_attempt(state=AttemptState.NOT_SENT), step=Step.QUEUED)):
        action = decided(make_generation(status=status), ledger_uri="s3://elsewhere/films/dawn/r1/")
        assert isinstance(action, Show | Forget)
    moved = decided(make_generation(status=INTENT), ledger_uri="s3://elsewhere/films/dawn/r1/")
    assert shown(moved).reason is Reason.LEDGER_UNAVAILABLE
    assert "s3://videos/veo/films/dawn/r1/" in shown(moved).message


def test_another_ledger_is_fine_for_a_revision_that_bought_nothing_yet() -> None:
    raised = make_generation(status=FAILED, revision=2)
    assert decided(raised, ledger_uri="s3://elsewhere/films/dawn/r2/") == Recall(2)


def test_the_folder_is_read_at_the_first_visit() -> None:
    assert decided() == Recall(1)


def test_the_folder_of_another_revision_is_not_enough() -> None:
    assert decided(make_generation(revision=2), make_folder(an_intent())) == Recall(2)


@pytest.mark.parametrize(
    ("status", "active"),
    [(Status(), 2), (INTENT, 1), (GENERATING, 1), (HELD, 2), (FAILED, 2)],
    ids=["new", "intent", "submitted", "held", "failed"],
)
def test_a_raised_revision_waits_for_the_attempt_in_the_air_only(status: Status, active: int) -> None:
    raised = make_generation(status=status, revision=2)
    assert active_revision(raised) == active
    assert decided(raised) == Recall(active)


# ---------------------------------------------------------------- what the folder says, and the status beside it

REQUEST_CHANGED = make_request(prompt_sha256="another")
COMPLETED_EMPTY = given_up(1, AttemptState.COMPLETED, billing=Billing.BILLED, reason="SourceExpired")

Wanted = Callable[[Action], object]


def refused(reason: Reason) -> Wanted:
    return lambda action: (shown(action).step, shown(action).reason) == (Step.REFUSED, reason)


def ended(step: Step, reason: Reason, number: int = 1) -> Wanted:
    def matches(action: Action) -> bool:
        assert isinstance(action, RecordEnd)
        found = (action.entry.number, action.standing.step, action.standing.reason)
        return found == (number, step, reason)

    return matches


TABLE: list[tuple[str, Folder, Status, Wanted]] = [
    # nothing there
    ("an empty folder asks for a slot", make_folder(), Status(), lambda a: a == Join(1)),
    ("a status intent without a ledger's is gone on with", make_folder(), INTENT, lambda a: a == Join(1)),
    # another class, other content
    (
        "another class made it",
        make_folder(an_intent(class_="rehearsal")),
        Status(),
        refused(Reason.LEDGER_CONFLICT),
    ),
    (
        "other content was bought",
        make_folder(an_intent(request=REQUEST_CHANGED), a_task()),
        Status(),
        refused(Reason.REQUEST_CHANGED),
    ),
    (
        "other content may have been bought",
        make_folder(an_intent(request=REQUEST_CHANGED)),
        Status(),
        refused(Reason.REQUEST_CHANGED),
    ),
    (
        "other content was tried and not billed, and is not this attempt",
        make_folder(an_intent(request=REQUEST_CHANGED), a_task(), an_end()),
        Status(),
        refused(Reason.REQUEST_CHANGED),
    ),
    # done
    (
        "a stored video is adopted",
        make_folder(an_intent(), a_task(), a_result()),
        Status(),
        lambda a: a == Conclude(a_result(), adopted=True),
    ),
    (
        "a stored video of our own attempt is the result",
        make_folder(an_intent(), a_task(), a_result()),
        GENERATING,
        lambda a: a == Conclude(a_result(), adopted=False),
    ),
    (
        "a stored video of another attempt than ours is adopted",
        make_folder(an_intent(), RESUBMIT, a_task(), a_result(), an_intent(2)),
        submitted_status(make_attempt(state=AttemptState.UNKNOWN), make_attempt(2)),
        lambda a: a == Conclude(a_result(), adopted=True),
    ),
    # a task
    (
        "a task is adopted",
        make_folder(an_intent(), a_task()),
        Status(),
        lambda a: a == RecordTask(make_folder(an_intent(), a_task()).entry(1), a_task(), adopted=True),
    ),
    (
        "our own task, its write lost, is recorded",
        make_folder(an_intent(), a_task()),
        INTENT,
        lambda a: a == RecordTask(make_folder(an_intent(), a_task()).entry(1), a_task(), adopted=False),
    ),
    (
        "a task turned up while held",
        make_folder(an_intent(), a_task()),
        HELD,
        lambda a: a == RecordTask(make_folder(an_intent(), a_task()).entry(1), a_task(), adopted=False),
    ),
    ("our own task is pursued", make_folder(an_intent(), a_task()), GENERATING, lambda a: isinstance(a, Poll)),
    (
        "a task that was given up in another life is tried again",
        make_folder(an_intent(), a_task(), given_up()),
        Status(),
        lambda a: isinstance(a, RecordTask) and a.adopted,
    ),
    (
        "the status knows a task that the ledger lacks",
        make_folder(an_intent()),
        GENERATING,
        lambda a: a == MendLedger(a_task(), 1),
    ),
    (
        "the status knows a task of which the ledger knows nothing at all",
        make_folder(),
        GENERATING,
        lambda a: a == MendLedger(a_task(), 1),
    ),
    # ends
    (
        "our own attempt ended not sent",
        make_folder(an_intent(), not_sent()),
        INTENT,
        ended(Step.QUEUED, Reason.QUEUED),
    ),
    ("our own attempt was closed", make_folder(a_closing()), INTENT, ended(Step.QUEUED, Reason.QUEUED)),
    (
        "our own attempt failed and may be tried again",
        make_folder(an_intent(), a_task(), an_end()),
        GENERATING,
        ended(Step.QUEUED, Reason.BACKING_OFF),
    ),
    (
        "our own attempt was refused for its content",
        make_folder(
            an_intent(),
            an_end(state=AttemptState.REJECTED, again=Again.NEVER, reason=Reason.CONTENT_POLICY_REJECTED),
        ),
        INTENT,
        ended(Step.FAILED, Reason.CONTENT_POLICY_REJECTED),
    ),
    (
        "a paid end is final",
        make_folder(an_intent(), a_task(), COMPLETED_EMPTY),
        GENERATING,
        ended(Step.FAILED, Reason.SOURCE_EXPIRED),
    ),
    (
        "a paid end is final for an object that is made again",
        make_folder(an_intent(), a_task(), COMPLETED_EMPTY),
        Status(),
        ended(Step.FAILED, Reason.SOURCE_EXPIRED),
    ),
    ("a person gave it up", make_folder(an_intent(), ABANDON), HELD, ended(Step.FAILED, Reason.ABANDONED)),
    (
        "a person gave it up, and the object is made again",
        make_folder(an_intent(), ABANDON, not_sent()),
        Status(),
        ended(Step.FAILED, Reason.ABANDONED),
    ),
    (
        "an attempt of another life that was not sent",
        make_folder(an_intent(), not_sent()),
        Status(),
        lambda a: a == Join(2),
    ),
    ("a closed attempt of another life", make_folder(a_closing()), Status(), lambda a: a == Join(2)),
    (
        "a person says: send again",
        make_folder(an_intent(), RESUBMIT),
        HELD,
        lambda a: a == Join(2),
    ),
    # no answer
    (
        "an unanswered intent of another life",
        make_folder(an_intent()),
        Status(),
        lambda a: isinstance(a, Doubt) and not a.held,
    ),
    (
        "an unanswered intent of our own status",
        make_folder(an_intent()),
        INTENT,
        lambda a: isinstance(a, Doubt) and not a.held,
    ),
]


@pytest.mark.parametrize(("folder", "status", "wanted"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_the_two_records_say(folder: Folder, status: Status, wanted: Wanted) -> None:
    assert wanted(
        decided(make_generation(status=status), folder, pursuit=make_pursuit(), pace=make_pace(), granted=None)
    )


def test_other_content_names_the_task_and_the_way_out() -> None:
    folder = make_folder(an_intent(request=REQUEST_CHANGED), a_task())
    message = shown(decided(folder=folder)).message
    assert "task-1" in message
    assert "raise spec.revision" in message


def test_a_refusal_by_the_ledger_is_looked_at_again() -> None:
    """The other content's attempt may end without being billed, which opens the revision."""
    folder = make_folder(an_intent(request=REQUEST_CHANGED), a_task())
    job = make_job(folder=folder)
    until = TICKS + showing.RECHECK
    assert decide(job, NOW_MOMENT) == Show(shown(decide(job, NOW_MOMENT)), until)
    seen = make_status(Step.REFUSED, Reason.REQUEST_CHANGED, message=shown(decide(job, NOW_MOMENT)).message)
    assert decide(make_job(make_generation(status=seen), folder), NOW_MOMENT) == Wait(until)
    assert decide(job, later(showing.RECHECK)) == Recall(1)


@pytest.mark.parametrize(
    "folder",
    [
        make_folder(an_intent(), a_task()),
        make_folder(an_intent(), a_task(), a_result()),
        make_folder(an_intent()),
        make_folder(an_intent(), a_task(), COMPLETED_EMPTY),
    ],
    ids=["task", "result", "intent", "paid end"],
)
def test_what_cannot_be_compared_is_not_adopted(folder: Folder) -> None:
    """The class refuses the object, so whether the folder's content is its own cannot be said."""
    standing = shown(decided(folder=folder, offer=REFUSAL))
    assert (standing.step, standing.reason) == (Step.REFUSED, Reason.PRICE_ABOVE_MAX)


def test_paid_work_goes_on_although_the_class_would_refuse_it_now() -> None:
    job = make_job(
        make_generation(status=GENERATING),
        make_folder(an_intent(), a_task()),
        offer=REFUSAL,
        pursuit=make_pursuit(),
        pace=make_pace(),
    )
    assert decide(job, NOW_MOMENT) == Poll()


def test_a_late_task_of_an_older_attempt_is_a_fact() -> None:
    """After an unknown outcome was sent again: the first task brings the object back to it."""
    folder = make_folder(an_intent(), RESUBMIT, a_task(), an_intent(2))
    status = submitted_status(make_attempt(state=AttemptState.UNKNOWN), make_attempt(2))
    action = decided(make_generation(status=status), folder)
    assert isinstance(action, RecordTask)
    assert (action.entry.number, action.task.task_id) == (1, "task-1")


def test_a_mended_task_keeps_the_time_it_was_made() -> None:
    status = submitted_status(a_submitted(submit_time=None), step=Step.GENERATING, submit_time=None)
    action = decided(make_generation(status=status), make_folder())
    assert isinstance(action, MendLedger)
    assert action.task.time == NOW


def test_work_that_this_process_gave_up_is_recorded_once() -> None:
    folder = make_folder(an_intent(), a_task(), given_up())
    action = decided(make_generation(status=GENERATING), folder, gave_up=1, pursuit=make_pursuit(), pace=make_pace())
    assert ended(Step.FAILED, Reason.ABANDONED)(action)


def test_work_that_was_given_up_before_a_restart_is_tried_once_more() -> None:
    folder = make_folder(an_intent(), a_task(), given_up())
    action = decided(make_generation(status=GENERATING), folder, pursuit=make_pursuit(), pace=make_pace())
    assert action == Poll()


# ---------------------------------------------------------------- a raised revision


@pytest.mark.parametrize(
    ("status", "folder", "wanted"),
    [
        (INTENT, make_folder(), lambda a: a == Close(1)),
        (INTENT, make_folder(an_intent(), not_sent()), ended(Step.QUEUED, Reason.QUEUED)),
        (INTENT, make_folder(an_intent()), lambda a: isinstance(a, Doubt)),
        (INTENT, make_folder(an_intent(), a_task()), lambda a: isinstance(a, RecordTask)),
        (GENERATING, make_folder(an_intent(), a_task()), lambda a: a == Poll()),
        (GENERATING, make_folder(an_intent(), a_task(), an_end()), ended(Step.QUEUED, Reason.QUEUED)),
        (GENERATING, make_folder(an_intent(), a_task(), COMPLETED_EMPTY), ended(Step.QUEUED, Reason.QUEUED)),
        (
            GENERATING,
            make_folder(an_intent(), a_task(), a_result()),
            lambda a: a == Conclude(a_result(), adopted=False),
        ),
    ],
    ids=[
        "not sent yet: closed",
        "ended not sent",
        "unanswered",
        "task to record",
        "task goes on",
        "failed: not tried again",
        "paid end: not final for the object",
        "stored",
    ],
)
def test_an_attempt_in_the_air_is_finished_before_a_raised_revision(
    status: Status, folder: Folder, wanted: Wanted
) -> None:
    raised = make_generation(status=status, revision=2, generation=2)
    action = decided(raised, folder, pursuit=make_pursuit(), pace=make_pace(), granted=1)
    assert wanted(action)
    assert not isinstance(action, SPENDING)


def test_our_own_unused_intent_of_a_lower_revision_is_closed() -> None:
    raised = make_generation(status=INTENT, revision=2, generation=2)
    job = make_job(raised, make_folder(an_intent()), unsent=frozenset({"ticket-1"}), fence="ticket-1")
    assert decide(job, NOW_MOMENT) == Close(1)


def test_a_restored_status_behind_a_ledger_that_went_on_comes_to_rest() -> None:
    """An old backup: the status knows the first attempt only, the ledger also a second one that was not sent."""
    raised = make_generation(status=INTENT, revision=2, generation=2)
    folder = make_folder(an_intent(), not_sent(), an_intent(2), not_sent(2))
    assert ended(Step.QUEUED, Reason.QUEUED)(decided(raised, folder))


@pytest.mark.parametrize("revision", [1, 2])
def test_an_unknown_outcome_that_was_answered_already_is_put_on_record_first(revision: int) -> None:
    """An old backup: the answer lies in the ledger, the status never showed the doubt."""
    obj = make_generation(status=INTENT, revision=revision)
    action = decided(obj, make_folder(an_intent(), RESUBMIT), granted=2)
    assert action == Doubt(make_folder(an_intent(), RESUBMIT).entry(1), an_intent(), held=True, until=TICKS)


def test_a_raised_revision_says_what_became_of_the_money_of_the_old_one() -> None:
    raised = make_generation(status=GENERATING, revision=2, generation=2)
    action = decided(raised, make_folder(an_intent(), a_task(), COMPLETED_EMPTY))
    assert isinstance(action, RecordEnd)
    assert "billed" in action.standing.message
    assert "not billed" not in action.standing.message
    assert "revision 2 is next" in action.standing.message


# ---------------------------------------------------------------- a next attempt, in the order of the checks

QUEUED = make_status(Step.QUEUED, Reason.QUEUED)
WAITS = Standing(step=Step.QUEUED, reason=Reason.BREAKER_OPEN, message="closed")
NEXT: list[tuple[str, Job, Action | Wanted]] = [
    (
        "suspended",
        make_job(make_generation(suspend=True), make_folder(), granted=1),
        lambda a: (shown(a).step, shown(a).reason) == (Step.SUSPENDED, Reason.SUSPENDED),
    ),
    (
        "suspended and shown so",
        make_job(make_generation(suspend=True, status=make_status(Step.SUSPENDED, Reason.SUSPENDED)), make_folder()),
        Forget(),
    ),
    (
        "suspended is said before refused",
        make_job(make_generation(suspend=True), make_folder(), offer=REFUSAL),
        lambda a: shown(a).reason is Reason.SUSPENDED,
    ),
    ("refused", make_job(folder=make_folder(), offer=REFUSAL, granted=1), refused(Reason.PRICE_ABOVE_MAX)),
    (
        "backing off",
        make_job(folder=make_folder(an_intent(), a_task(), an_end()), granted=2),
        lambda a: (
            shown(a).reason is Reason.BACKING_OFF and isinstance(a, Show) and a.until is not None and a.until > TICKS
        ),
    ),
    ("no slot", make_job(folder=make_folder()), Join(1)),
    ("a slot for another attempt", make_job(folder=make_folder(), granted=2), Join(1)),
    ("a slot, and the class was closed since", make_job(folder=make_folder(), granted=1, shut=True), Join(1)),
    ("passed over, and not told yet", make_job(folder=make_folder(), waits=WAITS), Show(WAITS)),
    (
        "passed over, and told",
        make_job(make_generation(status=QUEUED), make_folder(), waits=WAITS),
        Join(1),
    ),
    ("a slot, and the object waited since", make_job(folder=make_folder(), granted=1, folder_stale=True), Recall(1)),
    ("a slot", make_job(folder=make_folder(), granted=1), Begin(1)),
    ("a slot for the second attempt", make_job(folder=make_folder(an_intent(), not_sent()), granted=2), Begin(2)),
    (
        "our intent is in the status",
        make_job(make_generation(status=INTENT), make_folder(), granted=1, begun=1, intent_seen=TICKS),
        Send(1),
    ),
    (
        "somebody's intent is in the status, young",
        make_job(make_generation(status=INTENT), make_folder(), granted=1, intent_seen=TICKS),
        Wait(TICKS + 10.0),
    ),
    (
        "somebody's intent is in the status, old",
        make_job(make_generation(status=INTENT), make_folder(), granted=1, intent_seen=TICKS - 10.0),
        Send(1),
    ),
    (
        "an intent in the status, without a slot",
        make_job(make_generation(status=INTENT), make_folder(), begun=1, intent_seen=TICKS),
        Join(1),
    ),
    (
        "an intent in the status for what the class made of it before",
        make_job(
            make_generation(status=INTENT.model_copy(update={"request_hash": "sha256:other"})),
            make_folder(),
            granted=1,
            begun=1,
        ),
        Begin(1),
    ),
    (
        "an intent in the status, suspended since",
        make_job(make_generation(status=INTENT, suspend=True), make_folder(), granted=1, begun=1),
        lambda a: shown(a).reason is Reason.SUSPENDED,
    ),
    (
        "an intent in the status, refused since",
        make_job(make_generation(status=INTENT), make_folder(), granted=1, begun=1, offer=REFUSAL),
        refused(Reason.PRICE_ABOVE_MAX),
    ),
]


@pytest.mark.parametrize(("job", "want"), [row[1:] for row in NEXT], ids=[row[0] for row in NEXT])
def test_the_next_attempt(job: Job, want: Action | Wanted) -> None:
    action = decide(job, NOW_MOMENT)
    assert want(action) if callable(want) else action == want


@pytest.mark.parametrize(
    ("change", "want"),
    [
        ({}, Send(1)),
        ({"fence": None}, Close(1)),
        ({"fence": "ticket-9"}, Close(1)),
        ({"offer": REFUSAL}, Close(1)),
        ({"shut": True}, Close(1)),
        ({"obj": make_generation(status=INTENT, suspend=True)}, Close(1)),
        ({"folder": make_folder(an_intent(request=REQUEST_CHANGED))}, Close(1)),
        ({"folder": make_folder(an_intent(class_="rehearsal"))}, Close(1)),
    ],
    ids=[
        "as it was",
        "ticket of a walk",
        "another ticket",
        "refused",
        "class closed",
        "suspended",
        "request changed",
        "class changed",
    ],
)
def test_our_own_unused_intent(change: dict[str, Any], want: Action) -> None:
    """An intent that was won is used for exactly what it says, or closed."""
    job = make_job(
        make_generation(status=INTENT),
        make_folder(an_intent()),
        unsent=frozenset({"ticket-1"}),
        fence="ticket-1",
        granted=1,
        begun=1,
    )
    assert decide(replace(job, **change), NOW_MOMENT) == want


@pytest.mark.parametrize(
    ("failures", "base"), [(1, 30.0), (2, 120.0), (3, 480.0), (4, 480.0)], ids=["30 s", "2 min", "8 min", "not more"]
)
def test_a_failed_attempt_is_followed_after_a_growing_time(failures: int, base: float) -> None:
    documents = [d for n in range(1, failures + 1) for d in (an_intent(n), a_task(n), an_end(n))]
    job = make_job(folder=make_folder(*documents), granted=failures + 1)
    assert isinstance(decide(job, later(base)), Show)
    assert decide(job, later(base * 1.2)) == Begin(failures + 1)


def test_an_attempt_that_was_not_this_requests_fault_is_followed_at_once() -> None:
    folder = make_folder(an_intent(), an_end(state=AttemptState.REJECTED, again=Again.FREE, reason="RateLimited"))
    assert decided(folder=folder, granted=2) == Begin(2)


# ---------------------------------------------------------------- what an end means for the object


def final(at: Type, reason: Reason) -> tuple[Step, Reason, Type | None]:
    return Step.FAILED, reason, at


def again(reason: Reason) -> tuple[Step, Reason, Type | None]:
    return Step.QUEUED, reason, None


ENDS: list[tuple[str, End, tuple[End, ...], int, tuple[Step, Reason, Type | None]]] = [
    ("not sent", not_sent(), (), 1, again(Reason.QUEUED)),
    (
        "rate limited",
        an_end(state=AttemptState.REJECTED, again=Again.FREE, reason=Reason.RATE_LIMITED),
        (),
        1,
        again(Reason.RATE_LIMITED),
    ),
    (
        "key or balance",
        an_end(state=AttemptState.REJECTED, again=Again.FREE, reason=Reason.BREAKER_OPEN),
        (),
        1,
        again(Reason.BREAKER_OPEN),
    ),
    (
        "no model",
        an_end(state=AttemptState.REJECTED, again=Again.FREE, reason=Reason.MODEL_UNAVAILABLE),
        (),
        1,
        again(Reason.MODEL_UNAVAILABLE),
    ),
    ("failed once of three", an_end(), (), 3, again(Reason.BACKING_OFF)),
    ("failed twice of three", an_end(2), (an_end(),), 3, again(Reason.BACKING_OFF)),
    (
        "failed three times of three",
        an_end(3),
        (an_end(), an_end(2)),
        3,
        final(Type.GENERATED, Reason.ATTEMPTS_EXHAUSTED),
    ),
    ("what was not sent does not count", an_end(3), (not_sent(), not_sent(2)), 2, again(Reason.BACKING_OFF)),
    (
        "one attempt allowed",
        an_end(state=AttemptState.REJECTED),
        (),
        1,
        final(Type.SUBMITTED, Reason.REJECTED_BY_GATEWAY),
    ),
    ("failed without saying why", an_end(again=Again.ONCE), (), 3, again(Reason.BACKING_OFF)),
    (
        "failed twice without saying why",
        an_end(2, again=Again.ONCE),
        (an_end(again=Again.ONCE),),
        9,
        final(Type.GENERATED, Reason.GENERATION_FAILED),
    ),
    (
        "content policy at submit",
        an_end(state=AttemptState.REJECTED, again=Again.NEVER, reason=Reason.CONTENT_POLICY_REJECTED),
        (),
        9,
        final(Type.SUBMITTED, Reason.CONTENT_POLICY_REJECTED),
    ),
    (
        "rejected",
        an_end(state=AttemptState.REJECTED, again=Again.NEVER, reason=Reason.REJECTED_BY_GATEWAY),
        (),
        9,
        final(Type.SUBMITTED, Reason.REJECTED_BY_GATEWAY),
    ),
    (
        "content policy as failed",
        an_end(again=Again.NEVER, reason=Reason.CONTENT_POLICY_REJECTED),
        (),
        9,
        final(Type.GENERATED, Reason.CONTENT_POLICY_REJECTED),
    ),
    (
        "canceled",
        an_end(state=AttemptState.CANCELED, again=Again.NEVER, reason=Reason.CANCELED),
        (),
        9,
        final(Type.GENERATED, Reason.CANCELED),
    ),
    ("task lost", given_up(1, AttemptState.TASK_LOST), (), 9, final(Type.GENERATED, Reason.TASK_LOST)),
    ("abandoned", given_up(), (), 9, final(Type.GENERATED, Reason.ABANDONED)),
    ("source expired", COMPLETED_EMPTY, (), 9, final(Type.STORED, Reason.SOURCE_EXPIRED)),
    (
        "completed without a video",
        given_up(1, AttemptState.COMPLETED, billing=Billing.BILLED, reason=Reason.COMPLETED_WITHOUT_VIDEO),
        (),
        9,
        final(Type.STORED, Reason.COMPLETED_WITHOUT_VIDEO),
    ),
    (
        "a word of a later version",
        an_end(again=Again.NEVER, reason="SomethingNew"),
        (),
        9,
        final(Type.GENERATED, Reason.GENERATION_FAILED),
    ),
]


@pytest.mark.parametrize(("end", "earlier", "most", "want"), [row[1:] for row in ENDS], ids=[row[0] for row in ENDS])
def test_what_an_end_means(
    end: End, earlier: tuple[End, ...], most: int, want: tuple[Step, Reason, Type | None]
) -> None:
    obj = make_generation(retry_policy={"max_attempts": most})
    standing = endings.after_end(end, make_folder(*earlier, end), obj, PRICE)
    assert (standing.step, standing.reason) == want[:2]
    if standing.step is Step.FAILED:
        assert standing.at is want[2]


@pytest.mark.parametrize(
    ("billing", "words"),
    [
        (Billing.NOT_BILLED, "not billed"),
        (Billing.BILLED, "; billed 0.30 USD;"),
        (Billing.POSSIBLE, "may have been billed 0.30 USD"),
    ],
)
def test_a_final_message_says_what_it_cost_and_the_way_out(billing: Billing, words: str) -> None:
    message = endings.final_standing(given_up(billing=billing), PRICE).message
    assert words in message
    assert "raise spec.revision" in message


def test_of_an_abandoned_order_without_a_task_it_is_not_said_that_there_was_one() -> None:
    without = conditions.rows(endings.final_standing(given_up(), PRICE))
    with_task = conditions.rows(endings.final_standing(given_up().model_copy(update={"task_id": "task_1"}), PRICE))
    assert without[Type.SUBMITTED] == (ConditionStatus.UNKNOWN, Reason.SUBMISSION_OUTCOME_UNKNOWN)
    assert with_task[Type.SUBMITTED] == (ConditionStatus.TRUE, Reason.TASK_CREATED)
    assert without[Type.GENERATED] == with_task[Type.GENERATED] == (ConditionStatus.FALSE, Reason.ABANDONED)


# ---------------------------------------------------------------- unknown outcomes

GRACE = 120 + 60.0


def doubt_job(status: Status = INTENT, *, seen: float = 0.0, read: float = 0.0, **changes: Any) -> Job:
    """An unanswered intent, seen and the folder read `seen` and `read` seconds after the start."""
    annotation = changes.pop("said", None)
    annotations = {RESOLVE_ANNOTATION: annotation} if annotation is not None else {}
    obj = make_generation(status=status, annotations=annotations)
    return make_job(
        obj, make_folder(an_intent()), doubt_since=TICKS + seen, folder_read=TICKS + read, granted=1, **changes
    )


def test_an_unanswered_intent_waits_for_an_old_process_to_record_what_it_got() -> None:
    entry = make_folder(an_intent()).entry(1)
    want = Doubt(entry, an_intent(), held=False, until=TICKS + GRACE)
    assert decide(doubt_job(), later(0)) == want
    assert decide(doubt_job(), later(GRACE - 0.1)) == want


def test_the_ledger_is_looked_at_once_more_before_an_object_is_held() -> None:
    assert decide(doubt_job(), later(GRACE)) == Recall(1)
    after = decide(doubt_job(read=GRACE), later(GRACE))
    assert isinstance(after, Doubt)
    assert after.held


def test_our_own_lost_answer_is_held_at_once() -> None:
    """Nobody else will record it."""
    action = decide(doubt_job(doubt_certain=True), later(0))
    assert isinstance(action, Doubt)
    assert action.held


def test_a_held_object_looks_at_the_ledger_every_ten_minutes() -> None:
    job = doubt_job(HELD, read=GRACE)
    action = decide(job, later(GRACE + 1))
    assert isinstance(action, Doubt)
    assert action.until == TICKS + GRACE + 600
    assert decide(job, later(GRACE + 600)) == Recall(1)


def test_a_class_with_a_longer_time_out_waits_longer() -> None:
    klass = make_class()
    gateway = klass.spec.provider.open_ai_videos.model_copy(update={"submit_timeout_seconds": 600})
    provider = klass.spec.provider.model_copy(update={"open_ai_videos": gateway})
    slow = klass.model_copy(update={"spec": klass.spec.model_copy(update={"provider": provider})})
    action = decide(doubt_job(klass=slow), later(GRACE))
    assert isinstance(action, Doubt)
    assert action.until == TICKS + 660


@pytest.mark.parametrize(
    ("said", "answer", "task_id"),
    [
        ("r1-a1:resubmit", Answer.RESUBMIT, ""),
        ("r1-a1:abandon", Answer.ABANDON, ""),
        ("r1-a1:adopt=task-77", None, "task-77"),
        (" r1-a1:adopt= task-77 ", None, "task-77"),
        ("r1-a1:adopt=a:b=c", None, "a:b=c"),
    ],
)
def test_a_persons_answer_is_taken(said: str, answer: Answer | None, task_id: str) -> None:
    entry = make_folder(an_intent()).entry(1)
    assert decide(doubt_job(HELD, read=GRACE, said=said), later(GRACE)) == Resolve(entry, answer, task_id)


@pytest.mark.parametrize(
    "said",
    [
        "resubmit",
        "r1-a1",
        "r1-a1:",
        "r1-a1:adopt",
        "r1-a1:adopt=",
        "r1-a1:adopt= ",
        "r1-a1:resubmit=1",
        "r1-a1:Resubmit",
        "r1-a1:pay",
        "r1-a2:resubmit",
        "r2-a1:resubmit",
        "a1:resubmit",
        ":resubmit",
        "r1-a1 :resubmit",
    ],
)
def test_an_answer_that_cannot_be_taken_is_said_and_pays_nothing(said: str) -> None:
    """It names another attempt, or no answer: a left-over annotation never pays for a later attempt."""
    action = decide(doubt_job(HELD, read=GRACE, said=said), later(GRACE))
    assert isinstance(action, RefuseAnswer)
    assert "r1-a1" in action.why


def test_an_answer_that_was_refused_is_not_refused_again() -> None:
    job = doubt_job(HELD, read=GRACE, said="r1-a2:resubmit", refused_answer="it names r1-a2")
    assert isinstance(decide(job, later(GRACE)), Doubt)


def test_an_answer_counts_only_once_the_object_is_held() -> None:
    """Before that an old process may still record what it got."""
    assert not isinstance(decide(doubt_job(said="r1-a1:resubmit"), later(0)), Resolve)
    assert not isinstance(decide(doubt_job(read=GRACE, said="r1-a1:resubmit"), later(GRACE)), Resolve)


GIVEN_UP = submitted_status(make_attempt(state=AttemptState.ABANDONED), step=Step.FAILED, reason=Reason.ABANDONED)


def abandoned(said: str, folder: Folder | None, status: Status = GIVEN_UP, **changes: Any) -> Action:
    return decided(make_generation(status=status, annotations={RESOLVE_ANNOTATION: said}), folder, **changes)


def test_a_task_that_is_found_after_an_abandon_is_adopted() -> None:
    """A task ID is a fact: the ledger is read, the task is looked up, then recorded."""
    folder = make_folder(an_intent(), ABANDON)
    assert abandoned("r1-a1:adopt=task-7", None) == Recall(1)
    assert abandoned("r1-a1:adopt=task-7", folder) == Resolve(folder.entry(1), None, "task-7")
    with_task = make_folder(an_intent(), ABANDON, a_task())
    assert abandoned("r1-a1:adopt=task-1", with_task) == RecordTask(with_task.entry(1), a_task(), adopted=False)


@pytest.mark.parametrize(
    ("said", "changes"),
    [
        ("r1-a1:resubmit", {}),
        ("r1-a1:abandon", {}),
        ("r1-a2:adopt=t", {}),
        ("r2-a1:adopt=t", {}),
        ("", {}),
        ("r1-a1:adopt=t", {"refused_answer": "no such task"}),
        ("r1-a1:adopt=t", {"klass": None}),
        ("r1-a1:adopt=t", {"status": FAILED}),
    ],
    ids=["resubmit", "abandon", "other attempt", "other revision", "nothing", "refused", "no class", "not abandoned"],
)
def test_nothing_else_brings_an_abandoned_object_back(said: str, changes: dict[str, Any]) -> None:
    assert abandoned(said, make_folder(an_intent(), ABANDON), **changes) == Forget()


def test_a_raised_revision_leaves_a_held_attempt_on_record_and_starts() -> None:
    raised = make_generation(status=HELD, revision=2, generation=2)
    assert decided(raised, make_folder(revision=2), granted=1) == Begin(1)


# ---------------------------------------------------------------- a task

TASK_FOLDER = make_folder(an_intent(), a_task())


def task_job(
    status: Status = GENERATING, *, generation: int = 1, pace: dict[str, float] | None = None, **p: Any
) -> Job:
    obj = make_generation(status=status, generation=generation)
    return make_job(obj, TASK_FOLDER, pursuit=make_pursuit(**p), pace=make_pace(**(pace or {})))


def test_a_task_that_nobody_pursues_yet_is_due_at_once() -> None:
    job = make_job(make_generation(status=GENERATING), TASK_FOLDER)
    assert decide(job, NOW_MOMENT) == Wait(TICKS)


@pytest.mark.parametrize(
    ("pursuit", "want"),
    [
        ({}, Poll()),
        ({"silent": SILENT_POLLS}, AskContent()),
        ({"silent": SILENT_POLLS + 1}, Poll()),
        ({"completed": NOW_MOMENT}, Store()),
        ({"due": TICKS + 7}, Wait(TICKS + 7)),
    ],
    ids=["poll", "ask content", "poll after it was asked", "store", "not due"],
)
def test_what_is_due_for_a_task(pursuit: dict[str, Any], want: Action) -> None:
    assert decide(task_job(**pursuit), NOW_MOMENT) == want


def test_suspending_does_not_stop_what_is_submitted() -> None:
    obj = make_generation(status=GENERATING, suspend=True)
    assert decide(make_job(obj, TASK_FOLDER, pursuit=make_pursuit(), pace=make_pace()), NOW_MOMENT) == Poll()


def test_the_key_goes_only_to_hosts_of_the_class() -> None:
    job = replace(task_job(), klass=make_class(endpoints=("https://other.example/v1",)))
    standing = shown(decide(job, NOW_MOMENT))
    assert (standing.step, standing.reason) == (Step.GENERATING, Reason.CLASS_NOT_FOUND)
    assert ENDPOINT in standing.message
    assert "add it back" in standing.message


@pytest.mark.parametrize(
    ("pursuit", "seconds", "step", "reason"),
    [
        ({}, 0, None, None),
        ({}, 180, None, None),
        ({}, 181, Step.GENERATING, Reason.GENERATION_OVERDUE),
        ({"trouble": Reason.TASK_NOT_FOUND, "detail": "404"}, 1, Step.GENERATING, Reason.TASK_NOT_FOUND),
        ({"trouble": Reason.GATEWAY_UNREACHABLE}, 181, Step.GENERATING, Reason.GATEWAY_UNREACHABLE),
        ({"completed": NOW_MOMENT}, 30, None, None),
        ({"completed": NOW_MOMENT}, 31, Step.STORING, Reason.DOWNLOADING),
        (
            {"completed": NOW_MOMENT, "trouble": Reason.STORAGE_UNAVAILABLE},
            31,
            Step.STORING,
            Reason.STORAGE_UNAVAILABLE,
        ),
        ({"completed": NOW_MOMENT, "trouble": Reason.OUTPUT_TOO_LARGE}, 31, Step.STORING, Reason.OUTPUT_TOO_LARGE),
        ({"completed": NOW_MOMENT, "trouble": Reason.DOWNLOADING}, 10, None, None),
    ],
    ids=[
        "young",
        "at the deadline",
        "past the deadline",
        "not found",
        "unreachable",
        "copying",
        "copying long",
        "bucket down",
        "too large",
        "a copy's trouble is shown late only",
    ],
)
def test_only_what_a_person_must_see_is_shown(
    pursuit: dict[str, Any], seconds: float, step: Step | None, reason: Reason | None
) -> None:
    action = decide(task_job(**({"due": TICKS + 10_000.0} | pursuit)), later(seconds))
    if step is None:
        assert isinstance(action, Wait)
    else:
        assert (shown(action).step, shown(action).reason) == (step, reason)


def test_a_slow_copy_is_shown_when_it_becomes_slow_and_not_at_its_next_try() -> None:
    job = task_job(completed=NOW_MOMENT, due=TICKS + 500)
    action = decide(job, later(5))
    assert isinstance(action, Wait)
    assert TICKS + 30 < action.ticks < TICKS + 31


@pytest.mark.parametrize(
    ("attempt", "number"),
    [
        (make_attempt(state=AttemptState.NOT_SENT), 2),
        (make_attempt(2, state=AttemptState.REJECTED), 3),
        (make_attempt(2, state=AttemptState.INTENT), 2),
    ],
    ids=["ended", "ended later", "an intent"],
)
def test_a_number_is_never_used_twice_although_the_ledger_was_lost(attempt: Attempt, number: int) -> None:
    obj = make_generation(status=submitted_status(attempt, step=Step.QUEUED))
    assert decide(make_job(obj, make_folder()), NOW_MOMENT) == Join(number)


STORING: Final = submitted_status(a_submitted(), step=Step.STORING, reason=Reason.STORAGE_UNAVAILABLE)
BUCKET_DOWN: Final[dict[str, Any]] = {"completed": NOW_MOMENT, "trouble": Reason.STORAGE_UNAVAILABLE}


@pytest.mark.parametrize(
    ("seconds", "told", "warned"),
    [(299, (), False), (301, (), True), (301, (Reason.STORAGE_UNAVAILABLE,), False), (9000, (), True)],
    ids=["not yet", "five minutes", "once", "whenever it is seen"],
)
def test_a_bucket_that_stays_away_is_warned_of(seconds: float, told: tuple[Reason, ...], warned: bool) -> None:
    job = replace(task_job(STORING, due=TICKS + 10_000, **BUCKET_DOWN), told=frozenset(told))
    assert isinstance(decide(job, later(seconds)), Warn) is warned


def test_a_slow_download_is_no_trouble_of_the_bucket() -> None:
    slow = submitted_status(a_submitted(), step=Step.STORING, reason=Reason.DOWNLOADING)
    job = task_job(slow, due=TICKS + 10_000, completed=NOW_MOMENT, trouble=Reason.DOWNLOADING)
    assert isinstance(decide(job, later(4000)), Wait)


def test_the_warning_comes_when_it_is_due_and_not_at_the_next_try() -> None:
    action = decide(task_job(STORING, due=TICKS + 10_000, **BUCKET_DOWN), later(40))
    assert isinstance(action, Wait)
    assert TICKS + 300 < action.ticks < TICKS + 301


def test_what_is_shown_is_not_written_twice() -> None:
    late = submitted_status(a_submitted(), step=Step.GENERATING, reason=Reason.GENERATION_OVERDUE)
    assert decide(task_job(late, due=TICKS + 300), later(200)) == Wait(TICKS + 300)


def test_a_gateway_that_is_back_is_shown() -> None:
    lost = submitted_status(a_submitted(), step=Step.GENERATING, reason=Reason.TASK_NOT_FOUND)
    assert shown(decide(task_job(lost, due=TICKS + 9), NOW_MOMENT)).reason is Reason.GENERATING


def test_a_new_generation_of_a_generating_object_is_shown_as_seen() -> None:
    assert isinstance(decide(task_job(generation=2, due=TICKS + 9), NOW_MOMENT), Show)


def test_from_one_waiting_reason_to_another_nothing_is_written() -> None:
    queued = make_generation(status=make_status(Step.QUEUED, Reason.BREAKER_OPEN))
    assert shows(queued, Standing(step=Step.QUEUED, reason=Reason.RATE_LIMITED))
    assert not shows(queued, Standing(step=Step.SUSPENDED, reason=Reason.SUSPENDED))


def test_another_refusal_is_written() -> None:
    refused_ = make_generation(status=make_status(Step.REFUSED, Reason.PRICE_ABOVE_MAX, message="1"))
    assert not shows(refused_, Standing(step=Step.REFUSED, reason=Reason.MODEL_NOT_OFFERED, message="1"))
    assert not shows(refused_, Standing(step=Step.REFUSED, reason=Reason.PRICE_ABOVE_MAX, message="2"))
    assert shows(refused_, Standing(step=Step.REFUSED, reason=Reason.PRICE_ABOVE_MAX, message="1"))


def test_the_class_is_asked_for_by_its_name_only() -> None:
    """A class that was deleted and made again under its name is the same one to the ledger."""
    again_ = make_class(uid="another", generation=7)
    job = make_job(
        make_generation(status=GENERATING), TASK_FOLDER, klass=again_, pursuit=make_pursuit(), pace=make_pace()
    )
    assert again_.metadata.name == CLASS
    assert decide(job, NOW_MOMENT) == Poll()


def test_giving_up_has_words_of_the_catalogue() -> None:
    assert {Reason(word) for word in Clear} == {
        Reason.ABANDONED,
        Reason.TASK_LOST,
        Reason.SOURCE_EXPIRED,
        Reason.COMPLETED_WITHOUT_VIDEO,
    }
