"""Which scenario meets which POST: the markers of its prompt, and what is armed."""

import threading
from collections import Counter
from dataclasses import dataclass

from . import markers
from .effects import Effect
from .markers import Chosen


@dataclass(slots=True, kw_only=True)
class Armed:
    """A scenario for the next POSTs; `posts` None is for all of them."""

    scenario: Chosen
    posts: int | None


class Rehearsal:
    """Armed scenarios, used up in order; those for all POSTs come when no counted one is left."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[Armed] = []
        self._met: Counter[tuple[str, str]] = Counter()

    def arm(self, scenario: Chosen, posts: int | None) -> None:
        """Let a scenario meet so many POSTs, after those of what is armed already."""
        with self._lock:
            self._armed.append(Armed(scenario=scenario, posts=posts))

    def armed(self) -> list[tuple[str, int | None]]:
        """Names and how many POSTs each has left."""
        with self._lock:
            return [(one.scenario.name, one.posts) for one in self._armed]

    def disarm(self) -> None:
        """Take back what is armed and forget which prompts met what."""
        with self._lock:
            self._armed.clear()
            self._met.clear()

    def effect(self, prompt_sha256: str, marked: tuple[Chosen, ...]) -> tuple[Effect, tuple[str, ...]]:
        """What a POST meets, and the names of the scenarios that it comes from."""
        with self._lock:
            met = [scenario for scenario in marked if self._counts(prompt_sha256, scenario)]
            armed = self._next()
        if armed:
            met.append(armed)
        return markers.merged(tuple(met)), tuple(scenario.name for scenario in met)

    def _counts(self, prompt_sha256: str, scenario: Chosen) -> bool:
        key = (prompt_sha256, scenario.name)
        self._met[key] += 1
        return not scenario.limited or self._met[key] <= scenario.times

    def _next(self) -> Chosen | None:
        for one in self._armed:
            if one.posts is not None:
                one.posts -= 1
                if not one.posts:
                    self._armed.remove(one)
                return one.scenario
        return self._armed[0].scenario if self._armed else None
