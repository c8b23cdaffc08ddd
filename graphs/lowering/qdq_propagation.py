"""Quantisation moves past nodes that only move data, so that these work on quantised data.

After onnxruntime's QDQPropagationTransformer (core/optimizer/qdq_transformer, 1.31).
"""

from __future__ import annotations

from graphs.ir import Node
from graphs.lowering.qdq_pairs import DQ, Q, insert_pair, per_tensor
from graphs.lowering.rewriter import Rewriter

_MOVERS = frozenset({"MaxPool", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Slice"})


def propagate(r: Rewriter) -> None:
    """Q backwards, then DQ forwards, by pairs that are put before and behind the nodes passed."""
    nodes = r.nodes
    for node in nodes:
        if node.op == Q and per_tensor(r, node):
            _backward(r, node)
    for node in nodes:
        if node.op == DQ and per_tensor(r, node) and r.sole_user(node) is not None:
            _forward(r, node)


def _moves(r: Rewriter, node: Node | None) -> bool:
    return node is not None and node.op in _MOVERS and not node.domain and not (node.op == "MaxPool" and r.opset < 12)


def _backward(r: Rewriter, q: Node) -> None:
    """Up from ``q`` as long as each tensor is read by one node only, or comes from outside of the graph."""
    mover = r.producer(q.inputs[0]) if _is_single(r, q.inputs[0]) else None
    while mover is not None and _moves(r, mover):
        tensor = mover.inputs[0]
        before = r.producer(tensor)
        if before is not None and (before.op == DQ or not _is_single(r, tensor)):
            return
        insert_pair(r, q, tensor, [mover], mover)
        mover = before


def _is_single(r: Rewriter, tensor: str) -> bool:
    return len(r.users(tensor)) == 1 and not r.is_output(tensor)


def _forward(r: Rewriter, dq: Node) -> None:
    """Down from ``dq`` as long as nothing quantises already what the nodes passed make."""
    pending = list(r.users(dq.outputs[0]))
    while pending:
        mover = pending.pop()
        if not _moves(r, mover):
            continue
        tensor = mover.outputs[0]
        users = list(r.users(tensor))
        if bool(users) != r.is_output(tensor) and not any(user.op == Q for user in users):
            insert_pair(r, dq, tensor, users, mover)
            pending += users
