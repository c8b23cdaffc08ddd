"""Power of kernels, fitted to windows of whole models that a meter looked at; energy is power times time.

::

    power = constant + share · a + use · b + (power of the kind's feature group)

``share`` is the part of arithmetic in the kernel's work (`Estimate.compute_share`), ``use`` what part of the peak rate
of arithmetic it reaches. What no kernel accounts for (overhead) takes the constant. Few windows decide little: the
terms are shrunk towards nothing but the constant, by as much as leaving out families of networks says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictors.energy.estimate import EnergyEstimate
from predictors.features import GROUPS, group_of
from predictors.intervals import Quantiles

Floats = NDArray[np.float64]

#: Terms of the sum, in the order of `terms_of`.
TERMS = ("constant", "share", "use", *(f"group {name}" for name in sorted(GROUPS)))

#: No kernel takes less than this part of the mean power: net power is not negative.
_LEAST = 0.05


@dataclass(frozen=True)
class FittedPower:
    """Net watts by kernel, and what is needed to say how sure that is."""

    #: One weight per term, in watts.
    weights: tuple[float, ...]
    #: The best single power: what all is compared with.
    constant_w: float
    idle_w: float
    #: Log of what whole windows take over the sum of their kernels.
    residual: float
    #: Of the absolute log error of power, for networks of families that were left out.
    quantiles: Quantiles
    flops_per_s: float
    #: What was metered, how, and in how many windows.
    scope: str
    metered_by: str
    windows: int
    method: str = "fitted"

    def kernel_mj(self, latency_ms: float, compute_share: float, kind: str | None = None, flops: float = 0.0) -> float:
        """Net millijoules of a kernel, or of overhead where ``kind`` is None."""
        # As `power_w` of `terms_of`, without arrays: predictions ask for hundreds of kernels.
        power = self.weights[0]
        if kind is not None:
            used = flops / (self.flops_per_s * latency_ms / 1e3) if latency_ms > 0.0 else 0.0
            power = self._of_kind(kind) + self.weights[1] * compute_share + self.weights[2] * min(used, 1.0)
        return max(power, _LEAST * self.constant_w) * self._scale * latency_ms

    def power_w(self, terms: Floats) -> Floats:
        """Net watts from terms ``[…, TERMS]``."""
        power = np.maximum(terms @ np.array(self.weights), _LEAST * self.constant_w)
        return np.asarray(power * np.exp(self.residual), dtype=np.float64)

    def whole(self, net_mj: float, latency_ms: float, latency_sigma: float, confidence: float) -> EnergyEstimate:
        """The energy of a run from the sum over its kernels."""
        factor = float(self.factor(latency_sigma, confidence))
        gross = net_mj + self.idle_w * latency_ms
        return EnergyEstimate(net_mj, net_mj / factor, net_mj * factor, gross, self.method, self.scope)

    def factor(self, latency_sigma: float | Floats, confidence: float) -> Floats:
        """How far up (times) and down (divided by) an interval of energy reaches: errors of power and of time, taken
        as independent of each other.
        """
        of_time = NormalDist().inv_cdf(0.5 + confidence / 2.0) * np.asarray(latency_sigma, dtype=np.float64)
        reach = np.minimum(np.hypot(self.quantiles.at(confidence), of_time), 20.0)
        return np.asarray(np.exp(reach), dtype=np.float64)

    @cached_property
    def _scale(self) -> float:
        return math.exp(self.residual)

    @cached_property
    def _known(self) -> dict[str, float]:
        return {}

    def _of_kind(self, kind: str) -> float:
        """Constant and the weight of the kind's group."""
        found = self._known.get(kind)
        if found is None:
            found = self._known[kind] = self.weights[0] + self.weights[_place(kind)]
        return found

    def to_json(self) -> dict[str, Any]:
        data = asdict(self)
        return {
            **data,
            "weights": dict(zip(TERMS, self.weights, strict=True)),
            "quantiles": list(self.quantiles.values),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FittedPower:
        """The inverse of `to_json`; ValueError where the terms are others."""
        if set(data["weights"]) != set(TERMS):
            raise ValueError("the power was fitted with other terms")
        weights = tuple(float(data["weights"][term]) for term in TERMS)
        return cls(**{**data, "weights": weights, "quantiles": Quantiles(tuple(map(float, data["quantiles"])))})


def terms_of(latency_ms: float, compute_share: float, kind: str | None, flops: float, flops_per_s: float) -> Floats:
    """``[TERMS]`` of a kernel, or of overhead where ``kind`` is None."""
    terms = np.zeros(len(TERMS))
    terms[0] = 1.0
    if kind is not None:
        used = flops / (flops_per_s * latency_ms / 1e3) if latency_ms > 0.0 else 0.0
        terms[1:3] = compute_share, min(used, 1.0)
        terms[_place(kind)] = 1.0
    return terms


def _place(kind: str) -> int:
    """Of the weight of a kind's feature group."""
    return TERMS.index(f"group {group_of(kind).name}")


def fit_weights(terms: Floats, power_w: Floats, shrinkage: float) -> tuple[float, ...]:
    """Weights for ``terms [n, TERMS]`` by ridge regression on relative errors; the constant alone is not shrunk.

    Shrinkage is how many windows it would take to overcome it, about; with infinity only the constant is fitted.
    """
    scaled = terms / power_w[:, None]
    free = len(TERMS) if np.isfinite(shrinkage) else 1
    matrix = scaled[:, :free]
    penalty = np.zeros(free)
    penalty[1:] = shrinkage / float(np.mean(power_w)) ** 2
    normal = matrix.T @ matrix + np.diag(penalty)
    solution = np.linalg.solve(normal, matrix.sum(axis=0))
    return (*solution.tolist(), *([0.0] * (len(TERMS) - free)))
