"""The DQ and Q around an operator, as far as a quantised operator can stand for all of them.

After what onnxruntime's NodeGroupSelector and NodeGroup::CanCreateNodeGroup (core/optimizer/qdq_transformer, 1.31) ask.
"""

from __future__ import annotations

import numpy as np

from graphs.ir import Node
from graphs.lowering.qdq_clamps import clamp_behind, needless_clamp
from graphs.lowering.qdq_pairs import DQ, Q, only_user, parameters
from graphs.lowering.rewriter import Rewriter


def dequantisers(r: Rewriter, node: Node) -> list[Node]:
    """The DQ behind each input that has one of its own, in order; all of none where one is shared."""
    found = [p for t in node.inputs if t and (p := r.producer(t)) is not None and p.op == DQ]
    return found if all(only_user(r, dq.outputs[0]) is node for dq in found) else []


def all_dequantisers(r: Rewriter, node: Node) -> list[Node]:
    """The DQ behind every input; all of none where one lacks."""
    found = dequantisers(r, node)
    return found if len(found) == sum(bool(t) for t in node.inputs) else []


def quantisers(r: Rewriter, node: Node) -> list[Node] | None:
    """The Q behind every output, [] where no Q follows at all; None where that is mixed or not the only use."""
    users = [r.users(t) for t in node.outputs if t]
    if not any(user.op == Q for group in users for user in group):
        return None if clamp_behind(r, node) is not None else []
    if r.gives_output(node) or any(len(group) != 1 or group[0].op != Q for group in users):
        return None
    return [group[0] for group in users]


def behind(r: Rewriter, node: Node) -> list[Node] | None:
    """Q, or a needless clamp and Q, or nothing; None where the operator cannot be fused."""
    return list(found) if (found := needless_clamp(r, node)) is not None else quantisers(r, node)


def spelled_out(r: Rewriter, node: Node) -> list[str]:
    """Scale and zero point, of which the latter is spelled out where it was left away."""
    scale, zero = parameters(node)
    if zero:
        return [scale, zero]
    signed = node.op == DQ and r.dtype(node.inputs[0]) == "int8"
    return [scale, r.constant(np.array(0, np.int8 if signed else np.uint8))]
