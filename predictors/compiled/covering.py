"""Architectures in which every neighbourhood of blocks occurs, as few as a greedy search finds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from predictors.compiled.automaton import NONE, Automaton

#: Two ways of equal worth are told apart by less than any key is worth.
_TIE = 1e-6


def covering(automaton: Automaton, missing: NDArray[np.bool_], rng: np.random.Generator) -> Iterator[tuple[int, ...]]:
    """Rows until no key is missing, each through as many keys that are missing as one row can have.

    ``missing [keys]`` is changed: a key is there once a row goes through it.
    """
    while missing.any():
        row = _best_row(automaton, missing, rng)
        missing[automaton.path(row)] = False
        yield row


def _best_row(automaton: Automaton, missing: NDArray[np.bool_], rng: np.random.Generator) -> tuple[int, ...]:
    """By dynamic programming from the end; a key that occurs twice on the way counts twice."""
    worth = np.append(missing, False).astype(np.float64)  # the last entry is that of `NONE`
    gain = np.zeros(int(automaton.next[-1].max()) + 1)
    best: list[NDArray[np.intp]] = []
    for next_, keys in zip(reversed(automaton.next), reversed(automaton.keys), strict=True):
        ways = worth[keys] + gain[next_] + rng.random(keys.shape) * _TIE
        best.append(np.argmax(ways, axis=1))
        gain = np.take_along_axis(ways, best[-1][:, None], axis=1)[:, 0]
    state, row = 0, []
    for next_, choice in zip(automaton.next, reversed(best), strict=True):
        row.append(int(choice[state]))
        state = int(next_[state, row[-1]])
    assert NONE == -1  # what the padding of ``worth`` relies on
    return tuple(row[:-1])
