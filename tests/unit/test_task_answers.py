"""What polls and `/content` say, in the dialects of the gateways."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    looks_like_error_page,
    looks_like_video,
    read_content,
    read_poll,
)
from videogen_operator.ports import Answer, Exchange, NoAnswer, Wire


def answer(status: int, body: object = b"", **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return Answer(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, body=raw)


def poll(body: object, status: int = 200) -> PollAnswer:
    return read_poll(answer(status, body))


# ---------------------------------------------------------------- states


@pytest.mark.parametrize(
    "word",
    [
        *("queued", "pending", "submitted", "NOT_START", "notstarted", "created", "preparing", "starting", "unknown"),
        *("in_progress", "in-progress", "In Progress", "processing", "running", "generating", " QUEUED "),
    ],
)
def test_words_of_waiting_and_running_mean_keep_asking(word: str) -> None:
    assert poll({"status": word}) == Working(raw_status=word.strip(), known=True)


@pytest.mark.parametrize("word", ["completed", "complete", "SUCCESS", "succeeded", "Finished"])
def test_words_of_success_mean_completed(word: str) -> None:
    assert poll({"status": word, "progress": 0, "error": None}) == Completed()


@pytest.mark.parametrize("word", ["failed", "FAILURE", "fail", "error"])
def test_words_of_failure_mean_failed(word: str) -> None:
    assert poll({"status": word, "progress": 100}) == Failed(kind=FailureKind.NO_REASON, reason="")


@pytest.mark.parametrize("word", ["canceled", "CANCELLED", "expired", "timeout"])
def test_a_task_that_was_ended_says_how(word: str) -> None:
    assert poll({"status": word}) == Canceled(reason=word)


@pytest.mark.parametrize("word", ["reviewing", "", 7, None, [], {"a": 1}])
def test_a_word_that_nobody_knows_means_keep_asking(word: object) -> None:
    said = poll({"id": "t", "status": word})
    assert said == Working(raw_status=word if isinstance(word, str) else "", known=False)


def test_no_information_means_keep_asking() -> None:
    assert poll({"code": "success", "data": None}) == Working(raw_status="", known=False)


def test_a_wrapper_is_opened_once() -> None:
    assert poll({"code": "success", "message": "", "data": {"status": "SUCCESS", "progress": "100%"}}) == Completed()


def test_progress_and_completed_at_prove_nothing() -> None:
    body = {"status": "in_progress", "progress": 100, "completed_at": 1775025000}
    assert poll(body) == Working(raw_status="in_progress")


def test_a_completed_task_with_an_old_error_is_completed() -> None:
    assert poll({"status": "completed", "error": {"message": "m"}}) == Completed()


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "upstream 500", "code": "x"}, "id": "task_1"},
        {"error": "text", "id": "task_1"},
        {"code": "fail_to_fetch_task", "message": "m", "data": None},
        {"success": False, "message": "m"},
        {"data": {"error": {"message": "m"}}},
    ],
)
def test_an_error_without_a_status_is_no_failure(body: object) -> None:
    assert isinstance(poll(body), ErrorWithoutStatus)


# ---------------------------------------------------------------- reasons


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"error": {"message": "one"}, "fail_reason": "two"}, "one"),
        ({"error": "one", "fail_reason": "two"}, "one"),
        ({"fail_reason": "two", "message": "three"}, "two"),
        ({"data": {"fail_reason": "two"}, "message": "three"}, "two"),
        ({"message": "three", "metadata": {"reason": "four"}}, "three"),
        ({"metadata": {"url": "x", "fail_reason": "four"}}, "four"),
        ({"response": {"generateVideoResponse": {"raiMediaFilteredReasons": ["five", "six"]}}}, "five; six"),
        ({"error": {"message": json.dumps({"error": {"code": 13, "message": "deep"}})}}, "deep 13"),
        ({"error": {"code": 7, "message": None}}, "7"),
        ({"message": "success"}, ""),
        ({"error": {}, "message": None}, ""),
    ],
)
def test_the_reason_is_the_first_of_the_places_where_it_is_written(body: dict[str, object], reason: str) -> None:
    said = poll({"status": "failed", **body})
    assert isinstance(said, Failed)
    assert said.reason == reason


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("Blocked by safety filters", FailureKind.POLICY),
        ("This violates our usage guidelines", FailureKind.POLICY),
        ("depicts real people", FailureKind.POLICY),
        ("We encountered an issue with the audio for your prompt", FailureKind.POLICY),
        ("prohibited content", FailureKind.POLICY),
        ("RAI media filtered", FailureKind.POLICY),
        ("内容安全审核不通过", FailureKind.POLICY),
        ("veo-3.1 is no longer available", FailureKind.MODEL_GONE),
        ("INTERNAL", FailureKind.CAPACITY),
        ("high load, try again later", FailureKind.CAPACITY),
        ("任务超时（60分钟）", FailureKind.CAPACITY),  # noqa: RUF001 - as new-api writes it
        ("当前分组上游负载已饱和", FailureKind.CAPACITY),
        (json.dumps({"error": {"code": 14, "message": "x"}}), FailureKind.CAPACITY),
        (json.dumps({"error": {"code": 503, "message": "x", "status": "UNAVAILABLE"}}), FailureKind.CAPACITY),
        ("the picture is too dull", FailureKind.OTHER),
    ],
)
def test_a_reason_is_understood_by_its_words(reason: str, kind: FailureKind) -> None:
    said = poll({"status": "failed", "error": {"message": reason}})
    assert isinstance(said, Failed)
    assert said.kind is kind


def test_the_prompts_own_words_are_no_reason() -> None:
    prompt = "A film about safety policy and prohibition"
    exchange = answer(200, {"status": "failed", "error": {"message": f"could not render: {prompt}"}})
    said = read_poll(exchange, [prompt])
    assert said == Failed(kind=FailureKind.OTHER, reason="could not render: [hidden]")


# ---------------------------------------------------------------- other statuses


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, b""), (410, b""), (404, {"detail": "x"}), (400, {"code": "task_not_exist", "message": "task_not_exist"})],
)
def test_a_task_that_the_gateway_does_not_know(status: int, body: object) -> None:
    assert isinstance(poll(body, status), NoSuchTask)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"", Refusal.CREDENTIALS),
        (403, b"", Refusal.CREDENTIALS),
        (400, {"error": {"message": "m", "type": "no_db_connection"}}, Refusal.CREDENTIALS),
        (401, {"code": "fail_to_fetch_task", "message": "m"}, Refusal.SERVER),
        (429, b"", Refusal.RATE),
        (500, {"error": {"message": "RAI"}}, Refusal.SERVER),
        (502, b"<html>", Refusal.SERVER),
        (400, b"", Refusal.SERVER),
        (302, b"", Refusal.SERVER),
        (200, b"<html>", Refusal.SERVER),
        (200, b"", Refusal.SERVER),
        (200, b"[]", Refusal.SERVER),
        (200, b'{"status":"comple', Refusal.SERVER),
    ],
)
def test_trouble_says_nothing_about_the_task(status: int, body: object, kind: Refusal) -> None:
    said = poll(body, status)
    assert isinstance(said, Refused)
    assert said.kind is kind


@pytest.mark.parametrize(
    ("wire", "kind"),
    [
        (Wire.SENT, Refusal.NETWORK),
        (Wire.NOT_SENT, Refusal.NETWORK),
        (Wire.MALFORMED_KEY, Refusal.CREDENTIALS),
    ],
)
def test_no_answer_says_nothing_about_the_task(wire: Wire, kind: Refusal) -> None:
    exchange = NoAnswer(wire=wire, detail="d")
    assert read_poll(exchange) == read_content(exchange) == Refused(kind=kind, detail="d")


def test_the_wish_to_wait_is_passed_on() -> None:
    said = read_poll(answer(429, b"", retry_after="12"))
    assert isinstance(said, Refused)
    assert said.retry_after == 12


# ---------------------------------------------------------------- content


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": "Task is not completed yet, current status: IN_PROGRESS"}}),
        (400, b""),
        (500, {"error": {"message": "Video generation is not complete yet"}}),
        (202, b""),
        (425, b""),
    ],
)
def test_content_that_is_not_there_yet(status: int, body: object) -> None:
    assert isinstance(read_content(answer(status, body)), NotReady)


def test_content_of_a_failed_task_says_so() -> None:
    body = {"error": {"message": "Task is not completed yet, current status: FAILURE"}}
    assert isinstance(read_content(answer(400, body)), ContentFailure)


@pytest.mark.parametrize(("status", "body"), [(404, b""), (410, b""), (400, {"code": "task_not_exist"})])
def test_content_that_is_gone(status: int, body: object) -> None:
    assert isinstance(read_content(answer(status, body)), Gone)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"", Refusal.CREDENTIALS),
        (403, b"", Refusal.CREDENTIALS),
        (400, {"error": {"type": "no_db_connection", "message": "m"}}, Refusal.CREDENTIALS),
        (403, {"error": {"message": "request blocked: private address"}}, Refusal.SERVER),
        (502, {"error": {"message": "Failed to resolve Gemini video URL"}}, Refusal.SERVER),
        (500, b"", Refusal.SERVER),
        (429, b"", Refusal.RATE),
    ],
)
def test_trouble_with_content_is_tried_again(status: int, body: object, kind: Refusal) -> None:
    said = read_content(answer(status, body))
    assert isinstance(said, Refused)
    assert said.kind is kind


@pytest.mark.parametrize(
    ("head", "video", "error_page"),
    [
        (b"\0\0\0\x20ftypisom", True, False),
        (b'{"error":1}', False, True),
        (b'\xef\xbb\xbf {"error":1}', False, True),
        (b"<!doctype html>", False, True),
        (b"", False, True),
        (b"\0\0\0\x18moof", False, False),
        (b"GIF89a", False, False),
    ],
)
def test_bytes_under_a_200_are_looked_at(head: bytes, video: bool, error_page: bool) -> None:
    assert (looks_like_video(head), looks_like_error_page(head)) == (video, error_page)


# ---------------------------------------------------------------- total


@given(
    status=st.integers(-1, 1000),
    body=st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
            lambda child: (
                st.lists(child, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["status", "data", "error", "code", "message", "fail_reason", "metadata", "success"]
                    ),
                    child,
                )
            ),
            max_leaves=8,
        ),
    ),
)
def test_no_body_makes_them_raise(status: int, body: object) -> None:
    exchange: Exchange = answer(status, body)
    said = read_poll(exchange)
    assert read_content(exchange) is not None
    if not 200 <= status < 300:
        assert isinstance(said, NoSuchTask | Refused)
