"""The body of a gateway's answer, read as loosely as gateways write: never an exception, whatever the bytes.

Shapes that are understood: `{"error": {...}}`, `{"error": "text"}`, `{"code", "message", "data"}`,
`{"success": false, ...}`, FastAPI's `{"detail": ...}`, JSON inside a string (one level down), plain text, HTML.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Final

from .redaction import scrub

_MAX_NODES: Final = 2000
_MAX_WORDS: Final = 32_768  # characters that are searched for words
_MAX_REASON: Final = 4096
_MAX_WAIT: Final = 600.0  # seconds: a gateway may slow us down, not stop us
_SAYS_NOTHING: Final = frozenset({"", "success", "ok", "null", "none"})


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer's body. All its texts are free of the hidden values; they are made when asked for: most polls say all
    in one word.
    """

    json: Mapping[str, Any] | None  # the JSON object; None for anything else
    text: str = field(repr=False)  # what is no JSON object, as it came
    hidden: tuple[str, ...] = field(repr=False)
    quotable: bool = True  # False: a private text that is not known could be echoed, so only codes may be recorded

    @property
    def html(self) -> bool:
        return self.text.startswith("<")

    @cached_property
    def codes(self) -> frozenset[str]:
        """The gateway's own `code`, `error.code`, `.type`, `.status`, in lower case."""
        return frozenset(_codes(self.json)) if self.json is not None else frozenset()

    @property
    def code(self) -> str:
        """The most telling of the codes, for a record; may be empty."""
        return min(self.codes, key=lambda c: (c.isdigit(), c in _VAGUE, c), default="")

    @cached_property
    def reason(self) -> str:
        """Why, in the gateway's words; JSON inside a string is opened; may be empty."""
        said = self.text if self.json is None else _opened(_first_reason(self.json))
        return scrub(said, self.hidden, limit=_MAX_REASON)

    @cached_property
    def words(self) -> str:
        """Every string in the body, in lower case, for a search by hint; empty for HTML, whose words are a proxy's."""
        said = "" if self.html else self.text if self.json is None else " ".join(_strings(self.json))
        return scrub(said[:_MAX_WORDS], self.hidden, limit=_MAX_WORDS).lower()


_VAGUE: Final = frozenset({"new_api_error", "invalid_request_error", "server_error", "error"})


def read(body: bytes, hidden: Iterable[str] = (), *, quote: bool = True) -> Reply:
    """The body without `hidden`: an echoed prompt is private, and its words say nothing about the outcome."""
    value = _loads(body)
    if isinstance(value, Mapping):
        return Reply(json=value, text="", hidden=tuple(hidden), quotable=quote)
    text = body[:_MAX_WORDS].decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    return Reply(json=None, text=text, hidden=tuple(hidden), quotable=quote)


def text_at(value: object, *path: str) -> str:
    """The string (or number, as text) at `path`; empty if there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    try:
        return str(value).strip()
    except ValueError:  # an integer of more than 4300 digits
        return ""


def described(status: int, body: Reply, note: str = "") -> str:
    """`HTTP 403 insufficient_user_quota: the gateway's words`, in one line of at most 300 characters."""
    head = " ".join(filter(None, (f"HTTP {status}", body.code, f"({note})" if note else "")))
    if not body.quotable:
        return scrub(head)
    reason = "an HTML page" if body.html else body.reason or body.words
    return scrub(f"{head}: {reason}" if reason else head)


def failure_reason(value: Mapping[str, Any]) -> str:
    """Why a task failed, from the places where gateways write it, in the order of their trustworthiness.

    A text that is JSON inside a string is opened by one level.
    """
    return _opened(_first_reason(value) or _from_metadata(value) or _filtered(value))


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds to wait as the answer asks, at most ten minutes; None if it does not ask.

    `headers` has lower-case names. A date counts from `now` (Unix seconds), else from the answer's own `date`.
    LiteLLM passes the upstream's wish on under a name of its own.
    """
    millis = _number(headers.get("retry-after-ms"))
    if millis is not None:
        return _bounded(millis / 1000)
    for name in ("retry-after", "llm_provider-retry-after"):
        said = headers.get(name, "")
        seconds = _number(said)
        if seconds is None:
            seconds = _until(said, now, headers.get("date", ""))
        if seconds is not None:
            return _bounded(seconds)
    return None


