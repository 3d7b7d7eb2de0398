"""Scenarios chosen by name: markers in a prompt, and the words of the control endpoint.

A marker is `[[sim:NAME]]` or `[[sim:NAME parameter=value ...]]`, anywhere in a prompt; several add up.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from .effects import NOTHING, Effect
from .scenario import ScenarioError
from .scenarios import SCENARIOS
from .settings import SettingsError

MARKER = re.compile(r"\[\[sim:([^\[\]\r\n]{0,200})\]\]")
MOST_MARKERS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A scenario with its parameters bound."""

    name: str
    times: int  # only the first so many POSTs with the same prompt; 0: all
    effect: Effect

    @property
    def limited(self) -> bool:
        """Whether it ends by itself."""
        return self.times > 0


def marked(prompt: str) -> tuple[Chosen, ...]:
    """The scenarios that a prompt asks for. Raises `ScenarioError` for one that there is not."""
    found = MARKER.findall(prompt)
    if len(found) > MOST_MARKERS:
        raise ScenarioError(f"at most {MOST_MARKERS} markers in a prompt")
    return tuple(worded(text.split()) for text in found)


def worded(words: list[str]) -> Chosen:
    """The scenario that the words of a marker name."""
    pairs = [word.partition("=") for word in words[1:]]
    return chosen(words[0] if words else "", {name: value for name, _, value in pairs})


def _meant(name: str) -> str:
    """The nearest name. Not all of them: an operator would look for a reason among the words of a refusal."""
    nearest = get_close_matches(name[:60], SCENARIOS, n=1)
    return f" (did you mean {nearest[0]}?)" if nearest else ""


def chosen(name: str, given: Mapping[str, object]) -> Chosen:
    """The scenario with parameters, which may be text or JSON values."""
    scenario = SCENARIOS.get(name)
    if scenario is None:
        raise ScenarioError(f"there is no scenario {name[:60]!r}{_meant(name)}; GET /_sim/scenarios lists them")
    takes = {"times": 0, **scenario.takes}
    unknown = set(given) - set(takes)
    if unknown:
        raise ScenarioError(f"{name} takes {', '.join(takes)}, not {min(unknown)[:60]!r}")
    values = {key: bound(name, key, default, given.get(key)) for key, default in takes.items()}
    try:
        return Chosen(name=name, times=values["times"], effect=scenario.effect(values))  # type: ignore[arg-type]
    except SettingsError as error:
        raise ScenarioError(f"{name}: {error}") from None


def bound(name: str, key: str, default: object, value: object) -> object:
    """A parameter's value: one of the words of a choice, or of the type of its default."""
    words = default if isinstance(default, tuple) else ()
    plain = words[0] if words else default
    if value is None:
        return plain
    wanted = f"one of {', '.join(words)}" if words else f"a value such as {plain}"
    refusal = ScenarioError(f"{name}: {key} needs {wanted}, not {str(value)[:60]!r}")
    try:
        taken: object = type(plain)(str(value))  # type: ignore[call-arg] # int, float or str
    except (TypeError, ValueError):
        raise refusal from None
    if (words and taken not in words) or not within(key, taken):
        raise refusal
    return taken


def within(key: str, value: object) -> bool:
    """Whether a number can be meant: a status is one of HTTP's, others are not beyond all use."""
    if isinstance(value, int | float):
        return 200 <= value <= 599 if key == "status" else abs(value) < 2**53  # noqa: PLR2004 -- HTTP's own
    return True


def merged(scenarios: tuple[Chosen, ...]) -> Effect:
    """One effect of all of them; the first says most."""
    effect = NOTHING
    for scenario in reversed(scenarios):
        effect = scenario.effect.over(effect)
    return effect
