"""Fitting power to metered windows of whole networks, and saying honestly how good it is.

Windows of different methods or scopes say different things (a package is not a board, a counter is no model): only the
largest group of one method and one scope is used, and the others are counted as left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookup_tables.records import Measurement
from predictors import metrics
from predictors.energy.fitted import TERMS, FittedPower, fit_weights, terms_of
from predictors.intervals import Quantiles
from predictors.networks import kernels_of_network
from predictors.observations import NetworkTimes, family_of
from predictors.predictor import Predictor

Floats = NDArray[np.float64]

#: Windows below which there is nothing to fit.
MIN_WINDOWS = 12

#: What is tried; infinity is constant power.
_SHRINKAGES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, np.inf)

#: The residual is shrunk as if this many windows had none.
_RESIDUAL_PRIOR = 6.0

#: Folds where families are too few to leave each out.
_FOLDS = 8

_CONFIDENCE = 0.9


@dataclass(frozen=True, slots=True)
class Window:
    """A metered network: measured power, and what the predictor says of its kernels."""

    context: str
    split: str
    energy_mj: float
    #: Net and idle, in watts, while it ran.
    power_w: float
    idle_w: float
    #: Predicted milliseconds of kernels and then of overhead, and their terms ``[n, TERMS]``.
    time_ms: Floats
    terms: Floats
    #: Expected relative error of the predicted latency.
    latency_sigma: float

    @property
    def mean_terms(self) -> Floats:
        """Terms of the whole, weighted by time, ``[TERMS]``."""
        return np.asarray(self.time_ms @ self.terms / self.time_ms.sum(), dtype=np.float64)


def fit_power(
    predictor: Predictor, measurements: Iterable[Measurement], networks: Sequence[NetworkTimes]
) -> tuple[FittedPower | None, dict[str, Any] | None]:
    """Power for a trained predictor, and the report on it; None and None where nothing was metered.

    Windows of the split ``holdout`` are only reported on. With fewer than `MIN_WINDOWS` others there is a report that
    says so, and no power.
    """
    metered, left_out = _largest_group(measurements)
    if not metered:
        return None, None
    method, scope = str(metered[0].energy_method), str(metered[0].energy_scope)
    places = {network.context: network for network in networks}
    found = [w for m in metered if (w := _window(predictor, m, places.get(m.context))) is not None]
    learning = [w for w in found if w.split != "holdout"]
    report: dict[str, Any] = {
        "metered_by": method, "scope": scope, "windows": len(learning), "holdout_windows": len(found) - len(learning),
        "left_out": left_out,
    }  # fmt: skip
    if len(learning) < MIN_WINDOWS:
        report["why_not"] = f"{len(learning)} windows were metered, and {MIN_WINDOWS} are needed"
        return None, report
    power = _fit(learning, predictor.estimator.baseline.flops_per_s, method, scope, report)
    report["holdout"] = describe(power, [w for w in found if w.split == "holdout"])
    return power, report


def _largest_group(measurements: Iterable[Measurement]) -> tuple[list[Measurement], dict[str, int]]:
    """Metered whole models of the most frequent method and scope, and how many of others there are."""
    usable = [
        m for m in measurements
        if m.mode == "whole_model" and m.ok and m.latency_us and m.energy_mj is not None and m.energy_mj > 0.0
        and m.energy_gross_mj is not None and m.energy_method and m.energy_scope
    ]  # fmt: skip
    groups = Counter((str(m.energy_method), str(m.energy_scope)) for m in usable)
    if not groups:
        return [], {}
    chosen = max(groups, key=lambda group: (groups[group], group))
    rest = {f"{method} of {scope}": n for (method, scope), n in groups.items() if (method, scope) != chosen}
    return [m for m in usable if (m.energy_method, m.energy_scope) == chosen], rest


def _window(predictor: Predictor, m: Measurement, network: NetworkTimes | None) -> Window | None:
    """None where the network's kernels are not known or have no price."""
    kernels = kernels_of_network(network or NetworkTimes(m.context, m.split), predictor.target.lowering)
    if kernels is None or m.energy_mj is None or m.energy_gross_mj is None or m.latency_us is None:
        return None
    estimates = predictor.estimate(kernels)
    if any(e.source == "unsupported" for e in estimates):
        return None
    composition, peak = predictor.composition, predictor.estimator.baseline.flops_per_s
    profiled_us, sigma = np.array([e.time_us for e in estimates]), np.array([e.sigma for e in estimates])
    added_ms = composition.kernels_us(profiled_us) / 1e3
    rows = [
        terms_of(ms, e.compute_share, k.kind, e.flops, peak)
        for ms, e, k in zip(added_ms.tolist(), estimates, kernels, strict=True)
    ]
    overhead_ms = composition.overhead_us(len(kernels)) / 1e3
    # Energy was used while the machine was as fast as it was, so that power goes with the time meanwhile, uncorrected.
    ran_ms = (m.energy_run_us or m.latency_us * m.drift) / 1e3
    return Window(
        m.context, m.split, m.energy_mj, m.energy_mj / ran_ms, (m.energy_gross_mj - m.energy_mj) / ran_ms,
        np.append(added_ms, overhead_ms), np.array([*rows, terms_of(overhead_ms, 0.0, None, 0.0, peak)]),
        predictor.intervals.whole_sigma(profiled_us, sigma),
    )  # fmt: skip


