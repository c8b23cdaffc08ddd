"""A smooth companion of the forests: kernel regression on few centres.

Trees answer in steps, which costs accuracy where measurements are thin. A Matérn kernel (ν = 3/2) on standardised
features interpolates instead; averaged with a forest it errs less than either. It is the mean of a Gaussian process
with a subset of regressors as in Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), section 8.3.1:
with centres c, rows x of weight w and noise λ, coefficients solve ``(Σ w k(x) k(x)ᵀ + λ K) α = Σ w k(x) y``.
Like a forest it has members, each of which ignores one fold of the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Features = NDArray[np.float32]
Folds = NDArray[np.intp]

#: Centres at most; rows at most that hyperparameters are chosen on.
_CENTRES, _TUNING_ROWS = 1000, 3000

#: Length scales tried, relative to the median distance, and noise, relative to the variance of the target.
_SCALES, _NOISES = (0.5, 1.0, 2.0, 4.0), (0.003, 0.03, 0.1)

#: Standardised features are cut off here: far outside, the nearest border answers.
_LIMIT = 5.0


@dataclass(frozen=True, slots=True)
class Smooth:
    """Several members on the same centres."""

    mean: Floats
    #: What a feature is multiplied with after its mean was taken off, ``[columns]``.
    factor: Floats
    #: How far it may lie from the mean before it is multiplied, ``[columns]``.
    limit: Floats
    #: ``[centres, columns]``, already multiplied and divided by the length scale.
    centres: Features
    #: ``[centres, members]``
    coefficients: Features
    #: Squared lengths of the centres, ``[centres]``.
    _squares: Features = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_squares", _squared(self.centres))

    def predict(self, features: Features) -> Floats:
        """What each member says, ``[n, members]`` from ``[n, columns]``."""
        near = _matern(_place(features, self.mean, self.factor, self.limit), self.centres, self._squares)
        return np.asarray(near @ self.coefficients, dtype=np.float64)

    def to_arrays(self) -> dict[str, NDArray[np.floating]]:
        return {
            "smooth_mean": self.mean, "smooth_factor": self.factor, "smooth_limit": self.limit,
            "smooth_centres": self.centres, "smooth_coefficients": self.coefficients,
        }  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.floating]]) -> Smooth:
        """The inverse of `to_arrays`."""
        return cls(
            arrays["smooth_mean"].astype(np.float64), arrays["smooth_factor"].astype(np.float64),
            arrays["smooth_limit"].astype(np.float64), arrays["smooth_centres"].astype(np.float32),
            arrays["smooth_coefficients"].astype(np.float32),
        )  # fmt: skip


def fit_smooth(
    features: Features, target: Floats, weight: Floats, fold: Folds, members: int, importance: Floats, seed: int
) -> Smooth:
    """Fit ``target [n]``; ``importance [columns]`` (any unit) stretches the features that matter."""
    rng = np.random.default_rng(seed)
    mean, spread = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    stretch = (importance / max(float(importance.max()), 1e-12) + 1e-4) ** 0.25
    factor = np.where(spread > 1e-6, stretch / np.maximum(spread, 1e-6), 0.0)
    placed = _place(features, mean, factor, _LIMIT * spread)
    weight = np.clip(weight / weight.mean(), 0.2, 5.0)
    few = rng.permutation(len(placed))[:_TUNING_ROWS]
    centres = _distinct(placed[rng.permutation(len(placed))[: 4 * _CENTRES]])[:_CENTRES]
    typical = float(np.median(_distances(centres[:300], centres[:300]))) or 1.0
    variance = max(float(np.average(target**2, weights=weight)), 1e-6)
    best, chosen = np.inf, (1.0, 0.03)
    for scale in _SCALES:
        system = _System(placed[few] / (scale * typical), centres / (scale * typical), target[few], weight[few],
                         fold[few], members)  # fmt: skip
        for noise in _NOISES:
            unseen = system.unseen(system.solve(noise * variance))
            error = float(np.average(np.abs(unseen - target[few]), weights=weight[few]))
            if error < best:
                best, chosen = error, (scale, noise)
    length = chosen[0] * typical
    system = _System(placed / length, centres / length, target, weight, fold, members)
    coefficients = system.solve(chosen[1] * variance)
    return Smooth(
        mean, factor / length, _LIMIT * spread, (centres / length).astype(np.float32), coefficients.astype(np.float32)
    )


class _System:
    """The equations of all members for one length scale."""

    def __init__(
        self, placed: Features, centres: Features, target: Floats, weight: Floats, fold: Folds, members: int
    ) -> None:
        self._near = _matern(placed, centres).astype(np.float64)
        self._between = _matern(centres, centres).astype(np.float64)
        self._fold = fold
        normal, right = [], []
        for k in range(members):
            mine = fold == k
            heavy = self._near[mine] * weight[mine, None]
            normal.append(heavy.T @ self._near[mine])
            right.append(heavy.T @ target[mine])
        self._normal, self._right = np.array(normal), np.array(right)

    def solve(self, noise: float) -> Floats:
        """Coefficients ``[centres, members]``; member k leaves fold k out."""
        ridge = noise * self._between + 1e-6 * len(self._between) * np.eye(len(self._between))
        normal, right = self._normal.sum(axis=0), self._right.sum(axis=0)
        solved = [
            np.linalg.solve(normal - mine + ridge, right - own)
            for mine, own in zip(self._normal, self._right, strict=True)
        ]
        return np.stack(solved, axis=1)

    def unseen(self, coefficients: Floats) -> Floats:
        """What the member that ignored it says of each row."""
        said = self._near @ coefficients
        return np.asarray(said[np.arange(len(said)), self._fold], dtype=np.float64)


def _place(features: Features, mean: Floats, factor: Floats, limit: Floats) -> Features:
    return (np.clip(features - mean, -limit, limit) * factor).astype(np.float32)


def _squared(rows: Features) -> Features:
    return np.asarray(np.sum(rows * rows, axis=1))


def _distances(a: Features, b: Features, b_squared: Features | None = None) -> Features:
    b_squared = _squared(b) if b_squared is None else b_squared
    squared = _squared(a)[:, None] + b_squared[None, :] - 2.0 * (a @ b.T)
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)), dtype=np.float32)


def _matern(a: Features, b: Features, b_squared: Features | None = None) -> Features:
    """Matérn covariance with ν = 3/2 and unit length scale, ``[len(a), len(b)]``."""
    scaled = np.float32(np.sqrt(3.0)) * _distances(a, b, b_squared)
    return np.asarray((1.0 + scaled) * np.exp(-scaled), dtype=np.float32)


def _distinct(rows: Features) -> Features:
    _, first = np.unique(np.round(rows, 5), axis=0, return_index=True)
    return rows[np.sort(first)]
