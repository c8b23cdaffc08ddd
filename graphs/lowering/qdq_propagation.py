"""Quantised graphs in QDQ form, before fusion: quantisation moves past nodes that only move data.

After onnxruntime's QDQPropagationTransformer and EnsureUniqueDQForNodeUnit (core/optimizer/qdq_transformer, 1.31).
"""

from __future__ import annotations

import numpy as np

from graphs.ir import Node, TensorType
from graphs.lowering.rewriter import Rewriter

_MOVERS = frozenset({"MaxPool", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Slice"})


def per_tensor(r: Rewriter, node: Node) -> bool:
    """Scale and zero point of a Q or DQ are constants of one element."""
    return all(r.is_constant(t) and len(r.shape(t)) == 0 for t in node.inputs[1:] if t)


def propagate(r: Rewriter) -> None:
    """DequantizeLinear forwards, then QuantizeLinear backwards, through nodes that only move data."""
    if not any(node.op in ("DequantizeLinear", "QuantizeLinear") for node in r.nodes):
        return
    for node in r.nodes:
        if node.op == "DequantizeLinear" and per_tensor(r, node) and r.sole_user(node) is not None:
            _forward(r, node)
    for node in r.nodes:
        if node.op == "QuantizeLinear" and per_tensor(r, node):
            _backward(r, node)


def _forward(r: Rewriter, dq: Node) -> None:
    pending = [u for u in r.users(dq.outputs[0]) if u.op in _MOVERS and u.inputs[0] == dq.outputs[0]]
    while pending:
        mover = pending.pop()
        tensor = mover.outputs[0]
        users = [u for u in r.users(tensor) if u.op != "QuantizeLinear"]
        if (not users and not (r.is_output(tensor) and not r.users(tensor))) or (users and r.is_output(tensor)):
            continue
        quantised = r.tensor(TensorType(r.dtype(dq.inputs[0]), r.shape(tensor)), "q")
        before = tensor
        if r.is_output(tensor):
            before = r.tensor(r.types[tensor], "pre_q")
            r.set_output(mover, 0, before)
        q = Node(
            "QuantizeLinear", [before, *dq.inputs[1:]], [quantised], {}, dq.domain, f"{mover.name}_q", mover.origin
        )
        r.add(q)
        targets = [tensor] if r.is_output(tensor) else [r.tensor(r.types[tensor], "dq") for _ in users]
        for user, target in zip(users, targets, strict=False):
            r.set_input(user, user.inputs.index(tensor), target)
            if user.op in _MOVERS and user.inputs[0] == target:
                pending.append(user)
        for target in targets:
            r.add(
                Node(
                    "DequantizeLinear",
                    [quantised, *dq.inputs[1:]],
                    [target],
                    {},
                    dq.domain,
                    f"{mover.name}_dq",
                    mover.origin,
                )
            )


def _backward(r: Rewriter, q: Node) -> None:
    mover = r.producer(q.inputs[0])
    while mover is not None and mover.op in _MOVERS and r.sole_user(mover) is not None:
        tensor = mover.inputs[0]
        before = r.producer(tensor)
        if before is not None and (before.op == "DequantizeLinear" or r.sole_user(before) is not mover):
            return
        if before is None and len(r.users(tensor)) != 1:
            return
        quantised = r.tensor(TensorType(r.dtype(q.outputs[0]), r.shape(tensor)), "q")
        restored = r.tensor(r.types[tensor], "dq")
        r.set_input(mover, 0, restored)
        r.add(
            Node("QuantizeLinear", [tensor, *q.inputs[1:]], [quantised], {}, q.domain, f"{mover.name}_q", mover.origin)
        )
        r.add(
            Node(
                "DequantizeLinear",
                [quantised, *q.inputs[1:]],
                [restored],
                {},
                q.domain,
                f"{mover.name}_dq",
                mover.origin,
            )
        )
        mover = before


def separate_dequantisers(r: Rewriter) -> None:
    """Every user gets a DequantizeLinear of its own, so that each can fuse it."""
    for dq in r.nodes:
        if dq.op != "DequantizeLinear":
            continue
        tensor = dq.outputs[0]
        users = r.users(tensor)
        keep = r.is_output(tensor)
        for user in list(users)[0 if keep else 1 :]:
            copy = r.tensor(r.types[tensor], "dq")
            index = len(user.inputs) - 1 - user.inputs[::-1].index(tensor)
            r.set_input(user, index, copy)
            r.add(Node("DequantizeLinear", list(dq.inputs), [copy], dict(dq.attributes), dq.domain, dq.name, dq.origin))


def same_parameters(r: Rewriter, first: Node, second: Node) -> bool:
    """Whether a Q and a DQ have equal scales and zero points (by name, or by value where known)."""
    for a, b in zip(_parameters(first), _parameters(second), strict=True):
        if a == b:
            continue
        if not a or not b or r.scalar(a) is None or r.scalar(a) != r.scalar(b) or r.dtype(a) != r.dtype(b):
            return False
    return True


def _parameters(node: Node) -> list[str]:
    return [node.inputs[1], node.inputs[2] if len(node.inputs) > 2 else ""]


def drop_empty_pairs(r: Rewriter) -> None:
    """DQ → Q with nothing between them and equal parameters does nothing (left behind when a Transpose moves away)."""
    for q in r.nodes:
        dq = r.producer(q.inputs[0]) if q.op == "QuantizeLinear" else None
        if dq is None or dq.op != "DequantizeLinear" or r.sole_user(dq) is not q or not same_parameters(r, dq, q):
            continue
        if len(r.users(q.outputs[0])) == 1 and not r.is_output(q.outputs[0]):
            source = dq.inputs[0]
            r.bypass(q, source)
            r.remove(dq)


def activations_to_unsigned(r: Rewriter) -> None:
    """On x86, activations quantised to int8 become uint8 (zero points move by 128): those kernels are faster."""
    for q in r.nodes:
        if q.op != "QuantizeLinear" or len(q.inputs) < 3 or r.dtype(q.outputs[0]) != "int8" or not per_tensor(r, q):
            continue
        users = r.users(q.outputs[0])
        if (
            r.is_output(q.outputs[0])
            or not users
            or any(u.op != "DequantizeLinear" or len(u.inputs) < 3 for u in users)
        ):
            continue
        value = r.scalar(q.inputs[2])
        zero = r.constant(None if value is None else np.array(value + 128, np.uint8), TensorType("uint8", ()))
        for node in (q, *users):
            r.set_input(node, 2, zero)
        r.types[q.outputs[0]] = TensorType("uint8", r.shape(q.outputs[0]))
