"""What a folder of the ledger means, row by row; first match wins."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import (
    CLASS,
    a_closing,
    a_result,
    a_task,
    an_answer,
    an_end,
    an_intent,
    folder_id,
    given_up,
    make_folder,
    make_request,
    not_sent,
)
from videogen_operator.adoption import (
    Done,
    GivenUp,
    LiveTask,
    Mine,
    Next,
    OtherClass,
    OtherContent,
    Over,
    Unanswered,
    Verdict,
    judge,
)
from videogen_operator.api.generation_status import AttemptState, Billing
from videogen_operator.ledger import Again, Answer, End, Entry, Folder, Intent, Request, Resolution, Task

OURS = make_request()
OTHER = make_request(prompt_sha256="another")
LOST = given_up(1, AttemptState.TASK_LOST)
RESUBMIT, ABANDON = an_answer(Answer.RESUBMIT), an_answer(Answer.ABANDON)


def rejected(number: int = 1) -> End:
    return an_end(number, state=AttemptState.REJECTED, again=Again.NEVER)


def canceled(number: int = 1) -> End:
    return an_end(number, state=AttemptState.CANCELED, again=Again.NEVER)


def completed(number: int = 1) -> End:
    return given_up(number, AttemptState.COMPLETED, billing=Billing.BILLED, reason="SourceExpired")


# ---------------------------------------------------------------- the rows, the same request

ROWS: list[tuple[str, Folder, Verdict]] = [
    ("empty", make_folder(), Next(1)),
    ("result", make_folder(an_intent(), a_task(), a_result()), Done(a_result())),
    ("result and a later intent", make_folder(an_intent(), a_task(), a_result(), an_intent(2)), Done(a_result())),
    ("result alone", make_folder(a_result()), Done(a_result())),
    (
        "task without an end",
        make_folder(an_intent(), a_task()),
        LiveTask(make_folder(an_intent(), a_task()).entry(1), a_task()),
    ),
    (
        "task, given up as abandoned",
        make_folder(an_intent(), a_task(), given_up()),
        LiveTask(make_folder(an_intent(), a_task(), given_up()).entry(1), a_task()),
    ),
    (
        "task, given up as lost",
        make_folder(an_intent(), a_task(), given_up(1, AttemptState.TASK_LOST)),
        LiveTask(make_folder(an_intent(), a_task(), given_up(1, AttemptState.TASK_LOST)).entry(1), a_task()),
    ),
    (
        "task that came after a person gave up",
        make_folder(an_intent(), ABANDON, a_task()),
        LiveTask(make_folder(an_intent(), ABANDON, a_task()).entry(1), a_task()),
    ),
    ("abandoned by a person", make_folder(an_intent(), ABANDON), GivenUp(make_folder(an_intent(), ABANDON).entry(1))),
    (
        "abandoned by a person, then found not sent",
        make_folder(an_intent(), ABANDON, not_sent()),
        GivenUp(make_folder(an_intent(), ABANDON, not_sent()).entry(1)),
    ),
    (
        "abandoned by a person, then rejected",
        make_folder(an_intent(), ABANDON, rejected()),
        GivenUp(make_folder(an_intent(), ABANDON, rejected()).entry(1)),
    ),
    (
        "not sent",
        make_folder(an_intent(), not_sent()),
        Next(2, make_folder(an_intent(), not_sent()).entry(1)),
    ),
    ("rejected", make_folder(an_intent(), rejected()), Next(2, make_folder(an_intent(), rejected()).entry(1))),
    ("closing", make_folder(a_closing()), Next(2, make_folder(a_closing()).entry(1))),
    (
        "failed",
        make_folder(an_intent(), a_task(), an_end()),
        Next(2, make_folder(an_intent(), a_task(), an_end()).entry(1)),
    ),
    (
        "canceled",
        make_folder(an_intent(), a_task(), canceled()),
        Next(2, make_folder(an_intent(), a_task(), canceled()).entry(1)),
    ),
    (
        "completed without a video",
        make_folder(an_intent(), a_task(), completed()),
        Over(make_folder(an_intent(), a_task(), completed()).entry(1), completed()),
    ),
    (
        "abandoned, no task known",
        make_folder(an_intent(), given_up()),
        Over(make_folder(an_intent(), given_up()).entry(1), given_up()),
    ),
    (
        "lost, no task known",
        make_folder(an_intent(), given_up(1, AttemptState.TASK_LOST)),
        Over(
            make_folder(an_intent(), given_up(1, AttemptState.TASK_LOST)).entry(1), given_up(1, AttemptState.TASK_LOST)
        ),
    ),
    ("intent only", make_folder(an_intent()), Unanswered(make_folder(an_intent()).entry(1), an_intent())),
    (
        "intent, to be sent again",
        make_folder(an_intent(), RESUBMIT),
        Next(2, make_folder(an_intent(), RESUBMIT).entry(1)),
    ),
    (
        "sent again, unanswered",
        make_folder(an_intent(), RESUBMIT, an_intent(2)),
        Unanswered(make_folder(an_intent(2)).entry(2), an_intent(2)),
    ),
    (
        "sent again, then the first task turned up",
        make_folder(an_intent(), RESUBMIT, a_task(), an_intent(2)),
        LiveTask(make_folder(an_intent(), RESUBMIT, a_task()).entry(1), a_task()),
    ),
    (
        "two live tasks",
        make_folder(an_intent(), RESUBMIT, a_task(), an_intent(2), a_task(2)),
        LiveTask(make_folder(an_intent(2), a_task(2)).entry(2), a_task(2)),
    ),
    (
        "a live task beside a newer one that was given up",
        make_folder(an_intent(), RESUBMIT, a_task(), an_intent(2), a_task(2), given_up(2)),
        LiveTask(make_folder(an_intent(), RESUBMIT, a_task()).entry(1), a_task()),
    ),
    (
        "failed, then not sent",
        make_folder(an_intent(), a_task(), an_end(), an_intent(2), not_sent(2)),
        Next(3, make_folder(an_intent(2), not_sent(2)).entry(2)),
    ),
    (
        "completed without a video, then not sent",
        make_folder(an_intent(), RESUBMIT, a_task(), completed(), an_intent(2), not_sent(2)),
        Over(make_folder(an_intent(), RESUBMIT, a_task(), completed()).entry(1), completed()),
    ),
    (
        "abandoned, then rejected",
        make_folder(an_intent(), given_up(), an_intent(2), rejected(2)),
        Over(make_folder(an_intent(), given_up()).entry(1), given_up()),
    ),
    (
        "intent only, then not sent",
        make_folder(an_intent(), an_intent(2), not_sent(2)),
        Unanswered(make_folder(an_intent()).entry(1), an_intent()),
    ),
    (
        "abandoned by a person, then not sent",
        make_folder(an_intent(), ABANDON, an_intent(2), not_sent(2)),
        GivenUp(make_folder(an_intent(), ABANDON).entry(1)),
    ),
    (
        "a task file without its intent",
        make_folder(a_task()),
        LiveTask(make_folder(a_task()).entry(1), a_task()),
    ),
]


@pytest.mark.parametrize(("folder", "want"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_row_of_the_table(folder: Folder, want: Verdict) -> None:
    assert judge(folder, OURS, CLASS) == want


# ---------------------------------------------------------------- another request

REFUSED = [
    "task without an end",
    "task, given up as abandoned",
    "task, given up as lost",
    "task that came after a person gave up",
    "abandoned by a person",
    "failed",
    "canceled",
    "completed without a video",
    "abandoned, no task known",
    "lost, no task known",
    "intent only",
    "intent, to be sent again",
    "sent again, unanswered",
    "sent again, then the first task turned up",
    "two live tasks",
    "a live task beside a newer one that was given up",
    "failed, then not sent",
    "intent only, then not sent",
    "abandoned by a person, then not sent",
    "completed without a video, then not sent",
    "abandoned, then rejected",
    "result",
    "result and a later intent",
]
NOTHING_WAS_MADE = ["not sent", "rejected", "closing", "empty"]
FOLDERS = {name: folder for name, folder, _ in ROWS}
WANTED = {name: want for name, _, want in ROWS}


@pytest.mark.parametrize("name", REFUSED)
def test_what_had_a_task_or_may_have_had_one_refuses_other_content(name: str) -> None:
    assert isinstance(judge(FOLDERS[name], OTHER, CLASS), OtherContent)


@pytest.mark.parametrize("name", NOTHING_WAS_MADE)
def test_where_nothing_was_made_the_content_may_differ(name: str) -> None:
    assert judge(FOLDERS[name], OTHER, CLASS) == WANTED[name]


@pytest.mark.parametrize("name", FOLDERS)
def test_without_a_request_contents_are_not_compared(name: str) -> None:
    assert judge(FOLDERS[name], None, CLASS) == WANTED[name]


@pytest.mark.parametrize("name", ["task without an end", "intent only", "completed without a video", "result"])
def test_the_attempt_that_is_gone_on_with_is_not_compared(name: str) -> None:
    """It is worked on as it was pinned, whatever the class has become."""
    assert judge(FOLDERS[name], OTHER, CLASS, own=1) == WANTED[name]


@pytest.mark.parametrize("name", ["failed", "canceled", "intent, to be sent again", "failed, then not sent"])
def test_a_next_attempt_is_compared_with_our_own_earlier_ones(name: str) -> None:
    assert isinstance(judge(FOLDERS[name], OTHER, CLASS, own=1), OtherContent)


def test_a_conflict_deep_in_the_folder_is_found() -> None:
    """Asked of every attempt: one that was not sent must not hide an older one that was."""
    folder = make_folder(an_intent(request=OTHER), a_task(), an_end(), an_intent(2), not_sent(2))
    verdict = judge(folder, OURS, CLASS)
    assert isinstance(verdict, OtherContent)
    assert verdict.entry.number == 1


# ---------------------------------------------------------------- another class

NO_CLASS = {"empty", "closing", "result alone", "a task file without its intent"}


@pytest.mark.parametrize("name", [name for name in FOLDERS if name not in NO_CLASS])
def test_another_class_made_this_revision(name: str) -> None:
    """Also where nothing was made: a rehearsal's folder is not gone on with."""
    verdict = judge(FOLDERS[name], OURS, "rehearsal")
    assert isinstance(verdict, OtherClass)
    assert verdict.name == CLASS