# ---------------------------------------------------------------- inside


def _loads(data: bytes | str) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):  # not JSON, not text, an absurd number, too deep
        return None


def _codes(value: Mapping[str, Any]) -> Iterator[str]:
    places = (("code",), ("type",), ("error", "code"), ("error", "type"), ("error", "status"))
    for path in places:
        code = text_at(value, *path)[:100].lower()
        if code and re.fullmatch(r"[\w.:-]+", code):
            yield code


def _first_reason(value: Mapping[str, Any]) -> str:
    inner = value.get("data")
    data = inner if isinstance(inner, Mapping) else {}
    for path in (
        (value, "error", "message"),
        (value, "error"),
        (data, "error", "message"),
        (data, "error"),
        (value, "fail_reason"),
        (data, "fail_reason"),
        (value, "message"),
        (data, "message"),
        (value, "detail"),
    ):
        text = text_at(path[0], *path[1:])
        if text.lower() not in _SAYS_NOTHING:
            return text
    return _validation_detail(value) or text_at(value, "error", "code") or text_at(value, "error", "type")


def _validation_detail(value: Mapping[str, Any]) -> str:
    detail = value.get("detail")
    if isinstance(detail, list):
        return "; ".join(filter(None, (text_at(item, "msg") for item in detail[:5])))
    return ""


def _from_metadata(value: Mapping[str, Any]) -> str:
    for owner in (value, value.get("data")):
        metadata = owner.get("metadata") if isinstance(owner, Mapping) else None
        for name, said in metadata.items() if isinstance(metadata, Mapping) else ():
            if re.search(r"reason|error|fail|message", str(name), re.IGNORECASE) and text_at(said):
                return text_at(said)
    return ""


def _filtered(value: Mapping[str, Any]) -> str:
    """Google's own list of why its filter took the clip, however deep a gateway buried it."""
    for node in _nodes(value):
        reasons = node.get("raiMediaFilteredReasons") if isinstance(node, Mapping) else None
        if isinstance(reasons, list):
            return "; ".join(filter(None, (text_at(reason) for reason in reasons[:5])))
    return ""


def _opened(text: str) -> str:
    """The reason inside a reason: gateways pass on the upstream's whole body as a string."""
    text = text[: _MAX_REASON * 4]
    inner = _loads(text) if text.startswith(("{", "[")) else None
    if isinstance(inner, list) and inner:
        inner = inner[0]
    if not isinstance(inner, Mapping):
        return text
    found = (_first_reason(inner), text_at(inner, "error", "status"), text_at(inner, "error", "code"))
    return " ".join(filter(None, found)) or text


def _nodes(value: object) -> Iterator[object]:
    """Every value below `value`, JSON in strings opened by one level, up to a bound."""
    waiting: list[tuple[object, bool]] = [(value, True)]
    for _ in range(_MAX_NODES):
        if not waiting:
            return
        node, may_open = waiting.pop()
        yield node
        if isinstance(node, Mapping):
            waiting.extend((child, may_open) for child in reversed(list(node.values())[:_MAX_NODES]))
        elif isinstance(node, list):
            waiting.extend((child, may_open) for child in reversed(node[:_MAX_NODES]))
        elif may_open and isinstance(node, str) and node.lstrip().startswith(("{", "[")):
            waiting.append((_loads(node), False))


def _strings(value: object) -> Iterator[str]:
    return (node for node in _nodes(value) if isinstance(node, str))


def _number(said: str | None) -> float | None:
    return float(said) if said and re.fullmatch(r"\s*[0-9]{1,12}(\.[0-9]{1,6})?\s*", said, re.ASCII) else None


def _until(said: str, now: float | None, date: str) -> float | None:
    try:
        then = parsedate_to_datetime(said).timestamp()
        return then - (parsedate_to_datetime(date).timestamp() if now is None else now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), _MAX_WAIT)
