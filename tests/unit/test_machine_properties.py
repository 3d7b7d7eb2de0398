"""What holds of `decide` for every job that can be reached: it never raises, and money is never spent twice.

Each law is tried on the same 10,000 jobs, drawn from named factors with a fixed seed, and all of them by hypothesis,
which finds a small job where one breaks.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Protocol, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import (
    CLASS,
    NOW,
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
from videogen_operator import actions
from videogen_operator.actions import Action, Begin, Close, Join, Recall, Send
from videogen_operator.admission import Offer
from videogen_operator.api.generation import RESOLVE_ANNOTATION, VideoGeneration
from videogen_operator.api.generation_status import AttemptState, Billing, Status
from videogen_operator.conditions import Reason, Standing, Step
from videogen_operator.job import Job, active_revision, finished, own_number
from videogen_operator.ledger import Again, Answer, End, Folder, Intent, Resolution, Task
from videogen_operator.machine import decide
from videogen_operator.pursuit import SILENT_POLLS, Moment, Pursuit

T = TypeVar("T")
Document = Intent | Task | End | Resolution


class Choose(Protocol):
    """Takes one of several values: by hypothesis, or by a seeded generator."""

    def __call__(self, options: Sequence[T], /) -> T: ...


PAYING = (Join, Begin, Send)
PAID = {AttemptState.COMPLETED, AttemptState.ABANDONED, AttemptState.TASK_LOST}
OTHER = make_request(prompt_sha256="another")

# ---------------------------------------------------------------- the factors

STATUSES = [
    Status(),
    Status(),
    make_status(Step.PENDING, Reason.CLASS_NOT_FOUND),
    make_status(Step.QUEUED, Reason.QUEUED),
    make_status(Step.SUSPENDED, Reason.SUSPENDED),
    make_status(Step.REFUSED, Reason.PRICE_ABOVE_MAX),
    submitted_status(make_attempt()),
    submitted_status(make_attempt(), request_hash="sha256:other"),
    submitted_status(make_attempt(state=AttemptState.FAILED), make_attempt(2)),
    submitted_status(make_attempt(state=AttemptState.NOT_SENT), step=Step.QUEUED),
    submitted_status(make_attempt(state=AttemptState.UNKNOWN), make_attempt(2)),
    submitted_status(make_attempt(state=AttemptState.UNKNOWN), step=Step.HELD, reason="SubmissionOutcomeUnknown"),
    submitted_status(make_attempt(state=AttemptState.UNKNOWN), step=Step.HELD, reason="SubmissionOutcomeUnknown"),
    submitted_status(make_attempt(state=AttemptState.ABANDONED), step=Step.FAILED, reason="Abandoned"),
    submitted_status(a_submitted(), step=Step.GENERATING),
    submitted_status(a_submitted(), step=Step.STORING, reason="Downloading"),
    *[submitted_status(a_submitted(), step=Step.STORING, reason="StorageUnavailable")] * 2,
    submitted_status(make_attempt(state=AttemptState.FAILED), a_submitted(2), step=Step.GENERATING),
    submitted_status(make_attempt(state=AttemptState.FAILED), step=Step.FAILED, reason="GenerationFailed"),
    submitted_status(make_attempt(state=AttemptState.COMPLETED), step=Step.SUCCEEDED),
]
ANSWERS_SAID = ["", "", "nonsense", "r1-a1:resubmit", "r1-a1:abandon", "r1-a1:adopt=t", "r1-a2:resubmit", "r2-a1:x"]
CLASSES = [make_class(), make_class(), make_class(endpoints=("https://other.example/v1",)), None]
MOMENTS = [later(0), later(300), later(100_000)]
STANDINGS = [None, None, Standing(step=Step.QUEUED, reason=Reason.BREAKER_OPEN)]


@cache
def attempts(number: int, revision: int) -> Sequence[tuple[Document, ...]]:
    """The files of one attempt as the protocol can leave them, of our content or of another one's."""
    task = a_task(number, revision)
    abandoned = given_up(number).model_copy(update={"attempt": task.attempt})
    expired = {"state": AttemptState.COMPLETED, "billing": Billing.BILLED, "reason": "SourceExpired"}
    ends = [
        an_end(number, revision),
        an_end(number, revision, again=Again.ONCE),
        an_end(number, revision, state=AttemptState.CANCELED, again=Again.NEVER),
        abandoned,
        abandoned.model_copy(update=expired),
    ]
    free = [not_sent(number, revision), an_end(number, revision, state=AttemptState.REJECTED, again=Again.FREE)]
    answers = [an_answer(answer, number, revision) for answer in Answer]
    after_intent: list[tuple[Document, ...]] = [
        (),
        (task,),
        *((end,) for end in free),
        *((task, end) for end in ends),
        *((answer,) for answer in answers),
        *((answer, task) for answer in answers),
        *((answer, task, end) for answer in answers for end in ends),
        *((answer, free[0]) for answer in answers),
    ]
    intents = [
        an_intent(number, revision),
        an_intent(number, revision),
        an_intent(number, revision, request=OTHER),
        an_intent(number, revision, class_="rehearsal"),
    ]
    whole: list[tuple[Document, ...]] = [(intent, *rest) for intent in intents for rest in after_intent]
    often: list[tuple[Document, ...]] = [
        (a_closing(number, revision),),
        (intents[0], free[0]),
        (intents[0],),
        (intents[0], task),
    ]
    return [*whole, *often * 8]