def test_a_task_without_its_intent_is_adopted_by_any_class() -> None:
    """Which class made it is not on record, and it is paid for."""
    assert isinstance(judge(make_folder(a_task()), OURS, "rehearsal"), LiveTask)


def test_another_class_is_said_before_other_content() -> None:
    assert isinstance(judge(make_folder(an_intent(), a_task()), OTHER, "rehearsal"), OtherClass)


# ---------------------------------------------------------------- tickets


@pytest.mark.parametrize("own", [None, 1])
def test_an_intent_of_this_process_that_was_not_used_is_gone_on_with(own: int | None) -> None:
    folder = make_folder(an_intent())
    assert judge(folder, OURS, CLASS, own=own, unsent={"ticket-1"}) == Mine(folder.entry(1), an_intent())


def test_an_unused_intent_of_ours_is_no_conflict_with_ourselves() -> None:
    folder = make_folder(an_intent(request=OTHER))
    assert isinstance(judge(folder, OURS, CLASS, unsent={"ticket-1"}), Mine)


def test_the_ticket_of_another_object_is_not_ours() -> None:
    assert isinstance(judge(make_folder(an_intent()), OURS, CLASS, own=1, unsent={"ticket-2"}), Unanswered)


def test_an_attempt_without_any_file_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="holds no file"):
        judge(Folder(id=folder_id(), entries={1: Entry(number=1)}), OURS, CLASS)


