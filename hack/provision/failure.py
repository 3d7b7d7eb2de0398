"""A part that could not be had, told so that a person can act."""

from pathlib import Path

from provision.keeper import last_lines


class PartError(RuntimeError):
    """A part is missing or a step of set-up failed; the message says what to do."""


def step_failed(what: str, code: int, log: Path) -> PartError:
    """What failed, the last lines of its log and where the rest is."""
    return PartError(f"{what} failed (exit code {code}). Last lines:\n{last_lines(log)}\nThe whole log: {log}")
