"""Honest errors: on kernels by cross-validation over their shapes, on whole networks that nothing was trained on.

All errors are fractions. Signed biases stand beside them, since errors of opposite sign cancel in a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictors import metrics
from predictors.composition import FORMS, fit
from predictors.estimates import Estimate
from predictors.networks import kernels_of_network
from predictors.observations import NetworkTimes, repeated_differences
from predictors.ood import STRANGE_SHARE
from predictors.predictor import Predictor

Floats = NDArray[np.float64]

#: Confidences whose coverage is reported.
CONFIDENCES = (0.5, 0.8, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class WholeResult:
    """A network's predicted and measured whole."""

    context: str
    predicted_us: float
    measured_us: float
    #: Factors of the intervals at `CONFIDENCES`.
    factors: tuple[float, ...]
    strange_share: float
    #: Shares of the predicted time by source.
    sources: Mapping[str, float]

    @property
    def flagged(self) -> bool:
        """Whether it counts as out of distribution."""
        return self.strange_share > STRANGE_SHARE


def evaluate_wholes(predictor: Predictor, networks: Iterable[NetworkTimes]) -> list[WholeResult]:
    """Predict the networks whose whole was measured; those whose kernels are not known are left out."""
    results = []
    for network in networks:
        kernels = kernels_of_network(network, predictor.target.lowering)
        measured = network.whole_us
        if kernels is None or measured is None:
            continue
        estimates = predictor.estimate(kernels)
        if all(e.source != "unsupported" for e in estimates):
            results.append(_whole_result(predictor, network.context, estimates, measured))
    return results


def _whole_result(predictor: Predictor, context: str, estimates: Sequence[Estimate], measured_us: float) -> WholeResult:
    times = np.array([e.time_us for e in estimates])
    sigma = np.array([e.sigma for e in estimates])
    added = predictor.composition.kernels_us(times)
    total = float(added.sum())
    sources: dict[str, float] = {}
    for estimate, time in zip(estimates, added.tolist(), strict=True):
        sources[estimate.source] = sources.get(estimate.source, 0.0) + time / total
    return WholeResult(
        context,
        total + predictor.composition.overhead_us(len(times)),
        measured_us,
        tuple(predictor.intervals.whole_factor(times, sigma, c) for c in CONFIDENCES),
        float(added[[e.strange for e in estimates]].sum()) / total,
        sources,
    )


def frozen_set(networks: Iterable[NetworkTimes]) -> list[NetworkTimes]:
    """The whole networks that nothing may be fitted on: those of the holdout split, by context."""
    return sorted((n for n in networks if n.split == "holdout" and n.wholes), key=lambda network: network.context)


def describe_wholes(results: Sequence[WholeResult]) -> dict[str, Any]:
    """Metrics over whole networks; empty where there are none."""
    if not results:
        return {}
    predicted = np.array([r.predicted_us for r in results])
    measured = np.array([r.measured_us for r in results])
    inside = {
        str(confidence): metrics.coverage(
            predicted / [r.factors[i] for r in results], predicted * [r.factors[i] for r in results], measured
        )
        for i, confidence in enumerate(CONFIDENCES)
    }
    return {
        "models": len(results),
        "mape": metrics.mape(predicted, measured),
        "median_ape": metrics.median_ape(predicted, measured),
        "within_5": metrics.within(predicted, measured, 0.05),
        "within_10": metrics.within(predicted, measured, 0.10),
        "bias": metrics.bias(predicted, measured),
        "spearman": _or_none(metrics.spearman(predicted, measured)),
        "kendall": _or_none(metrics.kendall(predicted, measured)),
        "confidence": 0.9,
        "interval_coverage": inside["0.9"],
        "interval_coverages": inside,
        "interval_factor": float(np.median([r.factors[CONFIDENCES.index(0.9)] for r in results])),
    }


def list_wholes(results: Sequence[WholeResult]) -> list[dict[str, Any]]:
    """Every network with what was predicted, the 90 % interval, and what was measured, in microseconds."""
    place = CONFIDENCES.index(0.9)
    return [
        {
            "context": r.context, "predicted_us": r.predicted_us, "measured_us": r.measured_us,
            "lower_us": r.predicted_us / r.factors[place], "upper_us": r.predicted_us * r.factors[place],
            "flagged": r.flagged,
        }
        for r in results
    ]  # fmt: skip


