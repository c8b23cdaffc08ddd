"""Operators that describe or rearrange shapes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from graphs.errors import InvalidGraph
from graphs.inference.call import Call, Shape, axis_in, broadcast, rule
from graphs.inference.elementwise import dtype_of, element_type
from graphs.ir import TensorType


@rule("Shape")
def _shape(call: Call) -> Sequence[TensorType]:
    return (TensorType("int64", (len(shape_slice(call)),)),)


def shape_slice(call: Call) -> Shape:
    """The part of the input's shape that Shape gives (from opset 15 on with start and end)."""
    return call.shape(0)[call.attribute("start", 0) : call.attribute("end")]


@rule("Size")
def _size(call: Call) -> Sequence[TensorType]:
    return (TensorType("int64", ()),)


@rule("Reshape")
def _reshape(call: Call) -> Sequence[TensorType]:
    shape = reshaped(call.shape(0), call.need_ints(1), bool(call.attribute("allowzero", 0)))
    return (TensorType(call.dtype(0), shape),)


def reshaped(data: Shape, target: Sequence[int], allow_zero: bool = False) -> Shape:
    """ONNX Reshape: 0 copies a dimension (unless ``allow_zero``), one -1 takes what is left."""
    sizes = list(target)
    if not allow_zero:
        for i, n in enumerate(sizes):
            if n == 0:
                if i >= len(data):
                    raise InvalidGraph(f"{list(target)} copies dimension {i}, which {list(data)} does not have")
                sizes[i] = data[i]
    total = prod(data)
    if -1 in sizes:
        at = sizes.index(-1)
        rest = prod(sizes[:at]) * prod(sizes[at + 1 :])
        if rest and total % rest == 0:
            sizes[at] = total // rest
    if min(sizes, default=0) < 0 or prod(sizes) != total:
        raise InvalidGraph(f"{list(data)} ({total} elements) cannot be reshaped to {list(target)}")
    return tuple(sizes)


@rule("Flatten")
def _flatten(call: Call) -> Sequence[TensorType]:
    data = call.shape(0)
    axis = call.attribute("axis", 1)
    if not -len(data) <= axis <= len(data):
        raise InvalidGraph(f"axis {axis} is outside {list(data)}")
    axis += len(data) if axis < 0 else 0
    return (TensorType(call.dtype(0), (prod(data[:axis]), prod(data[axis:]))),)


@rule("Transpose")
def transpose(call: Call) -> Sequence[TensorType]:
    """Dimensions in the order of ``perm``; reversed without."""
    data = call.shape(0)
    order = call.attribute("perm") or range(len(data) - 1, -1, -1)
    if sorted(order) != list(range(len(data))):
        raise InvalidGraph(f"perm {list(order)} does not fit {list(data)}")
    return (TensorType(call.dtype(0), tuple(data[i] for i in order)),)


@rule("Concat")
def _concat(call: Call) -> Sequence[TensorType]:
    return (TensorType(call.dtype(0), concatenated([t.dims for t in call.present()], call.attribute("axis", 1))),)


def concatenated(shapes: Sequence[Shape], axis: int) -> Shape:
    """The shape of tensors joined along an axis, in which alone they may differ."""
    first = shapes[0]
    axis = axis_in(axis, len(first))
    total = 0
    for other in shapes:
        if other[:axis] != first[:axis] or other[axis + 1 :] != first[axis + 1 :] or len(other) != len(first):
            raise InvalidGraph(f"shapes {list(first)} and {list(other)} cannot be joined along axis {axis}")
        total += other[axis]
    return (*first[:axis], total, *first[axis + 1 :])


