"""Random choices for one network: the same for the same name on every platform and version of Python."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from random import Random
from typing import TypeVar

T = TypeVar("T")

#: Side lengths that published models are evaluated at; 224 is drawn more often than the others together.
RESOLUTIONS = (96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 299, 320, 384)

#: What channel counts are multiples of, and how often. Search spaces round to 8; pruned and scaled networks do not.
ALIGNMENTS = (64, 32, 16, 8, 4, 2, 1)
ALIGNMENT_WEIGHTS = (8, 20, 30, 27, 7, 3, 5)


class Draw:
    """The dice of one network.

    ``whole`` networks have the depths of their papers, since they are for whole-model times; the others repeat
    little and change their widths from block to block, since every repeated kernel is measuring time wasted.
    """

    def __init__(self, name: str, *, whole: bool = False) -> None:
        self._random = Random(name)
        self.whole = whole

    def chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def choice(self, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
        return self._random.choices(options, weights)[0]

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        return self._random.sample(options, count)

    def shuffled(self, options: Sequence[T]) -> list[T]:
        return self._random.sample(options, len(options))

    def integer(self, low: int, high: int) -> int:
        """Uniform, both ends included."""
        return low + int(self._random.random() * (high - low + 1))

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * self._random.random()

    def size(self, low: int, high: int) -> int:
        """Log-uniform integer, both ends included: a doubling is as likely anywhere."""
        return min(high, max(low, round(exp(self.uniform(log(low), log(high + 0.5))))))

    def width(self, low: int, high: int, multiple: int | None = None) -> int:
        """Log-uniform channel count that is mostly a multiple of 8, 16 or 32."""
        align = multiple or self.choice(ALIGNMENTS, ALIGNMENT_WEIGHTS)
        while align > low and multiple is None:
            align //= 2
        return max(align, round(self.size(low, high) / align) * align)

    def depth(self, low: int, high: int) -> int:
        """Blocks of one stage: the paper's range for whole networks, one or two otherwise."""
        return self.integer(low, high) if self.whole else self.choice((1, 2), (3, 1))

    def vary(self, width: int) -> int:
        """Another width near ``width``, where it may differ from block to block; whole networks keep it."""
        if self.whole or self.chance(0.25):
            return width
        return self.width(max(4, int(width * 0.7)), max(6, int(width * 1.4)))

    def resolution(self, low: int = 96, high: int = 384) -> int:
        """Side of an image: 224 often, another published size, or any number (106 pixels happen too)."""
        kind = self.choice(("imagenet", "published", "any"), (40, 42, 18))
        if kind == "imagenet" and low <= 224 <= high:
            return 224
        fitting = [side for side in RESOLUTIONS if low <= side <= high]
        return self.choice(fitting) if kind != "any" and fitting else self.integer(low, high)

    def batch(self, high: int = 16) -> int:
        """Mostly one; up to ``high`` images at once for throughput-minded users."""
        batch = self.choice((1, 2, 3, 4, 8, 16), (84, 5, 1, 5, 3, 2))
        return min(batch, high)
