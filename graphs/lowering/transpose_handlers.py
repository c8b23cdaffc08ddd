"""How a Transpose passes each kind of operator: which inputs it may come from, what the operator must change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from graphs.ir import Node, TensorType
from graphs.lowering.rewriter import Rewriter, merged_origin

if TYPE_CHECKING:
    from graphs.lowering.transposes import Push

Perm = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Handler:
    """``inputs`` gives the transposable inputs; ``push`` does the move and says whether it did."""

    inputs: Callable[[Rewriter, Node], list[int]]
    push: Callable[[Push], bool]
    transposes_outputs: bool = True


def invert(perm: Perm) -> Perm:
    """The permutation that undoes ``perm``."""
    inverse = [0] * len(perm)
    for i, p in enumerate(perm):
        inverse[p] = i
    return tuple(inverse)


def compose(first: Perm, second: Perm) -> Perm:
    """The permutation of ``first`` followed by ``second``."""
    return tuple(first[p] for p in second)


def perm_of(node: Node | None) -> Perm | None:
    """The permutation of a Transpose that spells it out; None of any other node."""
    if node is None or node.op != "Transpose" or node.domain:
        return None
    return node.ints("perm")


def constant_behind_dq(r: Rewriter, tensor: str) -> Node | None:
    """The DequantizeLinear that gives ``tensor`` from a constant to one user only."""
    dq = r.producer(tensor)
    if dq is not None and dq.op == "DequantizeLinear" and r.is_constant(dq.inputs[0]) and r.edges(dq) == 1:
        return dq
    return None


def find(node: Node, assigned: bool) -> Handler | None:
    """The handler of a node's operator; some exist only once nodes are assigned to the CPU provider."""
    if assigned and node.kind in _CPU_HANDLERS:
        return _CPU_HANDLERS[node.kind]
    return _HANDLERS.get(node.kind)


def _all_inputs(r: Rewriter, node: Node) -> list[int]:
    return list(range(len(node.inputs)))


def _first_input(r: Rewriter, node: Node) -> list[int]:
    return [0]


def _non_scalars(r: Rewriter, node: Node) -> list[int]:
    return [i for i, t in enumerate(node.inputs) if r.shape(t)]


def _concat_inputs(r: Rewriter, node: Node) -> list[int]:
    return list(range(2, len(node.inputs), 3))


def _binary_inputs(r: Rewriter, node: Node) -> list[int]:
    return [0, 3]


def _simple(p: Push) -> bool:
    p.transpose_inputs()
    p.transpose_outputs()
    return True


def _broadcast(p: Push) -> bool:
    rank = len(p.perm)
    if any(len(p.r.shape(p.node.inputs[i])) > rank for i in p.inputs):
        return False
    for i in p.inputs:
        _raise_rank(p, i, rank)
    return _simple(p)


def _raise_rank(p: Push, index: int, rank: int) -> None:
    """Leading ones, so that the shapes match dimension by dimension: free for constants, else an Unsqueeze."""
    r, node = p.r, p.node
    tensor = node.inputs[index]
    t = r.types[tensor]
    missing = rank - len(t.shape)
    if not missing:
        return
    raised = TensorType(t.dtype, (1,) * missing + t.dims)
    dq = constant_behind_dq(r, tensor)
    if r.is_constant(tensor):
        value = r.value(tensor)
        r.set_input(node, index, r.constant(None if value is None else value.reshape(raised.dims), raised))
    elif dq is not None:
        constant = r.types[dq.inputs[0]]
        r.set_input(dq, 0, r.constant(t=TensorType(constant.dtype, raised.dims)))
        r.types[tensor] = raised
        if r.shape(dq.inputs[1]) not in ((), (1,)):
            dq.attributes["axis"] = dq.int("axis", 1) % len(t.shape) + missing
    else:
        name = r.tensor(raised, "unsqueezed")
        r.add(Node("Unsqueeze", [tensor, r.int_constant(range(missing))], [name], {}, "", node.name, node.origin))
        r.set_input(node, index, name)


def _axis(node: Node, default: int, rank: int) -> int:
    return node.int("axis", default) % rank