def test_an_older_task_comes_before_our_own_unused_intent() -> None:
    folder = make_folder(an_intent(), RESUBMIT, a_task(), an_intent(2))
    assert isinstance(judge(folder, OURS, CLASS, own=2, unsent={"ticket-2"}), LiveTask)


def test_an_older_doubt_comes_before_our_own_unused_intent() -> None:
    folder = make_folder(an_intent(), an_intent(2), a_closing(3))
    assert judge(folder, OURS, CLASS, unsent={"ticket-2"}) == Unanswered(folder.entry(1), an_intent())


@pytest.mark.parametrize(
    ("older", "verdict"), [({"class_": "rehearsal"}, OtherClass), ({"request": OTHER}, OtherContent)]
)
def test_our_own_unused_intent_is_compared_with_the_attempt_that_the_status_names(
    older: dict[str, Any], verdict: type[Verdict]
) -> None:
    folder = make_folder(an_intent(**older), an_end(), an_intent(2))
    assert isinstance(judge(folder, OURS, CLASS, own=1, unsent={"ticket-2"}), verdict)


# ---------------------------------------------------------------- all folders of two attempts

_INTENTS = [[], [an_intent()], [an_intent(request=OTHER)], [an_intent(class_="rehearsal")], [a_closing()]]
_TASKS = [[], [a_task()]]
_ENDS = [[], [not_sent()], [rejected()], [an_end()], [canceled()], [completed()], [given_up()]]
_ANSWERS = [[], [RESUBMIT], [ABANDON]]
Document = Intent | Task | End | Resolution


