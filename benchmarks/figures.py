"""What was measured beside what is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from archgauge.output import table


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with at most one target; without any it is there to be read."""

    what: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None

    @property
    def met(self) -> bool | None:
        """None where nothing is wanted."""
        if self.at_most is not None:
            return self.value <= self.at_most
        return None if self.at_least is None else self.value >= self.at_least

    def cells(self) -> tuple[str, str, str, str]:
        """As a row of a table: what, value, target, met."""
        target = ""
        if self.at_most is not None:
            target = f"≤ {_number(self.at_most)}{self.unit}"
        elif self.at_least is not None:
            target = f"≥ {_number(self.at_least)}{self.unit}"
        return self.what, f"{_number(self.value)}{self.unit}", target, {None: "", True: "yes", False: "no"}[self.met]


def as_table(figures: Sequence[Figure]) -> Table:
    """One row per figure."""
    rows = table("what", "measured", "target", "met")
    for figure in figures:
        rows.add_row(*figure.cells())
    return rows


def _number(value: float) -> str:
    """Three significant digits, whole thousands as they are read."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