def folder_of(choose: Choose, revision: int) -> Folder:
    count = choose([0, 1, 1, 2, 3])
    documents = [document for n in range(1, count + 1) for document in choose(attempts(n, revision))]
    stored = [a_result(1, revision)] if count and choose([False] * 7 + [True]) else []
    return make_folder(*documents, *stored, revision=revision)


def object_of(choose: Choose) -> VideoGeneration:
    said = choose(ANSWERS_SAID)
    return make_generation(
        status=choose(STATUSES),
        revision=choose([1, 1, 1, 2]),
        suspend=choose([False, False, True]),
        annotations={RESOLVE_ANNOTATION: said} if said else {},
        generation=choose([1, 1, 2]),
        deletion_timestamp=choose([None] * 15 + [NOW]),
        retry_policy={"max_attempts": choose([1, 3])},
    )


def pursuit_of(choose: Choose) -> Pursuit:
    return make_pursuit(
        silent=choose([0, SILENT_POLLS]),
        completed=choose([None, later(0), later(-400), later(-400)]),
        due=choose([TICKS, TICKS + 50]),
        trouble=choose([None, Reason.TASK_NOT_FOUND, *[Reason.STORAGE_UNAVAILABLE] * 3]),
    )


def job_of(choose: Choose) -> Job:
    """A job as `reconcile` gathers it: an offer or a refusal with a class, a pace with a pursuit."""
    obj = object_of(choose)
    klass = choose(CLASSES)
    revision = active_revision(obj)
    folder = folder_of(choose, revision) if choose([True] * 9 + [False]) else None
    tickets = [e.intent.ticket for e in folder.entries.values() if e.intent] if folder else []
    own = own_number(obj, revision)
    following = max(folder.entries, default=0) + 1 if folder else 1
    pursuit = pursuit_of(choose) if choose([True, True, False]) else None
    offers: dict[str, Any] = {"offer": REFUSAL} if klass is not None and choose([False] * 5 + [True]) else {}
    return make_job(
        obj,
        folder,
        klass=klass,
        folder_read=choose([TICKS - 700, TICKS, TICKS + 200]),
        folder_stale=choose([False, False, True]),
        unsent=frozenset(choose([[], [], *[[ticket] for ticket in tickets]])),
        fence=choose([None, *tickets]),
        granted=choose([None, 1, following, following]),
        shut=choose([False, False, True]),
        gave_up=choose([None, own]),
        begun=choose([None, own]),
        intent_seen=choose([None, TICKS - 60, TICKS]),
        doubt_since=choose([None, TICKS - 600, TICKS]),
        doubt_certain=choose([False, True]),
        refused_answer=choose(["", "", "no"]),
        pursuit=pursuit,
        pace=make_pace() if pursuit else None,
        waits=choose(STANDINGS),
        told=frozenset(choose([[], [Reason.STORAGE_UNAVAILABLE]])),
        **offers,
    )


# ---------------------------------------------------------------- the laws

Law = Callable[[Job, Action], None]


def nothing_is_spent_before_the_ledger_was_read(job: Job, action: Action) -> None:
    assert job.folder is not None or not isinstance(action, PAYING)


def nothing_is_spent_beside_an_outcome_that_nobody_knows(job: Job, action: Action) -> None:
    """Unless a person answered `resubmit`; our own intent whose POST has not begun is no doubt."""
    if not isinstance(action, PAYING) or job.folder is None:
        return
    for entry in job.folder.entries.values():
        ours = entry.intent is not None and entry.intent.ticket in job.unsent
        resubmitted = entry.resolved is not None and entry.resolved.answer is Answer.RESUBMIT
        assert entry.end or entry.nothing_made or resubmitted or ours


def nothing_is_spent_after_an_attempt_was_completed_or_given_up(job: Job, action: Action) -> None:
    if isinstance(action, PAYING) and job.folder is not None:
        assert job.folder.result is None
        assert not any(entry.end and entry.end.state in PAID for entry in job.folder.entries.values())


def nothing_is_spent_beside_a_live_task(job: Job, action: Action) -> None:
    if isinstance(action, PAYING) and job.folder is not None:
        assert all(entry.task is None or entry.end for entry in job.folder.entries.values())


def nothing_is_spent_for_other_content_than_the_folder_lists(job: Job, action: Action) -> None:
    if not isinstance(action, PAYING) or job.folder is None:
        return
    assert isinstance(job.offer, Offer)
    for entry in job.folder.entries.values():
        assert entry.nothing_made or entry.request in {None, job.offer.request}


