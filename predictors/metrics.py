"""Metrics of predictions against measurements. Shares and relative errors are fractions: 0.05 is 5 %.

All take ``predicted`` and ``measured`` of shape ``[n]`` with positive values, n ≥ 1, and raise ValueError otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def relative_errors(predicted: ArrayLike, measured: ArrayLike) -> Floats:
    """``predicted / measured - 1``: +0.1 is 10 % too high."""
    p, m = _pair(predicted, measured)
    return p / m - 1.0


def mape(predicted: ArrayLike, measured: ArrayLike) -> float:
    """Mean absolute relative error."""
    return float(np.mean(np.abs(relative_errors(predicted, measured))))


def median_ape(predicted: ArrayLike, measured: ArrayLike) -> float:
    """Median absolute relative error."""
    return float(np.median(np.abs(relative_errors(predicted, measured))))


def within(predicted: ArrayLike, measured: ArrayLike, share: float) -> float:
    """Share of predictions whose relative error is at most ``share``."""
    return float(np.mean(np.abs(relative_errors(predicted, measured)) <= share))


def bias(predicted: ArrayLike, measured: ArrayLike) -> float:
    """Mean signed relative error."""
    return float(np.mean(relative_errors(predicted, measured)))


def spearman(predicted: ArrayLike, measured: ArrayLike) -> float:
    """Spearman's rank correlation; NaN where either side is constant or n < 2."""
    from scipy.stats import spearmanr

    return _rank_correlation(spearmanr, predicted, measured)


def kendall(predicted: ArrayLike, measured: ArrayLike) -> float:
    """Kendall's τ-b (corrected for ties); NaN where either side is constant or n < 2."""
    from scipy.stats import kendalltau

    return _rank_correlation(kendalltau, predicted, measured)


def coverage(lower: ArrayLike, upper: ArrayLike, measured: ArrayLike) -> float:
    """Share of measurements inside their interval, ends included."""
    low, m = _pair(lower, measured)
    high, _ = _pair(upper, measured)
    return float(np.mean((low <= m) & (m <= high)))


def _pair(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1 or first.size == 0:
        raise ValueError(f"metrics need two equally long, non-empty vectors, not shapes {first.shape}, {second.shape}")
    if not (np.all(np.isfinite(first)) and np.all(np.isfinite(second)) and np.all(first > 0) and np.all(second > 0)):
        raise ValueError("metrics need positive, finite values")
    return first, second


def _rank_correlation(statistic: Callable[[Floats, Floats], Any], predicted: ArrayLike, measured: ArrayLike) -> float:
    p, m = _pair(predicted, measured)
    if np.ptp(p) == 0.0 or np.ptp(m) == 0.0:
        return float("nan")  # scipy says the same, with a warning
    return float(statistic(p, m).statistic)
