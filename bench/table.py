"""The lines of the table that a benchmark prints."""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from bench.machine import CpuSpent

_HEAD = ("What", "Reach", "Median (min-max)", "")


@dataclass(frozen=True)
class Row:
    """One line: the values of all rounds. `at_least` says on which side of the mark the good is; None has no mark."""

    what: str
    values: tuple[float, ...]
    unit: str = ""
    mark: float | None = None
    at_least: bool = True

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return statistics.median(self.values)

    @property
    def verdict(self) -> str:
        """Whether the median reaches the mark; empty where there is none."""
        if self.mark is None:
            return ""
        reached = self.median >= self.mark if self.at_least else self.median <= self.mark
        return "ok" if reached else "below" if self.at_least else "above"

    def cells(self) -> tuple[str, str, str, str]:
        """What stands in the table."""
        reach = "" if self.mark is None else f"{'≥' if self.at_least else '≤'} {self.mark:g} {self.unit}".strip()
        spread = f"{_short(self.median)} ({_short(min(self.values))}-{_short(max(self.values))}) {self.unit}"
        return self.what, reach, spread.strip(), self.verdict

    def plain(self) -> dict[str, object]:
        """The row for the file of raw values."""
        return {"what": self.what, "unit": self.unit, "mark": self.mark, "values": self.values, "verdict": self.verdict}


def strangers(during: str, sections: Sequence[CpuSpent]) -> Row:
    """What other processes of this machine used while something was timed: cores, on the average of each section."""
    return Row(f"strangers' CPU, {during}", tuple(one.others / one.wall for one in sections), "cores")


def show(rows: Sequence[Row]) -> None:
    """Print the table in Markdown, which is also how the README keeps it."""
    cells = [_HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEAD))]
    for place, line in enumerate(cells):
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        sys.stdout.write("| " + " | ".join(padded) + " |\n")
        if not place:
            sys.stdout.write("|" + "|".join("-" * (width + 2) for width in widths) + "|\n")


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
