"""Pricing rows by as few look-ups as fit into the caches: several layers at a time.

Neighbouring layers are composed into one table of all combinations of their choices, as long as it stays small. A row
then costs one look-up per stride instead of one per layer, and each look-up fetches all columns at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.compiled.tables import ChainTables
from predictors.compiled.values import COLUMNS, ROUGH
from predictors.context import run_steps

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Places = NDArray[np.intp]

#: Entries of a composed table, over all steps: 32 bytes each, to stay within a core's second-level cache.
_ENTRIES = 1 << 15


@dataclass(frozen=True, slots=True)
class Stride:
    """Some consecutive layers; an entry is a state before them and a combination of their choices."""

    first: int
    choices: tuple[int, ...]
    #: ``[steps * entries, COLUMNS]``, step by step.
    sums: Singles
    #: ``[entries]``.
    live: Singles
    rough_us: Singles
    #: ``[entries]``: the state after; None where it is always the first.
    next: Places | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over whole architectures: ``[rows, COLUMNS]``, and the most bytes alive ``[rows]``."""

    sums: NDArray[np.floating]
    live: NDArray[np.floating]


class Strides:
    """All strides of a space, and the ``steps`` of run lengths for which they have sums."""

    def __init__(self, strides: Sequence[Stride], steps: Sequence[int]) -> None:
        self.strides = tuple(strides)
        self.steps = tuple(steps)

    def totals(self, columns: NDArray[np.integer]) -> Totals:
        """``columns [layers, rows]`` hold valid positions; some thousand rows at a time are fastest."""
        places = self._places(columns)
        step = self._step_of(places) if len(self.steps) > 1 else None
        rows = columns.shape[1]
        total, most = np.zeros((rows, COLUMNS), np.float32), np.zeros(rows, np.float32)
        fetched, alive = np.empty_like(total), np.empty_like(most)
        for stride, place in zip(self.strides, places, strict=True):
            np.maximum(most, np.take(stride.live, place, out=alive, mode="clip"), out=most)
            if step is not None:
                place += step * len(stride.live)
            total += np.take(stride.sums, place, axis=0, out=fetched, mode="clip")
        return Totals(total, most)

    def step_shares(self, rows: NDArray[np.integer]) -> NDArray[np.float64]:
        """Which share of ``rows [n, layers]`` has each of `steps`."""
        step = self._step_of(self._places(np.ascontiguousarray(rows.T)))
        return np.bincount(step, minlength=len(self.steps)) / len(rows)

    def _places(self, columns: NDArray[np.integer]) -> list[Places]:
        """For each stride the entries of the rows."""
        places: list[Places] = []
        state: Places | None = None
        for stride in self.strides:
            place = columns[stride.first].astype(np.intp)
            if state is not None:
                state *= stride.choices[0]
                place += state
            for layer, choices in enumerate(stride.choices[1:], stride.first + 1):
                place *= choices
                place += columns[layer]
            state = None if stride.next is None else np.take(stride.next, place, mode="clip")
            places.append(place)
        return places

    def _step_of(self, places: Sequence[Places]) -> Places:
        rough_us = np.zeros(len(places[0]), np.float32)
        for stride, place in zip(self.strides, places, strict=True):
            rough_us += np.take(stride.rough_us, place, mode="clip")
        return np.clip(run_steps(rough_us) - self.steps[0], 0, len(self.steps) - 1)


def compose(tables: ChainTables, steps: Sequence[int]) -> Strides:
    """Strides as long as their tables stay small."""
    strides, first, layers = [], 0, len(tables.next)
    while first < layers:
        count = 1
        entries = tables.next[first].size
        while first + count < layers and _fits(entries * tables.next[first + count].shape[1], len(steps)):
            entries *= tables.next[first + count].shape[1]
            count += 1
        strides.append(_stride(tables, first, count))
        first += count
    return Strides(strides, steps)


def _fits(entries: int, steps: int) -> bool:
    return entries * steps <= _ENTRIES


def _stride(tables: ChainTables, first: int, count: int) -> Stride:
    state = np.arange(len(tables.next[first]), dtype=np.int32)[:, None]
    sums = np.zeros((len(tables.sums), *state.shape, COLUMNS))
    live = np.zeros(state.shape)
    for layer in range(first, first + count):
        next_, emitted = tables.next[layer][state], tables.emitted[layer][state]  # [states, combinations, choices]
        shape = len(state), next_.shape[1] * next_.shape[2]
        sums = (sums[:, :, :, None] + tables.sums[:, emitted]).reshape(len(sums), *shape, COLUMNS)
        live = np.maximum(live[:, :, None], tables.live[emitted]).reshape(shape)
        state = next_.reshape(shape)
    choices = tuple(tables.next[layer].shape[1] for layer in range(first, first + count))
    after = state.reshape(-1).astype(np.intp) if state.any() else None
    singles = sums.astype(np.float32)
    return Stride(
        first, choices, singles.reshape(-1, COLUMNS), live.reshape(-1).astype(np.float32),
        np.ascontiguousarray(singles[0, :, :, ROUGH]).reshape(-1), after,
    )  # fmt: skip


def step_range(lowest: float, highest: float) -> tuple[int, ...]:
    """The steps between the rough times (µs) of the shortest and the longest run."""
    return tuple(range(int(run_steps(lowest)), int(run_steps(highest)) + 1))
