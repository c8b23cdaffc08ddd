"""Architectures priced in full: all of them into one table where a space is small, or row by row where it is neither
small nor a chain.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from graphs.kernels_of import kernels_of
from graphs.lowering import optimise
from graphs.memory import memory_use
from graphs.search_spaces import Walker, assemble_row
from predictors.compiled.observing import BlockKernels
from predictors.compiled.strides import Totals
from predictors.compiled.values import COLUMNS, Pricer
from predictors.context import contexts_of
from predictors.predictor import Predictor

Floats = NDArray[np.float64]

#: Architectures that are lowered before their kernels are priced.
_AT_ONCE = 64

#: Rows that are remembered when each is priced in full.
_REMEMBERED = 100_000


class WholePricer:
    """Lowers and prices whole architectures, remembering kernels."""

    def __init__(self, walker: Walker, predictor: Predictor, check: Callable[[], None] = lambda: None) -> None:
        self._walker = walker
        self._profile = predictor.target.lowering
        self._pricer = Pricer(predictor, check)
        self._check = check

    def price(self, rows: Sequence[tuple[int, ...]]) -> tuple[Floats, Floats]:
        """Sums ``[rows, COLUMNS]``, and the block of memory for activations ``[rows]``."""
        sums, blocks = np.empty((len(rows), COLUMNS)), np.empty(len(rows))
        for start in range(0, len(rows), _AT_ONCE):
            part = rows[start : start + _AT_ONCE]
            runs: list[BlockKernels] = []
            for i, row in enumerate(part, start):
                self._check()
                run, blocks[i] = self._lower(row)
                runs.append(run)
            sums[start : start + len(part)] = self._pricer.price_runs(runs)
        return sums, blocks

    def _lower(self, row: tuple[int, ...]) -> tuple[BlockKernels, int]:
        """The kernels of an architecture as one block, and the bytes of its activations."""
        optimised = optimise(assemble_row(self._walker, row), self._profile)
        kernels = kernels_of(optimised)
        memory = memory_use(optimised)
        surroundings = [context[:2] for context in contexts_of(kernels, 0.0)]
        return BlockKernels(kernels, surroundings, constants=memory.constants + memory.packed), memory.activations


class Enumeration:
    """A table of all architectures, the last layer's choices the fastest."""

    def __init__(self, choices: Sequence[int], sums: Floats, blocks: Floats) -> None:
        self._worth = np.cumprod((1, *reversed(choices[1:])))[::-1]
        self.sums = sums
        self.blocks = blocks
        assert len(sums) == prod(choices)

    def totals(self, columns: NDArray[np.integer]) -> Totals:
        where = self._worth @ columns.astype(np.int64)
        return Totals(self.sums[where], self.blocks[where])


class Direct:
    """Every row in full; rows that were asked for lately are remembered."""

    def __init__(self, pricer: WholePricer) -> None:
        self._pricer = pricer
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[int, ...], tuple[Floats, float]] = OrderedDict()

    def totals(self, columns: NDArray[np.integer]) -> Totals:
        asked = [tuple(row) for row in columns.T.tolist()]
        with self._lock:
            fresh = [row for row in dict.fromkeys(asked) if row not in self._known]
            self._known.update(zip(fresh, zip(*self._pricer.price(fresh), strict=True), strict=True))
            answers = [self._known[row] for row in asked]
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return Totals(np.array([a[0] for a in answers]).reshape(-1, COLUMNS), np.array([a[1] for a in answers]))
