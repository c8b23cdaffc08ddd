"""Nodes that do nothing at inference time vanish.

After onnxruntime's rewrite rules EliminateIdentity, EliminateSlice, UnsqueezeElimination, EliminateDropout,
ExpandElimination, CastElimination, NoopElimination and PreShapeNodeElimination (core/optimizer, 1.31).
"""

from __future__ import annotations

from graphs.ir import Node
from graphs.lowering.rewriter import Rewriter

_OPEN_END = 2**63 - 1


def eliminate_identity(r: Rewriter, node: Node) -> None:
    if r.is_constant(node.inputs[0]) and r.is_output(node.outputs[0]):
        return
    r.bypass(node)


def eliminate_dropout(r: Rewriter, node: Node) -> None:
    """Dropout passes its input on unless its mask is used (training mode is not priced)."""
    if len(node.outputs) > 1 and node.outputs[1] and (r.users(node.outputs[1]) or r.is_output(node.outputs[1])):
        return
    r.bypass(node)


def eliminate_cast(r: Rewriter, node: Node) -> None:
    if r.dtype(node.inputs[0]) == r.dtype(node.outputs[0]):
        r.bypass(node)


def eliminate_expand(r: Rewriter, node: Node) -> None:
    if r.is_constant(node.inputs[1]) and r.shape(node.inputs[0]) == r.shape(node.outputs[0]):
        r.bypass(node)


def eliminate_slice(r: Rewriter, node: Node) -> None:
    """A slice from 0 to the open end (the largest integer), in steps of 1; one that names the true end is kept."""
    steps, starts, ends = r.ints(node, 4, "steps"), r.ints(node, 1, "starts"), r.ints(node, 2, "ends")
    if starts is None or ends is None or (steps is not None and any(s != 1 for s in steps)):
        return
    if not any(starts) and all(e >= _OPEN_END for e in ends):
        r.bypass(node)


def eliminate_noop(r: Rewriter, node: Node) -> None:
    """x + 0, x - 0, x * 1, x / 1 with a scalar constant that does not broadcast x."""
    neutral = 0.0 if node.op in ("Add", "Sub") else 1.0
    positions = (1,) if node.op in ("Sub", "Div") else (0, 1)
    for i in positions:
        constant, other = node.inputs[i], node.inputs[1 - i]
        if r.is_constant(constant) and r.scalar(constant) == neutral and not r.is_constant(other):
            if r.shape(other) == r.shape(node.outputs[0]):
                r.bypass(node, other)
            return
