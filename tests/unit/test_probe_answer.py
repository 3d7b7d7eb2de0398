"""What the free probe says about a key."""

import json
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videogen_operator.answers import (
    KeyAccepted,
    KeyRejected,
    Unclear,
    Unreachable,
    read_probe,
    retry_after,
)
from videogen_operator.ports import Answer, NoAnswer, Wire


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (400, {"code": "task_not_exist", "message": "task_not_exist", "data": None}, KeyAccepted),
        (404, {"error": {"message": "Task not found"}}, KeyAccepted),
        (404, {"detail": "Video not found"}, KeyAccepted),
        (404, b"", KeyAccepted),
        (500, {"error": {"message": "litellm.APIError: unknown video", "code": "500"}}, KeyAccepted),
        (200, {"code": "success", "data": None}, KeyAccepted),
        (401, b"", KeyRejected),
        (403, {"error": {"message": "banned"}}, KeyRejected),
        (400, {"error": {"message": "No connected db.", "type": "no_db_connection", "code": "400"}}, KeyRejected),
        (502, b"<html>", Unreachable),
        (503, b"", Unreachable),
        (504, b"", Unreachable),
        (522, b"", Unreachable),
        (500, b"Internal Server Error", Unclear),
        (404, b"<html>not here</html>", Unclear),
        (404, {"error": {"message": "Invalid URL (GET /videos/x)"}}, Unclear),
        (404, {"detail": "Not Found"}, Unclear),
        (401, {"code": "fail_to_fetch_task", "message": "the gateway's upstream key"}, Unclear),
        (429, b"", Unclear),
        (200, b"<html>", Unclear),
        (400, b"", Unclear),
        (302, b"", Unclear),
    ],
)
def test_the_verdict(status: int, body: object, verdict: type) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert isinstance(read_probe(Answer(status=status, body=raw)), verdict)


@pytest.mark.parametrize(
    ("wire", "verdict"),
    [(Wire.NOT_SENT, Unreachable), (Wire.SENT, Unreachable), (Wire.MALFORMED_KEY, KeyRejected)],
)
def test_no_answer(wire: Wire, verdict: type) -> None:
    assert isinstance(read_probe(NoAnswer(wire=wire, detail="d")), verdict)


@given(status=st.integers(-1, 1000), body=st.binary(max_size=100))
def test_no_body_makes_it_raise(status: int, body: bytes) -> None:
    assert read_probe(Answer(status=status, body=body)) is not None


NOW = 1_775_025_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "99999"}, 600),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "١٢"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"llm_provider-retry-after": "3"}, 3),
        ({"retry-after": "soon", "llm_provider-retry-after": "3"}, 3),
        ({"retry-after": formatdate(NOW + 20, usegmt=True)}, 20),
        ({"retry-after": formatdate(NOW - 20, usegmt=True)}, 0),
        ({"retry-after": "Sun, 06 Nov 99999 08:49:37 GMT"}, None),
    ],
)
def test_the_wish_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


def test_a_date_counts_from_the_answers_own_date() -> None:
    headers = {"retry-after": formatdate(NOW + 20, usegmt=True), "date": formatdate(NOW, usegmt=True)}
    assert retry_after(headers) == 20


def test_a_date_without_any_clock_says_nothing() -> None:
    assert retry_after({"retry-after": formatdate(NOW, usegmt=True)}) is None


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "date"]), st.text(max_size=40)))
def test_no_header_makes_it_raise(headers: dict[str, str]) -> None:
    wish = retry_after(headers, NOW)
    assert wish is None or 0 <= wish <= 600
