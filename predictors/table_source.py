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

#: Kernels measured more than once that say how much a kind varies.
_REPEATED = 5

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
    networks: Floats

    @classmethod
    def of(cls, rows: Observations, regressed: Floats) -> Self:
        """``regressed [rows]`` is what the regressors say of the rows, as log microseconds; NaN where nothing."""
        n = len(rows.kernels)
        networks = np.bincount(rows.which, minlength=n).astype(np.float64)
        logs = np.log(rows.time_us)
        return cls(
            np.bincount(rows.which, logs, n) / np.maximum(networks, 1.0),
            np.bincount(rows.which, logs - regressed, n) / np.maximum(networks, 1.0),
            networks,
        )


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
        variance = _between(inside, inside_log_us) ** 2 / np.maximum(entries.networks, 1.0) + _FLOOR**2
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
        values = [arrays[name] for name in ("log_us", "residual", "variance")]
        if not {len(keys)} == {len(v) for v in values} or len(set(keys)) != len(keys):
            raise ValueError("keys and times of the table's entries do not belong together")
        return cls(keys, *values)


def _between(rows: Observations, regressed: Floats) -> Floats:
    """By distinct kernel, the standard deviation between networks that is usual for its kind, ``[kernels]``."""
    kinds = np.array([kernel.kind for kernel in rows.kernels])
    logs = np.log(rows.time_us)
    deviating = np.where(np.isfinite(regressed), logs - regressed, logs)
    between = np.full(len(kinds), _BETWEEN)
    for kind in np.unique(kinds):
        mine = kinds == kind
        seen = _pooled_deviation(rows.which[mine[rows.which]], deviating[mine[rows.which]])
        between[mine] = _BETWEEN if seen is None else max(seen, _FLOOR)
    return between


def _pooled_deviation(which: NDArray[np.intp], values: Floats) -> float | None:
    """Standard deviation of ``values`` within the same ``which``; None where fewer than five have more than one."""
    order = np.argsort(which, kind="stable")
    _, starts, sizes = np.unique(which[order], return_index=True, return_counts=True)
    many = sizes > 1
    if int(many.sum()) < _REPEATED:
        return None
    means = np.add.reduceat(values[order], starts) / sizes
    squares = np.add.reduceat((values[order] - np.repeat(means, sizes)) ** 2, starts)
    # The median over kernels resists the few that a disturbance hit.
    return float(np.sqrt(np.median(squares[many] / (sizes[many] - 1.0))))
