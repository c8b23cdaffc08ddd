"""Nodes that do nothing at inference time vanish.

After onnxruntime's rewrite rules EliminateIdentity, EliminateSlice, UnsqueezeElimination, EliminateDropout,
ExpandElimination, CastElimination, NoopElimination and PreShapeNodeElimination (core/optimizer, 1.31).
"""

from __future__ import annotations

from graphs.ir import Node
from graphs.lowering.rewriter import Rewriter

_OPEN_END = 2**63 - 1


def eliminate_identity(r: Rewriter, node: Node) -> None:
    """Identity passes its input on; what the graph returns it keeps if it or its input is read by others."""
    source, made = node.inputs[0], node.outputs[0]
    if r.is_output(made) and (r.is_constant(source) or r.users(made) or len(r.users(source)) > 1):
        return
    r.bypass(node)


def _skip(r: Rewriter, node: Node, source: str | None = None) -> None:
    """Let the users of a node read what it reads; what the graph returns stays."""
    if not r.is_output(node.outputs[0]):
        r.bypass(node, source)


def eliminate_dropout(r: Rewriter, node: Node) -> None:
    """Dropout passes its input on unless its mask is used (training mode is not priced)."""
    if len(node.outputs) > 1 and node.outputs[1] and (r.users(node.outputs[1]) or r.is_output(node.outputs[1])):
        return
    _skip(r, node)


def fold_half(r: Rewriter, node: Node) -> None:
    """Arithmetic on nothing but constants of float16, which inference leaves to those who have kernels for it."""
    made = node.outputs[0]
    if r.dtype(made) == "float16" and not r.is_output(made) and all(r.is_constant(t) for t in node.inputs if t):
        r.bypass(node, r.constant(t=r.types[made]))


def eliminate_cast(r: Rewriter, node: Node) -> None:
    """A cast to the type that the tensor has."""
    if r.dtype(node.inputs[0]) == r.dtype(node.outputs[0]):
        _skip(r, node)


#: Bits of mantissa and exponent range grow along each chain: a cast to the right loses nothing.
_WIDER = {
    "float16": {"float32", "float64"}, "bfloat16": {"float32", "float64"}, "float32": {"float64"},
    "int8": {"int16", "int32", "int64"}, "int16": {"int32", "int64"}, "int32": {"int64"},
    "uint8": {"uint16", "uint32", "uint64"}, "uint16": {"uint32", "uint64"}, "uint32": {"uint64"},
}  # fmt: skip


def eliminate_cast_pair(r: Rewriter, node: Node) -> None:
    """There and back: a cast to a wider type, then to the first one again."""
    before = r.producer(node.inputs[0])
    if before is None or before.op != "Cast":
        return
    source = before.inputs[0]
    if r.dtype(source) == r.dtype(node.outputs[0]) and r.dtype(before.outputs[0]) in _WIDER.get(r.dtype(source), ()):
        _skip(r, node, source)
        if r.alive(before) and not r.edges(before) and not r.gives_output(before):
            r.remove(before)


def eliminate_expand(r: Rewriter, node: Node) -> None:
    """An expansion to the shape that the tensor has."""
    if node.inputs[0] in r.uncertain or not r.is_constant(node.inputs[1]):
        return
    if r.shape(node.inputs[0]) == r.shape(node.outputs[0]):
        _skip(r, node)


def eliminate_slice(r: Rewriter, node: Node) -> None:
    """A slice from 0 to the open end (the largest integer), in steps of 1.

    One that names the true end is kept, as is one of an input of the graph.
    """
    steps, starts, ends = r.ints(node, 4, "steps"), r.ints(node, 1, "starts"), r.ints(node, 2, "ends")
    if starts is None or ends is None or (steps is not None and any(s != 1 for s in steps)):
        return
    if r.producer(node.inputs[0]) is not None and not any(starts) and all(e >= _OPEN_END for e in ends):
        _skip(r, node)


def eliminate_noop(r: Rewriter, node: Node) -> None:
    """x + 0, x - 0, x * 1, x / 1 with a scalar that does not broadcast x, unless x is an input of the graph."""
    neutral = 0.0 if node.op in ("Add", "Sub") else 1.0
    positions = (1,) if node.op in ("Sub", "Div") else (0, 1)
    for i in positions:
        constant, other = node.inputs[i], node.inputs[1 - i]
        if r.is_constant(constant) and r.scalar(constant) == neutral and not r.is_constant(other):
            if r.shape(other) == r.shape(node.outputs[0]) and r.producer(other) is not None:
                _skip(r, node, other)
            return
