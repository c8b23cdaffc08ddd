"""QuantizeLinear (Q) and DequantizeLinear (DQ): their parameters, and pairs of them that vanish or are made.

After onnxruntime's DoubleQDQPairsRemover, EnsureUniqueDQForNodeUnit and QDQFinalCleanupTransformer (core/optimizer,
1.31), and after what its transpose optimizer does to units of DQ, operator and Q.
"""

from __future__ import annotations

import numpy as np

from graphs.ir import Node, TensorType
from graphs.lowering.rewriter import Rewriter

Q, DQ = "QuantizeLinear", "DequantizeLinear"


def parameters(node: Node) -> list[str]:
    """Scale and zero point of a Q or DQ; the latter may be ''."""
    return [node.inputs[1], node.inputs[2] if len(node.inputs) > 2 else ""]


def is_scalar(r: Rewriter, tensor: str) -> bool:
    """A tensor of one element, without dimensions or with one."""
    return r.shape(tensor) in ((), (1,))


def per_tensor(r: Rewriter, node: Node) -> bool:
    """Scale and zero point (where there is one) of a Q or DQ are constants of one element."""
    return all(r.is_constant(t) and is_scalar(r, t) for t in parameters(node) if t)


def is_pair(r: Rewriter, first: Node, second: Node) -> bool:
    """Whether a Q and a DQ have constant scales and zero points of one element each, and the same ones."""
    if not (parameters(first)[1] and parameters(second)[1] and per_tensor(r, first) and per_tensor(r, second)):
        return False
    return same_parameters(r, first, second)


def same_parameters(r: Rewriter, first: Node, second: Node) -> bool:
    """Whether a Q and a DQ have equal scales and zero points: by name, or by value where known; no zero point is 0."""
    for a, b in zip(parameters(first), parameters(second), strict=True):
        if a == b:
            continue
        if not a or not b:
            if r.scalar(a or b) != 0:
                return False
        elif not _same_value(r, a, b):
            return False
    return True


def _same_value(r: Rewriter, first: str, second: str) -> bool:
    a, b = r.value(first), r.value(second)
    return a is not None and b is not None and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def only_user(r: Rewriter, tensor: str) -> Node | None:
    """The node with the only edge out of ``tensor``; None if the graph returns the tensor too."""
    users = r.users(tensor)
    return users[0] if len(users) == 1 and not r.is_output(tensor) else None


def insert_pair(r: Rewriter, like: Node, tensor: str, users: list[Node], near: Node) -> None:
    """Q after ``tensor``, with the scale and zero point of ``like``, and for every user a DQ of its own.

    Without users, the tensor is an output of the graph and stays so.
    """
    limits = [t for t in parameters(like) if t]
    dtype = r.dtype(like.outputs[0] if like.op == Q else like.inputs[0])
    coded = r.tensor(TensorType(dtype, r.shape(tensor)), "quantised")
    source, targets = tensor, [tensor]
    if users:
        targets = [r.tensor(r.types[tensor], "restored") for _ in users]
        for user, target in zip(users, targets, strict=True):
            r.set_input(user, user.inputs.index(tensor), target)
    else:
        made = r.producer(tensor)
        assert made is not None
        source = r.tensor(r.types[tensor], "unquantised")
        r.set_output(made, made.outputs.index(tensor), source)
    axis = {"axis": like.attributes["axis"]} if "axis" in like.attributes else {}
    r.add(Node(Q, [source, *limits], [coded], dict(axis), like.domain, f"{near.name}_quantise", near.origin))
    for target in targets:
        r.add(Node(DQ, [coded, *limits], [target], dict(axis), like.domain, f"{near.name}_restore", near.origin))


def merge_double_pairs(r: Rewriter) -> None:
    """Q → DQ → Q → DQs is Q → DQs, where nobody else reads what is between them; the ranges meet in the middle."""
    for dq in [node for node in r.nodes if node.op == DQ]:
        before, after = r.producer(dq.inputs[0]), r.sole_user(dq)
        if before is None or before.op != Q or r.sole_user(before) is not dq or after is None or after.op != Q:
            continue
        last = list(r.users(after.outputs[0]))
        if not last or r.is_output(after.outputs[0]) or any(node.op != DQ for node in last):
            continue
        if not is_pair(r, before, dq) or not all(is_pair(r, after, node) for node in last):
            continue
        if r.dtype(dq.inputs[0]) != r.dtype(after.outputs[0]) or r.dtype(dq.inputs[0]) not in ("uint8", "int8"):
            continue
        for node in last:
            r.set_input(node, 0, before.outputs[0])
        r.remove(dq, after)
        if not is_pair(r, before, last[0]):
            _renew_limits(r, before, last)


def _renew_limits(r: Rewriter, first: Node, last: list[Node]) -> None:
    """The scale and zero point of what both ranges have in common."""
    kinds = [r.types[t] for t in parameters(first)]
    values = _common_limits(r, first, last[0])
    for index, kind, value in zip((1, 2), kinds, values, strict=True):
        known = None if value is None else np.full(kind.dims, value, kind.dtype)
        limit = r.constant(known, kind)
        for node in (first, *last):
            r.set_input(node, index, limit)


