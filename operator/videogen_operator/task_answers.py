"""What an answer to a GET of a task, or of its content, means: total, pure functions that never raise."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from . import reply as replies
from . import words
from .ports import Answer, Exchange, NoAnswer, Wire
from .redaction import scrub
from .reply import Reply, retry_after

BAD_KEY: Final = frozenset({"no_db_connection", "invalid_api_key"})  # LiteLLM says 400 to a wrong key
UPSTREAM_KEY: Final = frozenset({"fail_to_fetch_task", "authentication_error"})  # about the gateway's own key
NO_TASK: Final = "task_not_exist"  # new-api, with a 400

# The sets of new-api's own Sora adaptor, and what clients of several gateways report.
_WORKING: Final = frozenset(
    {
        "queued",
        "pending",
        "submitted",
        "not_start",
        "notstarted",
        "created",
        "preparing",
        "starting",
        "unknown",
        "in_progress",
        "processing",
        "running",
        "generating",
    }
)
_DONE: Final = frozenset({"completed", "complete", "success", "succeeded", "finished"})
_FAILED: Final = frozenset({"failed", "failure", "fail", "error"})
_ENDED: Final = frozenset({"canceled", "cancelled", "expired", "timeout", "timed_out"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """Not done yet, or a word that nobody knows: keep asking."""

    raw_status: str  # as the gateway wrote it; empty if it sent none
    known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """Billed from here on; the content can be asked for."""


class FailureKind(StrEnum):
    """Why a task failed, as far as its reason can be understood."""

    POLICY = "policy"
    CAPACITY = "capacity"  # capacity, internal errors, time-outs: the same request may work later
    MODEL_GONE = "model gone"
    NO_REASON = "no reason"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The gateway says `failed`; to be believed when it says so twice."""

    kind: FailureKind
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Canceled:
    """Canceled, expired or timed out, by the gateway's word."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoSuchTask:
    """The gateway does not know the task: another account, another base URL, a lagging replica, or it is lost."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorWithoutStatus:
    """A 200 with an error and no status, as new-api gives for ever when its own polling failed: ask `/content`."""

    detail: str


