"""What a block sees of its neighbours, as numbers that are equal for neighbours that it cannot tell apart."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from enum import Enum
from typing import NamedTuple

from graphs.search_spaces.pieces import Piece
from predictors.compiled.observing import BlockKernels, Observed
from predictors.compiled.signatures import head, tail

#: What a block sees beyond the first and the last of an architecture.
BORDER = 0


class View(Enum):
    """How much of its neighbours a block's kernels are taken to depend on."""

    #: Their operators next to the border, and which kernels the last of them became.
    NEAR = "near"
    #: Everything about them.
    WHOLE = "whole"


class Key(NamedTuple):
    """A block (a number that `Neighbours.piece` gave) and what it sees to its left and right."""

    left: int
    piece: int
    right: int


class Neighbours:
    """Numbers for blocks and for views of them."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._numbers: dict[Hashable, int] = {None: BORDER}
        self._pieces: dict[bytes, int] = {}
        self._heads: list[int] = []
        self._tails: list[int] = []

    def __len__(self) -> int:
        """How many different blocks there are."""
        return len(self._pieces)

    def piece(self, piece: Piece) -> int:
        """The number of a block."""
        found = self._pieces.get(piece.digest)
        if found is None:
            found = self._pieces[piece.digest] = len(self._pieces)
            near = self.view is View.NEAR
            self._heads.append(self._number(("head", head(piece) if near else piece.digest)))
            self._tails.append(self._number(("tail", tail(piece) if near else piece.digest)))
        return found

    def head(self, piece: int) -> int:
        """What it shows to its left neighbour."""
        return self._heads[piece]

    def left_of(self, key: Key, became: int | None) -> int:
        """What the block after ``key`` sees to its left; ``became`` is None while nobody has seen it lowered."""
        return self._number(("left", self._tails[key.piece], became))

    def became(self, block: BlockKernels, left: int) -> int:
        """What a block became that sees ``left``; one without a kernel of its own passes on what comes in."""
        return self._number(("became", block.ends or left))

    def read(self, pieces: Sequence[Piece], observed: Observed) -> list[tuple[Key, int]]:
        """The key of each block of an architecture that was lowered, and what the block became."""
        numbers = [self.piece(piece) for piece in pieces]
        rights = [*(self._heads[number] for number in numbers[1:]), BORDER]
        left, result = BORDER, []
        for number, right, block in zip(numbers, rights, observed.blocks, strict=True):
            key = Key(left, number, right)
            became = self.became(block, left)
            result.append((key, became))
            left = self.left_of(key, became)
        return result

    def _number(self, what: Hashable) -> int:
        return self._numbers.setdefault(what, len(self._numbers))
