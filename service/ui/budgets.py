"""Budgets: what a model may cost, and whether a prediction with its interval meets that."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple
from urllib.parse import urlencode

from service.errors import InvalidRequest

#: From best to worst. ``likely`` and ``unlikely`` say on which side of the budget the value lies when its interval
#: holds the budget; ``unknown`` is for costs that were not said.
Outcome = Literal["meets", "likely", "unknown", "unlikely", "misses"]
OUTCOMES: tuple[Outcome, ...] = ("meets", "likely", "unknown", "unlikely", "misses")

#: What pages say.
WORDS: dict[Outcome, str] = {
    "meets": "meets the budget", "likely": "probably meets it", "unknown": "cannot be said",
    "unlikely": "probably misses it", "misses": "misses the budget",
}  # fmt: skip

#: Query parameter → what it limits, and the unit.
LIMITS = {"ms": ("Latency", "ms"), "mj": ("Energy", "mJ"), "mb": ("Memory", "MB")}


class Verdict(NamedTuple):
    """One cost against one limit, both in the limit's unit."""

    parameter: str
    limit: float
    value: float | None
    outcome: Outcome

    @property
    def words(self) -> str:
        return WORDS[self.outcome]

    @property
    def label(self) -> str:
        return LIMITS[self.parameter][0].lower()

    @property
    def unit(self) -> str:
        return LIMITS[self.parameter][1]

    @property
    def excess(self) -> float | None:
        """By which share the value is over the limit; None where it is not."""
        return self.value / self.limit - 1.0 if self.value is not None and self.value > self.limit else None


@dataclass(frozen=True, slots=True)
class Budget:
    """Milliseconds, millijoules and megabytes (of a million bytes) that one run may cost; None for no limit."""

    ms: float | None = None
    mj: float | None = None
    mb: float | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Budget:
        """From query parameters, of which blank ones limit nothing.

        Raises:
            InvalidRequest: a limit is no positive number.
        """
        return cls(**{name: _limit(name, query.get(name, "").strip()) for name in LIMITS})

    @property
    def limits(self) -> dict[str, float]:
        """Those that are set."""
        return {name: limit for name in LIMITS if (limit := getattr(self, name)) is not None}

    @property
    def query(self) -> str:
        """``ms=5&mb=20``."""
        return urlencode({name: f"{limit:.12g}" for name, limit in self.limits.items()})

    def verdicts(self, prediction: Mapping[str, Any]) -> list[Verdict]:
        """One per limit that is set, for an entry of ``predictions`` of an answer."""
        costs = {"ms": prediction["latency_ms"], "mj": prediction["energy_mj"], "mb": _memory(prediction)}
        return [_judge(name, limit, costs[name]) for name, limit in self.limits.items()]


def worst(verdicts: list[Verdict]) -> Outcome | None:
    """The outcome of all together; None where there is no limit."""
    return max((v.outcome for v in verdicts), key=OUTCOMES.index, default=None)


def _limit(name: str, text: str) -> float | None:
    if not text:
        return None
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not (math.isfinite(limit) and limit > 0):
        label, unit = LIMITS[name]
        message = f"{label.lower()} may be limited to a positive number of {unit}"
        raise InvalidRequest("the budget is not a number", [(f"query.{name}", message)])
    return limit


def _memory(prediction: Mapping[str, Any]) -> dict[str, float | None] | None:
    peak = prediction["peak_memory_bytes"]
    return None if peak is None else {"value": peak / 1e6, "lower": peak / 1e6, "upper": peak / 1e6}


def _judge(name: str, limit: float, cost: Mapping[str, Any] | None) -> Verdict:
    """``upper`` is None where the value is only a lower bound: the budget may be missed, never surely met."""
    if cost is None:
        return Verdict(name, limit, None, "unknown")
    value, lower, upper = cost["value"], cost["lower"], cost["upper"]
    outcome: Outcome
    if upper is not None and upper <= limit:
        outcome = "meets"
    elif value <= limit:
        outcome = "unknown" if upper is None else "likely"
    elif upper is None or (lower is not None and lower > limit):
        outcome = "misses"
    else:
        outcome = "unlikely"
    return Verdict(name, limit, value, outcome)