def _with_axis(default: int) -> Callable[[Push], bool]:
    def push(p: Push) -> bool:
        axis = _axis(p.node, default, len(p.perm))
        _simple(p)
        p.node.attributes["axis"] = p.perm[axis]
        return True

    return push


def _softmax(p: Push) -> bool:
    if p.r.opset >= 13 or p.node.domain:
        return _with_axis(-1)(p)
    axis = _axis(p.node, 1, len(p.perm))
    if any((i < axis) != (p.perm[i] < axis) for i in range(len(p.perm))):
        return False
    return _simple(p)


def _pad(p: Push) -> bool:
    rank = len(p.perm)
    pads = p.r.ints(p.node, 1, "pads")
    if pads is None or len(pads) != 2 * rank:
        return False
    order = [*p.inverse, *(i + rank for i in p.inverse)]
    moved = tuple(pads[i] for i in order)
    if "pads" in p.node.attributes:
        p.node.attributes["pads"] = moved
    else:
        p.r.set_input(p.node, 1, p.r.int_constant(moved))
    p.transpose_input(0)
    p.transpose_outputs()
    return True


def _set_axes(p: Push, axes: tuple[int, ...], index: int = 1) -> None:
    if "axes" in p.node.attributes:
        p.node.attributes["axes"] = axes
    else:
        p.r.set_input(p.node, index, p.r.int_constant(axes))


def _squeezed(axes: tuple[int, ...], perm: Perm) -> Perm:
    """The permutation that is left when ``axes`` (of the permuted tensor's source) disappear."""
    kept = [p for p in perm if p not in axes]
    order = sorted(kept)
    return tuple(order.index(p) for p in kept)


def _reduce(p: Push) -> bool:
    rank = len(p.perm)
    keep = bool(p.node.attributes.get("keepdims", 1))
    axes = p.r.ints(p.node, 1, "axes")
    if axes is None and len(p.node.inputs) > 1 and p.node.inputs[1]:
        return False
    if not axes:
        p.transpose_input(0)
        if keep:
            p.transpose_outputs()
        return True
    moved = tuple(sorted(p.perm[a % rank] for a in axes))
    _set_axes(p, moved)
    p.transpose_input(0)
    p.transpose_outputs(p.perm if keep else _squeezed(moved, p.perm))
    return True


def _squeeze(p: Push) -> bool:
    axes = p.r.ints(p.node, 1, "axes")
    if axes is None:
        return False
    moved = tuple(sorted(p.perm[a % len(p.perm)] for a in axes))
    _set_axes(p, moved)
    p.transpose_input(0)
    p.transpose_outputs(_squeezed(moved, p.perm))
    return True


def _unsqueezed(new: set[int], perm: Perm) -> Perm:
    """The permutation when ones are inserted at ``new`` (axes of the result, in both layouts)."""
    rank = len(perm) + len(new)
    old = [i for i in range(rank) if i not in new]
    source = iter(perm)
    return tuple(i if i in new else old[next(source)] for i in range(rank))


def _unsqueeze(p: Push) -> bool:
    axes = p.r.ints(p.node, 1, "axes")
    if axes is None:
        return False
    rank = len(p.perm) + len(axes)
    p.transpose_input(0)
    p.transpose_outputs(_unsqueezed({a % rank for a in axes}, p.perm))
    return True


def _arg(p: Push) -> bool:
    axis = p.perm[_axis(p.node, 0, len(p.perm))]
    p.node.attributes["axis"] = axis
    p.transpose_input(0)
    p.transpose_outputs(p.perm if p.node.attributes.get("keepdims", 1) else _squeezed((axis,), p.perm))
    return True


def _slice(p: Push) -> bool:
    rank = len(p.perm)
    axes = p.r.ints(p.node, 3, "axes")
    if axes is None:
        if len(p.node.inputs) > 3 and p.node.inputs[3]:
            return False
        starts = p.r.ints(p.node, 1, "starts")
        if starts is None:
            return False
        axes = tuple(range(len(starts)))
    moved = tuple(p.perm[a % rank] for a in axes)
    if "starts" in p.node.attributes:
        p.node.attributes["axes"] = moved
    else:
        p.r.set_input(p.node, 3, p.r.int_constant(moved))
    p.transpose_input(0)
    p.transpose_outputs()
    return True