def attempts() -> Iterator[tuple[Document, ...]]:
    """Every combination of files of one attempt, the strange ones included."""
    for parts in itertools.product(_INTENTS, _TASKS, _ENDS, _ANSWERS):
        yield tuple(document for part in parts for document in part)


def renumbered(documents: tuple[Document, ...], number: int) -> tuple[Document, ...]:
    return tuple(document.model_copy(update={"attempt": f"r1-a{number}"}) for document in documents)


PAID = {AttemptState.COMPLETED, AttemptState.ABANDONED, AttemptState.TASK_LOST}
ATTEMPTS = list(attempts())
ANY_FOLDER = st.builds(
    lambda one, two, stored: make_folder(*one, *renumbered(two, 2), *([a_result()] if stored else [])),
    st.sampled_from(ATTEMPTS),
    st.sampled_from(ATTEMPTS),
    st.booleans(),
)
REQUESTS = st.sampled_from([OURS, OTHER])
OWN = st.sampled_from([None, 1, 2])
UNSENT = st.sampled_from([frozenset[str](), frozenset({"ticket-1"})])


@given(ANY_FOLDER, REQUESTS, OWN, UNSENT)
def test_every_folder_has_a_verdict(folder: Folder, request: Request, own: int | None, unsent: frozenset[str]) -> None:
    judge(folder, request, CLASS, own=own, unsent=unsent)


@given(ANY_FOLDER, REQUESTS, OWN, UNSENT)
def test_a_next_attempt_never_follows_money(
    folder: Folder, request: Request, own: int | None, unsent: frozenset[str]
) -> None:
    """Nothing is begun beside a stored video, a live task, an open outcome, a paid end or other content."""
    verdict = judge(folder, request, CLASS, own=own, unsent=unsent)
    if not isinstance(verdict, Next):
        return
    assert verdict.number == (max(folder.entries) + 1 if folder.entries else 1)
    assert folder.result is None
    for entry in folder.entries.values():
        assert entry.end or (entry.resolved and entry.resolved.answer is Answer.RESUBMIT) or entry.nothing_made
        assert entry.end or entry.resolved is None or entry.resolved.answer is Answer.RESUBMIT
        assert entry.task is None or entry.end is not None
        assert entry.end is None or entry.end.state not in PAID
        assert entry.nothing_made or entry.request in {None, request}
        assert entry.intent is None or entry.intent.class_ in {"", CLASS}


@given(ANY_FOLDER, REQUESTS, OWN, UNSENT)
def test_only_an_unused_ticket_of_ours_is_mine(
    folder: Folder, request: Request, own: int | None, unsent: frozenset[str]
) -> None:
    verdict = judge(folder, request, CLASS, own=own, unsent=unsent)
    if isinstance(verdict, Mine):
        assert all(e.end is None or e.end.state not in PAID for e in folder.entries.values())
        assert verdict.intent.ticket in unsent
        assert verdict.entry.task is None
        assert verdict.entry.end is None