def _fit(windows: Sequence[Window], flops_per_s: float, method: str, scope: str, report: dict[str, Any]) -> FittedPower:
    terms, power = np.array([w.mean_terms for w in windows]), np.array([w.power_w for w in windows])
    folds = _folds([w.context for w in windows])
    unseen = {s: np.abs(np.log(_unseen(terms, power, folds, s) / power)) for s in _SHRINKAGES}
    best = min(_SHRINKAGES, key=lambda s: float(np.mean(unseen[s])))
    constant_w = float(fit_weights(terms, power, np.inf)[0])
    fitted = FittedPower(
        fit_weights(terms, power, best), constant_w, float(np.median([w.idle_w for w in windows])), 0.0,
        Quantiles.of(unseen[best]), flops_per_s, scope, method, len(windows),
    )  # fmt: skip
    # What is left between the sum over kernels, each bounded from below, and the windows themselves.
    sums = np.array([_sum_mj(fitted, w) / w.time_ms.sum() for w in windows])
    off = np.log(power / sums)
    residual = float(np.median(off)) * len(off) / (len(off) + _RESIDUAL_PRIOR)
    report |= {
        "weights_w": dict(zip(TERMS, fitted.weights, strict=True)), "constant_w": constant_w, "idle_w": fitted.idle_w,
        "shrinkage": None if np.isinf(best) else best,
        "power": {"unseen_families_mape": _mape(unseen[best]), "constant_mape": _mape(unseen[np.inf])},
        "sum_over_whole": {
            "residual": residual,
            **{f"p{q}": float(np.percentile(sums / power, q)) - 1.0 for q in (10, 50, 90)},
        },
    }  # fmt: skip
    return replace(fitted, residual=residual)


def _folds(contexts: Sequence[str]) -> NDArray[np.intp]:
    """A fold per family, or folds of networks where families are few; windows of one network are never apart."""
    families, folds = np.unique(np.array([family_of(context) for context in contexts]), return_inverse=True)
    if len(families) >= _FOLDS:
        return np.asarray(folds, dtype=np.intp)
    return np.asarray(np.unique(np.array(contexts), return_inverse=True)[1] % _FOLDS, dtype=np.intp)


def _unseen(terms: Floats, power: Floats, folds: NDArray[np.intp], shrinkage: float) -> Floats:
    """Power by weights that were fitted without the window's fold, ``[n]``."""
    told = np.empty(len(power))
    for fold in np.unique(folds):
        mine = folds == fold
        weights = np.array(fit_weights(terms[~mine], power[~mine], shrinkage))
        told[mine] = np.maximum(terms[mine] @ weights, 0.05 * float(power[~mine].mean()))
    return told


def _sum_mj(power: FittedPower, window: Window) -> float:
    return float(power.power_w(window.terms) @ window.time_ms)


def describe(power: FittedPower, windows: Sequence[Window]) -> dict[str, Any] | None:
    """Errors of predicted energies (predicted power and predicted time) beside those of constant power times the same
    time; None without windows.
    """
    if not windows:
        return None
    measured = [w.energy_mj for w in windows]
    told = [_sum_mj(power, w) for w in windows]
    factors = [float(power.factor(w.latency_sigma, _CONFIDENCE)) for w in windows]
    inside = [t / f <= m <= t * f for t, f, m in zip(told, factors, measured, strict=True)]
    constant = [power.constant_w * float(w.time_ms.sum()) for w in windows]
    return {
        "windows": len(windows), "mape": metrics.mape(told, measured), "bias": metrics.bias(told, measured),
        "within_10": metrics.within(told, measured, 0.1), "constant_power_mape": metrics.mape(constant, measured),
        "confidence": _CONFIDENCE, "interval_coverage": float(np.mean(inside)),
    }  # fmt: skip


def _mape(log_errors: Floats) -> float:
    return float(np.mean(np.expm1(log_errors)))
