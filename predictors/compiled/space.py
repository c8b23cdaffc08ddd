"""Compiled spaces: rows of choices in, predictions out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from graphs.errors import InvalidChoices
from graphs.search_spaces import SearchSpace
from predictors.compiled.strides import Totals
from predictors.compiled.values import ADDED, CONSTANTS, ENERGY, LINEAR, PROFILED, SQUARES, STRANGE
from predictors.energy import PowerGuess, factor_of
from predictors.intervals import sigma_of_sums
from predictors.ood import STRANGE_SHARE
from predictors.predictor import Predictor

Floats = NDArray[np.float64]

#: How a space is priced: from a table of blocks in their neighbourhoods, from a table of all architectures, or each
#: architecture in full.
Mode = Literal["chain", "enumerated", "direct"]


class Source(Protocol):
    """What adds up architectures; thread-safe."""

    def totals(self, rows: NDArray[np.integer]) -> Totals:
        """Of ``rows [n, layers]``, which hold valid positions."""


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

    def predict(self, rows: NDArray[np.integer], confidence: float = 0.9) -> RowPredictions:
        """What architectures cost; ``rows [n, layers]`` are positions of choices.

        Raises:
            InvalidChoices: another number of layers, or a position that no choice has.
            ValueError: the confidence is not between 0.5 and 0.999.
        """
        if not 0.5 <= confidence <= 0.999:
            raise ValueError(f"a confidence of {confidence} is not between 0.5 and 0.999")
        check_rows(self.space, rows)
        return self._finish(self.source.totals(rows), confidence)

    def _finish(self, totals: Totals, confidence: float) -> RowPredictions:
        sums, intervals = totals.sums, self.predictor.intervals
        constant_ms = self.predictor.composition.overhead_us(0) / 1e3
        latency = sums[:, ADDED] + constant_ms
        profiled = np.maximum(sums[:, PROFILED], 1e-12)
        sigma = sigma_of_sums(
            sums[:, LINEAR] / profiled, sums[:, SQUARES] / profiled**2, intervals.correlation, intervals.floor
        )
        factor = np.exp(np.minimum(intervals.wholes.at(confidence) * sigma, 20.0))
        energy = reach = None
        power = PowerGuess.of(self.predictor.target)
        if power is not None:
            energy = sums[:, ENERGY] + power.kernel_mj(constant_ms, 1.0)
            reach = factor_of(sigma, confidence)
        return RowPredictions(
            latency, latency / factor, latency * factor,
            energy, None if energy is None else energy / reach, None if energy is None else energy * reach,
            np.rint(sums[:, CONSTANTS] + self.packing * totals.live).astype(np.int64),
            sums[:, STRANGE] > STRANGE_SHARE * latency,
        )  # fmt: skip


def check_rows(space: SearchSpace, rows: NDArray[np.integer]) -> None:
    """Raises InvalidChoices unless ``rows [n, layers]`` are positions of choices."""
    if rows.ndim != 2 or rows.shape[1] != len(space.layers) or rows.dtype.kind not in "iu":
        raise InvalidChoices(
            f"{space.name} has {len(space.layers)} layers; the rows are {rows.dtype} of shape {list(rows.shape)}"
        )
    if not len(rows):
        return
    wrong = (rows.max(axis=0) >= space.choices) | (rows.min(axis=0) < 0)
    if wrong.any():
        layer = int(np.argmax(wrong))
        column = rows[:, layer]
        row = int(np.argmax((column >= space.choices[layer]) | (column < 0)))
        raise InvalidChoices(
            f"row {row}: layer {space.layers[layer].name!r} has choices 0 to {space.choices[layer] - 1}, "
            f"not {column[row]}"
        )


def draw_rows(space: SearchSpace, count: int, seed: int, rows: Sequence[Sequence[int]] = ()) -> NDArray[np.int64]:
    """``rows`` and then random ones, every choice as likely as the others of its layer: ``[rows + count, layers]``."""
    rng = np.random.default_rng(seed)
    drawn = np.stack([rng.integers(0, n, count) for n in space.choices], axis=1)
    return np.concatenate((np.asarray(rows, np.int64).reshape(-1, len(space.layers)), drawn))
