"""Intervals by split conformal prediction, for kernels and for whole models.

A score is |log(measured / predicted)| over the error that was to be expected (sigma). Quantiles of the scores of cases
that nothing was trained on give intervals ``predicted · exp(±quantile · sigma)`` that hold with the asked confidence
for cases drawn alike (Lei et al., Distribution-free predictive inference for regression, 2018, with scaled residuals).
Kernels of one network err together: the sigma of a sum is ρ times the sum of sigmas and 1 − ρ times their root sum of
squares, mixed as variances, with ρ by maximum likelihood over the calibration networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Confidences at which quantiles are kept; those between are interpolated in units of the normal quantile.
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 0.995, 0.999)
_NORMAL = np.array([NormalDist().inv_cdf(0.5 + level / 2.0) for level in LEVELS])

#: Scores from which on a kernel kind has quantiles of its own.
_OWN_QUANTILES = 40

#: Scores of a half-normal distribution that are mixed in, so that a handful of cases cannot promise too much.
_PRIOR_SCORES = 8

#: Correlations and floors that are tried.
_CORRELATIONS = np.linspace(0.0, 1.0, 11)
_FLOORS = (0.01, 0.02, 0.03, 0.045, 0.06)


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Quantiles of scores at `LEVELS`."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, scores: Floats) -> Quantiles:
        """Conformal quantiles: the ⌈(n + 1) · level⌉-th smallest score. Levels that n scores cannot reach continue the
        highest one that they can like a normal distribution.
        """
        prior = np.array([NormalDist().inv_cdf(0.5 + (i + 0.5) / (2 * _PRIOR_SCORES)) for i in range(_PRIOR_SCORES)])
        scores = np.sort(np.concatenate((scores, prior * float(np.median(scores)) / 0.6745 if len(scores) else prior)))
        n = len(scores)
        values = []
        for level, normal in zip(LEVELS, _NORMAL, strict=True):
            rank = int(np.ceil((n + 1) * level))
            if rank <= n:
                values.append(float(scores[rank - 1]))
            else:
                reached = NormalDist().inv_cdf(0.5 + n / (n + 1) / 2.0)
                values.append(float(scores[-1]) * max(float(normal) / reached, 1.0))
        return cls(tuple(values))

    def at(self, confidence: float) -> float:
        """The quantile at any confidence in [0.5, 0.999]."""
        asked = NormalDist().inv_cdf(0.5 + min(max(confidence, LEVELS[0]), LEVELS[-1]) / 2.0)
        return float(np.interp(asked, _NORMAL, self.values))


@dataclass(frozen=True, slots=True)
class Intervals:
    """What calibration found, by kernel kind (``""`` for all others) and for wholes."""

    kinds: Mapping[str, Quantiles]
    wholes: Quantiles
    #: How far kernels of one network err together.
    correlation: float
    #: Sigma of a whole whose kernels were all certain: noise and composition.
    floor: float

    def of_kind(self, kind: str, confidence: float) -> float:
        """The quantile for kernels of a kind."""
        return (self.kinds.get(kind) or self.kinds[""]).at(confidence)

    def whole_sigma(self, time_us: Floats, sigma: Floats) -> float:
        """Expected error of the sum of kernels with times and sigmas ``[n]``."""
        return whole_sigma(time_us, sigma, self.correlation, self.floor)

    def whole_factor(self, time_us: Floats, sigma: Floats, confidence: float) -> float:
        """How far up (times) and down (divided by) the interval of a whole reaches, at least 1."""
        return float(np.exp(min(self.wholes.at(confidence) * self.whole_sigma(time_us, sigma), 20.0)))

    def to_json(self) -> dict[str, Any]:
        return {
            "levels": list(LEVELS), "kinds": {kind: list(q.values) for kind, q in self.kinds.items()},
            "wholes": list(self.wholes.values), "correlation": self.correlation, "floor": self.floor,
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Intervals:
        """The inverse of `to_json`; ValueError where the levels are others."""
        if tuple(data["levels"]) != LEVELS:
            raise ValueError("the intervals were calibrated at other levels")
        kinds = {str(kind): Quantiles(tuple(map(float, values))) for kind, values in data["kinds"].items()}
        wholes = Quantiles(tuple(map(float, data["wholes"])))
        return cls(kinds, wholes, float(data["correlation"]), float(data["floor"]))


def whole_sigma(time_us: Floats, sigma: Floats, correlation: float, floor: float) -> float:
    """Relative standard deviation of a sum of parts with times and relative deviations ``[n]``."""
    total = float(np.sum(time_us))
    if total <= 0.0:
        return floor
    parts = time_us / total * sigma
    return float(sigma_of_sums(np.array(parts.sum()), np.array((parts**2).sum()), correlation, floor))


def sigma_of_sums(linear: Floats, squares: Floats, correlation: float, floor: float) -> Floats:
    """`whole_sigma` from sums over parts: of shares of the time times sigma, and of their squares; elementwise."""
    variance = correlation * linear**2 + (1.0 - correlation) * squares
    return np.asarray(np.sqrt(variance + floor**2), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class CalibrationNetwork:
    """A network that nothing was trained on, or whose kernels were predicted by those who had not seen them."""

    time_us: Floats
    sigma: Floats
    #: log(measured / predicted) of the whole.
    log_error: float


def calibrate(kinds: Sequence[str], scores: Floats, networks: Sequence[CalibrationNetwork]) -> Intervals:
    """From the kernels' scores ``[rows]`` with their kinds, and from whole networks."""
    names = np.array(kinds)
    by_kind = {"": Quantiles.of(scores)}
    for kind in sorted(set(kinds)):
        mine = scores[names == kind]
        if len(mine) >= _OWN_QUANTILES:
            by_kind[kind] = Quantiles.of(mine)
    errors = np.array([network.log_error for network in networks])
    correlation, floor, sigmas = 0.5, _FLOORS[1], np.full(len(networks), 1.0)
    best = np.inf
    for candidate in product(_CORRELATIONS.tolist(), _FLOORS) if networks else ():
        tried = np.array([whole_sigma(n.time_us, n.sigma, *candidate) for n in networks])
        spread = float(np.mean(np.abs(errors / tried)))
        # Negative log-likelihood but for constants, of a Laplace distribution: a few far errors shall not decide.
        surprise = float(np.sum(np.log(tried * max(spread, 1e-6))))
        if surprise < best:
            best, (correlation, floor), sigmas = surprise, candidate, tried
    return Intervals(by_kind, Quantiles.of(np.abs(errors) / sigmas), correlation, floor)