def _common_limits(r: Rewriter, first: Node, second: Node) -> tuple[float | None, float | None]:
    lowest, highest = (0, 255) if r.dtype(first.outputs[0]) == "uint8" else (-128, 127)
    ranges = []
    for node in (first, second):
        scale, zero = (r.scalar(t) for t in parameters(node))
        if scale is None or zero is None:
            return None, None
        ranges.append([np.float32(limit - zero) * np.float32(scale) for limit in (lowest, highest)])
    low, high = max(a for a, _ in ranges), min(b for _, b in ranges)
    scale = float((high - low) / np.float32(highest - lowest))
    return (scale, float(round(lowest - float(low) / scale))) if scale > 0 else (None, None)


def separate_dequantisers(r: Rewriter) -> None:
    """Every user gets a DQ of its own, so that each can fuse it."""
    for dq in r.nodes:
        if dq.op != DQ:
            continue
        tensor = dq.outputs[0]
        for user in list(r.users(tensor))[0 if r.is_output(tensor) else 1 :]:
            copy = r.tensor(r.types[tensor], "dq")
            index = len(user.inputs) - 1 - user.inputs[::-1].index(tensor)
            r.set_input(user, index, copy)
            r.add(Node(DQ, list(dq.inputs), [copy], dict(dq.attributes), dq.domain, dq.name, dq.origin))


def repair_units(r: Rewriter) -> None:
    """After Transposes have moved: empty units vanish, and a Transpose that left its unit gets one of its own."""
    for node in r.nodes:
        if node.op == Q:
            _drop_empty(r, node)
        elif node.op == "Transpose" and not node.domain and not _enclose_below(r, node):
            _enclose_above(r, node)


def _drop_empty(r: Rewriter, q: Node) -> None:
    """DQ → Q of equal parameters, with one user behind it or as the graph's output."""
    dq = r.producer(q.inputs[0])
    if dq is None or dq.op != DQ or dq.domain != q.domain or only_user(r, dq.outputs[0]) is not q:
        return
    if r.dtype(dq.inputs[0]) != r.dtype(q.outputs[0]) or not same_parameters(r, dq, q):
        return
    output, source = q.outputs[0], dq.inputs[0]
    if r.is_output(output):
        made = r.producer(source)
        if r.users(output) or made is None or only_user(r, source) is not dq:
            return
        r.remove(dq, q)
        r.set_output(made, made.outputs.index(source), output)
    elif len({id(user) for user in r.users(output)}) == 1:
        r.bypass(q, source)
        r.remove(dq)


def _enclose_below(r: Rewriter, transpose: Node) -> bool:
    """DQ → Transpose → no Q: the Transpose shall work on quantised data."""
    dq = r.producer(transpose.inputs[0])
    if dq is None or dq.op != DQ or only_user(r, dq.outputs[0]) is not transpose:
        return False
    users = r.users(transpose.outputs[0])
    if len(users) > 1 or (users and users[0].op == Q):
        return False
    enclose_below(r, dq, transpose)
    return True


def enclose_below(r: Rewriter, dq: Node, mover: Node) -> None:
    """A pair with the parameters of ``dq`` behind ``mover``, of which the axis is moved by a Transpose."""
    like = dq.copy()
    perm = mover.ints("perm")
    if not is_scalar(r, dq.inputs[1]) and perm is not None:
        like.attributes["axis"] = perm.index(dq.int("axis", 1) % len(perm))
    output = mover.outputs[0]
    insert_pair(r, like, output, [] if r.is_output(output) else list(r.users(output)), mover)


def _enclose_above(r: Rewriter, transpose: Node) -> None:
    """No DQ → Transpose → Q."""
    source = transpose.inputs[0]
    q, before = only_user(r, transpose.outputs[0]), r.producer(source)
    if q is None or q.op != Q or before is None or before.op == DQ or len(r.users(source)) != 1:
        return
    like = q.copy()
    perm = transpose.ints("perm")
    if not is_scalar(r, q.inputs[1]) and perm is not None:
        like.attributes["axis"] = perm[q.int("axis", 1) % len(perm)]
    insert_pair(r, like, source, [transpose], transpose)


def drop_empty_pairs(r: Rewriter) -> None:
    """At last: DQ → Q of equal parameters, where one node reads the result or it is the graph's output."""
    for dq in [node for node in r.nodes if node.op == DQ]:
        q = r.sole_user(dq)
        if q is None or q.op != Q or not is_pair(r, dq, q) or r.dtype(dq.inputs[0]) != r.dtype(q.outputs[0]):
            continue
        output, source = q.outputs[0], dq.inputs[0]
        if only_user(r, output) is not None:
            r.bypass(q, source)
            r.remove(dq)
        elif r.is_output(output) and not r.users(output):
            made = r.producer(source)
            r.remove(dq, q)
            if made is None or r.is_output(source) or r.users(source):
                r.add(Node("Identity", [source], [output], {}, "", q.name, q.origin))
            else:
                r.set_output(made, made.outputs.index(source), output)
