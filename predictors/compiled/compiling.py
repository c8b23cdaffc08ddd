"""Compile a search space for a predictor, and measure how far the result is from full predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import numpy as np

from graphs.search_spaces import SearchSpace, Walker, assemble_row
from predictors.compiled.automaton import Automaton, TooManyStates, build
from predictors.compiled.covering import covering
from predictors.compiled.neighbours import Key, Neighbours, View
from predictors.compiled.observing import BlockKernels, Observed, observe
from predictors.compiled.space import CompiledSpace, Errors, draw_rows
from predictors.compiled.strides import Strides, compose, step_range
from predictors.compiled.tables import ChainTables, chain_tables
from predictors.compiled.values import Floats, Pricer, Values
from predictors.compiled.whole import Direct, Enumeration, WholePricer
from predictors.predictor import Predictor

#: A table is good enough when it is this near to full predictions, in the mean and at worst.
GOOD_MEAN, GOOD_MAX = 0.001, 0.01

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """What compiling may cost."""

    #: Transitions of the automaton; a space beyond them is no chain.
    transitions: int = 400_000
    #: Architectures that are lowered to fill the table; a space with more states than that is no chain either.
    architectures: int = 8_000
    #: A space that is no chain is enumerated if it has no more encodings than this.
    encodings: int = 20_000
    #: Architectures drawn to measure the error.
    samples: int = 32


def compile_space(
    predictor: Predictor,
    space: SearchSpace,
    *,
    batch_size: int | None = None,
    dims: Mapping[str, int] | None = None,
    limits: Limits | None = None,
    seed: int = 0,
    progress: Progress = lambda share, doing: None,
    check: Callable[[], None] = lambda: None,
) -> CompiledSpace:
    """The compiled space. ``progress`` is told the share that is done; ``check`` may raise to stop the work.

    Raises:
        GraphError: the space contradicts itself, or a size is not bound.
        UnpriceableKernels: no source has a price for kernels that occur in it.
    """
    walker = Walker(space, batch_size=batch_size, dims=dims)
    return _Compilation(predictor, walker, limits or Limits(), seed, progress, check).run()


class _Compilation:
    def __init__(
        self, predictor: Predictor, walker: Walker, limits: Limits, seed: int, progress: Progress,
        check: Callable[[], None],
    ) -> None:  # fmt: skip
        self._predictor = predictor
        self._walker = walker
        self._space = walker.space
        self._limits = limits
        self._seed = seed
        self._progress = progress
        self._share = 0.0
        self._check = check
        self._pricer = Pricer(predictor, check)
        self._observed: dict[tuple[int, ...], Observed] = {}

    def run(self) -> CompiledSpace:
        best: CompiledSpace | None = None
        for view in View:
            try:
                found = self._chain(Neighbours(view))
            except TooManyStates:
                break
            best = found if best is None or _error(found) < _error(best) else best
            if _is_good(best):
                break
        if best is None:
            best = self._enumerated() if self._space.encodings <= self._limits.encodings else self._direct()
        self._tell(1.0, "done")
        return best

    def _tell(self, share: float, doing: str) -> None:
        """Progress never goes back, though there may be more to do than it seemed."""
        self._share = max(share, self._share)
        self._progress(self._share, doing)

    def _chain(self, neighbours: Neighbours) -> CompiledSpace:
        """Raises TooManyStates where too many architectures would have to be lowered as well."""
        automaton, known = self._explore(neighbours)
        blocks = [known[key].block for key in automaton.known]
        self._tell(0.7, "pricing kernels")
        steps = step_range(*_lengths(automaton, self._pricer.rough_us(blocks)))
        live = self._live(automaton, neighbours)
        tables = chain_tables(automaton, Values(self._pricer.price(blocks, steps), live))
        self._tell(0.9, "comparing with full predictions")
        report = {
            "lowered": len(self._observed), "neighbours": neighbours.view.value, "blocks": len(neighbours),
            "neighbourhoods": len(automaton.known), "states": tables.states,
        }  # fmt: skip
        source = ChainSource(tables, compose(tables, steps))
        packing = self._packing(automaton, live)
        return self._measured(
            CompiledSpace(
                self._space, self._predictor, "chain", source, packing, None, automaton.count(), report
            )
        )  # fmt: skip

    def _explore(self, neighbours: Neighbours) -> tuple[Automaton, dict[Key, _Known]]:
        """The automaton and what is known of all its keys, from as few full architectures as it takes.

        What a block becomes decides what the next one sees, so every round of lowering shows new keys until none does.
        """
        known: dict[Key, _Known] = {}
        for observed in self._observed.values():
            _learn(neighbours, observed, known)
        rng = np.random.default_rng(self._seed)
        while True:
            became = {key: known_key.became for key, known_key in known.items()}
            limits = self._limits
            automaton = build(self._walker, neighbours, became, limits.transitions, limits.architectures, self._check)
            missing = np.array([key not in known for key in automaton.known], dtype=np.bool_)
            if not missing.any():
                return automaton, known
            rows, before = [], len(known)
            for row in covering(automaton, missing, rng):
                rows.append(row)
                if row in self._observed:
                    continue
                if len(self._observed) >= self._limits.architectures:
                    raise TooManyStates
                self._check()
                self._tell(0.7 * len(known) / (len(known) + int(missing.sum()) + 1), "lowering architectures")
                observed = self._observed[row] = observe(self._walker, row, self._predictor.target.lowering)
                _learn(neighbours, observed, known)
            if len(known) == before:
                self._assume(neighbours, automaton, rows, known)

    def _assume(
        self, neighbours: Neighbours, automaton: Automaton, rows: Sequence[tuple[int, ...]], known: dict[Key, _Known]
    ) -> None:
        """Take what the automaton believes of ``rows`` for true where lowering them shows other keys.

        That is so where a block becomes different things between neighbours that it seems not to tell apart. How
        wrong it is shows in the errors.
        """
        for row in rows:
            for number, block in zip(automaton.path(row), self._observed[row].blocks, strict=True):
                key = automaton.known[number]
                known.setdefault(key, _Known(block, neighbours.became(block, key.left)))

    def _live(self, automaton: Automaton, neighbours: Neighbours) -> Floats:
        """For each key, the bytes that are usually alive at the peak within its block.

        By block and not by key: which buffers stay reserved for later depends on far more than the neighbours.
        """
        seen: dict[int, list[int]] = {}
        for observed in self._observed.values():
            for piece, block in zip(observed.pieces, observed.blocks, strict=True):
                seen.setdefault(neighbours.piece(piece), []).append(block.live)
        return np.array([np.median(seen[key.piece]) for key in automaton.known])

    def _packing(self, automaton: Automaton, live: Floats) -> float:
        """Bytes of the block of memory over those alive at the peak: between buffers there are gaps."""
        ratios = []
        for row, observed in self._observed.items():
            peak = max((live[key] for key in automaton.path(row)), default=0.0)
            if peak:
                ratios.append(observed.activations / peak)
        return float(np.median(ratios)) if ratios else 1.0

    def _enumerated(self) -> CompiledSpace:
        whole = WholePricer(self._walker, self._predictor, self._check)
        rows = list(product(*(range(n) for n in self._space.choices)))
        sums, blocks = [], []
        for start in range(0, len(rows), 256):
            self._tell(start / len(rows), "pricing all architectures")
            some, their = whole.price(rows[start : start + 256])
            self._walker.forget()  # hardly any of their blocks comes again
            sums.append(some)
            blocks.append(their)
        source = Enumeration(self._space.choices, np.concatenate(sums), np.concatenate(blocks))
        report = {"lowered": len(rows)}
        return self._measured(
            CompiledSpace(self._space, self._predictor, "enumerated", source, 1.0, None, len(rows), report)
        )

    def _direct(self) -> CompiledSpace:
        source = Direct(WholePricer(self._walker, self._predictor))
        report = {"lowered": 0, "reason": "the space is no chain, and too large to price every architecture beforehand"}
        return self._measured(
            CompiledSpace(
                self._space, self._predictor, "direct", source, 1.0, None, self._space.encodings, report
            )
        )  # fmt: skip

    def _measured(self, compiled: CompiledSpace) -> CompiledSpace:
        rows = draw_rows(self._space, self._limits.samples, self._seed + 1)
        told = compiled.predict(rows)
        full = []
        for row in rows.tolist():
            self._check()
            full.append(self._predictor.predict(assemble_row(self._walker, row)))
        latency = np.abs(told.latency_ms / np.array([p.latency_ms.value for p in full]) - 1.0)
        energies = np.array([p.energy_mj.value if p.energy_mj is not None else np.nan for p in full])
        memory = np.abs(told.peak_memory_bytes / np.array([p.peak_memory_bytes or np.nan for p in full]) - 1.0)
        energy = None if told.energy_mj is None else float(np.mean(np.abs(told.energy_mj / energies - 1.0)))
        errors = Errors(
            len(rows), float(latency.mean()), float(latency.max()), energy, float(memory.mean()), float(memory.max())
        )
        return replace(compiled, errors=errors)


class _Known(NamedTuple):
    """A key that was seen: the kernels of its block and what these became."""

    block: BlockKernels
    became: int


def _learn(neighbours: Neighbours, observed: Observed, known: dict[Key, _Known]) -> None:
    for (key, became), block in zip(neighbours.read(observed.pieces, observed), observed.blocks, strict=True):
        known.setdefault(key, _Known(block, became))


class ChainSource:
    """Layer tables, which say what a choice costs where, and their strides, which price rows."""

    def __init__(self, tables: ChainTables, strides: Strides) -> None:
        self.tables = tables
        self.strides = strides
        self.totals = strides.totals


def _is_good(compiled: CompiledSpace) -> bool:
    mean, worst = _error(compiled)
    return mean <= GOOD_MEAN and worst <= GOOD_MAX


def _error(compiled: CompiledSpace) -> tuple[float, float]:
    assert compiled.errors is not None
    return compiled.errors.latency_mean, compiled.errors.latency_max


def _lengths(automaton: Automaton, rough_us: Floats) -> tuple[float, float]:
    """The shortest and the longest run of any architecture, from the rough times of its blocks ``[keys]``."""
    times = np.append(rough_us, 0.0)
    ends = []
    for best in (np.min, np.max):
        total = np.zeros(int(automaton.next[-1].max()) + 1)
        for next_, keys in zip(reversed(automaton.next), reversed(automaton.keys), strict=True):
            total = best(times[keys] + total[next_], axis=1)
        ends.append(float(total[0]))
    return ends[0], ends[1]
