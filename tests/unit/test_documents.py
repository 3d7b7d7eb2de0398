"""The files in the bucket: what is written is read back, what is not understood stops everything, nothing leaks."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import (
    PROMPT,
    a_closing,
    a_result,
    a_task,
    an_answer,
    an_end,
    an_intent,
    folder_id,
    given_up,
    make_folder,
    make_generation,
    make_offer,
    not_sent,
)
from videogen_operator import ledger
from videogen_operator.ledger import Answer, End, Intent, LedgerUnreadableError, Resolution, Result, Task

DOCUMENTS: list[tuple[str, Intent | Task | End | Resolution | Result]] = [
    ("a1.intent.json", an_intent()),
    ("a1.intent.json", a_closing()),
    ("a1.task.json", a_task()),
    ("a1.end.json", an_end()),
    ("a1.end.json", not_sent()),
    ("a1.end.json", given_up()),
    ("a1.resolved.json", an_answer(Answer.RESUBMIT)),
    ("result.json", a_result()),
]
NAMES = sorted({name for name, _ in DOCUMENTS})


@pytest.mark.parametrize(("name", "document"), DOCUMENTS)
def test_what_is_written_is_read_back(name: str, document: Intent | Task | End | Resolution | Result) -> None:
    assert ledger.parse_document(folder_id(), name, ledger.document_bytes(document)) == document


@pytest.mark.parametrize(("name", "document"), DOCUMENTS)
def test_a_field_of_a_later_version_is_no_reason_to_stop(
    name: str, document: Intent | Task | End | Resolution | Result
) -> None:
    wire = json.loads(ledger.document_bytes(document)) | {"later": {"field": 1}}
    assert ledger.parse_document(folder_id(), name, json.dumps(wire).encode()) == document


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"[]", b"null", b"\xff\xfe", b'{"attempt": 1}', b"<Error/>"])
def test_what_cannot_be_understood_is_never_taken_for_absent(name: str, body: bytes) -> None:
    with pytest.raises(LedgerUnreadableError):
        ledger.parse_folder(folder_id(), {name: body})


@given(st.binary(max_size=200), st.sampled_from(NAMES))
def test_any_bytes_are_a_document_or_unreadable(body: bytes, name: str) -> None:
    with pytest.raises(LedgerUnreadableError):
        ledger.parse_document(folder_id(), name, body)


def test_an_unreadable_file_is_named_and_its_content_is_not_shown() -> None:
    with pytest.raises(LedgerUnreadableError) as raised:
        ledger.parse_folder(folder_id(), {"a1.task.json": b'{"attempt": 1, "taskID": "sk-secret"}'})
    assert "films/dawn/r1/a1.task.json" in str(raised.value)
    assert "nothing is sent" in str(raised.value)
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_file_that_is_not_of_the_ledger_is_no_document() -> None:
    with pytest.raises(LedgerUnreadableError):
        ledger.parse_document(folder_id(), "dawn.mp4", b"{}")


def test_a_folder_is_read_from_its_files() -> None:
    folder = make_folder(an_intent(), a_task(), an_end(), an_intent(2), an_answer(Answer.ABANDON, 2), a_result())
    files = {
        "a1.intent.json": ledger.document_bytes(an_intent()),
        "a1.task.json": ledger.document_bytes(a_task()),
        "a1.end.json": ledger.document_bytes(an_end()),
        "a2.intent.json": ledger.document_bytes(an_intent(2)),
        "a2.resolved.json": ledger.document_bytes(an_answer(Answer.ABANDON, 2)),
        "result.json": ledger.document_bytes(a_result()),
    }
    assert ledger.parse_folder(folder_id(), files) == folder


def test_only_the_ledgers_files_of_a_folder_are_read() -> None:
    keys = [
        folder_id().key("veo/", name)
        for name in ["a1.intent.json", "result.json", "dawn.mp4", "dawn.a2.mp4", "notes.txt", "a1.intent.json.bak", ""]
    ]
    assert ledger.known_files(keys) == ["a1.intent.json", "result.json"]


@pytest.mark.parametrize(("name", "document"), DOCUMENTS)
def test_no_file_holds_the_prompt(name: str, document: Intent | Task | End | Resolution | Result) -> None:
    """The ledger lies beside a video that may be public."""
    text = ledger.document_bytes(document).decode()
    assert PROMPT not in text, name
    assert not any(word in text for word in re.findall(r"\w{6,}", PROMPT))


def test_an_intent_holds_digests_of_both_prompts_only() -> None:
    offer = make_offer(make_generation(prompt="a secret garden", negative_prompt="hidden people"))
    text = ledger.document_bytes(an_intent(request=offer.request, resolved=offer.resolved)).decode()
    assert "secret" not in text
    assert "hidden" not in text
    assert ledger.digest("a secret garden") in text
    assert ledger.digest("hidden people") in text


def test_a_file_can_be_read_at_night_by_a_person() -> None:
    text = ledger.document_bytes(a_task()).decode()
    assert text == (
        "{\n"
        ' "attempt": "r1-a1",\n'
        ' "endpoint": "https://gateway.example/v1",\n'
        ' "taskID": "task-1",\n'
        ' "time": "2026-11-22T10:40:00Z"\n'
        "}\n"
    )
