"""What `detail="kernels"` adds to a prediction: precisions, work and memory of every kernel, and the roofline to see
them against.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from graphs.costs import bytes_read, bytes_written
from graphs.dtypes import FLOATING
from graphs.ir import Graph
from graphs.kernels import Kernel
from graphs.memory import MemoryUse, memory_over_time
from predictors.baseline import Baseline

#: What people call element types; those that are not here keep their names.
_SHORT = {
    "float64": "fp64", "float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "uint8": "int8", "uint4": "int4",
}  # fmt: skip

#: Integers that stand for quantised numbers.
_QUANTISED = frozenset({"int8", "uint8", "int4", "uint4"})


@dataclass(frozen=True, slots=True)
class Details:
    """Found once per graph and target; sequences have one entry per kernel."""

    memory: MemoryUse
    #: Bytes of activations that are alive while the kernel runs.
    live: Sequence[int]
    precisions: Sequence[str]
    #: Bytes read and written by definition of the operator, everything once.
    moved: Sequence[int]
    baseline: Baseline

    @classmethod
    def of(cls, optimised: Graph, kernels: Sequence[Kernel], baseline: Baseline) -> Details:
        """The details of an optimised graph, whose ``kernels`` are in the order of its nodes."""
        memory, live = memory_over_time(optimised)
        precisions = [precision_of(kernel) for kernel in kernels]
        moved = [bytes_read(kernel) + bytes_written(kernel) for kernel in kernels]
        return cls(memory, live, precisions, moved, baseline)

    def to_json(self, flops: Iterable[int]) -> dict[str, Any]:
        """What the details say of the whole; ``flops`` are those of the kernels."""
        return {
            "precision": _most(self.precisions, flops),
            "memory": {
                "constants_bytes": self.memory.constants, "packed_bytes": self.memory.packed,
                "activations_bytes": self.memory.activations,
            },
            "roofline": {
                "flops_per_s": self.baseline.flops_per_s, "bytes_per_s": self.baseline.bytes_per_s,
                "cache_bytes_per_s": self.baseline.cache_bytes_per_s,
            },
        }  # fmt: skip


def precision_of(kernel: Kernel) -> str:
    """``fp32``, ``int8`` …: the element type in which a kernel computes.

    That is the quantised one where an operand with two or more dimensions is, else the first floating one, else that of
    the first operand.
    """
    operands = [o for o in kernel.inputs if o is not None] or list(kernel.outputs)
    types = [o.dtype for o in operands if len(o.shape) > 1 and o.dtype in _QUANTISED]
    types += [o.dtype for o in operands if o.dtype in FLOATING]
    types += [o.dtype for o in operands]
    return precision_name(types[0]) if types else "none"


def precision_name(dtype: str) -> str:
    """``fp32`` of ``float32``: what people call an element type."""
    return _SHORT.get(dtype, dtype)


def _most(precisions: Sequence[str], flops: Iterable[int]) -> str:
    """The precision in which most of the arithmetic is done; moving data alone hardly counts."""
    weights: dict[str, float] = {}
    for precision, work in zip(precisions, flops, strict=True):
        weights[precision] = weights.get(precision, 0.0) + work + 1e-3
    return max(weights, key=lambda precision: weights[precision], default="none")