def _gather(p: Push) -> bool:
    """One index along one axis, which vanishes; no Transpose passes a vector of indices."""
    if p.r.shape(p.node.inputs[1]) or not p.r.is_constant(p.node.inputs[1]):
        return False
    axis = p.perm[_axis(p.node, 0, len(p.perm))]
    p.node.attributes["axis"] = axis
    p.transpose_input(0)
    p.transpose_outputs(_squeezed((axis,), p.perm))
    return True


def _tile(p: Push) -> bool:
    repeats = p.r.ints(p.node, 1, "repeats")
    if repeats is None:
        return False
    p.r.set_input(p.node, 1, p.r.int_constant(repeats[i] for i in p.inverse))
    p.transpose_input(0)
    p.transpose_outputs()
    return True


def _quantize(p: Push) -> bool:
    if p.r.shape(p.node.inputs[1]) != ():
        p.node.attributes["axis"] = p.perm[_axis(p.node, 1, len(p.perm))]
    p.transpose_input(0)
    p.transpose_outputs()
    return True


def _merge(p: Push, second: Perm) -> bool:
    """Two transposes in a row (the second may be a Reshape that acts as one): they cancel, or become one."""
    source, output = p.above.inputs[0], p.node.outputs[0]
    if p.inverse == second:
        if not p.r.bypass(p.node, source):
            p.r.fuse([p.node], "Identity", [source])
    else:
        new = p.r.fuse([p.node], "Transpose", [source], "", {"perm": compose(p.perm, second)})
        new.origin = merged_origin(p.above, new)
        assert new.outputs[0] == output
    p.drop_above()
    return True


def _transpose(p: Push) -> bool:
    second = perm_of(p.node)
    return second is not None and len(second) == len(p.perm) and _merge(p, second)


def _reshape(p: Push) -> bool:
    """A Reshape that only moves ones around is a transpose."""
    before, after = list(p.r.shape(p.node.inputs[0])), p.r.shape(p.node.outputs[0])
    if len(before) != len(after):
        return _split_reshape(p, before, after)
    perm = []
    for size in after:
        for i, d in enumerate(before):
            if d == size:
                perm.append(i)
                before[i] = -1
                break
            if d not in (-1, 1) and size != 1:
                return False
        else:
            return False
    return _merge(p, tuple(perm))


def _split_reshape(p: Push, before: list[int], after: tuple[int, ...]) -> bool:
    """A Reshape that only splits dimensions works as well on the other order of them."""
    groups: list[list[int]] = []
    i = 0
    for size in before:
        group: list[int] = []
        product = 1
        while i < len(after) and (product < size or not group):
            group.append(i)
            product *= after[i]
            i += 1
        if product != size or not group:
            return False
        groups.append(group)
    if i != len(after):
        return False
    order = [axis for source in p.inverse for axis in groups[source]]
    p.transpose_input(0)
    p.r.set_input(p.node, 1, p.r.int_constant(after[axis] for axis in order))
    p.transpose_outputs(invert(tuple(order)))
    return True


_TO_NHWC, _TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)


def _resize(p: Push) -> bool:
    """Only between NCHW and NHWC; roi, scales and sizes are permuted along."""
    if p.perm not in (_TO_NHWC, _TO_NCHW):
        return False
    first = 1 if p.r.opset < 11 else 2
    for index in range(first, len(p.node.inputs)):
        value = p.r.value(p.node.inputs[index]) if p.node.inputs[index] else None
        if value is not None and value.size == 4:
            p.r.set_input(p.node, index, p.r.constant(np.ascontiguousarray(value[list(p.inverse)])))
    p.transpose_input(0)
    p.transpose_outputs()
    return True


def _channels_first(rank: int) -> Perm:
    return (0, rank - 1, *range(1, rank - 1))


def _channels_last(rank: int) -> Perm:
    return (0, *range(2, rank), 1)


