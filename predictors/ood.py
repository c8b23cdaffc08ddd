"""Out of distribution: kernels that are unlike all that a regressor learned from.

A kernel is strange when one of its columns lies clearly outside the measured range, or when the combination is
farther from the centre of what was measured than anything measured was (Mahalanobis distance).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]
Floats = NDArray[np.float64]

#: How far outside the measured range a column may lie: this share of the range, and at least so much (columns of
#: sizes are binary logarithms: 0.6 is half as much again).
_MARGIN_SHARE, _MARGIN = 0.1, 0.6

#: Distances beyond this multiple of the largest measured one are strange.
_FARTHER = 1.3

#: How far the covariance is drawn towards equal, independent columns, so that those which hardly vary do not decide.
_SHRINKAGE = 0.02

#: Keeps the matrix definite where nothing varies at all.
_TINY = 1e-9

#: A whole is out of distribution when strange kernels take more than this share of its predicted time.
STRANGE_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Familiarity:
    """The region of feature space that was measured."""

    lower: Floats
    upper: Floats
    mean: Floats
    #: ``[columns, columns]``; the squared distance is ``|(x - mean) @ whitening|²``.
    whitening: Floats
    #: Largest squared distance of anything measured.
    farthest: float

    @classmethod
    def of(cls, features: Features) -> Familiarity:
        """Learn from ``[n, columns]``, n ≥ 2."""
        from sklearn.covariance import ShrunkCovariance  # only training needs it

        values = features.astype(np.float64)
        lower, upper = values.min(axis=0), values.max(axis=0)
        margin = np.maximum(_MARGIN_SHARE * (upper - lower), _MARGIN)
        mean = values.mean(axis=0)
        scale = np.sqrt(values.var(axis=0) + 1e-2)
        estimate = ShrunkCovariance(shrinkage=_SHRINKAGE, assume_centered=True).fit((values - mean) / scale)
        whitening = np.linalg.cholesky(estimate.precision_ + _TINY * np.eye(values.shape[1])) / scale[:, None]
        distances = np.sum(((values - mean) @ whitening) ** 2, axis=1)
        return cls(lower - margin, upper + margin, mean, whitening, float(distances.max()))

    def strange(self, features: Features) -> NDArray[np.bool_]:
        """Which of ``[n, columns]`` lie outside, ``[n]``."""
        values = features.astype(np.float64)
        outside = np.any((values < self.lower) | (values > self.upper), axis=1)
        distances = np.sum(((values - self.mean) @ self.whitening) ** 2, axis=1)
        return np.asarray(outside | (distances > _FARTHER * self.farthest + 1e-9))

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        return {
            "lower": self.lower, "upper": self.upper, "mean": self.mean, "whitening": self.whitening,
            "farthest": np.array([self.farthest]),
        }  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> Familiarity:
        """The inverse of `to_arrays`."""
        lower, upper, mean, whitening = (
            arrays[name].astype(np.float64) for name in ("lower", "upper", "mean", "whitening")
        )
        return cls(lower, upper, mean, whitening, float(arrays["farthest"][0]))
