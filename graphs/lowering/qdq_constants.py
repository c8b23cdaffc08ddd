"""Constants of quantised layers that the model left in floating point, and signed data that becomes unsigned.

After onnxruntime's WeightBiasQuantization, WhereDummyDq and QDQS8ToU8Transformer (core/optimizer/qdq_transformer,
1.31).
"""

from __future__ import annotations

import numpy as np

from graphs.ir import Attribute, Node, TensorType
from graphs.lowering.qdq_pairs import DQ, Q, is_scalar, parameters
from graphs.lowering.rewriter import Rewriter

_LAYERS = frozenset({"Conv", "ConvTranspose", "Gemm"})
_CLAMPS = frozenset({"Relu", "Clip"})


def quantise_constants(r: Rewriter) -> None:
    """Weights and biases of layers between DQ and Q become int8 and int32."""
    for node in [n for n in r.nodes if n.op in _LAYERS and not n.domain]:
        data = r.producer(node.inputs[0])
        if data is not None and data.op == DQ and is_scalar(r, data.inputs[1]) and _leads_to_q(r, node):
            _quantise_layer(r, node)


def _leads_to_q(r: Rewriter, node: Node) -> bool:
    """Through one reader each, which may be a Relu or Clip."""
    while True:
        users = r.users(node.outputs[0])
        if len({id(u) for u in users}) != 1:
            return False
        node = users[0]
        if node.op == Q:
            return True
        if node.op not in _CLAMPS:
            return False


def _quantise_layer(r: Rewriter, node: Node) -> None:
    weight = node.inputs[1]
    bias = node.inputs[2] if len(node.inputs) > 2 else ""
    dq = r.producer(weight)
    dq = dq if dq is not None and dq.op == DQ else None
    if dq is None and (not r.is_constant(weight) or r.dtype(weight) != "float32"):
        return
    if bias and (not r.is_constant(bias) or len(r.shape(bias)) != 1):
        return
    if dq is not None and (not bias or not _scale_fits(r, node, dq, bias)):
        return
    if dq is None:
        scale, zero = r.constant(t=TensorType("float32", ())), r.constant(np.array(0, np.int8))
        dq = _restore(r, node, 1, [r.constant(t=TensorType("int8", r.shape(weight))), scale, zero], {})
    if bias:
        shape = r.shape(dq.inputs[1])
        limits = r.constant(t=TensorType("float32", shape))
        axis: dict[str, Attribute] = {} if is_scalar(r, dq.inputs[1]) else {"axis": 0}
        _restore(r, node, 2, [r.constant(t=TensorType("int32", r.shape(bias))), limits], axis)


def _scale_fits(r: Rewriter, node: Node, dq: Node, bias: str) -> bool:
    """One scale, or one per output channel."""
    scale = r.shape(dq.inputs[1])
    if scale in ((), (1,)):
        return True
    if scale != r.shape(bias) or dq.int("block_size"):
        return False
    by_row = node.op != "Gemm" or bool(node.int("transB"))
    return dq.int("axis", 1) % len(r.shape(dq.inputs[0])) == (0 if by_row else 1)


def _restore(r: Rewriter, node: Node, index: int, inputs: list[str], attributes: dict[str, Attribute]) -> Node:
    """Let an input of ``node`` come from a new DQ."""
    t = r.types[node.inputs[index]]
    name = r.tensor(t, "restored")
    r.set_input(node, index, name)
    return r.add(Node(DQ, inputs, [name], attributes, "", f"{node.name}_restore_{index}", node.origin))


def fold_quantised(r: Rewriter) -> None:
    """What is quantised from constants is a constant."""
    for q in [n for n in r.nodes if n.op == Q]:
        output = q.outputs[0]
        if r.is_output(output) or not all(r.is_constant(t) for t in q.inputs if t):
            continue
        constant = r.constant(t=r.types[output])
        for user in list(r.users(output)):
            for index, tensor in enumerate(user.inputs):
                if tensor == output:
                    r.set_input(user, index, constant)
        r.remove(q)


def quantise_choices(r: Rewriter) -> None:
    """Where between DQ and Q: a branch that is one float32 number becomes quantised as well."""
    for node in [n for n in r.nodes if n.op == "Where" and not n.domain]:
        users = r.users(node.outputs[0])
        if len(users) != 1 or users[0].op != Q:
            continue
        for index, other in ((1, 2), (2, 1)):
            dq = r.producer(node.inputs[other])
            if dq is None or dq.op != DQ or not r.is_constant(node.inputs[index]) or r.shape(node.inputs[index]):
                continue
            if _can_follow(r, dq, users[0], node.inputs[index]):
                dtype = r.dtype(dq.inputs[2])
                constants = [r.constant(t=TensorType(d, ())) for d in (dtype, "float32", dtype)]
                _restore(r, node, index, constants, {})


def _can_follow(r: Rewriter, dq: Node, q: Node, number: str) -> bool:
    """Whether the DQ beside the number says how to quantise it."""
    scale, zero = parameters(dq)
    return (
        bool(zero) and r.is_constant(scale) and r.is_constant(zero) and r.dtype(dq.inputs[0]) == r.dtype(q.outputs[0])
        and r.dtype(number) == r.dtype(scale) == "float32"
    )  # fmt: skip


def activations_to_unsigned(r: Rewriter) -> None:
    """On x86, int8 between a Q and its only DQ becomes uint8 (zero points move by 128): those kernels are faster."""
    for q in r.nodes:
        dq = r.sole_user(q) if q.op == Q else None
        if dq is None or dq.op != DQ or not _signed_alike(r, q, dq):
            continue
        value = r.scalar(q.inputs[2])
        known = None if value is None else np.array(value + 128, np.uint8)
        zero = r.constant(known, TensorType("uint8", ()))
        for node in (q, dq):
            r.set_input(node, 2, zero)
        r.types[q.outputs[0]] = TensorType("uint8", r.shape(q.outputs[0]))


def _signed_alike(r: Rewriter, q: Node, dq: Node) -> bool:
    zeros = [parameters(node)[1] for node in (q, dq)]
    if not all(z and r.is_constant(z) and r.parameters[z].type.elements == 1 and r.dtype(z) == "int8" for z in zeros):
        return False
    return zeros[0] == zeros[1] or r.scalar(zeros[0]) == r.scalar(zeros[1])
