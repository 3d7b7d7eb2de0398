"""What a scenario is, and the few shapes that most of them have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .answers import Answer
from .effects import ContentFault, Effect, PollFault

Parameters = Mapping[str, Any]


class ScenarioError(ValueError):
    """A scenario or a parameter that there is not; the text says what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One row of the table."""

    says: str
    takes: Mapping[str, object] = field(default_factory=dict)
    effect: Callable[[Parameters], Effect]


def refuse(answer: Answer) -> Effect:
    """The POST is answered so, and no task is made."""
    return Effect(reply=answer, makes_task=False)


def replied(answer: Answer, p: Parameters) -> Effect:
    """The POST is answered so, and a task is made or not, as the parameter says."""
    return Effect(reply=answer, makes_task=p["task"] == "made")


def content(p: Parameters, **fault: Any) -> Effect:
    """The content is handed out wrong for the first `downloads` requests."""
    return Effect(content=ContentFault(count=p["downloads"], **fault))


def poll(p: Parameters, **fault: Any) -> Effect:
    """`polls` polls say something else, after the first `after`."""
    return Effect(poll=PollFault(first=p["after"], count=p["polls"], **fault))


def at_least_one(name: str, value: int) -> int:
    """A length that a clip can have."""
    if not 1 <= value <= 60:  # noqa: PLR2004 -- longer than any model makes
        raise ScenarioError(f"{name}: from 1 to 60")
    return value
