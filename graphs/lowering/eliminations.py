"""Nodes that do nothing at inference time vanish.

After onnxruntime's rewrite rules EliminateIdentity, EliminateSlice, UnsqueezeElimination, EliminateDropout,
ExpandElimination, CastElimination, NoopElimination and PreShapeNodeElimination (core/optimizer, 1.31).
"""

from __future__ import annotations

from graphs.ir import Node
from graphs.lowering.rewriter import Rewriter


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
    """A slice of everything, with starts at 0 and positive steps of 1."""
    if r.shape(node.inputs[0]) != r.shape(node.outputs[0]):
        return
    steps = r.ints(node, 4, "steps")
    starts = r.ints(node, 1, "starts")
    if starts is not None and (steps is None or all(s == 1 for s in steps)) and all(s == 0 for s in starts):
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


def eliminate_unsqueeze(r: Rewriter, node: Node) -> None:
    """Of a constant it is a constant; folding has done that already."""


def eliminate_concat(r: Rewriter, node: Node) -> None:
    """A concatenation of one tensor."""
    if len(node.inputs) == 1:
        r.bypass(node)