def describe_groups(results: Sequence[WholeResult], group: Callable[[WholeResult], str]) -> dict[str, dict[str, Any]]:
    """`describe_wholes` of each group, by its name."""
    groups: dict[str, list[WholeResult]] = {}
    for result in results:
        groups.setdefault(group(result), []).append(result)
    return {name: describe_wholes(groups[name]) for name in sorted(groups)}


def size_class(latency_ms: float) -> str:
    """``under 3 ms``, ``3 to 10 ms``, ``10 to 30 ms`` or ``over 30 ms``."""
    limits = ((3.0, "under 3 ms"), (10.0, "3 to 10 ms"), (30.0, "10 to 30 ms"))
    return next((name for limit, name in limits if latency_ms < limit), "over 30 ms")


def describe_strange(results: Sequence[WholeResult]) -> dict[str, Any]:
    """Whether the out-of-distribution flag means something: errors with and without it."""
    described: dict[str, Any] = {}
    for name, flagged in (("flagged", True), ("unflagged", False)):
        chosen = [r for r in results if r.flagged is flagged]
        error = metrics.mape([r.predicted_us for r in chosen], [r.measured_us for r in chosen]) if chosen else None
        described[name] = {"models": len(chosen), "mape": error}
    return described


def describe_sources(results: Sequence[WholeResult]) -> dict[str, float]:
    """Mean share of predicted time by source."""
    names = ("table", "regressor", "roofline")
    return {name: float(np.mean([r.sources.get(name, 0.0) for r in results])) for name in names} if results else {}


def describe_kernels(kinds: Sequence[str], time_us: Floats, unseen_us: Floats) -> dict[str, Any]:
    """Cross-validated errors of kernels ``[rows]``, overall and per kind with its share of the measured time; errors
    are weighted by time, medians are not. ``unseen_us`` is NaN where a kind was too rare to learn from.
    """
    names, known = np.array(kinds), np.isfinite(unseen_us)
    if not known.any():
        return {"rows": len(kinds), "kinds": []}
    total = float(time_us.sum())
    rows = []
    for kind in sorted(set(kinds)):
        mine = (names == kind) & known
        if mine.any():
            share = float(time_us[names == kind].sum()) / total
            rows.append({"kind": kind, "time_share": share, **_kernel_errors(time_us[mine], unseen_us[mine])})
    rows.sort(key=lambda row: -row["time_share"])
    return {**_kernel_errors(time_us[known], unseen_us[known]), "kinds": rows}


def _kernel_errors(time_us: Floats, unseen_us: Floats) -> dict[str, Any]:
    errors = unseen_us / time_us - 1.0
    return {
        "rows": len(time_us),
        "mape": float(np.average(np.abs(errors), weights=time_us)),
        "median_ape": float(np.median(np.abs(errors))),
        "bias": float(unseen_us.sum() / time_us.sum() - 1.0),
    }


def describe_noise(networks: Iterable[NetworkTimes]) -> dict[str, Any]:
    """The noise floor: mean relative difference of whole models measured twice, None where none was."""
    differences, apart_s = repeated_differences(networks)
    return {
        "noise_floor": float(differences.mean()) if len(differences) else None,
        "noise_floor_models": len(differences),
        "noise_floor_apart_s": apart_s,
    }


def ablate_composition(fitting: Sequence[NetworkTimes], testing: Sequence[NetworkTimes]) -> dict[str, float]:
    """MAPE of measured kernels summed to measured wholes, by the terms that the composition may have."""
    fitted = [n for n in fitting if n.is_complete and n.wholes]
    tested = [n for n in testing if n.is_complete and n.wholes] or fitted
    if not fitted:
        return {}
    wholes = [n.whole_us or 0.0 for n in tested]
    errors = {}
    for name, terms in FORMS.items():
        composition = fit([np.array(n.kernel_us) for n in fitted], [n.whole_us or 0.0 for n in fitted], terms)
        errors[name] = metrics.mape([composition.whole_us(np.array(n.kernel_us)) for n in tested], wholes)
    return errors


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
