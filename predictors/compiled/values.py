"""What blocks cost where they stand: sums over their kernels of everything that a prediction is made of.

Kernels are slower the longer a whole run takes, in steps of half powers of two (`predictors.context`). What a block
costs is therefore found for every step that an architecture of the space can reach, and the step of a row follows from
the sum of its blocks' rough times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphs.kernels import Kernel
from predictors.compiled.observing import BlockKernels
from predictors.context import Context, run_steps
from predictors.errors import UnpriceableKernels
from predictors.estimates import Estimate
from predictors.predictor import Predictor

Floats = NDArray[np.float64]

#: Columns that depend on the step of the run: microseconds under profiling, milliseconds in the whole, sums of
#: microseconds times sigma and of their squares, net millijoules, and milliseconds of kernels unlike those measured.
PROFILED, ADDED, LINEAR, SQUARES, ENERGY, STRANGE = range(6)
#: Columns that do not: bytes of constants, rough microseconds.
CONSTANTS, ROUGH = 6, 7
COLUMNS = 8

#: Kernels are estimated this many at a time, so that a deadline is noticed in between.
_AT_ONCE = 20_000

#: Estimates that are remembered from one call to the next.
_REMEMBERED = 500_000


@dataclass(frozen=True, slots=True)
class Values:
    """By block where it stands."""

    #: ``[steps, blocks, COLUMNS]``.
    sums: Floats
    #: ``[blocks]``: the most bytes of activations alive while it runs.
    live: Floats


class Pricer:
    """Prices the kernels of blocks with a predictor; equal questions are asked once."""

    def __init__(self, predictor: Predictor, check: Callable[[], None] = lambda: None) -> None:
        self._predictor = predictor
        self._power = predictor.power
        self._check = check
        self._known: dict[tuple[Kernel, Context], Estimate] = {}
        composition = predictor.composition
        self._overhead_ms = (composition.overhead_us(1) - composition.overhead_us(0)) / 1e3

    def price(self, blocks: Sequence[BlockKernels], steps: Sequence[int]) -> Floats:
        """The sums of ``blocks`` at each of ``steps`` (lengths of the run, see `predictors.context.run_steps`).

        Raises UnpriceableKernels where no source has a price for some.
        """
        everywhere = [(block, step) for step in steps for block in blocks]
        sums = self._price(everywhere).reshape(len(steps), len(blocks), COLUMNS)
        sums[:, :, ROUGH] = self.rough_us(blocks)
        return sums

    def price_runs(self, runs: Sequence[BlockKernels]) -> Floats:
        """The sums of whole runs ``[runs, COLUMNS]``, each at the step that follows from its own rough time."""
        rough_us = self.rough_us(runs)
        sums = self._price(list(zip(runs, run_steps(rough_us).tolist(), strict=True)))
        sums[:, ROUGH] = rough_us
        return sums

    def _price(self, places: Sequence[tuple[BlockKernels, int]]) -> Floats:
        """Of blocks at steps, ``[places, COLUMNS]``."""
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        self._ask({q for block, step in places for q in _questions(block, step)})
        return np.array([self._sums(block, step) for block, step in places]).reshape(-1, COLUMNS)

    def rough_us(self, blocks: Sequence[BlockKernels]) -> Floats:
        """Sums of the rough times of the blocks' kernels, ``[blocks]``."""
        rough = self._predictor.estimator.rough
        return np.array([sum(rough.kernels_us(block.kernels)) for block in blocks])

    def _ask(self, questions: set[tuple[Kernel, Context]]) -> None:
        fresh = [q for q in questions if q not in self._known]
        for start in range(0, len(fresh), _AT_ONCE):
            self._check()
            part = fresh[start : start + _AT_ONCE]
            kernels, contexts = zip(*part, strict=True)
            self._known.update(zip(part, self._predictor.estimator.estimate(kernels, contexts), strict=True))
        missing = [kernel.kind for kernel, context in fresh if self._known[kernel, context].source == "unsupported"]
        if missing:
            raise UnpriceableKernels(missing)

    def _sums(self, block: BlockKernels, step: int) -> Floats:
        estimates = [self._known[question] for question in _questions(block, step)]
        time_us = np.array([e.time_us for e in estimates])
        weighted = time_us * np.array([e.sigma for e in estimates])
        added_ms = self._predictor.composition.kernels_us(time_us) / 1e3
        overhead_ms = self._overhead_ms * len(estimates)
        strange_ms = added_ms[[e.strange for e in estimates]].sum() if estimates else 0.0
        result = np.zeros(COLUMNS)
        result[[PROFILED, ADDED, LINEAR, SQUARES, STRANGE]] = (
            time_us.sum(), added_ms.sum() + overhead_ms, weighted.sum(), np.square(weighted).sum(), strange_ms,
        )  # fmt: skip
        result[ENERGY] = self._energy_mj(block.kernels, estimates, added_ms.tolist(), overhead_ms)
        result[CONSTANTS] = block.constants
        return result

    def _energy_mj(
        self, kernels: Sequence[Kernel], estimates: Sequence[Estimate], added_ms: Sequence[float], overhead_ms: float
    ) -> float:
        power = self._power
        if power is None:
            return 0.0
        each = zip(kernels, estimates, added_ms, strict=True)
        total = sum(power.kernel_mj(ms, e.compute_share, k.kind, e.flops) for k, e, ms in each)
        return total + power.kernel_mj(overhead_ms, 1.0)


def _questions(block: BlockKernels, step: int) -> list[tuple[Kernel, Context]]:
    return [(k, (*s, step)) for k, s in zip(block.kernels, block.surroundings, strict=True)]