@rule("Split")
def _split(call: Call) -> Sequence[TensorType]:
    """Sizes are an attribute before opset 13, then an input; equal parts (the last may be smaller) without."""
    data = call.shape(0)
    axis = axis_in(call.attribute("axis", 0), len(data))
    parts: Sequence[int] | None = call.attribute("split") if call.opset < 13 else None
    if call.opset >= 13 and call.has(1):
        parts = call.need_ints(1)
    if parts is None:
        count = call.attribute("num_outputs") or len(call.node.outputs)
        each = -(-data[axis] // count)
        parts = [max(0, min(each, data[axis] - i * each)) for i in range(count)]
    if sum(parts) != data[axis] or len(parts) != len(call.node.outputs) or min(parts) < 0:
        raise InvalidGraph(f"{data[axis]} cannot be split into {list(parts)} for {len(call.node.outputs)} outputs")
    return [TensorType(call.dtype(0), (*data[:axis], n, *data[axis + 1 :])) for n in parts]


@rule("Slice")
def _slice(call: Call) -> Sequence[TensorType]:
    data = call.shape(0)
    result = list(data)
    for axis, cut in slices(call).items():
        result[axis] = len(range(*cut.indices(data[axis])))
    return (TensorType(call.dtype(0), tuple(result)),)


def slices(call: Call) -> dict[int, slice]:
    """Python slices by axis of a Slice node of any opset (attributes before 10, then inputs)."""
    rank = len(call.shape(0))
    axes: Sequence[int] | None
    if call.opset < 10:
        starts, ends = call.attribute("starts", ()), call.attribute("ends", ())
        axes, steps = call.attribute("axes"), None
    else:
        starts, ends = call.need_ints(1), call.need_ints(2)
        axes = call.need_ints(3) if call.has(3) else None
        steps = call.need_ints(4) if call.has(4) else None
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        given = f"starts {list(starts)}, ends {list(ends)}, axes {list(axes)}, steps {list(steps)}"
        raise InvalidGraph(f"{given} do not fit")
    result = {}
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = axis_in(axis, rank)
        n = call.shape(0)[axis]
        # An end before the beginning, going backwards, means "through the first element", which Python spells None.
        stop = None if step < 0 and end < -n else end
        result[axis] = slice(start, stop, step)
    return result


def axes_of(call: Call) -> Sequence[int] | None:
    """The axes of Squeeze and Unsqueeze: an attribute before opset 13, then an input."""
    if call.opset >= 13:
        return call.need_ints(1) if call.has(1) else None
    axes: Sequence[int] | None = call.attribute("axes")
    return axes


@rule("Squeeze")
def _squeeze(call: Call) -> Sequence[TensorType]:
    data = call.shape(0)
    axes = axes_of(call)
    gone = {i for i, n in enumerate(data) if n == 1} if axes is None else {axis_in(a, len(data)) for a in axes}
    for axis in gone:
        if data[axis] != 1:
            raise InvalidGraph(f"dimension {axis} of {list(data)} is not 1")
    return (TensorType(call.dtype(0), tuple(n for i, n in enumerate(data) if i not in gone)),)


@rule("Unsqueeze")
def _unsqueeze(call: Call) -> Sequence[TensorType]:
    data = call.shape(0)
    axes = axes_of(call)
    if axes is None:
        raise InvalidGraph("axes are required")
    rank = len(data) + len(axes)
    new = {axis_in(a, rank) for a in axes}
    if len(new) != len(axes):
        raise InvalidGraph(f"axes {list(axes)} name a dimension twice")
    old = iter(data)
    return (TensorType(call.dtype(0), tuple(1 if i in new else next(old) for i in range(rank))),)


@rule("Expand")
def _expand(call: Call) -> Sequence[TensorType]:
    return (TensorType(call.dtype(0), broadcast(call.shape(0), tuple(call.need_ints(1)))),)


@rule("Tile")
def _tile(call: Call) -> Sequence[TensorType]:
    data, repeats = call.shape(0), call.need_ints(1)
    if len(repeats) != len(data) or min(repeats, default=0) < 0:
        raise InvalidGraph(f"repeats {repeats} do not fit {list(data)}")
    return (TensorType(call.dtype(0), tuple(n * r for n, r in zip(data, repeats, strict=True))),)


@rule("Pad")
def _pad(call: Call) -> Sequence[TensorType]:
    """Pads are an attribute before opset 11, then an input; axes are an input from 18 on."""
    data = call.shape(0)
    pads: Sequence[int] = call.attribute("pads", ()) if call.opset < 11 else call.need_ints(1)
    axes: Sequence[int] = call.need_ints(3) if call.opset >= 18 and call.has(3) else range(len(data))
    if len(pads) != 2 * len(axes):
        raise InvalidGraph(f"pads {list(pads)} do not fit {len(axes)} dimensions")
    result = list(data)
    for i, axis in enumerate(axes):
        result[axis_in(axis, len(data))] += pads[i] + pads[i + len(axes)]
    return (TensorType(call.dtype(0), tuple(result)),)


@rule("ConstantOfShape")
def _constant_of_shape(call: Call) -> Sequence[TensorType]:
    value = call.attribute("value")
    return (TensorType("float32" if value is None else dtype_of(value), tuple(call.need_ints(0))),)


@rule("Range")
def range_of(call: Call) -> Sequence[TensorType]:
    """Numbers from start to limit."""
    start, limit, delta = (call.need(i).reshape(-1)[0].item() for i in range(3))
    if delta == 0:
        raise InvalidGraph("delta is 0")
    return (TensorType(call.dtype(0), (max(0, -int((start - limit) // delta)),)),)


@rule("EyeLike")
def _eye_like(call: Call) -> Sequence[TensorType]:
    to = call.attribute("dtype")
    return (TensorType(call.dtype(0) if to is None else element_type(to), call.shape(0)),)


@rule("DepthToSpace")
def _depth_to_space(call: Call) -> Sequence[TensorType]:
    n, c, h, w = _four(call)
    block = call.attribute("blocksize", 1)
    if c % (block * block):
        raise InvalidGraph(f"{c} channels are not a multiple of blocksize {block} squared")
    return (TensorType(call.dtype(0), (n, c // (block * block), h * block, w * block)),)


@rule("SpaceToDepth")
def _space_to_depth(call: Call) -> Sequence[TensorType]:
    n, c, h, w = _four(call)
    block = call.attribute("blocksize", 1)
    if h % block or w % block:
        raise InvalidGraph(f"{h}×{w} is not a multiple of blocksize {block}")
    return (TensorType(call.dtype(0), (n, c * block * block, h // block, w // block)),)


def _four(call: Call) -> Shape:
    data = call.shape(0)
    if len(data) != 4:
        raise InvalidGraph(f"data must have 4 dimensions, not {list(data)}")
    return data
