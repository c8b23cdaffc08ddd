"""Medleys of the operators that hardly compute: elementwise ones, reductions, and those that move data."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from graphs.ir import TensorType
from graphs.spaces.activations import ACTIVATIONS, activate
from graphs.spaces.builder import GraphBuilder
from graphs.spaces.draw import Draw
from graphs.spaces.medleys import feature_map
from graphs.spaces.normalisation import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    rms_norm,
)
from graphs.spaces.operators import reduce, softmax


def elementwise(b: GraphBuilder, draw: Draw) -> str:
    """Cheap operators on maps, sequences and scores: activations, broadcasts, reductions, normalisations."""
    ends = []
    for _ in range(6):
        x = _any_tensor(b, draw)
        for _ in range(draw.integer(6, 12)):
            x = draw.choice(_CHEAP)(b, draw, x)
        ends.append(b.reshape(reduce(b, "ReduceMean", x, (-1,)), 1, -1))
    return b.concat([b.slice(end, 0, 4, 1) for end in ends])


def _any_tensor(b: GraphBuilder, draw: Draw) -> str:
    name = f"input_{len(b.graph.inputs)}"
    kind = draw.choice(("map", "sequence", "scores", "rows"), (45, 25, 15, 15))
    if kind == "map":
        return feature_map(b, draw, biggest=draw.choice((0, 2, 3)))
    if kind == "sequence":
        return b.input((draw.batch(4), draw.size(4, 400), draw.width(16, 1024)), name=name)
    if kind == "scores":
        length = draw.size(4, 220)
        return b.input((1, draw.choice((1, 2, 3, 4, 6, 8, 12)), length, length), name=name)
    return b.input((draw.size(1, 128), draw.size(8, 4096)), name=name)


def _apply(b: GraphBuilder, draw: Draw, x: str) -> str:
    return activate(b, x, draw.choice(sorted(set(ACTIVATIONS) - {"prelu"})))


def _arithmetic(b: GraphBuilder, draw: Draw, x: str) -> str:
    """With a scalar, with a vector along some axis, or with itself."""
    op = draw.choice(("Add", "Mul", "Sub", "Div"))
    kind = draw.choice(("scalar", "last", "channel", "self", "column", "weight"), (25, 20, 20, 15, 15, 5))
    shape = b.shape(x)
    if kind == "scalar":
        return b.scalar(op, x, draw.uniform(0.5, 2.0), first=draw.chance(0.2))
    if kind == "self":
        return b.binary(draw.choice(("Add", "Mul", "Max")), x, b.unary(draw.choice(("Sigmoid", "Relu", "Tanh")), x))
    if kind == "column":
        return b.binary(op, x, b.scalar("Add", reduce(b, draw.choice(("ReduceMean", "ReduceMax")), x, (-1,)), 1.0))
    other = {"last": shape[-1:], "channel": (shape[1], *[1] * (len(shape) - 2)), "weight": shape}[kind]
    return b.binary(op, x, b.weight(*other))


def _function(b: GraphBuilder, draw: Draw, x: str) -> str:
    op = draw.choice(("Sqrt", "Exp", "Abs", "Neg", "Reciprocal", "Erf", "Log", "Floor", "Pow"))
    if op == "Pow":
        return b.scalar("Pow", x, draw.choice((2.0, 3.0, 0.5)))
    return b.unary(op, b.unary("Sigmoid", x) if op in ("Sqrt", "Log", "Exp", "Reciprocal") else x)


def _normalise(b: GraphBuilder, draw: Draw, x: str) -> str:
    if len(b.shape(x)) != 4 or draw.chance(0.5):
        return draw.choice((layer_norm, rms_norm))(b, x)
    channels = b.channels(x)
    kind = draw.choice(("instance", "group", "batch", "response"), (3, 3, 4, 1))
    if kind == "group":
        return group_norm(b, x, next(g for g in [*draw.shuffled((1, 2, 4, 8, 32)), 1] if channels % g == 0))
    return {"instance": instance_norm, "batch": batch_norm, "response": local_response_norm}[kind](b, x)


def _reduction(b: GraphBuilder, draw: Draw, x: str) -> str:
    """A reduction that is broadcast back onto its argument."""
    rank = len(b.shape(x))
    axes = draw.choice(((-1,), (1,), tuple(range(2, rank)) or (-1,), (-2,) if rank > 2 else (-1,)))
    op = draw.choice(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceL2"), (6, 2, 2, 1))
    return b.binary(draw.choice(("Sub", "Mul")), x, reduce(b, op, x, axes))


def _soften(b: GraphBuilder, draw: Draw, x: str) -> str:
    return softmax(b, x)


def _choose(b: GraphBuilder, draw: Draw, x: str) -> str:
    mask = b.node("Greater", [x, b.constant(0.5)], b.shape(x), dtype="bool")
    return b.node("Where", [mask, x, b.constant(0.0)], b.shape(x), dtype="float32")


_CHEAP: tuple[Callable[[GraphBuilder, Draw, str], str], ...] = (
    _apply, _apply, _apply, _arithmetic, _arithmetic, _arithmetic, _function, _normalise, _normalise, _reduction,
    _soften, _choose,
)  # fmt: skip


def layouts(b: GraphBuilder, draw: Draw) -> str:
    """Operators that move data: Transpose, Concat, Split, Slice, Pad, Gather, Expand, Resize, and casts."""
    ends = []
    for _ in range(6):
        x = _any_tensor(b, draw)
        for _ in range(draw.integer(5, 10)):
            x = draw.choice(_MOVES)(b, draw, x)
            # Something that computes in between keeps the runtime from merging the moves.
            x = b.unary(draw.choice(("Relu", "Sigmoid", "Abs")), x) if draw.chance(0.6) else x
        ends.append(b.reshape(reduce(b, "ReduceMax", x, (-1,)), 1, -1))
    return b.concat([b.slice(end, 0, 1, 1) for end in ends])


_USUAL: dict[int, tuple[tuple[int, ...], ...]] = {
    2: ((1, 0),),
    3: ((0, 2, 1), (1, 0, 2), (2, 0, 1)),
    4: ((0, 2, 1, 3), (0, 2, 3, 1), (0, 3, 1, 2), (0, 1, 3, 2)),
}


def _permute(b: GraphBuilder, draw: Draw, x: str) -> str:
    rank = len(b.shape(x))
    return b.transpose(x, *(draw.choice(_USUAL[rank]) if draw.chance(0.8) else draw.shuffled(range(rank))))


def _fold(b: GraphBuilder, draw: Draw, x: str) -> str:
    """Takes two dimensions apart, permutes and puts them together: heads, windows, shuffles."""
    shape = b.shape(x)
    axis = draw.integer(0, len(shape) - 1)
    parts = [p for p in (2, 3, 4, 7, 8, 12, 16, 32) if shape[axis] % p == 0 and shape[axis] > p]
    if not parts:
        return _permute(b, draw, x)
    part = draw.choice(parts)
    apart = b.reshape(x, *shape[:axis], shape[axis] // part, part, *shape[axis + 1 :])
    rank = len(b.shape(apart))
    turned = b.transpose(apart, *_swap(rank, draw.integer(0, rank - 2)))
    sizes = list(b.shape(turned))
    joint = draw.integer(0, rank - 2)
    return b.reshape(turned, *sizes[:joint], sizes[joint] * sizes[joint + 1], *sizes[joint + 2 :])


def _swap(rank: int, first: int) -> list[int]:
    perm = list(range(rank))
    perm[first], perm[first + 1] = perm[first + 1], perm[first]
    return perm


def _cut(b: GraphBuilder, draw: Draw, x: str) -> str:
    """Slices, halves that change places, or every second element."""
    shape = b.shape(x)
    axis = draw.choice([i for i, d in enumerate(shape) if d >= 4] or [len(shape) - 1])
    size = shape[axis]
    if size < 4:
        return b.concat([x, x], axis)
    cut = draw.integer(1, size - 1)
    kind = draw.choice(("roll", "half", "step", "split", "crop"))
    if kind == "roll":
        return b.concat([b.slice(x, cut, 2**63 - 1, axis), b.slice(x, 0, cut, axis)], axis)
    if kind == "split":
        return b.concat(b.split(x, [cut, size - cut], axis)[::-1], axis)
    if kind == "step" and b.style.opset >= 10:
        return b.slice(x, 0, size, axis, 2)
    return b.slice(x, 0, max(2, size // 2), axis) if kind == "half" else b.slice(x, 1, size, axis)


def _join(b: GraphBuilder, draw: Draw, x: str) -> str:
    axis = draw.integer(0, len(b.shape(x)) - 1)
    if prod(b.shape(x)) > 500_000:
        return _cut(b, draw, x)
    return b.concat([x, b.unary("Relu", x)] + ([b.unary("Neg", x)] if draw.chance(0.3) else []), axis)


def _surround(b: GraphBuilder, draw: Draw, x: str) -> str:
    rank = len(b.shape(x))
    begins = [draw.choice((0, 1, 2), (6, 3, 1)) for _ in range(rank)]
    ends = [draw.choice((0, 1, 2), (6, 3, 1)) for _ in range(rank)]
    return b.pad(x, begins, ends)


def _pick(b: GraphBuilder, draw: Draw, x: str) -> str:
    axis = draw.integer(0, len(b.shape(x)) - 1)
    size = b.shape(x)[axis]
    return b.gather(x, b.weight(draw.size(2, size), dtype="int64", fill=1), axis) if size > 1 else b.unary("Abs", x)


def _spread(b: GraphBuilder, draw: Draw, x: str) -> str:
    shape = b.shape(x)
    if prod(shape) > 300_000:
        return _cut(b, draw, x)
    wide = b.expand(b.unsqueeze(x, 0), draw.choice((2, 3, 4)), *shape)
    sizes = b.shape(wide)
    return b.reshape(wide, sizes[0] * sizes[1], *sizes[2:])


def _seldom(b: GraphBuilder, draw: Draw, x: str) -> str:
    """What is met at the ends of networks: repetition, running sums, the best elements."""
    shape = b.shape(x)
    kind = draw.choice(("tile", "sum", "best", "top"))
    if kind == "tile" and prod(shape) < 300_000:
        repeats = b.constant([1] * (len(shape) - 1) + [2], "int64")
        return b.node("Tile", [x, repeats], (*shape[:-1], 2 * shape[-1]))
    if kind == "sum" and b.style.opset >= 11:
        return b.node("CumSum", [x, b.constant(len(shape) - 1, "int64")], shape)
    if kind == "top" and b.style.opset >= 11 and shape[-1] >= 8:
        count = min(shape[-1], draw.choice((5, 8, 100)))
        limits = [(*shape[:-1], count)] * 2
        best, places = b.nodes("TopK", [x, b.constant([count], "int64")], limits, {"axis": -1})
        b.graph.types[places] = TensorType("int64", limits[1])
        return best
    best = b.node("ArgMax", [x], (*shape[:-1], 1), dtype="int64", axis=len(shape) - 1, keepdims=1)
    return b.binary("Add", x, b.node("Cast", [best], b.shape(best), dtype="float32", to=1))


def _convert(b: GraphBuilder, draw: Draw, x: str) -> str:
    number, dtype = draw.choice(((6, "int32"), (7, "int64"), (11, "float64")))
    there = b.node("Cast", [x], b.shape(x), dtype=dtype, to=number)
    return b.node("Cast", [there], b.shape(x), dtype="float32", to=1)


_MOVES: tuple[Callable[[GraphBuilder, Draw, str], str], ...] = (
    _permute, _permute, _permute, _fold, _fold, _fold, _cut, _cut, _cut, _join, _join, _surround, _pick, _spread,
    _convert, _seldom,
)  # fmt: skip
