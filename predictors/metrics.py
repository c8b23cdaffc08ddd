"""Metrics of predictions against measurements. Shares and relative errors are fractions: 0.05 is 5 %.

All take ``predicted`` and ``measured`` of shape ``[n]`` with positive values, n ≥ 1, and raise ValueError otherwise.
"""

from __future__ import annotations

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
    """Spearman's rank correlation, ties sharing their mean rank; NaN where either side is constant or n < 2."""
    p, m = _pair(predicted, measured)
    return _correlation(_ranks(p), _ranks(m))


def kendall(predicted: ArrayLike, measured: ArrayLike) -> float:
    """Kendall's τ-b (corrected for ties); NaN where either side is constant or n < 2."""
    p, m = _pair(predicted, measured)
    signs_p = np.sign(p[:, None] - p[None, :])
    signs_m = np.sign(m[:, None] - m[None, :])
    norm = float(np.sqrt(np.sum(signs_p**2) * np.sum(signs_m**2)))
    return float(np.sum(signs_p * signs_m)) / norm if norm > 0 else float("nan")


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


def _ranks(values: Floats) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2.0)[inverse], dtype=np.float64)


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt(np.sum(a * a) * np.sum(b * b)))
    return float(np.sum(a * b)) / norm if norm > 0 else float("nan")
