"""Measurements arranged for learning: rows of kernels, and networks with their kernels and whole-model times."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from graphs.kernels import Kernel
from lookup_tables.records import Measurement, Mode

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Observations:
    """One row per distinct kernel and network: the geometric mean over the kernel's occurrences there."""

    #: Distinct kernels.
    kernels: tuple[Kernel, ...]
    #: Which of ``kernels`` a row is about, ``[rows]``.
    which: Indices
    #: Which network a row comes from, numbered as they came, ``[rows]``.
    network: Indices
    #: Microseconds, ``[rows]``.
    time_us: Floats
    #: Occurrences that were averaged, ``[rows]``.
    count: Floats

    def __len__(self) -> int:
        return len(self.which)

    @classmethod
    def of(cls, measurements: Iterable[Measurement], mode: Mode, splits: Collection[str]) -> Observations:
        """The usable kernel measurements of one mode that belong to ``splits``."""
        kernels: dict[Kernel, int] = {}
        networks: dict[str, int] = {}
        sums: dict[tuple[int, int], tuple[float, float]] = {}
        for m in measurements:
            if m.mode != mode or m.split not in splits or m.kernel is None or not m.ok or m.latency_us is None:
                continue
            place = kernels.setdefault(m.kernel, len(kernels)), networks.setdefault(m.context, len(networks))
            total, count = sums.get(place, (0.0, 0.0))
            sums[place] = total + float(np.log(m.latency_us)), count + 1.0
        places = np.array(list(sums), dtype=np.intp).reshape(-1, 2)
        values = np.array(list(sums.values()), dtype=np.float64).reshape(-1, 2)
        times = np.exp(values[:, 0] / np.maximum(values[:, 1], 1.0))
        return cls(tuple(kernels), places[:, 0], places[:, 1], times, values[:, 1])

    def between_networks(self, rows: Indices) -> float | None:
        """Standard deviation of log time of the same kernel in different networks, pooled over the kernels of
        ``rows``; None where fewer than five kernels were seen in more than one network.
        """
        order = rows[np.argsort(self.which[rows], kind="stable")]
        _, starts, sizes = np.unique(self.which[order], return_index=True, return_counts=True)
        logs = np.log(self.time_us[order])
        many = sizes > 1
        if int(many.sum()) < 5:
            return None
        means = np.add.reduceat(logs, starts) / sizes
        deviations = np.add.reduceat((logs - np.repeat(means, sizes)) ** 2, starts)
        # The median over kernels resists the few that a disturbance hit.
        return float(np.sqrt(np.median(deviations[many] / (sizes[many] - 1.0))))


@dataclass(slots=True)
class NetworkTimes:
    """A network of a plan: what its kernels took inside it, and the whole, in microseconds."""

    context: str
    split: str
    kernels: list[Kernel] = field(default_factory=list)
    kernel_us: list[float] = field(default_factory=list)
    #: (time, Unix time, session) of every measurement of the whole.
    wholes: list[tuple[float, float, str]] = field(default_factory=list)
    executed: int | None = None

    @property
    def whole_us(self) -> float | None:
        """Geometric mean of the whole's measurements."""
        return float(np.exp(np.mean(np.log([w[0] for w in self.wholes])))) if self.wholes else None

    @property
    def is_complete(self) -> bool:
        """Whether all executed kernels have a time."""
        return bool(self.kernels) and (self.executed is None or len(self.kernels) >= self.executed)


def networks_of(measurements: Iterable[Measurement]) -> list[NetworkTimes]:
    """Networks by context. Of a network that was profiled repeatedly, the first complete set of kernels counts."""
    found: dict[str, NetworkTimes] = {}
    counted: dict[str, tuple[str, int]] = {}
    for m in measurements:
        if not m.ok or m.latency_us is None or m.mode == "isolated":
            continue
        network = found.setdefault(m.context, NetworkTimes(m.context, m.split))
        if m.mode == "whole_model":
            network.wholes.append((m.latency_us, m.started_at, m.session))
            network.executed = m.kernels if m.kernels is not None else network.executed
            continue
        run = m.session, m.repetition
        if m.kernel is not None and counted.setdefault(m.context, run) == run:
            network.kernels.append(m.kernel)
            network.kernel_us.append(m.latency_us)
    return list(found.values())


def repeated_differences(networks: Iterable[NetworkTimes]) -> tuple[Floats, float | None]:
    """Relative differences of whole models measured more than once (last against first), and the seconds between them
    (median over networks; None where nothing was repeated).
    """
    differences, apart = [], []
    for network in networks:
        if len(network.wholes) > 1:
            wholes = sorted(network.wholes, key=lambda w: w[1])
            (a, begun, _), (b, ended, _) = wholes[0], wholes[-1]
            differences.append(abs(a - b) / ((a + b) / 2.0))
            apart.append(ended - begun)
    return np.array(differences), float(np.median(apart)) if apart else None
