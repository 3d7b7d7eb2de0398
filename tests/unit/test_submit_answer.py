"""The classifier of the POST: a total function, where doubt is `Unknown`."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videogen_operator.answers import (
    Accepted,
    NotSent,
    Rejected,
    Rejection,
    SubmitAnswer,
    Unknown,
    read_submit,
)
from videogen_operator.ports import Answer, NoAnswer, Wire

REFUSALS = {*range(300, 400), 400, 401, 402, 403, 404, 405, 413, 415, 422, 429}
PROMPT = "A lighthouse keeper counts the credit balance of the safety policy model"


def submit(
    status: int,
    body: object = b"",
    *,
    not_billed: bool = False,
    headers: Mapping[str, str] | None = None,
    hidden: tuple[str, ...] = (PROMPT,),
) -> SubmitAnswer:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    answer = Answer(status=status, headers=headers or {}, body=raw)
    return read_submit(answer, server_errors_not_billed=not_billed, hidden=hidden)


def task_error(code: str, message: str = "m") -> dict[str, object]:
    """As new-api's submit handler writes it."""
    return {"code": code, "message": message, "data": None}


def openai_error(message: str, kind: str = "new_api_error", code: str = "") -> dict[str, object]:
    """As new-api's middleware and OpenAI write it."""
    return {"error": {"message": message, "type": kind, "code": code}}


def passed_on(message: str, *, code: int = 400, status: str = "INVALID_ARGUMENT") -> dict[str, object]:
    """As new-api passes on Google's answer: JSON inside a string."""
    inner = {"error": {"code": code, "message": message, "status": status}}
    return task_error("fail_to_fetch_task", json.dumps(inner))


def kind_of(answer: SubmitAnswer) -> Rejection:
    assert isinstance(answer, Rejected), answer
    return answer.kind


# ---------------------------------------------------------------- total


BODIES: dict[str, object] = {
    "nothing": b"",
    "text": b"bad gateway",
    "html": b"<html><body>nginx</body></html>",
    "a list": [],
    "a number": 7,
    "null": None,
    "an empty object": {},
    "a task error": task_error("do_request_failed"),
    "an openai error": openai_error("internal"),
    "an error in words": {"error": "text"},
    "fastapi": {"detail": [{"msg": "field required"}]},
    "cut json": b'{"id":"task_1',
    "not utf-8": b"\xff\xfe{\x80}",
}


@pytest.mark.parametrize("not_billed", [False, True])
@pytest.mark.parametrize("name", BODIES)
def test_every_status_has_a_class(name: str, not_billed: bool) -> None:
    own_error = name in ("a task error", "an openai error")
    for status in range(100, 600):
        answer = submit(status, BODIES[name], not_billed=not_billed)
        refused = status in REFUSALS or (not_billed and own_error and status in (500, 503))
        assert isinstance(answer, Rejected if refused else Unknown), (status, answer)


@pytest.mark.parametrize("status", range(200, 300))
def test_any_2xx_with_an_id_is_accepted(status: int) -> None:
    assert submit(status, {"id": "task_1", "status": "queued"}) == Accepted(task_id="task_1")


@pytest.mark.parametrize("status", [*range(100, 200), *range(300, 600)])
def test_an_answer_that_names_a_task_is_never_a_refusal(status: int) -> None:
    body = {**task_error("invalid_request"), "task_id": "task_1"}
    assert isinstance(submit(status, body, not_billed=True), Unknown)


