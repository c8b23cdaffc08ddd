"""Reductions along axes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphs.inference.call import Call, Shape, axis_in, rule
from graphs.ir import TensorType

#: The opset from which the axes of an operator are an input; before they are an attribute.
_AXES_INPUT_SINCE = {"ReduceSum": 13}
_AXES_INPUT_SINCE_DEFAULT = 18


def reduced(shape: Shape, axes: Iterable[int] | None, keep: bool) -> Shape:
    """The shape after reducing these axes (None: all)."""
    rank = len(shape)
    gone = set(range(rank)) if axes is None else {axis_in(a, rank) for a in axes}
    if keep:
        return tuple(1 if i in gone else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in gone)


def reduction_axes(call: Call) -> Sequence[int] | None:
    """The axes of a ReduceX node of any opset; None for all, an empty list for none."""
    if call.opset < _AXES_INPUT_SINCE.get(call.node.op, _AXES_INPUT_SINCE_DEFAULT):
        axes: Sequence[int] | None = call.attribute("axes")
    else:
        axes = call.need_ints(1) if call.has(1) else None
    if not axes:
        return [] if call.attribute("noop_with_empty_axes", 0) else None
    return axes


@rule(
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
    "ReduceSum", "ReduceSumSquare",
)  # fmt: skip
def _reduction(call: Call) -> Sequence[TensorType]:
    keep = bool(call.attribute("keepdims", 1))
    return (TensorType(call.dtype(0), reduced(call.shape(0), reduction_axes(call), keep)),)


@rule("ArgMax", "ArgMin")
def _arg_reduction(call: Call) -> Sequence[TensorType]:
    keep = bool(call.attribute("keepdims", 1))
    return (TensorType("int64", reduced(call.shape(0), [call.attribute("axis", 0)], keep)),)
