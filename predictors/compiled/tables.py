"""From an automaton with values to tables: costs move to where they are decided, states that act alike are merged.

A block's cost is emitted when its right neighbour is known. Where that neighbour does not matter after all, which most
often it does not, the cost is moved to the block's own choice, and states that remembered the block for nothing become
equal. What is left is small: for a chain of convolutional blocks as many states as there are resolutions and widths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.compiled.automaton import NONE, Automaton
from predictors.compiled.values import COLUMNS, Values

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ChainTables:
    """Layer by layer: where a choice leads from a state, and what it adds."""

    #: Per layer ``[states, choices]``: the state after it.
    next: list[Ints]
    #: Per layer ``[states, choices]``: which of ``sums`` and ``live`` is added.
    emitted: list[Ints]
    #: ``[steps, emissions, COLUMNS]``.
    sums: Floats
    #: ``[emissions]``.
    live: Floats

    @property
    def states(self) -> int:
        """The most states that any layer has."""
        return max(len(next_) for next_ in self.next)


def chain_tables(automaton: Automaton, values: Values) -> ChainTables:
    """``values`` are those of the automaton's keys."""
    same, kept = _distinct(values)
    value_of = np.append(same, NONE).astype(np.int32)  # the last entry is that of `NONE`
    owed = _owed(automaton, value_of)
    pairs: list[tuple[Ints, Ints]] = []
    for layer in range(len(automaton.next)):
        pairs.append(_moved(automaton, value_of, owed, layer))
    next_, merged = _merge(automaton, pairs)
    sums = np.concatenate((values.sums[:, kept], np.zeros((len(values.sums), 1, COLUMNS))), axis=1)
    live = np.append(values.live[kept], 0.0)
    flat = np.concatenate([np.stack((a, b), axis=-1).reshape(-1, 2) for a, b in merged])
    distinct, where = np.unique(flat, axis=0, return_inverse=True)
    emitted, at = [], 0
    for first, _ in merged:
        emitted.append(where[at : at + first.size].reshape(first.shape).astype(np.int32))
        at += first.size
    return ChainTables(
        _without_end(next_), _without_end(emitted), sums[:, distinct[:, 0]] + sums[:, distinct[:, 1]],
        np.maximum(live[distinct[:, 0]], live[distinct[:, 1]]),
    )  # fmt: skip


def _without_end(layers: list[Ints]) -> list[Ints]:
    """All but the last layer, which stands for the end and emits nothing once all costs have moved."""
    return layers[:-1]


def _distinct(values: Values) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For each key the number of its value, and a key for each value."""
    rows = np.concatenate((np.moveaxis(values.sums, 1, 0).reshape(len(values.live), -1), values.live[:, None]), axis=1)
    _, kept, same = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return same.reshape(-1), kept


def _owed(automaton: Automaton, value_of: Ints) -> list[Ints]:
    """By layer and state, the value that the last block will have whatever is chosen from here; `NONE` if that differs
    or there is no such block.
    """
    after = np.full(int(automaton.next[-1].max()) + 1, NONE, np.int32)
    result = [after]
    layers = list(zip(automaton.next, automaton.keys, automaton.carried, strict=True))
    for next_, keys, carried in reversed(layers):
        coming = np.where(keys != NONE, value_of[keys], np.where(carried, after[next_], NONE))
        certain = (coming == coming[:, :1]).all(axis=1)
        after = np.where(certain, coming[:, 0], NONE).astype(np.int32)
        result.append(after)
    return result[::-1]


def _moved(automaton: Automaton, value_of: Ints, owed: list[Ints], layer: int) -> tuple[Ints, Ints]:
    """What transitions emit after moving: what was not certain before them, and what is certain after them."""
    keys, carried, before = automaton.keys[layer], automaton.carried[layer], owed[layer][:, None]
    late = np.where((keys != NONE) & (before == NONE), value_of[keys], NONE)
    after = owed[layer + 1][automaton.next[layer]]
    early = np.where(carried & (before != NONE), NONE, after)
    return np.maximum(late, early).astype(np.int32), np.minimum(late, early).astype(np.int32)


def _merge(automaton: Automaton, pairs: list[tuple[Ints, Ints]]) -> tuple[list[Ints], list[tuple[Ints, Ints]]]:
    """Merge the states of each layer whose transitions emit the same and lead to the same, from the end on."""
    merged = np.zeros(int(automaton.next[-1].max()) + 1, np.int32)
    next_: list[Ints] = []
    kept_pairs: list[tuple[Ints, Ints]] = []
    for after, (first, second) in zip(reversed(automaton.next), reversed(pairs), strict=True):
        leads = merged[after]
        rows = np.concatenate((leads, first, second), axis=1)
        _, kept, same = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        merged = same.reshape(-1).astype(np.int32)
        next_.append(leads[kept])
        kept_pairs.append((first[kept], second[kept]))
    # There is one state before the first layer, so the walk begins at state 0 of the merged ones as well.
    return next_[::-1], kept_pairs[::-1]