@given(
    status=st.integers(-1, 1000),
    body=st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
            lambda child: (
                st.lists(child, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["id", "task_id", "data", "error", "code", "message", "status", "detail"]), child
                )
            ),
            max_leaves=8,
        ),
    ),
    headers=st.dictionaries(
        st.sampled_from(["retry-after", "retry-after-ms", "date", "llm_provider-retry-after"]), st.text(max_size=30)
    ),
    not_billed=st.booleans(),
)
def test_no_body_makes_it_raise(status: int, body: object, headers: dict[str, str], not_billed: bool) -> None:
    answer = submit(status, body, headers=headers, not_billed=not_billed)
    assert isinstance(answer, Accepted | Rejected | Unknown)
    if not 200 <= status < 300:
        assert not isinstance(answer, Accepted)


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":' * 100_000,
        b"[" * 200_000,
        b'{"code":' + b"9" * 5000 + b"}",
        b'{"id":' + b"9" * 5000 + b"}",
        b'{"error":{"message":"' + b"a" * 1_000_000 + b'"}}',
        b'{"message":"' + b"sk-" * 300_000 + b'"}',
        b'{"error":{"message":"' + b"model " * 150_000 + b'"}}',
        b"{" + b",".join(b'"k%d":"policy"' % n for n in range(20_000)) + b"}",
    ],
    ids=["deep objects", "deep lists", "huge code", "huge id", "long text", "key-like", "model-like", "many keys"],
)
def test_hostile_bodies_are_read_within_a_second(body: bytes, request: pytest.FixtureRequest) -> None:
    """The limit is the test's own time-out; without bounds these take minutes or end the process."""
    request.node.add_marker(pytest.mark.timeout(10))
    for status in (200, 400, 500):
        assert isinstance(submit(status, body, not_billed=True), Rejected | Unknown)


# ---------------------------------------------------------------- not sent, unknown


def test_what_never_left_is_not_sent() -> None:
    exchange = NoAnswer(wire=Wire.NOT_SENT, detail="ConnectError: refused")
    answer = read_submit(exchange, server_errors_not_billed=False, hidden=())
    assert answer == NotSent(detail="ConnectError: refused", malformed_key=False)


def test_a_malformed_key_is_not_sent_and_says_so() -> None:
    exchange = NoAnswer(wire=Wire.MALFORMED_KEY, detail="newline")
    assert read_submit(exchange, server_errors_not_billed=False) == NotSent(detail="newline", malformed_key=True)


@pytest.mark.parametrize("not_billed", [False, True])
def test_a_lost_answer_is_unknown(not_billed: bool) -> None:
    exchange = NoAnswer(wire=Wire.SENT, detail="ReadTimeout")
    assert read_submit(exchange, server_errors_not_billed=not_billed) == Unknown(detail="ReadTimeout")


@pytest.mark.parametrize("status", [408, 409, 425, 499, 502, 504, 520, 524])
def test_a_proxys_status_is_unknown_even_with_the_gateways_json(status: int) -> None:
    assert isinstance(submit(status, task_error("do_request_failed"), not_billed=True), Unknown)


@pytest.mark.parametrize(
    "code",
    [
        "read_response_body_failed",
        "unmarshal_response_failed",
        "unmarshal_response_body_failed",
        "invalid_response",
    ],
)
@pytest.mark.parametrize("status", [400, 403, 500, 503])
def test_a_gateway_that_lost_its_upstreams_answer_is_unknown(code: str, status: int) -> None:
    assert isinstance(submit(status, task_error(code), not_billed=True), Unknown)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (openai_error("litellm.InternalServerError: Connection error"), {}),
        (openai_error("internal"), {"x-litellm-version": "1.109.1"}),
        (openai_error("internal"), {"llm_provider-retry-after": "3"}),
        ({"message": "no healthy upstream"}, {}),
        ({"error": "text"}, {}),
        ({"detail": "Internal Server Error"}, {}),
        (b"Internal Server Error", {}),
        (b"<html>", {}),
    ],
)
@pytest.mark.parametrize("status", [500, 503])
def test_a_5xx_that_is_not_the_gateways_own_is_unknown(body: object, headers: dict[str, str], status: int) -> None:
    assert isinstance(submit(status, body, headers=headers, not_billed=True), Unknown)


# ---------------------------------------------------------------- the task's ID


