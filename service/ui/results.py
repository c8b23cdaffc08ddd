"""A stored answer as a page shows it: a row per target on one scale, with verdicts on a budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.ui.budgets import Budget, Outcome, Verdict, worst

#: What answered, in the order in which it is drawn.
SOURCES = ("table", "regressor", "roofline", "unsupported")


@dataclass(frozen=True, slots=True)
class Span:
    """An interval on a scale from 0 to 100; ``limit`` is the budget's place."""

    lower: float
    value: float
    upper: float
    limit: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """One target's prediction."""

    prediction: Mapping[str, Any]
    #: Aliases, or else the id.
    label: str
    verdicts: list[Verdict]
    span: Span

    @property
    def target(self) -> str:
        return str(self.prediction["target"])

    @property
    def outcome(self) -> Outcome | None:
        return worst(self.verdicts)

    @property
    def sources(self) -> list[tuple[str, float, float]]:
        """(source, share, where its part of a bar begins), of those that answered."""
        parts, begin = [], 0.0
        for source in SOURCES[:3]:
            share = self.prediction["coverage"][source]
            if share > 0:
                parts.append((source, share, begin))
            begin += share
        return parts


def rows(answer: Mapping[str, Any], budget: Budget, aliases: Mapping[str, tuple[str, ...]]) -> list[Row]:
    """All predictions of an answer, in its order."""
    largest = max((_end(p) for p in answer["predictions"]), default=1.0)
    if budget.ms is not None:
        largest = max(largest, min(budget.ms, 3 * largest))
    scale = 96.0 / (largest or 1.0)
    found = []
    for prediction in answer["predictions"]:
        latency = prediction["latency_ms"]
        span = Span(
            (latency["lower"] or latency["value"]) * scale, latency["value"] * scale, _end(prediction) * scale,
            budget.ms * scale if budget.ms is not None and budget.ms * scale <= 100 else None,
        )  # fmt: skip
        names = aliases.get(prediction["target"], ())
        found.append(Row(prediction, ", ".join(names) or prediction["target"], budget.verdicts(prediction), span))
    return found


def headline(found: list[Row], budget: Budget) -> str:
    """One sentence on the budget; empty where there is none."""
    if not budget.limits or not found:
        return ""
    if len(found) == 1:
        return {
            "meets": "It meets the budget.", "likely": "It probably meets the budget, which lies inside the interval.",
            "unknown": "Whether it meets the budget cannot be said.",
            "unlikely": "It probably misses the budget, which lies inside the interval.",
            "misses": "It misses the budget.",
        }[found[0].outcome or "unknown"]  # fmt: skip
    met = sum(row.outcome in ("meets", "likely") for row in found)
    return f"It meets the budget, surely or probably, on {met} of {len(found)} targets."


def _end(prediction: Mapping[str, Any]) -> float:
    latency = prediction["latency_ms"]
    return float(latency["upper"] if latency["upper"] is not None else latency["value"])
