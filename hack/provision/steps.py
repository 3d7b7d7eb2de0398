"""Runs one command of set-up under a keeper, with progress and a log that stays."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from provision import cache, progress
from provision.failure import step_failed
from provision.keeper import Keeper, last_lines

_FOREVER = 24 * 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A command, what it does in words, and how long it usually takes."""

    part: str
    what: str
    usually: str
    argv: Sequence[str | Path]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    how_far: Callable[[Path], str] = lambda log: last_lines(log, 1).strip()[:100]


def run(keeper: Keeper, step: Step) -> Path:
    """Run a step to its end and return its log. Raises PartError when it fails."""
    name = f"{step.part}-{Path(step.argv[0]).name}-{cache.key(step.what)[:4]}"
    log = cache.logs() / f"{name}.log".replace(" ", "-")
    log.write_text("")
    # Temporary files go where the keeper removes them, also when the step is killed.
    env = {"TMPDIR": str(keeper.directory), **step.env}
    with progress.step(step.part, step.what, step.usually, lambda: step.how_far(log)):
        keeper.start(name, step.argv, env=env, cwd=step.cwd, log=log)
        code = keeper.wait(name, _FOREVER)
        if code != 0:
            raise step_failed(step.what, code if code is not None else -1, log)
    return log
