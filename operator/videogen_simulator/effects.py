"""What a scenario changes, as one flat value: each field that is `None` changes nothing.

Several effects on one request (a marker and an armed scenario) are merged field by field.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from .answers import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class PollFault:
    """Polls number `first` to `first + count - 1` say something else (`count` 0: all from `first`)."""

    first: int = 0
    count: int = 0
    answer: Answer | None = None  # instead of the task
    says: Mapping[str, object] | None = None  # fields put over those of the task
    hold: float = 0.0  # wall seconds before the answer

    def applies(self, number: int) -> bool:
        """Whether it meets the poll with this number (from 0)."""
        return number >= self.first and (not self.count or number < self.first + self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentFault:
    """The first `count` requests for the finished content go wrong (0: all)."""

    count: int = 0
    answer: Answer | None = None  # instead of the clip
    cut: float | None = None  # the part of the bytes after which the connection ends
    framing: str = "length"  # length | close | chunked
    extra_length: int = 0  # added to the Content-Length that is declared
    bytes_per_second: int = 0  # 0: as fast as it goes

    def applies(self, number: int) -> bool:
        """Whether it meets the request with this number (from 0)."""
        return not self.count or number < self.count


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The end of a failed task; without `message` the body carries no reason, as new-api's Veo tasks do."""

    message: str = ""
    code: str = ""


POST_FIELDS = frozenset({"reply", "makes_task", "hang_up", "hold", "hold_before_task"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Everything that can be different from a task that goes well."""

    # The POST.
    reply: Answer | None = None  # instead of the task object
    makes_task: bool | None = None  # False: nothing is made and nothing will be billed
    hang_up: str | None = None  # close | reset: no answer at all
    hold: float | None = None  # wall seconds before the answer
    hold_before_task: bool | None = None  # whether the task is made after the wait
    # The life of the task, in simulated seconds.
    failure: Failure | None = None
    endless: str | None = None  # queued | in_progress: where it stays
    duration: float | None = None
    content_delay: float | None = None
    retention: float | None = None
    # What is said about it and handed out.
    poll: PollFault | None = None
    content: ContentFault | None = None
    clip_seconds: int | None = None
    clip_size: str | None = None
    clip_bytes: int | None = None
    c2pa: bool | None = None

    @property
    def ends_with_the_post(self) -> bool:
        """Whether it changes the answer to the POST and nothing after that."""
        said = self._said().keys()
        return bool(said) and said <= POST_FIELDS

    def over(self, other: "Effect") -> "Effect":
        """This effect, and the other's where this one says nothing."""
        return replace(other, **self._said())

    def _said(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}


NOTHING = Effect()
