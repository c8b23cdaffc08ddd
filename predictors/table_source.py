"""The table as a source: what was measured of exactly this kernel, and how far that can be trusted.

Several networks may have shown the same kernel; their mean is the entry, and its variance comes from how much the same
kernel of that kind differs between networks, so that one noisy record does not beat a good regressor. Kernels that were
only measured alone, with a hot cache, enter through a correction that is fitted on those measured both ways.
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

#: Kernels measured both ways that a correction needs, overall and for a kind of its own.
_CORRECTION_PAIRS = 8


@dataclass(frozen=True, slots=True)
class IsolatedCorrection:
    """Log of (time inside a network / time alone): mean and spread by kernel kind, ``""`` standing for all others."""

    shift: Mapping[str, float]
    spread: Mapping[str, float]

    @classmethod
    def fitted(cls, inside: Observations, alone: Observations) -> Self | None:
        """From kernels measured both ways; None where there are too few."""
        pairs = _pairs(inside, alone)
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

    def to_json(self) -> dict[str, Any]:
        return {"shift": dict(self.shift), "spread": dict(self.spread)}


def _pairs(inside: Observations, alone: Observations) -> list[tuple[str, float]]:
    """(kind, log ratio) of every kernel measured both ways."""
    means = dict(zip(inside.kernels, _mean_logs(inside)[0], strict=True))
    hot = zip(alone.kernels, _mean_logs(alone)[0], strict=True)
    return [(kernel.kind, float(means[kernel] - log)) for kernel, log in hot if kernel in means]


def _mean_logs(rows: Observations) -> tuple[Floats, Floats]:
    """Mean log time and number of networks by distinct kernel."""
    networks = np.bincount(rows.which, minlength=len(rows.kernels)).astype(np.float64)
    sums = np.bincount(rows.which, np.log(rows.time_us), len(rows.kernels))
    return sums / np.maximum(networks, 1.0), networks


class TableSource:
    """Entries by kernel key: mean log time in microseconds inside a network, and its variance."""

    def __init__(self, keys: Sequence[str], log_us: Floats, variance: Floats) -> None:
        self._place = {key: i for i, key in enumerate(keys)}
        self.log_us = log_us
        self.variance = variance

    def __len__(self) -> int:
        return len(self._place)

    @classmethod
    def of(cls, inside: Observations, alone: Observations) -> tuple[Self, IsolatedCorrection | None]:
        """Entries from measurements inside networks and, where a correction can be fitted, from isolated ones."""
        logs, networks = _mean_logs(inside)
        kinds = np.array([kernel.kind for kernel in inside.kernels])
        between = np.full(len(kinds), _BETWEEN)
        for kind in np.unique(kinds):
            mine = kinds == kind
            seen = inside.between_networks(np.flatnonzero(mine[inside.which]))
            between[mine] = _BETWEEN if seen is None else max(seen, _FLOOR)
        variance = between**2 / np.maximum(networks, 1.0) + _FLOOR**2
        keys = [kernel.key for kernel in inside.kernels]
        correction = IsolatedCorrection.fitted(inside, alone)
        if correction is not None:
            known = set(keys)
            hot, _ = _mean_logs(alone)
            extra = [(k, log, *correction.of(k.kind)) for k, log in zip(alone.kernels, hot, strict=True)]
            extra = [entry for entry in extra if entry[0].key not in known]
            keys += [kernel.key for kernel, *_ in extra]
            logs = np.concatenate((logs, [log + shift for _, log, shift, _ in extra]))
            variance = np.concatenate((variance, [spread**2 + _BETWEEN**2 for *_, spread in extra]))
        return cls(keys, logs, variance), correction

    def find(self, kernels: Sequence[Kernel]) -> NDArray[np.intp]:
        """The place of each kernel's entry, ``[n]``; -1 where it was not measured."""
        return np.array([self._place.get(kernel.key, -1) for kernel in kernels], dtype=np.intp)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        digits = "".join(self._place)
        return {
            "keys": np.frombuffer(bytes.fromhex(digits), dtype=np.uint8).reshape(len(self._place), -1),
            "log_us": self.log_us, "variance": self.variance,
        }  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The inverse of `to_arrays`; ValueError where the arrays do not belong together."""
        keys = [bytes(row).hex() for row in arrays["keys"]]
        if not len(keys) == len(arrays["log_us"]) == len(arrays["variance"]) == len(set(keys)):
            raise ValueError("keys and times of the table's entries do not belong together")
        return cls(keys, arrays["log_us"], arrays["variance"])
