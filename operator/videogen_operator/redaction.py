"""Values that must never be seen: the API key and the prompt, in no log, event, status, error or ledger file."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_KEY_LIKE = re.compile(r"(?i)\b(bearer\s+)?sk-[A-Za-z0-9_\-]{6,}|\bbearer\s+\S+")
_URL_QUERY = re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']+")


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A string that hides itself wherever values are shown; `reveal()` is for the one line that sends it."""

    _value: str

    def reveal(self) -> str:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__


def scrub(text: str, hidden: Iterable[str] = (), *, limit: int = 300) -> str:
    """`text` made fit for a condition, an event or a log line.

    Removes each string of `hidden` (also where it was cut at the end), anything that looks like a key, URL queries (signatures),
    and control or direction-changing characters; at most `limit` characters are left.
    """
    for value in sorted((v for v in hidden if len(v) > 3), key=len, reverse=True):  # noqa: PLR2004
        text = text.replace(value, "[hidden]")
        escaped = value.encode("unicode_escape").decode("ascii")
        text = text.replace(escaped, "[hidden]")
        text = _without_cut_copy(text, value)
    text = _URL_QUERY.sub(r"\1?[hidden]", _KEY_LIKE.sub("[hidden]", text))
    text = _CONTROL.sub(" ", text).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _without_cut_copy(text: str, value: str) -> str:
    """Gateways echo a long prompt in part: its first words are as private as the whole."""
    head = value[:24]
    if len(head) < 24:  # noqa: PLR2004
        return text
    at = text.find(head)
    while at >= 0:
        end = at
        while end < len(text) and end - at < len(value) and text[end] == value[end - at]:
            end += 1
        text = text[:at] + "[hidden]" + text[end:]
        at = text.find(head)
    return text
