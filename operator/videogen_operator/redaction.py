"""Values that must never be seen: the API key and the prompt, in no log, event, status, error or ledger file."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, quote_plus

_HIDDEN: Final = "[hidden]"
_SHORTEST: Final = 4  # characters; shorter values are words like any other
_HEAD: Final = 12  # characters of a value that give away a copy that was cut
_INVISIBLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")
_KEY_LIKE: Final = re.compile(
    r"(?i)\b(bearer\s+)?sk-[a-z0-9_\-]{6,}|\bbearer\s+[a-z0-9._~+/=\-]{12,}"
    r"|\bAIza[a-z0-9_\-]{20,}|\bAKIA[A-Z0-9]{16}|\beyJ[a-z0-9_\-]{8,}\.[a-z0-9_\-.]+"
)
_URL_QUERY: Final = re.compile(r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>]+")


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
    """`text` made fit for a condition, an event or a log line: one line of at most `limit` characters.

    Removes each string of `hidden` (also as JSON or in a URL, and where a gateway echoes only its beginning), anything
    that looks like a key, URL queries (signatures), and control, invisible and direction-changing characters.
    """
    values = sorted({value for value in hidden if len(value) >= _SHORTEST}, key=len, reverse=True)
    for value in values:
        for form in _forms(value):
            text = _without_copies(text.replace(form, _HIDDEN), form)
    text = _URL_QUERY.sub(rf"\1?{_HIDDEN}", _KEY_LIKE.sub(_HIDDEN, text))
    text = _INVISIBLE.sub(" ", text).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _forms(value: str) -> Iterator[str]:
    """How a value may be written in an answer or an error."""
    clean = value.encode("utf-8", "replace").decode()
    forms = [
        value,
        " ".join(value.split()),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        value.encode("unicode_escape").decode("ascii"),
        quote(clean),
        quote_plus(clean),
    ]
    return (form for form in dict.fromkeys(forms) if len(form) >= _SHORTEST)


def _without_copies(text: str, value: str) -> str:
    """Gateways echo a long prompt in part, and bodies are cut: its first words are as private as the whole."""
    head = value[:_HEAD]
    kept: list[str] = []
    begin = 0
    while len(head) == _HEAD and (at := text.find(head, begin)) >= 0:
        end = at
        while end < len(text) and end - at < len(value) and text[end] == value[end - at]:
            end += 1
        kept += [text[begin:at], _HIDDEN]
        begin = end
    text = "".join(kept) + text[begin:]
    for length in range(min(len(value), _HEAD), _SHORTEST, -1):  # cut at the very end
        if text.endswith(value[:length]):
            return text[:-length] + _HIDDEN
    return text
