"""Predictions beside measurements: the error of each model and over all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from archgauge.output import coverage, milliseconds, percent, stdout, table
from archgauge.prediction_text import energy, interval, measured_energy
from predictors import metrics
from predictors.evaluation import size_class
from profilers import ModelMeasurement

#: Kernel kinds whose errors are printed.
_KINDS = 8


class KindTimes(NamedTuple):
    """What the kernels of one kind add to a model's latency, in milliseconds."""

    kernels: int
    predicted_ms: float
    measured_ms: float


@dataclass(frozen=True)
class Comparison:
    """One model: a prediction (as in an answer's ``predictions``) and its measurements, one per round."""

    name: str
    prediction: Mapping[str, Any]
    rounds: tuple[ModelMeasurement, ...]
    #: Kernel kinds with what they add to the whole, predicted and measured; empty where the runtime does not say.
    kinds: Mapping[str, KindTimes] = field(default_factory=dict)

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

    @property
    def memory_error(self) -> float | None:
        """Relative error of the peak memory; None where either side does not know it."""
        predicted, measured = self.prediction.get("peak_memory_bytes"), self.rounds[0].peak_memory_bytes
        return predicted / measured - 1 if predicted and measured else None

    @property
    def measured_mj(self) -> float | None:
        """Mean over rounds of the energy net of idle; None where one was not metered."""
        found = [m.energy_mj for m in self.rounds if m.energy_mj is not None]
        return fmean(found) if len(found) == len(self.rounds) else None

    @property
    def energy_error(self) -> float | None:
        """Relative; None unless both sides speak of the same scope."""
        predicted, measured = self.prediction.get("energy_mj"), self.measured_mj
        scopes = {m.energy.scope for m in self.rounds if m.energy is not None}
        if not predicted or not measured or scopes != {predicted["scope"]}:
            return None
        return float(predicted["value"]) / measured - 1

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.name, "predicted": self.prediction, "measured": [m.to_json() for m in self.rounds],
            "measured_ms": self.measured_ms, "error": self.error, "inside_interval": self.inside,
            "difference_of_rounds": self.difference, "peak_memory_error": self.memory_error,
            "measured_mj": self.measured_mj, "energy_error": self.energy_error,
            "kernel_kinds": [{"kind": kind, **times._asdict()} for kind, times in sorted(self.kinds.items())],
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
        "energy": describe_energy(comparisons),
        "sizes": describe_sizes(comparisons),
        "kernel_kinds": describe_kinds(comparisons),
    }


def describe_energy(comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    """MAPE, bias and interval coverage of predicted energies, by method of prediction and scope: what differs in either
    is never averaged.
    """
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for c in comparisons:
        if c.energy_error is not None:
            told = c.prediction["energy_mj"]
            groups.setdefault((told["method"], told["scope"]), []).append(c)
    return [
        {
            "method": method, "scope": scope, "models": len(each),
            "mape": fmean(abs(c.energy_error or 0.0) for c in each), "bias": fmean(c.energy_error or 0.0 for c in each),
            "interval_coverage": fmean(_holds(c.prediction["energy_mj"], c.measured_mj or 0.0) for c in each),
        }
        for (method, scope), each in sorted(groups.items())
    ]  # fmt: skip


def _holds(estimate: Mapping[str, Any], measured: float) -> bool:
    return bool(estimate["lower"] <= measured <= estimate["upper"])


def describe_kinds(comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    """Errors by kernel kind over all models, the dearest kind first: share of the measured time, mean absolute error
    and signed bias of what the kind adds to each model, both weighted by its measured time there.
    """
    found: dict[str, list[KindTimes]] = {}
    for comparison in comparisons:
        for kind, times in comparison.kinds.items():
            found.setdefault(kind, []).append(times)
    total = sum(times.measured_ms for kind in found.values() for times in kind)
    rows = []
    for kind, each in found.items():
        measured = sum(t.measured_ms for t in each)
        rows.append({
            "kind": kind, "models": len(each), "kernels": sum(t.kernels for t in each), "time_share": measured / total,
            "error": sum(abs(t.predicted_ms - t.measured_ms) for t in each) / measured if measured else None,
            "bias": sum(t.predicted_ms - t.measured_ms for t in each) / measured if measured else None,
        })  # fmt: skip
    return sorted(rows, key=lambda row: -row["time_share"])


def describe_sizes(comparisons: Sequence[Comparison]) -> dict[str, dict[str, Any]]:
    """MAPE and bias by measured latency."""
    groups: dict[str, list[float]] = {}
    for c in sorted(comparisons, key=lambda c: c.measured_ms):
        groups.setdefault(size_class(c.measured_ms), []).append(c.error)
    return {
        name: {"models": len(errors), "mape": fmean(map(abs, errors)), "bias": fmean(errors)}
        for name, errors in groups.items()
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
        rows.add_row(*cells, *([_energies(c)] if with_energy else []))
    stdout().print(rows)


def _energies(c: Comparison) -> str:
    told = energy(c.prediction["energy_mj"])
    return told if c.measured_mj is None else f"{told}; measured {measured_energy(c.rounds[0].energy)}"


def _print_kinds(kinds: Sequence[Mapping[str, Any]]) -> None:
    """The kinds that took most of the measured time, since errors of opposite sign cancel in a whole."""
    if not kinds:
        return
    rows = table("kernel kind", "share of time", "error", "bias")
    for kind in kinds[:_KINDS]:
        rows.add_row(kind["kind"], percent(kind["time_share"]), percent(kind["error"]), f"{kind['bias']:+.1%}")
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
    for group in summary["energy"]:
        console.print(
            f"energy ({group['method']}, {group['scope']}): MAPE {percent(group['mape'])}, bias {group['bias']:+.1%}, "
            f"{percent(group['interval_coverage'], 0)} inside their interval, of {group['models']} models"
        )
    _print_kinds(summary["kernel_kinds"])
    if noise_floor is not None:
        console.print(f"noise floor of the target {percent(noise_floor)}, as profiling found it")
