"""Kernels in words, for people who compare two lists of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from graphs.kernels import Kernel, Operand
from graphs.masking import SLOWING


@dataclass(frozen=True)
class Difference:
    """Kernels of one list that the other one has not, with how many more there are of each."""

    ours: int
    theirs: int
    only_ours: tuple[tuple[Kernel, int], ...]
    only_theirs: tuple[tuple[Kernel, int], ...]

    @property
    def equal(self) -> bool:
        return not self.only_ours and not self.only_theirs


def compare(ours: Sequence[Kernel], theirs: Sequence[Kernel]) -> Difference:
    """The difference of two multisets of kernels, by key.

    What of the data slows it down is left aside: the runtime's own graph, which comes without weights, cannot say.
    """
    ours, theirs = ([_without_data(kernel) for kernel in side] for side in (ours, theirs))
    examples = {kernel.key: kernel for kernel in (*ours, *theirs)}
    mine, other = Counter(kernel.key for kernel in ours), Counter(kernel.key for kernel in theirs)

    def named(keys: Counter[str]) -> tuple[tuple[Kernel, int], ...]:
        return tuple(sorted(((examples[key], n) for key, n in keys.items()), key=lambda pair: describe(pair[0])))

    return Difference(len(ours), len(theirs), named(mine - other), named(other - mine))


def _without_data(kernel: Kernel) -> Kernel:
    return replace(kernel, attributes=tuple(pair for pair in kernel.attributes if pair[0] not in SLOWING))


def describe(kernel: Kernel) -> str:
    """One line: ``Conv float32 1×3×224×224, const 64×3×7×7 → 1×64×112×112 group=1 strides=2,2``."""
    reads = ", ".join(_operand(operand) for operand in kernel.inputs)
    writes = ", ".join(_shape(operand) for operand in kernel.outputs)
    dtype = next((operand.dtype for operand in kernel.inputs if operand is not None), "")
    attributes = " ".join(f"{name}={_text(value)}" for name, value in kernel.attributes)
    return f"{kernel.kind} {dtype} {reads} → {writes} {attributes}".rstrip()


def _operand(operand: Operand | None) -> str:
    if operand is None:
        return "–"
    value = "" if operand.value is None else f"={_text(operand.value)}"
    return f"{'const ' if operand.constant else ''}{_shape(operand)}{value}"


def _shape(operand: Operand) -> str:
    return "×".join(map(str, operand.shape)) or "scalar"


def _text(value: object) -> str:
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ",".join(map(str, value))
    return str(value)
