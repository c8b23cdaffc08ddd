"""The table as a source: what was measured of exactly this kernel, and how far that can be trusted.

An entry is how far the kernel lies from what its regressor says of it in the surroundings where it was measured, so
that it helps in others too. Several networks may have shown the same kernel; their mean is the entry, and its variance
comes from how much the same kernel of that kind differs between networks, so that one noisy record does not beat a good
regressor. Kernels that were only measured alone, with a hot cache, enter through a correction that is fitted on those
measured both ways.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from graphs.kernels import Kernel
from predictors.observations import Observations

Floats = NDArray[np.float64]

#: Standard deviation of log time between networks where too little was seen to tell.
_BETWEEN = 0.06

#: What does not average out however often a kernel was measured (drift, placement in memory).
_FLOOR = 0.01

#: Means over families that say how much a kind varies.
_REPEATED = 12

#: Kernels measured both ways that a correction needs, overall and for a kind of its own.
_CORRECTION_PAIRS = 8


@dataclass(frozen=True, slots=True)
class IsolatedCorrection:
    """Log of (time inside a network / time alone): mean and spread by kernel kind, ``""`` standing for all others."""

    shift: Mapping[str, float]
    spread: Mapping[str, float]

    @classmethod
    def fitted(cls, pairs: Sequence[tuple[str, float]]) -> Self | None:
        """From (kind, log ratio) of kernels measured both ways; None where they are too few."""
        if len(pairs) < _CORRECTION_PAIRS:
            return None
        by_kind: dict[str, list[float]] = {"": [difference for _, difference in pairs]}
        for kind, difference in pairs:
            by_kind.setdefault(kind, []).append(difference)
        kept = {k: np.array(v) for k, v in by_kind.items() if not k or len(v) >= _CORRECTION_PAIRS}
        shift = {kind: float(np.median(v)) for kind, v in kept.items()}
        spread = {k: max(1.4826 * float(np.median(np.abs(v - shift[k]))), _BETWEEN) for k, v in kept.items()}
        return cls(shift, spread)

    def of(self, kind: str) -> tuple[float, float]:
        """(mean, spread) for a kind."""
        known = kind if kind in self.shift else ""
        return self.shift[known], self.spread[known]


@dataclass(frozen=True, slots=True)
class Entries:
    """Means over the measurements of each distinct kernel, ``[n]``."""

    #: Log microseconds.
    log_us: Floats
    #: Log of measured time over what the regressor says; NaN where none answers for the kind.
    residual: Floats
    #: Families whose networks showed it.
    families: Floats

    @classmethod
    def of(cls, rows: Observations, regressed: Floats) -> Self:
        """``regressed [rows]`` is what the regressors say of the rows, as log microseconds; NaN where nothing."""
        logs = np.log(rows.time_us)
        n = len(rows.kernels)
        kernel, mean, families = _by_family(rows, logs)
        _, residual, _ = _by_family(rows, logs - regressed)
        count = np.maximum(families, 1.0)
        return cls(np.bincount(kernel, mean, n) / count, np.bincount(kernel, residual, n) / count, families)


class TableSource:
    """Entries by kernel key."""

    def __init__(self, keys: Sequence[str], log_us: Floats, residual: Floats, variance: Floats) -> None:
        self._place = {key: i for i, key in enumerate(keys)}
        #: Mean log microseconds inside networks, ``[n]``.
        self.log_us = log_us
        #: How far that is above what the regressor says, as log; NaN where none answers for the kind.
        self.residual = residual
        #: Variance of ``residual``, or of ``log_us`` where there is none.
        self.variance = variance

    def __len__(self) -> int:
        return len(self._place)

    @classmethod
    def empty(cls) -> Self:
        """Without any entry."""
        nothing = np.empty(0)
        return cls((), nothing, nothing, nothing)

    @classmethod
    def of(cls, inside: Observations, inside_log_us: Floats, alone: Observations, alone_log_us: Floats) -> Self:
        """Entries from measurements inside networks and, where a correction can be fitted, from isolated ones.

        ``inside_log_us`` and ``alone_log_us`` are what the regressors say of the rows; NaN where nothing.
        """
        entries = Entries.of(inside, inside_log_us)
        keys = [kernel.key for kernel in inside.kernels]
        log_us, residual = entries.log_us, entries.residual
        variance = _between(inside, inside_log_us) ** 2 / np.maximum(entries.families, 1.0) + _FLOOR**2
        hot = Entries.of(alone, alone_log_us)
        known = dict(zip(inside.kernels, residual.tolist(), strict=True))
        both = [(k.kind, known[k] - r) for k, r in zip(alone.kernels, hot.residual, strict=True) if k in known]
        correction = IsolatedCorrection.fitted([pair for pair in both if np.isfinite(pair[1])])
        if correction is not None:
            only = [i for i, k in enumerate(alone.kernels) if k not in known and np.isfinite(hot.residual[i])]
            shift, spread = np.array([correction.of(alone.kernels[i].kind) for i in only]).reshape(-1, 2).T
            keys += [alone.kernels[i].key for i in only]
            log_us = np.concatenate((log_us, hot.log_us[only] + shift))
            residual = np.concatenate((residual, hot.residual[only] + shift))
            variance = np.concatenate((variance, spread**2 + _BETWEEN**2))
        return cls(keys, log_us, residual, variance)

    def find(self, kernels: Sequence[Kernel]) -> NDArray[np.intp]:
        """The place of each kernel's entry, ``[n]``; -1 where it was not measured."""
        return np.array([self._place.get(kernel.key, -1) for kernel in kernels], dtype=np.intp)

    def consult(self, kernels: Sequence[Kernel], log_us: Floats, sigma: Floats) -> NDArray[np.bool_]:
        """Blend entries into what regressors say of ``kernels`` (log microseconds and sigma ``[n]``, NaN where they
        say nothing), weighted by inverse variance; true where the entry weighs more than half, ``[n]``.
        """
        entry = self.find(kernels)
        known = entry >= 0
        answers = np.zeros(len(kernels), dtype=bool)
        if not known.any():
            return answers
        both = known & np.isfinite(log_us) & np.isfinite(self.residual[entry])
        alone = known & ~both
        log_us[alone] = self.log_us[entry[alone]]
        sigma[alone] = np.sqrt(self.variance[entry[alone]])
        answers[alone] = True
        weight, other = 1.0 / self.variance[entry[both]], 1.0 / sigma[both] ** 2
        log_us[both] += self.residual[entry[both]] * weight / (weight + other)
        sigma[both] = np.sqrt(1.0 / (weight + other))
        answers[both] = weight > other
        return answers

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        digits = "".join(self._place)
        return {
            "keys": np.frombuffer(bytes.fromhex(digits), dtype=np.uint8).reshape(len(self._place), -1),
            "log_us": self.log_us, "residual": self.residual, "variance": self.variance,
        }  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The inverse of `to_arrays`; ValueError where the arrays do not belong together."""
        keys = [bytes(row).hex() for row in arrays["keys"]]
        values = [arrays[name].astype(np.float64) for name in ("log_us", "residual", "variance")]
        if not {len(keys)} == {len(v) for v in values} or len(set(keys)) != len(keys):
            raise ValueError("keys and times of the table's entries do not belong together")
        return cls(keys, *values)


def _between(rows: Observations, regressed: Floats) -> Floats:
    """By distinct kernel, the standard deviation between families that is usual for its kind and size, ``[kernels]``.

    The same kernel takes another time in another network, small ones more so: what came before it, where its tensors
    lie. Networks of one family have these in common, so that only deviations between families count. Quantiles resist
    the few that a disturbance hit.
    """
    logs = np.log(rows.time_us)
    deviating = np.where(np.isfinite(regressed), logs - regressed, logs)
    kernel, mean, families = _by_family(rows, deviating)
    size = _sizes(rows)
    many = families[kernel] > 1
    n = families[kernel[many]]
    centre = np.bincount(kernel, mean, len(rows.kernels)) / np.maximum(families, 1.0)
    spread = np.abs(mean[many] - centre[kernel[many]]) * np.sqrt(n / (n - 1.0))
    kinds = np.array([k.kind for k in rows.kernels])
    kind, where = kinds[kernel[many]], size[kernel[many]]
    between = np.full(len(kinds), _BETWEEN)
    for bin_ in np.unique(size):
        there = size == bin_
        usual = _deviation(spread[where == bin_], _BETWEEN)
        between[there] = usual
        for name in np.unique(kinds[there]):
            between[there & (kinds == name)] = _deviation(spread[(where == bin_) & (kind == name)], usual)
    return between


def _by_family(rows: Observations, values: Floats) -> tuple[NDArray[np.intp], Floats, Floats]:
    """Means by kernel and family (the kernel's number and the mean, ``[pairs]``), and families by kernel."""
    _, numbers = np.unique(np.array(rows.families), return_inverse=True)
    pairs, place = np.unique(np.stack((rows.which, numbers[rows.network]), axis=1), axis=0, return_inverse=True)
    place = place.reshape(-1)
    mean = np.bincount(place, values, len(pairs)) / np.bincount(place, minlength=len(pairs))
    kernel = pairs[:, 0].astype(np.intp)
    return kernel, mean, np.bincount(kernel, minlength=len(rows.kernels)).astype(np.float64)


def _sizes(rows: Observations) -> NDArray[np.intp]:
    """Powers of four that the kernels' times (µs) lie between, ``[kernels]``."""
    n = len(rows.kernels)
    logs = np.bincount(rows.which, np.log2(rows.time_us), n) / np.maximum(np.bincount(rows.which, minlength=n), 1)
    return np.clip(np.floor(logs / 2.0), 0, 5).astype(np.intp)


def _deviation(spread: Floats, otherwise: float) -> float:
    """Standard deviation by the 80 % quantile, which is 1.28 of it in a normal distribution."""
    return max(float(np.quantile(spread, 0.8)) / 1.2816, _FLOOR) if len(spread) >= _REPEATED else otherwise