@pytest.mark.parametrize(
    ("body", "task_id"),
    [
        ({"id": "a", "task_id": "b"}, "a"),
        ({"task_id": "b"}, "b"),
        ({"id": None, "task_id": "b"}, "b"),
        ({"id": "", "data": {"id": "c"}}, "c"),
        ({"code": "success", "data": {"task_id": "d", "status": "queued"}}, "d"),
        ({"id": 4711}, "4711"),
        ({"id": "video_YWJj/+=="}, "video_YWJj/+=="),
        ({"id": "x" * 1024}, "x" * 1024),
        ({"id": "task_1", "status": "failed", "error": {"message": "m"}}, "task_1"),
    ],
)
def test_the_id_is_found_and_kept_as_it_came(body: object, task_id: str) -> None:
    assert submit(200, body) == Accepted(task_id=task_id)


@pytest.mark.parametrize(
    "body",
    [
        {"id": " "},
        {"id": "x" * 1025},
        {"id": True},
        {"id": ["a"]},
        {"id": "a\ud800"},
        {"data": "task_1"},
        {"data": None},
        ["task_1"],
        openai_error("m"),
    ],
)
def test_a_2xx_without_an_id_is_unknown(body: object) -> None:
    raw = json.dumps(body).encode()
    assert isinstance(submit(200, raw, not_billed=True), Unknown)


# ---------------------------------------------------------------- why it was refused


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        # words of policy come first
        (400, openai_error("Your request was rejected by our safety system"), Rejection.CONTENT_POLICY),
        (400, openai_error("x", "invalid_request_error", "content_policy_violation"), Rejection.CONTENT_POLICY),
        (400, openai_error("x", "image_generation_user_error", "moderation_blocked"), Rejection.CONTENT_POLICY),
        (403, {"error": "Content policy violation"}, Rejection.CONTENT_POLICY),
        (403, {"error": "against our policies"}, Rejection.CONTENT_POLICY),
        (422, {"detail": [{"msg": "prompt is prohibited"}]}, Rejection.CONTENT_POLICY),
        (400, passed_on("The prompt violates Google's usage guidelines"), Rejection.CONTENT_POLICY),
        (400, task_error("x", "提示词违规"), Rejection.CONTENT_POLICY),
        (400, b"blocked by content filter", Rejection.CONTENT_POLICY),
        # money
        (403, task_error("insufficient_user_quota"), Rejection.INSUFFICIENT_BALANCE),
        (403, task_error("pre_consume_token_quota_failed"), Rejection.INSUFFICIENT_BALANCE),
        (403, task_error("x", "用户额度不足"), Rejection.INSUFFICIENT_BALANCE),
        (429, openai_error("账户余额不足"), Rejection.INSUFFICIENT_BALANCE),
        (429, openai_error("x", "insufficient_quota", "credit_balance_exhausted"), Rejection.INSUFFICIENT_BALANCE),
        (429, openai_error("Your balance is too low"), Rejection.INSUFFICIENT_BALANCE),
        (401, openai_error("not enough credits"), Rejection.INSUFFICIENT_BALANCE),
        (402, b"", Rejection.INSUFFICIENT_BALANCE),
        # the model
        (503, openai_error("no channel", code="model_not_found"), Rejection.MODEL_UNAVAILABLE),
        (503, task_error("model_not_found"), Rejection.MODEL_UNAVAILABLE),
        (404, passed_on("veo-3.1 is no longer available", code=404, status="x"), Rejection.MODEL_UNAVAILABLE),
        (404, passed_on("gone", code=404, status="NOT_FOUND"), Rejection.MODEL_UNAVAILABLE),
        (400, openai_error("/videos: Invalid model name passed in model=veo"), Rejection.MODEL_UNAVAILABLE),
        (404, openai_error("The model `veo` does not exist"), Rejection.MODEL_UNAVAILABLE),
        (403, openai_error("当前分组 default 下对于模型 veo 无可用渠道"), Rejection.MODEL_UNAVAILABLE),
        # the key
        (401, openai_error("invalid token"), Rejection.CREDENTIALS),
        (401, b"", Rejection.CREDENTIALS),
        (401, b"<html>credit and balance of a WAF page</html>", Rejection.CREDENTIALS),
        (400, openai_error("No connected db.", "no_db_connection", "400"), Rejection.CREDENTIALS),
        # the probe must tell
        (403, b"", Rejection.FORBIDDEN),
        (403, openai_error("no access to this group"), Rejection.FORBIDDEN),
        (403, b"<html>our security policy</html>", Rejection.FORBIDDEN),
        (401, task_error("fail_to_fetch_task", "the upstream's own key"), Rejection.FORBIDDEN),
        # rate
        (429, b"", Rejection.RATE_LIMITED),
        (429, openai_error("当前分组上游负载已饱和，请稍后再试"), Rejection.RATE_LIMITED),  # noqa: RUF001 - as new-api writes it
        (429, openai_error("see our rate limit policy"), Rejection.RATE_LIMITED),
        # the rest
        (400, task_error("invalid_request", "parse_request_failed: cannot unmarshal number"), Rejection.REQUEST),
        (400, task_error("missing_model", "model is required"), Rejection.REQUEST),
        (400, passed_on("generateAudio is not supported"), Rejection.REQUEST),
        (404, openai_error("Invalid URL (POST /videos)", "invalid_request_error"), Rejection.REQUEST),
        (405, {"detail": "Method Not Allowed"}, Rejection.REQUEST),
        (413, b"<html>too large</html>", Rejection.REQUEST),
        (307, b"", Rejection.REQUEST),
    ],
)
def test_a_refusal_is_classified_by_its_body_then_by_its_code(status: int, body: object, kind: Rejection) -> None:
    assert kind_of(submit(status, body)) is kind


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize(
    "body",
    [
        task_error("do_request_failed"),
        openai_error("internal", "server_error"),
        {"error": {"code": 500, "message": "x", "status": "INTERNAL"}},
        {"error": {"code": 503, "message": "x", "status": "UNAVAILABLE"}},
    ],
)
def test_the_gateways_own_5xx_is_free_only_where_the_class_says_so(status: int, body: object) -> None:
    assert kind_of(submit(status, body, not_billed=True)) is Rejection.SERVER_ERROR
    assert isinstance(submit(status, body, not_billed=False), Unknown)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429])
