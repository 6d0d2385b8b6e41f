"""The table: each row is a figure beside its yardstick of the same run."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

COLUMNS = ("what", "figure", "yardstick", "ratio", "goal")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line. ``met`` is None where there is no goal."""

    what: str
    figure: str
    yardstick: str = ""
    ratio: float | None = None
    goal: str = ""
    met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """As they are printed."""
        verdict = {True: " met", False: " MISSED", None: ""}[self.met]
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return (self.what, self.figure, self.yardstick, ratio, f"{self.goal}{verdict}")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def ms(seconds: float) -> str:
    """Milliseconds."""
    return f"{seconds * 1000:.1f} ms"


def print_table(rows: Sequence[Row]) -> None:
    """Print all rows under one heading."""
    lines = [COLUMNS, *(row.cells() for row in rows)]
    widths = [max(len(line[number]) for line in lines) for number in range(len(COLUMNS))]
    for place, line in enumerate(lines):
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n")
        if place == 0:
            sys.stdout.write("  ".join("-" * width for width in widths) + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Say on stderr what is being done."""
    sys.stderr.write(f"bench: {text}\n")
    sys.stderr.flush()
