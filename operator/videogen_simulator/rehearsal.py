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
            armed = self._next()
            offered = (*marked, armed) if armed else marked
            self._met.update((prompt_sha256, name) for name in {scenario.name for scenario in offered})
            met = tuple(scenario for scenario in offered if self._still(prompt_sha256, scenario))
        return markers.merged(met), tuple(scenario.name for scenario in met)

    def _still(self, prompt_sha256: str, scenario: Chosen) -> bool:
        return not scenario.limited or self._met[prompt_sha256, scenario.name] <= scenario.times

    def _next(self) -> Chosen | None:
        for one in self._armed:
            if one.posts is not None:
                one.posts -= 1
                if not one.posts:
                    self._armed.remove(one)
                return one.scenario
        return self._armed[0].scenario if self._armed else None