def nothing_is_spent_in_the_folder_of_another_class(job: Job, action: Action) -> None:
    if isinstance(action, PAYING) and job.folder is not None:
        assert all(entry.intent is None or entry.intent.class_ in {"", CLASS} for entry in job.folder.entries.values())


def nothing_is_spent_that_nobody_wants(job: Job, action: Action) -> None:
    """Suspended, refused, deleted, finished, or without a class."""
    if isinstance(action, PAYING):
        assert not job.obj.spec.suspend
        assert isinstance(job.offer, Offer)
        assert job.obj.metadata.deletion_timestamp is None
        assert not finished(job.obj)
        assert job.klass is not None


def nothing_is_spent_for_a_revision_that_is_not_asked_for(job: Job, action: Action) -> None:
    if isinstance(action, PAYING) and job.folder is not None:
        assert job.folder.id.revision == job.obj.spec.revision


def nothing_is_begun_without_a_slot(job: Job, action: Action) -> None:
    if isinstance(action, Begin):
        assert job.granted == action.number


def nothing_is_sent_without_a_slot_or_a_won_intent(job: Job, action: Action) -> None:
    if isinstance(action, Send):
        intent = job.folder.entry(action.number).intent if job.folder else None
        won = intent is not None and intent.ticket in job.unsent and intent.ticket == job.fence
        assert won or job.granted == action.number


def nothing_is_begun_or_sent_while_the_class_is_closed(job: Job, action: Action) -> None:
    assert not job.shut or not isinstance(action, Begin | Send)


def nothing_is_sent_before_the_money_lock_is_closed(job: Job, action: Action) -> None:
    """The status names the attempt, or the intent in the ledger is ours, which is written after the status."""
    if isinstance(action, Send) and job.fence is None:
        assert job.obj.status.attempt == f"r{job.obj.spec.revision}-a{action.number}"
        assert job.obj.status.submitted_revision == job.obj.spec.revision


def an_attempt_begins_with_the_number_after_the_newest(job: Job, action: Action) -> None:
    """Or, where a ledger has lost files, with the status's own one that is open, or the one after it."""
    if isinstance(action, Begin | Join) and job.folder is not None:
        after, own = max(job.folder.entries, default=0) + 1, own_number(job.obj, job.folder.id.revision) or 0
        assert action.number in {after, max(after, own), max(after, own + 1)}


def only_what_was_not_sent_is_closed(job: Job, action: Action) -> None:
    if isinstance(action, Close) and job.folder is not None:
        entry = job.folder.entry(action.number)
        assert entry.task is None
        assert entry.intent is None or entry.intent.ticket in job.unsent


def only_the_folder_of_the_active_revision_is_read(job: Job, action: Action) -> None:
    if isinstance(action, Recall):
        assert action.revision == active_revision(job.obj)


LAWS: Sequence[Law] = (
    nothing_is_spent_before_the_ledger_was_read,
    nothing_is_spent_beside_an_outcome_that_nobody_knows,
    nothing_is_spent_after_an_attempt_was_completed_or_given_up,
    nothing_is_spent_beside_a_live_task,
    nothing_is_spent_for_other_content_than_the_folder_lists,
    nothing_is_spent_in_the_folder_of_another_class,
    nothing_is_spent_that_nobody_wants,
    nothing_is_spent_for_a_revision_that_is_not_asked_for,
    nothing_is_begun_without_a_slot,
    nothing_is_sent_without_a_slot_or_a_won_intent,
    nothing_is_begun_or_sent_while_the_class_is_closed,
    nothing_is_sent_before_the_money_lock_is_closed,
    an_attempt_begins_with_the_number_after_the_newest,
    only_what_was_not_sent_is_closed,
    only_the_folder_of_the_active_revision_is_read,
)


def seeded() -> Iterator[tuple[Job, Moment]]:
    chance = random.Random(20261122)

    def choose(options: Sequence[T], /) -> T:
        return chance.choice(options)

    for _ in range(10_000):
        yield job_of(choose), choose(MOMENTS)


@pytest.fixture(scope="module")
def decisions() -> list[tuple[Job, Action]]:
    """That this fixture can be made shows that `decide` raises for none of them."""
    return [(job, decide(job, now)) for job, now in seeded()]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_law_holds(law: Law, decisions: list[tuple[Job, Action]]) -> None:
    for job, action in decisions:
        law(job, action)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_all_laws_hold_for_any_job(data: st.DataObject) -> None:
    def choose(options: Sequence[T], /) -> T:
        return data.draw(st.sampled_from(options))

    job = job_of(choose)
    action = decide(job, choose(MOMENTS))
    for law in LAWS:
        law(job, action)


@pytest.mark.parametrize("action", actions.Action.__args__, ids=lambda action: action.__name__)
def test_every_action_is_among_the_decisions(action: type[Action], decisions: list[tuple[Job, Action]]) -> None:
    """The laws would hold of a machine that never does anything."""
    assert any(isinstance(found, action) for _, found in decisions)
