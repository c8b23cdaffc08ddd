"""A stored answer as a page shows it: a row per target on one scale, with verdicts on a budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.ui.budgets import Budget, Outcome, Verdict, worst
from service.ui.formats import percent

#: What answers, in the order in which it is drawn.
SOURCES = ("table", "regressor", "roofline")

_SENTENCES: dict[Outcome, str] = {
    "meets": "It meets the budget.",
    "likely": "It probably meets the budget, which lies inside the interval.",
    "unknown": "Whether it meets the budget cannot be said.",
    "unlikely": "It probably misses the budget, which lies inside the interval.",
    "misses": "It misses the budget.",
}


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
    def batch(self) -> int:
        """Samples in a run, as the throughput says."""
        return max(int(self.prediction["throughput_per_s"] * self.prediction["latency_ms"]["value"] / 1e3 + 0.5), 1)

    @property
    def outcome(self) -> Outcome | None:
        return worst(self.verdicts)

    @property
    def sources(self) -> list[tuple[str, float, float]]:
        """As `sources` gives them."""
        return sources(self.prediction["coverage"])


def sources(coverage: Mapping[str, float]) -> list[tuple[str, float, float]]:
    """(source, share, where its part of a bar begins), of those that answered."""
    parts, begin = [], 0.0
    for source in SOURCES:
        share = coverage.get(source, 0.0)
        if share > 0:
            parts.append((source, share, begin))
        begin += share
    return parts


def rows(answer: Mapping[str, Any], budget: Budget, aliases: Mapping[str, tuple[str, ...]]) -> list[Row]:
    """All predictions of an answer, in its order."""
    place = _scale(answer["predictions"], budget.ms)
    found = []
    for prediction in answer["predictions"]:
        latency = prediction["latency_ms"]
        limit = None if budget.ms is None else place(budget.ms)
        span = Span(
            place(_begin(prediction)), place(latency["value"]), place(_end(prediction)),
            limit if limit is not None and 0 <= limit <= 100 else None,
        )  # fmt: skip
        names = aliases.get(prediction["target"], ())
        found.append(Row(prediction, ", ".join(names) or prediction["target"], budget.verdicts(prediction), span))
    return found


def headline(found: list[Row], budget: Budget) -> str:
    """One sentence on the budget; empty where there is none."""
    if not budget.limits or not found:
        return ""
    if len(found) == 1:
        over = [f"{v.label} is {percent(v.excess, 0)} over" for v in found[0].verdicts if v.excess is not None]
        return _SENTENCES[found[0].outcome or "unknown"] + (f" The {' and the '.join(over)}." if over else "")
    met = sum(row.outcome in ("meets", "likely") for row in found)
    sure = all(row.outcome in ("meets", "misses") for row in found)
    return f"It {'' if sure else 'surely or probably '}meets the budget on {met or 'none'} of {len(found)} targets."


def _scale(predictions: Sequence[Mapping[str, Any]], limit: float | None) -> Callable[[float], float]:
    """From milliseconds to places from 0 to 100 that show all intervals, and the limit unless it is far away."""
    first, last = min(map(_begin, predictions)), max(map(_end, predictions))
    if limit is not None and first / 3 <= limit <= 3 * last:
        first, last = min(first, limit), max(last, limit)
    margin = 0.12 * (last - first) or 1.0
    return lambda ms: 100.0 * (ms - first + margin) / (last - first + 2 * margin)


def _begin(prediction: Mapping[str, Any]) -> float:
    latency = prediction["latency_ms"]
    return float(latency["lower"] if latency["lower"] is not None else latency["value"])


def _end(prediction: Mapping[str, Any]) -> float:
    latency = prediction["latency_ms"]
    return float(latency["upper"] if latency["upper"] is not None else latency["value"])
