"""How long a run takes, roughly: a time per kernel from its work alone, before anything is known of its surroundings.

Regressors need the length of the run to say what a kernel takes in it (see `predictors.context`), and the length of
the run is the sum over its kernels. The circle is broken by a polynomial of second degree in the logarithms of a
kernel's work, one per kernel kind: sums over networks that it was not fitted on are within 8 % in the median, and
regressors that learn with them are hardly worse than with the true length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphs.kernels import Kernel
from predictors.baseline import Baseline
from predictors.features._columns import work_columns
from predictors.memory import Memory
from predictors.observations import Observations
from predictors.work import work_of

Floats = NDArray[np.float64]

#: Logarithms of work (binary, up to about 40) are divided by this, so that all terms are of one size.
_SCALE = 10.0
#: Strength of the ridge, as a number of typical rows.
_RIDGE = 0.3
#: Log errors beyond this count less and less (Cauchy weights).
_OUTLYING = 0.5
_ROUNDS = 4
#: Rows that a kind needs for more than a mean.
_ENOUGH = 3
#: Lowest and highest log ratio seen, the centre, and the polynomial without its constant.
_BOUNDS, _TERMS = 3, 14
_REMEMBERED = 50_000


@dataclass(frozen=True, eq=False)
class RoughTime:
    """Log of time over the baseline by kernel kind; the mean of all kinds for others."""

    baseline: Baseline
    #: ``[_BOUNDS + _TERMS]`` by kind; ``""`` stands for all others.
    by_kind: Mapping[str, Sequence[float]]
    _memory: Memory[Kernel, float] = field(default_factory=lambda: Memory(_REMEMBERED), init=False, repr=False)

    @classmethod
    def fitted(cls, baseline: Baseline, rows: Observations, work: Floats, log_ratio: Floats) -> RoughTime:
        """From the rows' log of time over the baseline, ``[rows]``; ``work`` is that of the distinct kernels."""
        kinds = np.array([kernel.kind for kernel in rows.kernels])[rows.which]
        terms, weight = _terms(work)[rows.which], np.sqrt(rows.time_us) * rows.count
        overall = float(np.average(log_ratio, weights=weight))
        by_kind = {"": (overall, overall, overall, *np.zeros(_TERMS).tolist())}
        for kind in np.unique(kinds):
            mine = kinds == kind
            target, mass = log_ratio[mine], weight[mine]
            centre = float(np.average(target, weights=mass))
            slopes = _polynomial(terms[mine], target - centre, mass) if len(target) >= _ENOUGH else np.zeros(_TERMS)
            by_kind[str(kind)] = (float(target.min()), float(target.max()), centre, *slopes.tolist())
        return cls(baseline, by_kind)

    def kernels_us(self, kernels: Sequence[Kernel]) -> list[float]:
        """Microseconds of each kernel."""
        found = self._memory.find(kernels)
        unknown = list(dict.fromkeys(k for k, known in zip(kernels, found, strict=True) if known is None))
        if not unknown:
            return [us for us in found if us is not None]
        work = work_of(unknown)
        fresh = dict(zip(unknown, self.times_us([k.kind for k in unknown], work).tolist(), strict=True))
        self._memory.add(fresh)
        return [fresh[k] if us is None else us for k, us in zip(kernels, found, strict=True)]

    def in_runs(self, rows: Observations, work: Floats) -> Observations:
        """``rows`` with contexts that know how long their runs are; ``work`` is that of the distinct kernels."""
        return rows.in_runs(self.times_us([kernel.kind for kernel in rows.kernels], work))

    def times_us(self, kinds: Sequence[str], work: Floats) -> Floats:
        """Microseconds ``[n]`` of kernels of ``kinds`` with ``work [n, 4]``."""
        known = np.array([self.by_kind.get(kind, self.by_kind[""]) for kind in kinds]).reshape(-1, _BOUNDS + _TERMS)
        ratio = known[:, 2] + np.sum(known[:, _BOUNDS:] * _terms(work), axis=1)
        return np.asarray(self.baseline.time_us(work) * np.exp(np.clip(ratio, known[:, 0], known[:, 1])))

    def forget(self) -> None:
        """Forget what was computed before."""
        self._memory.forget()

    def to_json(self) -> dict[str, Any]:
        return {kind: list(values) for kind, values in self.by_kind.items()}

    @classmethod
    def from_json(cls, baseline: Baseline, data: Mapping[str, Any]) -> RoughTime:
        """The inverse of `to_json`; ValueError where the numbers are not those of a polynomial."""
        by_kind = {str(kind): tuple(map(float, values)) for kind, values in data.items()}
        if "" not in by_kind or {len(values) for values in by_kind.values()} != {_BOUNDS + _TERMS}:
            raise ValueError("rough times lack kinds or terms")
        return cls(baseline, by_kind)


def _terms(work: Floats) -> Floats:
    """Logarithms of work, their squares and products, ``[n, _TERMS]`` from ``[n, 4]``."""
    logs = work_columns(work)[:, :4] / _SCALE
    first, second = np.triu_indices(4)
    return np.concatenate((logs, logs[:, first] * logs[:, second]), axis=1)


def _polynomial(terms: Floats, target: Floats, mass: Floats) -> Floats:
    """Coefficients by iteratively reweighted least squares with a ridge."""
    slopes = np.zeros(terms.shape[1])
    for _ in range(_ROUNDS):
        weight = mass / (1.0 + ((target - terms @ slopes) / _OUTLYING) ** 2)
        normal = terms.T @ (terms * weight[:, None]) + _RIDGE * weight.mean() * np.eye(len(slopes))
        slopes = np.linalg.solve(normal, terms.T @ (weight * target))
    return slopes
