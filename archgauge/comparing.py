"""Predictions beside measurements: the error of each model and over all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from archgauge.output import coverage, milliseconds, percent, stdout, table
from archgauge.prediction_text import energy, interval
from predictors import metrics
from profilers import ModelMeasurement


@dataclass(frozen=True)
class Comparison:
    """One model: a prediction (as in an answer's ``predictions``) and its measurements, one per round."""

    name: str
    prediction: Mapping[str, Any]
    rounds: tuple[ModelMeasurement, ...]

    @property
    def predicted_ms(self) -> float:
        return float(self.prediction["latency_ms"]["value"])

    @property
    def measured_ms(self) -> float:
        """Mean over rounds of the median."""
        return fmean(m.median_ms for m in self.rounds)

    @property
    def error(self) -> float:
        """Relative: +0.1 is a prediction 10 % too high."""
        return self.predicted_ms / self.measured_ms - 1

    @property
    def difference(self) -> float | None:
        """Between the first and the last round, relative to their mean; None for a single round."""
        if len(self.rounds) < 2:
            return None
        return abs(self.rounds[0].median_ms - self.rounds[-1].median_ms) / self.measured_ms

    @property
    def inside(self) -> bool:
        """Whether the measured latency lies in the predicted interval."""
        latency = self.prediction["latency_ms"]
        return bool(latency["upper"] is not None and latency["lower"] <= self.measured_ms <= latency["upper"])

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.name, "predicted": self.prediction, "measured": [m.to_json() for m in self.rounds],
            "measured_ms": self.measured_ms, "error": self.error, "inside_interval": self.inside,
            "difference_of_rounds": self.difference,
        }  # fmt: skip


def summarise(comparisons: Sequence[Comparison], apart_s: float | None) -> dict[str, Any]:
    """Metrics over all models (shares and relative errors, not percentages).

    ``measurement_noise`` is the mean difference between rounds, which were ``rounds_apart_s`` seconds apart; at ten
    minutes or more it is a noise floor. Rank correlations are None for fewer than two models.
    """
    if not comparisons:
        return {"models": 0}
    predicted = np.array([c.predicted_ms for c in comparisons])
    measured = np.array([c.measured_ms for c in comparisons])
    differences = [c.difference for c in comparisons if c.difference is not None]
    return {
        "models": len(comparisons),
        "mape": metrics.mape(predicted, measured),
        "median_ape": metrics.median_ape(predicted, measured),
        "within_5": metrics.within(predicted, measured, 0.05),
        "within_10": metrics.within(predicted, measured, 0.10),
        "bias": metrics.bias(predicted, measured),
        "spearman": _number(metrics.spearman(predicted, measured)),
        "kendall": _number(metrics.kendall(predicted, measured)),
        "interval_coverage": fmean(c.inside for c in comparisons),
        "confidence": comparisons[0].prediction["confidence"],
        "measurement_noise": fmean(differences) if differences else None,
        "rounds_apart_s": apart_s,
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def print_comparisons(comparisons: Sequence[Comparison], *, with_energy: bool = False) -> None:
    """A row per model."""
    columns = ["model", "predicted ms", "measured ms", "error", "inside", "answered by"]
    rows = table(*columns, *(["energy"] if with_energy else []), words=("answered by", "energy"))
    for c in comparisons:
        cells = [
            c.name, interval(c.prediction["latency_ms"]), milliseconds(c.measured_ms), f"{c.error:+.1%}",
            "yes" if c.inside else "no", coverage(c.prediction["coverage"]),
        ]  # fmt: skip
        rows.add_row(*cells, *([energy(c.prediction["energy_mj"])] if with_energy else []))
    stdout().print(rows)


def print_summary(summary: Mapping[str, Any], noise_floor: float | None) -> None:
    """The metrics in a few lines; ``noise_floor`` is the one that the predictor's training found."""
    console = stdout()
    if not summary["models"]:
        return
    console.print(
        f"MAPE {percent(summary['mape'])}, median {percent(summary['median_ape'])}, "
        f"within ±5 % {percent(summary['within_5'], 0)}, within ±10 % {percent(summary['within_10'], 0)}, "
        f"bias {summary['bias']:+.1%}"
    )
    if summary["spearman"] is not None:
        console.print(f"Spearman ρ {summary['spearman']:.3f}, Kendall τ {summary['kendall']:.3f}")
    console.print(
        f"{percent(summary['interval_coverage'], 0)} of the measurements lie inside their "
        f"{percent(summary['confidence'], 0)} interval"
    )
    if summary["measurement_noise"] is not None:
        console.print(
            f"measurement noise {percent(summary['measurement_noise'])}: mean difference of two measurements of the "
            f"same model, {summary['rounds_apart_s']:.0f} s apart"
        )
    if noise_floor is not None:
        console.print(f"noise floor of the target {percent(noise_floor)}, as profiling found it")
