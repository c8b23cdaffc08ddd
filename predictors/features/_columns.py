"""What all feature groups share: raw numbers per kernel, and the arithmetic that turns them into columns.

A group reads a handful of raw numbers from each kernel in Python (that part cannot be vectorised), then derives all of
its columns with numpy over the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from graphs.dtypes import BITS
from graphs.kernels import Kernel, Operand

Floats = NDArray[np.float64]

#: Columns that every group ends with, from the work of the kernel (see `predictors.work`).
WORK_COLUMNS = ("log_flops", "log_read", "log_constants", "log_written", "log_intensity")


#: What reading a kernel raises that lacks operands or attributes of its kind.
UNREADABLE = (LookupError, TypeError, ValueError, ZeroDivisionError)


@dataclass(frozen=True, slots=True, eq=False)
class FeatureGroup:
    """A kind of feature row: ``raw`` reads one kernel, ``derive`` turns ``[n, raw]`` into ``[n, len(columns)]``."""

    name: str
    columns: tuple[str, ...]
    raw: Callable[[Kernel], Sequence[float]]
    derive: Callable[[Floats], Floats]

    def reads(self, kernel: Kernel) -> bool:
        """Whether the kernel has the operands and attributes that its kind should have."""
        try:
            self.raw(kernel)
        except UNREADABLE:
            return False
        return True

    @property
    def all_columns(self) -> tuple[str, ...]:
        return self.columns + WORK_COLUMNS

    def matrix(self, kernels: Sequence[Kernel], work: Floats) -> NDArray[np.float32]:
        """The features of ``kernels`` as ``[n, len(all_columns)]``; ``work`` is theirs, ``[n, 4]``."""
        raw = np.array([_raw(self, kernel) for kernel in kernels], dtype=np.float64)
        features = np.concatenate((self.derive(raw), work_columns(work)), axis=1)
        return features.astype(np.float32)


@lru_cache(maxsize=20_000)
def _raw(group: FeatureGroup, kernel: Kernel) -> Sequence[float]:
    """Remembered, since the same kernel is asked for in many surroundings."""
    return group.raw(kernel)


def work_columns(work: Floats) -> Floats:
    """`WORK_COLUMNS` from ``[n, 4]`` FLOPs, bytes of activations read, bytes of constants read, bytes written."""
    columns = np.empty((len(work), len(WORK_COLUMNS)))
    columns[:, :4] = np.log2(1.0 + work)
    columns[:, 4] = columns[:, 0] - np.log2(1.0 + work[:, 1] + work[:, 2] + work[:, 3])
    return columns


def log2(values: Floats) -> Floats:
    """Binary logarithm of sizes, of which 0 counts as 1."""
    return np.log2(np.maximum(values, 1.0))


def utilisation(sizes: Floats, tile: float) -> Floats:
    """The share of whole tiles that ``sizes`` fill: 1 for multiples of ``tile``, small where a tile is mostly empty."""
    sizes = np.maximum(sizes, 1.0)
    return sizes / (np.ceil(sizes / tile) * tile)


def required(kernel: Kernel, index: int) -> Operand:
    """The operand at ``index``; LookupError where the kernel has none."""
    operand = kernel.inputs[index]
    if operand is None:
        raise LookupError(f"{kernel.kind} has no input {index}")
    return operand


def bits(operand: Operand | None) -> int:
    """Bits per element; 0 for an absent operand."""
    return BITS[operand.dtype] if operand is not None else 0


def elements(operand: Operand | None) -> int:
    return operand.elements if operand is not None else 0


_ACTIVATIONS = {
    "": 0, "Relu": 1, "Clip": 2, "LeakyRelu": 2, "HardSigmoid": 3, "HardSwish": 4, "Sigmoid": 5, "Tanh": 6, "Silu": 7,
    "QuickGelu": 7, "Gelu": 8,
}  # fmt: skip


def activation_cost(name: object) -> float:
    """A fused activation as a number that rises with its cost per element; unknown ones count as the dearest."""
    return float(_ACTIVATIONS.get(str(name), 9)) if name else 0.0
