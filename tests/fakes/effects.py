"""What a fake did to its world, and the places where a test may break in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


class Crash(BaseException):
    """The process died here. A BaseException, so that no handler of the operator survives it."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One call of a port, such as `store.create` on `ns/name/r1/a1.intent.json`."""

    name: str
    target: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.target}".rstrip()


def _nothing(_: Effect) -> None:
    pass


@dataclass(slots=True)
class Hooks:
    """Shared by the fakes of one test; `log` names the effects that were done, in order."""

    before: Callable[[Effect], None] = _nothing
    after: Callable[[Effect], None] = _nothing
    log: list[Effect] = field(default_factory=list)

    @contextmanager
    def around(self, name: str, target: str = "") -> Iterator[None]:
        effect = Effect(name, target)
        self.before(effect)
        yield
        self.log.append(effect)
        self.after(effect)