def _max_pool(p: Push) -> bool:
    """8-bit MaxPool has an NHWC kernel."""
    if (len(p.node.outputs) > 1 and p.node.outputs[1]) or p.r.dtype(p.node.outputs[0]) not in ("uint8", "int8"):
        return False
    if p.perm != _channels_first(len(p.perm)):
        return False
    p.node.op, p.node.domain = "NhwcMaxPool", "com.microsoft"
    p.node.attributes.pop("storage_order", None)
    p.transpose_input(0)
    p.transpose_outputs()
    return True


def _qlinear_pool(p: Push) -> bool:
    last = bool(p.node.attributes.get("channels_last", 0))
    first = _channels_first(len(p.perm))
    if (p.perm if not last else p.inverse) != first:
        return False
    p.node.attributes["channels_last"] = 0 if last else 1
    p.transpose_input(0)
    p.transpose_outputs()
    return True


_SIMPLE = Handler(_all_inputs, _simple)
_SIMPLE_OPS = (
    "Cast", "Exp", "Gelu", "Identity", "LeakyRelu", "Log", "Reciprocal", "Relu", "Sigmoid", "Sqrt", "Tanh", "Abs",
    "Not",
    "Ceil", "Floor", "Neg", "Erf", "HardSigmoid", "Round", "IsInf", "IsNaN", "Selu", "Shrink", "Sign", "Softplus",
    "Softsign", "ThresholdedRelu", "Celu", "HardSwish", "Sin", "Cos", "Tan", "Sinh", "Cosh", "Asin", "Acos", "Atan",
    "Asinh", "Acosh", "Atanh", "Elu",
)  # fmt: skip
_BROADCAST_OPS = (
    "Add", "Max", "Min", "Mul", "Sub", "Div", "And", "Or", "Xor", "Mod", "PRelu", "BitShift", "Equal", "Greater",
    "Less",
    "GreaterOrEqual", "LessOrEqual", "Mean", "Sum", "Pow", "Where",
)  # fmt: skip
_REDUCE_OPS = (
    "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum",
    "ReduceSumSquare", "ReduceL1", "ReduceL2",
)  # fmt: skip

_HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(_SIMPLE_OPS, _SIMPLE),
    **dict.fromkeys(_BROADCAST_OPS, Handler(_non_scalars, _broadcast)),
    **dict.fromkeys(("Clip", "CastLike"), Handler(_first_input, _simple)),
    "Transpose": Handler(_first_input, _transpose, False),
    "Reshape": Handler(_first_input, _reshape, False),
    "Concat": Handler(_all_inputs, _with_axis(0)),
    "Split": Handler(_first_input, _with_axis(0)),
    "Pad": Handler(_first_input, _pad),
    **dict.fromkeys(_REDUCE_OPS, Handler(_first_input, _reduce)),
    **dict.fromkeys(("ArgMin", "ArgMax"), Handler(_first_input, _arg)),
    "Squeeze": Handler(_first_input, _squeeze),
    "Unsqueeze": Handler(_first_input, _unsqueeze),
    "Slice": Handler(_first_input, _slice),
    "Gather": Handler(_first_input, _gather),
    "Tile": Handler(_first_input, _tile),
    **dict.fromkeys(("Softmax", "Hardmax", "LogSoftmax"), Handler(_first_input, _softmax)),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), Handler(_first_input, _quantize)),
    **dict.fromkeys(("com.microsoft.QLinearAdd", "com.microsoft.QLinearMul"), Handler(_binary_inputs, _broadcast)),
    **dict.fromkeys(
        ("com.microsoft.QLinearAveragePool", "com.microsoft.QLinearGlobalAveragePool"),
        Handler(_first_input, _qlinear_pool),
    ),
    "com.microsoft.QLinearConcat": Handler(_concat_inputs, _with_axis(0)),
    **dict.fromkeys(("com.microsoft.QLinearLeakyRelu", "com.microsoft.QLinearSigmoid"), Handler(_first_input, _simple)),
    "com.microsoft.QLinearReduceMean": Handler(_first_input, _reduce),
    "com.microsoft.QLinearSoftmax": Handler(_first_input, _softmax),
}

_CPU_HANDLERS: dict[str, Handler] = {
    "Resize": Handler(_first_input, _resize),
    "MaxPool": Handler(_first_input, _max_pool),
}
