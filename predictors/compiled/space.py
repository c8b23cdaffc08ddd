"""Compiled spaces: rows of choices in, predictions out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from graphs.errors import InvalidChoices
from graphs.search_spaces import SearchSpace
from predictors.compiled.strides import Totals
from predictors.compiled.values import ADDED, CONSTANTS, ENERGY, LINEAR, PROFILED, SQUARES, STRANGE
from predictors.energy import Power
from predictors.intervals import sigma_of_sums
from predictors.ood import STRANGE_SHARE
from predictors.predictor import Predictor

Floats = NDArray[np.float64]

#: Rows at a time, so that what is computed of them stays in a core's caches.
_ROWS = 4096

#: Rows at a time where each is priced in full.
_FULL_ROWS = 16

#: How a space is priced: from a table of blocks in their neighbourhoods, from a table of all architectures, or each
#: architecture in full.
Mode = Literal["chain", "enumerated", "direct"]


class Source(Protocol):
    """What adds up architectures; thread-safe."""

    def totals(self, columns: NDArray[np.integer]) -> Totals:
        """Of ``columns [layers, rows]``, which hold valid positions."""


@dataclass(frozen=True, slots=True)
class RowPredictions:
    """One entry per row: milliseconds, millijoules (None where nothing can be said), bytes."""

    latency_ms: Floats
    latency_lower_ms: Floats
    latency_upper_ms: Floats
    energy_mj: Floats | None
    energy_lower_mj: Floats | None
    energy_upper_mj: Floats | None
    peak_memory_bytes: NDArray[np.int64]
    out_of_distribution: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.latency_ms)

    @classmethod
    def empty(cls, rows: int, *, energy: bool) -> Self:
        """To be filled in."""
        value, lower, upper = (np.empty(rows) if energy else None for _ in range(3))
        return cls(
            np.empty(rows), np.empty(rows), np.empty(rows), value, lower, upper, np.empty(rows, np.int64),
            np.empty(rows, np.bool_),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Errors:
    """Against full predictions of architectures drawn at random: mean and largest, as shares of the full prediction."""

    samples: int
    latency_mean: float
    latency_max: float
    energy_mean: float | None
    memory_mean: float
    memory_max: float

    def to_json(self) -> dict[str, Any]:
        return {
            "samples": self.samples,
            "latency": {"mean": self.latency_mean, "max": self.latency_max},
            "energy": None if self.energy_mean is None else {"mean": self.energy_mean},
            "peak_memory": {"mean": self.memory_mean, "max": self.memory_max},
        }


@dataclass(frozen=True)
class CompiledSpace:
    """A search space on one target by one predictor version. Immutable and thread-safe."""

    space: SearchSpace
    predictor: Predictor
    mode: Mode
    source: Source
    #: Bytes of the block of memory per byte alive at the peak; 1 where the block itself is known.
    packing: float
    #: None until they are measured.
    errors: Errors | None
    #: Different architectures.
    architectures: int
    #: How it was compiled: full architectures lowered, and what the mode has to say.
    report: Mapping[str, Any]

    def predict(
        self, rows: NDArray[np.integer], confidence: float = 0.9, *, check: Callable[[], None] = lambda: None
    ) -> RowPredictions:
        """What architectures cost; ``rows [n, layers]`` are positions of choices. ``check`` may raise to stop the work.

        Raises:
            InvalidChoices: another number of layers, or a position that no choice has.
            ValueError: the confidence is not between 0.5 and 0.999.
        """
        if not 0.5 <= confidence <= 0.999:
            raise ValueError(f"a confidence of {confidence} is not between 0.5 and 0.999")
        check_form(self.space, rows)
        power = self.predictor.power
        answer = RowPredictions.empty(len(rows), energy=power is not None)
        quantile = self.predictor.intervals.wholes.at(confidence)
        at_once = _FULL_ROWS if self.mode == "direct" else _ROWS
        for start in range(0, len(rows), at_once):
            check()
            columns = np.ascontiguousarray(rows[start : start + at_once].T)
            _check_choices(self.space, columns, start)
            totals = self.source.totals(columns)
            sums = np.ascontiguousarray(totals.sums.T, dtype=np.float64)
            part = slice(start, start + columns.shape[1])
            sigma = self._latency(sums, quantile, answer, part)
            if power is not None:
                self._energy(sums, power, power.factor(sigma, confidence), answer, part)
            np.rint(sums[CONSTANTS] + self.packing * totals.live, out=answer.peak_memory_bytes[part], casting="unsafe")
        return answer

    def _latency(self, sums: Floats, quantile: float, answer: RowPredictions, part: slice) -> Floats:
        """Fill in ``part`` of the latencies; returns the relative deviations that are to be expected."""
        intervals = self.predictor.intervals
        latency = sums[ADDED] + self._constant_ms
        profiled = np.maximum(sums[PROFILED], 1e-12)
        sigma = sigma_of_sums(
            sums[LINEAR] / profiled, sums[SQUARES] / (profiled * profiled), intervals.correlation, intervals.floor
        )
        factor = np.exp(np.minimum(quantile * sigma, 20.0))
        answer.latency_ms[part] = latency
        np.divide(latency, factor, out=answer.latency_lower_ms[part])
        np.multiply(latency, factor, out=answer.latency_upper_ms[part])
        np.greater(sums[STRANGE], STRANGE_SHARE * latency, out=answer.out_of_distribution[part])
        return sigma

    def _energy(self, sums: Floats, power: Power, factor: Floats, answer: RowPredictions, part: slice) -> None:
        assert answer.energy_mj is not None
        assert answer.energy_lower_mj is not None and answer.energy_upper_mj is not None
        energy = sums[ENERGY] + power.kernel_mj(self._constant_ms, 1.0)
        answer.energy_mj[part] = energy
        np.divide(energy, factor, out=answer.energy_lower_mj[part])
        np.multiply(energy, factor, out=answer.energy_upper_mj[part])

    @property
    def _constant_ms(self) -> float:
        return self.predictor.composition.overhead_us(0) / 1e3


def check_form(space: SearchSpace, rows: NDArray[np.integer]) -> None:
    """Raises InvalidChoices unless ``rows`` are whole numbers ``[n, layers]``."""
    if rows.ndim != 2 or rows.shape[1] != len(space.layers) or rows.dtype.kind not in "iu":
        raise InvalidChoices(
            f"{space.name} has {len(space.layers)} layers; the rows are {rows.dtype} of shape {list(rows.shape)}"
        )


def _check_choices(space: SearchSpace, columns: NDArray[np.integer], first: int) -> None:
    """Raises InvalidChoices where ``columns [layers, rows]``, of which the first is row ``first``, hold no position."""
    wrong = columns.max(axis=1) >= space.choices
    if columns.dtype.kind == "i":
        wrong |= columns.min(axis=1) < 0
    if wrong.any():
        layer = int(np.argmax(wrong))
        column = columns[layer]
        row = int(np.argmax((column >= space.choices[layer]) | (column < 0)))
        raise InvalidChoices(
            f"row {first + row}: layer {space.layers[layer].name!r} has choices 0 to {space.choices[layer] - 1}, "
            f"not {column[row]}"
        )


def draw_rows(space: SearchSpace, count: int, seed: int, rows: Sequence[Sequence[int]] = ()) -> NDArray[np.int64]:
    """``rows`` and then random ones, every choice as likely as the others of its layer: ``[rows + count, layers]``."""
    rng = np.random.default_rng(seed)
    drawn = np.stack([rng.integers(0, n, count) for n in space.choices], axis=1)
    return np.concatenate((np.asarray(rows, np.int64).reshape(-1, len(space.layers)), drawn))
