"""Which neighbourhoods of blocks occur in a search space, and which of them every row of choices passes through.

A block's kernels depend on the block itself, on what its right neighbour shows of itself, and on what its left
neighbour shows and became: a tensor arrives in the blocked layout or not, and a block with a residual sum passes that
on. A `Key` is a block between two such views. The automaton reads choices layer by layer; its state is what is known so
far: the walker's state, the last block, whose right neighbour is not known yet, and what that block sees to its left. A
transition emits the key of the last block once the next one is known; the end is one more layer with a single choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs.search_spaces import State, Walker
from predictors.compiled.neighbours import BORDER, Key, Neighbours

Ints = NDArray[np.int32]

#: There is no key, no block.
NONE = -1


class TooManyStates(Exception):
    """The space is not a chain: what later layers depend on grows with every choice."""


class _Place(NamedTuple):
    state: State
    left: int
    last: int


@dataclass
class Automaton:
    """Arrays ``[states, choices]`` per layer, one layer more than the space has."""

    #: The state after the transition.
    next: list[Ints] = field(default_factory=list)
    #: Index of the emitted key, or `NONE`.
    keys: list[Ints] = field(default_factory=list)
    #: Whether the last block is still the last one afterwards.
    carried: list[NDArray[np.bool_]] = field(default_factory=list)
    #: ``[states]``: False where all choices are one, since the layer's condition does not hold.
    active: list[NDArray[np.bool_]] = field(default_factory=list)
    known: list[Key] = field(default_factory=list)

    def path(self, row: tuple[int, ...]) -> list[int]:
        """The keys that an architecture emits, one per block in order."""
        state, keys = 0, []
        for next_, emitted, choice in zip(self.next, self.keys, (*row, 0), strict=True):
            if emitted[state, choice] != NONE:
                keys.append(int(emitted[state, choice]))
            state = int(next_[state, choice])
        return keys

    def count(self) -> int:
        """Architectures, those counted once that differ only in choices of layers that are not active."""
        counts: list[int] = [1] * (int(self.next[-1].max()) + 1)
        for next_, active in zip(reversed(self.next), reversed(self.active), strict=True):
            counts = [
                sum(counts[after] for after in (row if on else row[:1]))
                for row, on in zip(next_.tolist(), active.tolist(), strict=True)
            ]
        return counts[0]


def build(
    walker: Walker,
    neighbours: Neighbours,
    became: Mapping[Key, int],
    max_transitions: int,
    max_states: int,
    check: Callable[[], None] = lambda: None,
) -> Automaton:
    """The automaton of a space, as far as it is known what blocks ``became`` (see `Neighbours.left_of`).

    Raises TooManyStates beyond ``max_transitions`` or ``max_states`` of a layer, a GraphError for a wrong space.
    """
    return _Builder(walker, neighbours, became, max_transitions, max_states, check).build()


class _Builder:
    def __init__(
        self, walker: Walker, neighbours: Neighbours, became: Mapping[Key, int], max_transitions: int,
        max_states: int, check: Callable[[], None],
    ) -> None:  # fmt: skip
        self._walker = walker
        self._neighbours = neighbours
        self._became = became
        self._left = max_transitions
        self._max_states = max_states
        self._check = check
        self._automaton = Automaton()
        self._key_ids: dict[Key, int] = {}

    def build(self) -> Automaton:
        places = {_Place(self._walker.start, BORDER, NONE): 0}
        for layer, choices in enumerate(self._walker.space.choices):
            self._left -= len(places) * choices
            if self._left < 0 or len(places) > self._max_states:
                raise TooManyStates
            self._check()
            places = self._layer(layer, choices, list(places))
        self._end(list(places))
        return self._automaton

    def _layer(self, layer: int, choices: int, places: list[_Place]) -> dict[_Place, int]:
        following: dict[_Place, int] = {}
        next_ = np.zeros((len(places), choices), np.int32)
        keys = np.full((len(places), choices), NONE, np.int32)
        carried = np.zeros((len(places), choices), np.bool_)
        active = np.zeros(len(places), np.bool_)
        for i, place in enumerate(places):
            for choice in range(choices):
                step = self._walker.step(layer, place.state, choice)
                active[i] = step.active
                if step.piece is None or not step.piece.graph.nodes:
                    after = _Place(step.state, place.left, place.last)
                    carried[i, choice] = place.last != NONE
                else:
                    piece = self._neighbours.piece(step.piece)
                    keys[i, choice], left = self._emit(place, self._neighbours.head(piece))
                    after = _Place(step.state, left, piece)
                next_[i, choice] = following.setdefault(after, len(following))
        self._append(next_, keys, carried, active)
        return following

    def _end(self, places: list[_Place]) -> None:
        keys = np.array([[self._emit(place, BORDER)[0]] for place in places], np.int32)
        shape = (len(places), 1)
        self._append(np.zeros(shape, np.int32), keys, np.zeros(shape, np.bool_), np.ones(len(places), np.bool_))

    def _append(self, next_: Ints, keys: Ints, carried: NDArray[np.bool_], active: NDArray[np.bool_]) -> None:
        automaton = self._automaton
        automaton.next.append(next_)
        automaton.keys.append(keys)
        automaton.carried.append(carried)
        automaton.active.append(active)

    def _emit(self, place: _Place, right: int) -> tuple[int, int]:
        """The key of the last block, and what the next one sees to its left."""
        if place.last == NONE:
            return NONE, BORDER
        key = Key(place.left, place.last, right)
        found = self._key_ids.get(key)
        if found is None:
            found = self._key_ids[key] = len(self._key_ids)
            self._automaton.known.append(key)
        return found, self._neighbours.left_of(key, self._became.get(key))
