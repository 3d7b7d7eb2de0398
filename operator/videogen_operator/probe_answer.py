"""What the free probe told us about a key: one total, pure function."""

from collections.abc import Iterable
from dataclasses import dataclass

from . import reply as replies
from .ports import Exchange, NoAnswer, Wire
from .redaction import scrub
from .reply import Reply
from .task_answers import BAD_KEY, NO_TASK, UPSTREAM_KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAccepted:
    """The gateway looked for the task: key and way are good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRejected:
    """The gateway, or the client itself, does not take the key."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """Nobody who knows keys answered."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclear:
    """An answer that says nothing about the key."""

    detail: str


ProbeAnswer = KeyAccepted | KeyRejected | Unreachable | Unclear


def read_probe(exchange: Exchange, hidden: Iterable[str] = ()) -> ProbeAnswer:
    """What the GET of a task that cannot exist says about the key.

    new-api answers 400 `task_not_exist` to a good key, LiteLLM 404 or 500 with its own JSON error; a wrong key is
    401 or 403, or LiteLLM's 400 `no_db_connection`.
    """
    secret = tuple(hidden)
    if isinstance(exchange, NoAnswer):
        detail = scrub(exchange.detail, secret)
        malformed = exchange.wire is Wire.MALFORMED_KEY
        return KeyRejected(detail=detail) if malformed else Unreachable(detail=detail)
    body = replies.read(exchange.body, secret)
    detail = replies.described(exchange.status, body)
    if exchange.status in (401, 403) or body.codes & BAD_KEY:
        about_ours = not body.codes & UPSTREAM_KEY
        return KeyRejected(detail=detail) if about_ours else Unclear(detail=detail)
    if _looked_for_the_task(exchange.status, body):
        return KeyAccepted()
    if exchange.status in (502, 503, 504) or exchange.status >= 520:  # noqa: PLR2004 - proxies' own codes
        return Unreachable(detail=detail)
    return Unclear(detail=detail)


def _looked_for_the_task(status: int, body: Reply) -> bool:
    if NO_TASK in body.codes:
        return True
    if status == 404:  # noqa: PLR2004
        return not (body.html or "invalid url" in body.words or body.words == "not found")  # no such route
    if status == 500:  # noqa: PLR2004
        return bool(replies.text_at(body.json, "error", "message"))
    return 200 <= status < 300 and body.json is not None  # noqa: PLR2004
