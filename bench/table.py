"""The table of numbers beside their goals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

MB = 1_000_000
MIB = 1 << 20

_HEAD = ("", "what", "ours", "goal", "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One number. `met` is None where there is no goal."""

    metric: str
    what: str
    ours: str
    goal: str = ""
    met: bool | None = None

    @property
    def verdict(self) -> str:
        """`met`, `MISSED`, or nothing."""
        return "" if self.met is None else ("met" if self.met else "MISSED")

    def cells(self) -> tuple[str, ...]:
        """As columns of the table."""
        return self.metric, self.what, self.ours, self.goal, self.verdict


def at_most(metric: str, what: str, number: float, goal: float, shown: Callable[[float], str]) -> Row:
    """A number that should not be above its goal; both are written by `shown`."""
    return Row(metric=metric, what=what, ours=shown(number), goal=f"<= {shown(goal)}", met=number <= goal)


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table with aligned columns."""
    cells = [_HEAD, *(row.cells() for row in rows)]
    widths = [max(3, *(len(line[column]) for line in cells)) for column in range(len(_HEAD))]
    lines = [_line(line, widths) for line in cells]
    return "\n".join([lines[0], _line(["-" * width for width in widths], widths), *lines[1:]])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"


def plain(number: float) -> str:
    """A count."""
    return f"{number:g}"


def megabytes(number: float) -> str:
    """Bytes in MB (10^6)."""
    return f"{number / MB:.1f} MB"


def mebibytes(number: float) -> str:
    """Bytes in MiB (2^20)."""
    return f"{number / MIB:.1f} MiB"


def kilobytes(number: float) -> str:
    """Bytes in kB (10^3)."""
    return f"{number / 1000:.2f} kB"


def seconds(number: float) -> str:
    """Seconds."""
    return f"{number:.2f} s"


def whole_seconds(number: float) -> str:
    """Seconds of what takes minutes."""
    return f"{number:.0f} s"
