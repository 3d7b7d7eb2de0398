"""What the POST told us: one total, pure function; in doubt between rejected and unknown it is unknown."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from . import reply as replies
from . import words
from .ports import Answer, Exchange, NoAnswer, Wire
from .redaction import scrub
from .reply import Reply, retry_after
from .task_answers import BAD_KEY, UPSTREAM_KEY

_REFUSING: Final = frozenset({*range(300, 400), 400, 401, 402, 403, 404, 405, 413, 415, 422, 429})
# The gateway's own upstream took the job; only reading its answer failed (new-api, relay/channel/task).
_UPSTREAM_ACCEPTED: Final = (
    "read_response_body_failed",
    "unmarshal_response_failed",
    "unmarshal_response_body_failed",
    "invalid_response",
)
_LONGEST_TASK_ID: Final = 1024
_LONE_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")  # no URL, status or file could hold it


class Rejection(StrEnum):
    """Why a POST was refused: nothing was made, nothing is billed."""

    CONTENT_POLICY = "content policy"
    INSUFFICIENT_BALANCE = "insufficient balance"
    MODEL_UNAVAILABLE = "model unavailable"
    CREDENTIALS = "credentials"
    FORBIDDEN = "forbidden"  # the free probe tells a bad key from a model or group that the key may not use
    RATE_LIMITED = "rate limited"
    SERVER_ERROR = "server error"  # only where the class says that these are not billed
    REQUEST = "request"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """No byte of the POST left this process."""

    detail: str
    malformed_key: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A task exists, and will be paid for."""

    task_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Certainly no task exists."""

    kind: Rejection
    detail: str
    status: int
    code: str = ""  # the gateway's machine word; may be empty
    retry_after: float | None = None  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A task may exist: never send again by itself."""

    detail: str


SubmitAnswer = NotSent | Accepted | Rejected | Unknown


def read_submit(exchange: Exchange, *, server_errors_not_billed: bool, hidden: Iterable[str] = ()) -> SubmitAnswer:
    """What the POST told us; in doubt between rejected and unknown it is unknown.

    `server_errors_not_billed`: the gateway's terms say that its own 500 and 503 leave no job behind.
    `hidden`: the key, the prompt and the negative prompt; they are also kept out of the search for words.
    """
    secret = tuple(hidden)
    if isinstance(exchange, NoAnswer):
        if exchange.wire is Wire.SENT:
            return Unknown(detail=scrub(exchange.detail, secret))
        return NotSent(detail=scrub(exchange.detail, secret), malformed_key=exchange.wire is Wire.MALFORMED_KEY)
    body = replies.read(exchange.body, secret)
    if 200 <= exchange.status < 300:  # noqa: PLR2004
        task_id = _task_id(body)
        return (
            Accepted(task_id=task_id)
            if task_id
            else Unknown(detail=replies.described(exchange.status, body, "no task ID"))
        )
    if _upstream_accepted(body) or not _is_refusal(exchange, body, free_5xx=server_errors_not_billed):
        return Unknown(detail=replies.described(exchange.status, body))
    return Rejected(
        kind=_rejection(exchange.status, body),
        detail=replies.described(exchange.status, body),
        status=exchange.status,
        code=scrub(body.code, secret, limit=100),
        retry_after=retry_after(exchange.headers),
    )


def _task_id(body: Reply) -> str:
    """The create's own `id`, as it came: a poll may show another one, which nobody may use."""
    inner = body.json.get("data") if body.json else None
    for owner in (body.json or {}, inner if isinstance(inner, Mapping) else {}):
        for name in ("id", "task_id"):
            found = owner.get(name)
            text = found if isinstance(found, str) else replies.text_at(owner, name)
            if text.strip() and len(text) <= _LONGEST_TASK_ID and not _LONE_SURROGATE.search(text):
                return text
    return ""


def _upstream_accepted(body: Reply) -> bool:
    """A refusal that names a task, or that says the job was taken before something broke."""
    named = replies.text_at(body.json, "task_id") or replies.text_at(body.json, "data", "task_id")
    return bool(named) or any(code in body.words or code in body.codes for code in _UPSTREAM_ACCEPTED)


def _is_refusal(answer: Answer, body: Reply, *, free_5xx: bool) -> bool:
    if answer.status in _REFUSING:
        return True
    if answer.status == 503 and "model_not_found" in body.codes:  # noqa: PLR2004 - new-api: no channel for the model
        return True
    return free_5xx and answer.status in (500, 503) and _is_gateways_own(answer, body)


def _is_gateways_own(answer: Answer, body: Reply) -> bool:
    """The gateway's own JSON error, not a proxy's page and not LiteLLM's wrapping of somebody else's error."""
    if any(name.startswith(("x-litellm", "llm_provider")) for name in answer.headers) or "litellm" in body.words:
        return False
    code, message = replies.text_at(body.json, "code"), replies.text_at(body.json, "message")
    return bool((code and message) or replies.text_at(body.json, "error", "message"))


def _rejection(status: int, body: Reply) -> Rejection:
    if words.speak_of_policy(body.words, any_policy=status in (400, 403, 422)):
        return Rejection.CONTENT_POLICY
    if status == 402 or words.speak_of_balance(f"{body.words} {' '.join(body.codes)}"):  # noqa: PLR2004
        return Rejection.INSUFFICIENT_BALANCE
    if words.speak_of_missing_model(f"{body.words} {' '.join(body.codes)}"):
        return Rejection.MODEL_UNAVAILABLE
    if body.codes & BAD_KEY or (status == 401 and not body.codes & UPSTREAM_KEY):  # noqa: PLR2004
        return Rejection.CREDENTIALS
    by_status = {401: Rejection.FORBIDDEN, 403: Rejection.FORBIDDEN, 429: Rejection.RATE_LIMITED}
    by_status |= {500: Rejection.SERVER_ERROR, 503: Rejection.SERVER_ERROR}
    return by_status.get(status, Rejection.REQUEST)