class Refusal(StrEnum):
    """Why a GET told nothing about the task."""

    CREDENTIALS = "credentials"
    RATE = "rate"
    SERVER = "server"
    NETWORK = "network"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The answer says nothing about the task or its content: ask again later."""

    kind: Refusal
    detail: str
    retry_after: float | None = None  # seconds


PollAnswer = Working | Completed | Failed | Canceled | NoSuchTask | ErrorWithoutStatus | Refused


def read_poll(exchange: Exchange, hidden: Iterable[str] = (), *, quote: bool = True) -> PollAnswer:
    """What the gateway says of the task. Progress, times and echoed fields are not read: they lie.

    `quote` False: the prompt is not known, so it cannot be hidden, and only the gateway's codes are repeated.
    """
    secret = tuple(hidden)
    if isinstance(exchange, NoAnswer):
        return _unanswered(exchange, secret)
    body = replies.read(exchange.body, secret, quote=quote)
    if exchange.status in (404, 410) or NO_TASK in body.codes:
        return NoSuchTask(detail=replies.described(exchange.status, body))
    if not _is_success(exchange.status):
        return _refused(exchange, body)
    if body.json is None:
        detail = replies.described(exchange.status, body, "not a JSON object")
        return Refused(kind=Refusal.SERVER, detail=detail, retry_after=retry_after(exchange.headers))
    return _state(body, body.json, secret)


def _state(body: Reply, task: Mapping[str, Any], hidden: Iterable[str]) -> PollAnswer:
    raw = _status(task)
    word = re.sub(r"[\s-]+", "_", raw.strip().lower())
    if word in _WORKING:
        return Working(raw_status=raw.strip())
    if word in _DONE:
        return Completed()
    if word in _FAILED:
        reason = replies.failure_reason(task)
        told = scrub(reason, hidden) if body.quotable else body.code
        return Failed(kind=_failure_kind(reason, hidden), reason=told)
    if word in _ENDED:
        told = replies.failure_reason(task) if body.quotable else body.code
        return Canceled(reason=scrub(f"{raw}: {told}".rstrip(": "), hidden))
    if not word and _is_error(task):
        return ErrorWithoutStatus(detail=replies.described(200, body, "no status"))
    return Working(raw_status=scrub(raw, hidden, limit=64) if body.quotable else "", known=False)


def _status(task: Mapping[str, Any]) -> str:
    """The status at the top, else one level down in `data`."""
    inner = task.get("data")
    for owner in (task, inner if isinstance(inner, Mapping) else {}):
        said = owner.get("status")
        if isinstance(said, str) and said.strip():
            return said
    return ""


def _is_error(task: Mapping[str, Any]) -> bool:
    """An error is written down; `{"code": "success", "data": null}` is no information, and no error."""
    inner = task.get("data")
    if task.get("error") or (isinstance(inner, Mapping) and inner.get("error")):
        return True
    code = replies.text_at(task, "code").lower()
    return task.get("success") is False or code not in ("", "success", "ok", "0", "200")


def _failure_kind(reason: str, hidden: Iterable[str]) -> FailureKind:
    said = scrub(reason, hidden, limit=4096).lower()
    if not said:
        return FailureKind.NO_REASON
    if words.speak_of_policy(said, any_policy=True):
        return FailureKind.POLICY
    if words.speak_of_missing_model(said):
        return FailureKind.MODEL_GONE
    return FailureKind.CAPACITY if words.speak_of_passing_trouble(said) else FailureKind.OTHER


# ---------------------------------------------------------------- the content


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReady:
    """`/content` says that the task is not completed yet; normal for seconds after `completed`."""

    detail: str
    retry_after: float | None = None  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentFailure:
    """`/content` says that the task has failed: the only way to learn it from some channels of new-api."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """404 or 410: the gateway does not have the content (any more)."""

    detail: str


ContentAnswer = NotReady | ContentFailure | Gone | Refused


def read_content(exchange: Exchange, hidden: Iterable[str] = (), *, quote: bool = True) -> ContentAnswer:
    """What an answer other than the bytes means. After `completed` none of them leads to a POST. `quote`: as above."""
    secret = tuple(hidden)
    if isinstance(exchange, NoAnswer):
        return _unanswered(exchange, secret)
    body = replies.read(exchange.body, secret, quote=quote)
    detail, wait = replies.described(exchange.status, body), retry_after(exchange.headers)
    if "current status: fail" in body.words:
        return ContentFailure(detail=detail)
    if exchange.status in (404, 410) or NO_TASK in body.codes:
        return Gone(detail=detail)
    early = exchange.status in (202, 204, 400, 409, 425) or "not complete" in body.words  # LiteLLM: 500
    if early and not body.codes & BAD_KEY:
        return NotReady(detail=detail, retry_after=wait)
    if "request blocked" in body.words:  # new-api's filter of download addresses: not about our key
        return Refused(kind=Refusal.SERVER, detail=detail, retry_after=wait)
    return _refused(exchange, body)


def looks_like_video(head: bytes) -> bool:
    """The first bytes of an MP4: a `ftyp` box."""
    return head[4:8] == b"ftyp"


def looks_like_error_page(head: bytes) -> bool:
    """JSON, HTML or nothing at all, which gateways send under a 200 and even as `video/mp4`: never a result."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"", b"{", b"[", b"<", b'"')


def _unanswered(exchange: NoAnswer, hidden: Iterable[str]) -> Refused:
    kind = Refusal.CREDENTIALS if exchange.wire is Wire.MALFORMED_KEY else Refusal.NETWORK
    return Refused(kind=kind, detail=scrub(exchange.detail, hidden))


def _refused(answer: Answer, body: Reply) -> Refused:
    bad_key = answer.status in (401, 403) and not body.codes & UPSTREAM_KEY
    kind = Refusal.RATE if answer.status == 429 else Refusal.SERVER  # noqa: PLR2004
    kind = Refusal.CREDENTIALS if bad_key or body.codes & BAD_KEY else kind
    detail = replies.described(answer.status, body)
    return Refused(kind=kind, detail=detail, retry_after=retry_after(answer.headers))


def _is_success(status: int) -> bool:
    return 200 <= status < 300  # noqa: PLR2004