def test_the_words_of_an_echoed_prompt_decide_nothing(status: int) -> None:
    """Else a prompt about credit could close a class for everybody."""
    plain = submit(status, openai_error("refused: "))
    assert kind_of(submit(status, openai_error(f"refused: {PROMPT}"))) is kind_of(plain)


def test_the_prompt_and_the_key_are_not_in_the_detail() -> None:
    answer = submit(400, openai_error(f"bad prompt {PROMPT!r} for key-1234567"), hidden=(PROMPT, "key-1234567"))
    assert isinstance(answer, Rejected)
    assert "lighthouse" not in answer.detail
    assert "1234567" not in answer.detail


def test_the_detail_is_one_line_of_at_most_300_characters() -> None:
    answer = submit(400, openai_error("a\nb " * 500))
    assert isinstance(answer, Rejected)
    assert len(answer.detail) == 300
    assert "\n" not in answer.detail


def test_status_code_and_wish_are_kept_for_the_record() -> None:
    answer = submit(429, task_error("slow_down"), headers={"retry-after": "7"})
    assert isinstance(answer, Rejected)
    assert (answer.status, answer.code, answer.retry_after) == (429, "slow_down", 7.0)


def test_json_inside_a_string_is_opened_for_the_reader() -> None:
    answer = submit(400, passed_on("Unsupported length"))
    assert isinstance(answer, Rejected)
    assert answer.detail == "HTTP 400 fail_to_fetch_task: Unsupported length INVALID_ARGUMENT 400"
