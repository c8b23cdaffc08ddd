"""Composition: from kernels to the whole model.

::

    whole = scale · Σ max(kernel − profiler, 0.15 · kernel) + constant

``kernel`` is a time inside a profiled run, which holds what profiling itself costs; ``profiler`` takes that away
again, per kernel. Where a run without profiling costs more per kernel than the profiler shows, ``profiler`` is
negative and counts as overhead. ``scale`` holds what is proportional (caches that are warmer or colder than under
profiling), times a residual bias of predicted sums found on networks that nothing was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: A kernel keeps at least this share of its profiled time.
_KEPT = 0.15

#: What is believed before anything is measured, and how firmly (standard deviations; the first relative).
_PRIOR_PROFILER_US, _PRIOR_PROFILER_SD = 1.5, 2.0
_PRIOR_SCALE_SD = 0.1
#: What a call of the runtime costs besides its kernels; without it, large networks would say what small ones pay.
_PRIOR_CONSTANT_US, _PRIOR_CONSTANT_SD = 15.0, 20.0

#: Relative error of a whole model that is to be expected of the form itself.
_ERROR = 0.02

#: Candidates for the cost of profiling a kernel, microseconds.
_PROFILER_GRID = np.arange(-6.0, 8.01, 0.25)

#: Residual biases are shrunk as if this many networks had none.
_RESIDUAL_PRIOR = 6.0


@dataclass(frozen=True, slots=True)
class Composition:
    """The terms of the sum. Defaults: nothing but the sum."""

    scale: float = 1.0
    profiler_us: float = 0.0
    constant_us: float = 0.0
    #: Log of the residual factor.
    residual: float = 0.0

    def kernels_us(self, time_us: Floats) -> Floats:
        """What each kernel adds to the whole, ``[n]``, positive where ``time_us`` is."""
        shortened = np.maximum(time_us - max(self.profiler_us, 0.0), _KEPT * time_us)
        return np.asarray(shortened * self.scale * np.exp(self.residual), dtype=np.float64)

    def overhead_us(self, kernels: int) -> float:
        """What a run of ``kernels`` kernels costs besides them."""
        per_kernel = max(-self.profiler_us, 0.0) * self.scale * float(np.exp(self.residual))
        return self.constant_us + per_kernel * kernels

    def whole_us(self, time_us: Floats) -> float:
        """The whole of kernels with the given profiled times."""
        return float(np.sum(self.kernels_us(time_us))) + self.overhead_us(len(time_us))

    def with_residual(self, log_errors: Floats) -> Composition:
        """Take out the bias of ``log(measured / predicted)`` of unseen networks, as far as they are enough to tell."""
        n = len(log_errors)
        bias = float(np.median(log_errors)) * n / (n + _RESIDUAL_PRIOR) if n else 0.0
        return replace(self, residual=self.residual + bias)

    def to_json(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Composition:
        return cls(**{name: float(value) for name, value in data.items()})


#: Terms for `fit`, from the simplest to all, for ablations.
FORMS: dict[str, frozenset[str]] = {
    "sum": frozenset(),
    "scaled": frozenset({"scale"}),
    "scaled, per kernel": frozenset({"scale", "profiler"}),
    "scaled, per kernel, constant": frozenset({"scale", "profiler", "constant"}),
}


def fit(kernels_us: Sequence[Floats], wholes_us: Sequence[float], terms: frozenset[str] | None = None) -> Composition:
    """Fit to networks whose kernels and wholes were measured; robust, and close to the prior where they are few.

    ``terms`` are those of `FORMS` that may differ from their default (by default all).
    """
    terms = FORMS["scaled, per kernel, constant"] if terms is None else terms
    if not wholes_us or not terms:
        return Composition()
    wholes = np.asarray(wholes_us, dtype=np.float64)
    best, lowest = Composition(), np.inf
    for profiler in _PROFILER_GRID if "profiler" in terms else (0.0,):
        bare = Composition(profiler_us=float(profiler))
        sums = np.array([bare.whole_us(times) for times in kernels_us])
        candidate, loss = _linear(sums, wholes, bare, terms)
        loss += ((profiler - _PRIOR_PROFILER_US) / _PRIOR_PROFILER_SD) ** 2 if "profiler" in terms else 0.0
        if loss < lowest:
            best, lowest = candidate, loss
    return best


def _linear(sums: Floats, wholes: Floats, bare: Composition, terms: frozenset[str]) -> tuple[Composition, float]:
    """Scale and non-negative constant by iteratively reweighted least squares (Cauchy weights) on relative errors."""
    scale, constant = 1.0, 0.0
    for _ in range(8):
        residuals = (scale * sums + constant) / wholes - 1.0
        weight = 1.0 / (1.0 + (residuals / (2.0 * _ERROR)) ** 2) / _ERROR**2
        columns = [sums / wholes] if "scale" in terms else []
        columns += [1.0 / wholes] if "constant" in terms else []
        if not columns:
            break
        matrix = np.stack(columns, axis=1)
        wanted = np.ones(len(wholes)) - (0.0 if "scale" in terms else sums / wholes)
        normal = matrix.T @ (matrix * weight[:, None]) + 1e-9 * np.eye(len(columns))
        right = matrix.T @ (wanted * weight)
        if "scale" in terms:
            normal[0, 0] += 1.0 / _PRIOR_SCALE_SD**2
            right[0] += 1.0 / _PRIOR_SCALE_SD**2
        if "constant" in terms:
            normal[-1, -1] += 1.0 / _PRIOR_CONSTANT_SD**2
            right[-1] += _PRIOR_CONSTANT_US / _PRIOR_CONSTANT_SD**2
        solution = np.linalg.solve(normal, right)
        if "constant" in terms and solution[-1] < 0.0:
            terms = terms - {"constant"}
            constant = 0.0
            continue
        scale = float(np.clip(solution[0], 0.5, 2.0)) if "scale" in terms else 1.0
        constant = float(solution[-1]) if "constant" in terms else 0.0
    residuals = (scale * sums + constant) / wholes - 1.0
    loss = float(np.sum(np.log1p((residuals / (2.0 * _ERROR)) ** 2)) * 2.0)
    loss += ((scale - 1.0) / _PRIOR_SCALE_SD) ** 2
    if "constant" in terms:
        loss += ((constant - _PRIOR_CONSTANT_US) / _PRIOR_CONSTANT_SD) ** 2
    return replace(bare, scale=scale, constant_us=constant), loss
