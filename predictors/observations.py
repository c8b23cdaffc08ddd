"""Measurements arranged for learning: rows of kernels, and networks with their kernels and whole-model times."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from graphs.kernels import Kernel
from graphs.spaces import FAMILIES
from lookup_tables.records import Measurement
from predictors.context import HOT, Context, contexts_of, run_steps

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Observations:
    """One row per distinct kernel, network and context: the geometric mean over the kernel's occurrences there."""

    #: Distinct kernels.
    kernels: tuple[Kernel, ...]
    #: Which of ``kernels`` a row is about, ``[rows]``.
    which: Indices
    #: Which network a row comes from, numbered as they came, ``[rows]``.
    network: Indices
    #: What surrounded it there.
    contexts: tuple[Context, ...]
    #: Microseconds, ``[rows]``.
    time_us: Floats
    #: Occurrences that were averaged, ``[rows]``.
    count: Floats
    #: The family of every network (see `family_of`).
    families: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.which)

    def only(self, kept: NDArray[np.bool_]) -> Observations:
        """The rows that ``kept [rows]`` says, and the kernels that these are about; networks keep their numbers."""
        there, which = np.unique(self.which[kept], return_inverse=True)
        return replace(
            self, kernels=tuple(self.kernels[i] for i in there), which=which, network=self.network[kept],
            contexts=tuple(c for c, k in zip(self.contexts, kept.tolist(), strict=True) if k),
            time_us=self.time_us[kept], count=self.count[kept],
        )  # fmt: skip

    def in_runs(self, kernel_us: Floats) -> Observations:
        """With contexts that know the lengths of the runs: sums of ``kernel_us``, which are by distinct kernel."""
        run_us = np.bincount(self.network, kernel_us[self.which] * self.count, len(self.families))
        lengths = run_steps(run_us.astype(np.float64))[self.network].tolist()
        contexts = tuple((a, b, length) for (a, b, _), length in zip(self.contexts, lengths, strict=True))
        return replace(self, contexts=contexts)

    @classmethod
    def inside(cls, networks: Iterable[NetworkTimes], splits: Collection[str]) -> Observations:
        """Kernels measured inside networks that belong to ``splits``; how long these run is not in their contexts."""
        return cls._of(
            (network.context, kernel, context, time)
            for network in networks
            if network.split in splits
            for kernel, context, time in zip(
                network.kernels, contexts_of(network.kernels, 0.0), network.kernel_us, strict=True
            )
        )

    @classmethod
    def alone(cls, measurements: Iterable[Measurement], splits: Collection[str]) -> Observations:
        """Kernels measured alone, with everything hot."""
        return cls._of(
            (m.context, m.kernel, HOT, m.latency_us)
            for m in measurements
            if m.mode == "isolated" and m.split in splits and m.kernel is not None and m.ok and m.latency_us is not None
        )

    @classmethod
    def _of(cls, records: Iterable[tuple[str, Kernel, Context, float]]) -> Observations:
        kernels: dict[Kernel, int] = {}
        networks: dict[str, int] = {}
        sums: dict[tuple[int, int, Context], tuple[float, float]] = {}
        for network, kernel, context, time in records:
            place = kernels.setdefault(kernel, len(kernels)), networks.setdefault(network, len(networks)), context
            total, count = sums.get(place, (0.0, 0.0))
            sums[place] = total + float(np.log(time)), count + 1.0
        values = np.array(list(sums.values()), dtype=np.float64).reshape(-1, 2)
        return cls(
            tuple(kernels),
            np.array([place[0] for place in sums], dtype=np.intp),
            np.array([place[1] for place in sums], dtype=np.intp),
            tuple(place[2] for place in sums),
            np.exp(values[:, 0] / np.maximum(values[:, 1], 1.0)),
            values[:, 1],
            tuple(map(family_of, networks)),
        )


def family_of(context: str) -> str:
    """What a network such as ``resnet-whole:7`` was drawn from (``resnet``): networks of one family resemble each
    other in every variant. The context itself where no family made it.
    """
    name = context.rpartition(":")[0]
    return FAMILIES[name].stem if name in FAMILIES else name or context


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
    """Networks by context, their kernels in order of execution. Of a network that was profiled repeatedly, the first
    run's kernels count.
    """
    found: dict[str, NetworkTimes] = {}
    runs: dict[str, tuple[str, int]] = {}
    placed: dict[str, list[tuple[int, Kernel, float]]] = {}
    for m in measurements:
        if not m.ok or m.latency_us is None or m.mode == "isolated":
            continue
        network = found.setdefault(m.context, NetworkTimes(m.context, m.split))
        if m.mode == "whole_model":
            network.wholes.append((m.latency_us, m.started_at, m.session))
            network.executed = m.kernels if m.kernels is not None else network.executed
        elif m.kernel is not None and runs.setdefault(m.context, (m.session, m.repetition)) == (
            m.session,
            m.repetition,
        ):
            mine = placed.setdefault(m.context, [])
            mine.append((len(mine) if m.position is None else m.position, m.kernel, m.latency_us))
    for context, rows in placed.items():
        rows.sort(key=lambda row: row[0])
        found[context].kernels = [kernel for _, kernel, _ in rows]
        found[context].kernel_us = [time for _, _, time in rows]
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
