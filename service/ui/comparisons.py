"""Several stored predictions side by side: one point per model and target, and which of them are worth choosing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.errors import InvalidRequest

#: What an axis can show → label with unit.
AXES = {"latency": "Latency, ms", "energy": "Energy, mJ", "memory": "Memory, MB", "value": "Own number"}


@dataclass(frozen=True, slots=True)
class Model:
    """A stored prediction with the number that the user gives it, such as its accuracy."""

    id: str
    answer: Mapping[str, Any]
    value: float | None

    @property
    def name(self) -> str:
        return str(self.answer["name"])


@dataclass(slots=True)
class Point:
    """A model on a target; ``front`` is whether no other model on that target is at least as good in all and better."""

    model: Model
    prediction: Mapping[str, Any]
    #: Aliases, or else the id of the target.
    target: str
    front: bool = False

    def on(self, axis: str) -> float | None:
        """The coordinate, in the axis' unit."""
        if axis == "latency":
            return float(self.prediction["latency_ms"]["value"])
        if axis == "energy":
            energy = self.prediction["energy_mj"]
            return None if energy is None else float(energy["value"])
        if axis == "memory":
            peak = self.prediction["peak_memory_bytes"]
            return None if peak is None else peak / 1e6
        return self.model.value

    def to_json(self, x: str, y: str) -> dict[str, Any]:
        """What the chart draws."""
        latency = self.prediction["latency_ms"]
        return {
            "model": self.model.name, "target": self.target, "x": self.on(x), "y": self.on(y), "front": self.front,
            "lower": latency["lower"] if x == "latency" else None,
            "upper": latency["upper"] if x == "latency" else None,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Comparison:
    """The points of all models, with the axes of the chart."""

    points: list[Point]
    x: str
    y: str
    #: Whether we have chosen ``y``, and not the user.
    chosen: bool
    #: What the user's number is.
    label: str
    #: Whether less of it is better, as of all costs.
    less: bool

    @property
    def labels(self) -> dict[str, str]:
        return {**AXES, "value": self.label or AXES["value"]}


def compare(
    models: Sequence[Model], query: Mapping[str, str], aliases: Mapping[str, Sequence[str]]
) -> Comparison:  # fmt: skip
    """Compare on the axes that the query names. Without names, latency is drawn against the user's number, or energy,
    or memory: the first that is known of any model. ``chosen`` in the query is the axis that was chosen so before, and
    is no choice of the user's when it comes again.
    """
    points = [
        Point(model, p, ", ".join(aliases.get(p["target"], ())) or p["target"])
        for model in models
        for p in model.answer["predictions"]
    ]
    known = (axis for axis in ("value", "energy", "memory") if any(point.on(axis) is not None for point in points))
    x = query["x"] if query.get("x") in AXES else "latency"
    chosen = query.get("y") not in AXES or query.get("y") == query.get("chosen")
    y = next(known, "memory") if chosen else query["y"]
    less = query.get("less") == "1"
    _mark_fronts(points, x, y, {axis: 1.0 if axis != "value" or less else -1.0 for axis in AXES})
    return Comparison(points, x, y, chosen, query.get("label", "").strip()[:60], less)


def _mark_fronts(points: Sequence[Point], x: str, y: str, signs: Mapping[str, float]) -> None:
    """One front per target; ``signs`` are negative where more is better."""
    for target in {point.prediction["target"] for point in points}:
        mine = [p for p in points if p.prediction["target"] == target]
        placed = [(p, a, b) for p in mine if (a := p.on(x)) is not None and (b := p.on(y)) is not None]
        kept = pareto([(signs[x] * a, signs[y] * b) for _, a, b in placed])
        for (point, _, _), front in zip(placed, kept, strict=True):
            point.front = front


def pareto(costs: Sequence[tuple[float, float]]) -> list[bool]:
    """Which of the pairs, less being better in both, no other pair dominates."""
    return [
        not any((a <= x and b <= y) and (a < x or b < y) for a, b in costs)
        for x, y in costs
    ]  # fmt: skip


def number(text: str) -> float | None:
    """A number that the user gave; None where it is blank.

    Raises:
        InvalidRequest: it is none.
    """
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InvalidRequest("a model's own number is not a number", [("query.v", "must be a number or blank")])
    return value
