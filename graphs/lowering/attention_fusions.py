"""Attention that is spelled out becomes one operator.

After the one pattern of onnxruntime's AttentionFusion that graphs of fixed shapes can meet: that of MobileCLIP's vision
encoders (core/optimizer/attention_fusion.cc, 1.31). Its patterns of BERT, DistilBERT and GPT-2 want zeros in Reshapes,
Shapes at run time, or operators of sets before 14 behind layer norms of set 17; none is there once shapes are bound.
EmbedLayerNormFusion only works in front of what those make.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from graphs.ir import Node, TensorType
from graphs.lowering.rewriter import Rewriter, merged_origin

_TO_HEADS = (2, 0, 3, 1, 4)


@dataclass(slots=True)
class _Match:
    """The nodes between the packed product and the projection behind attention."""

    nodes: list[Node]
    heads: int
    hidden: int


def fuse_mobile_clip_attention(r: Rewriter, node: Node) -> None:
    """MatMul to packed queries, keys and values, attention, projection: Split, MultiHeadAttention and a Gemm."""
    before = r.producer(node.inputs[0])
    if not _is(before, "Transpose", perm=(0, 2, 1)) or before is None or r.sole_user(before) is not node:
        return
    rows = r.producer(before.inputs[0])
    if not _is(rows, "Reshape") or rows is None or r.sole_user(rows) is not before or not r.is_constant(node.inputs[1]):
        return
    match = _match(r, node)
    if match is None or r.shape(node.inputs[1]) != (match.hidden, 3 * match.hidden):
        return
    projection = _projection(r, match)
    if projection is not None:
        _rewrite(r, node, match, projection)


def _is(node: Node | None, op: str, **attributes: object) -> bool:
    return (
        node is not None
        and node.op == op
        and not node.domain
        and all(node.attributes.get(name) == value for name, value in attributes.items())
    )


def _next(r: Rewriter, node: Node | None, op: str, index: int = 0, **attributes: object) -> Node | None:
    """The only reader of an output of ``node``, if it is this operator."""
    if node is None or r.is_output(node.outputs[index]):
        return None
    users = r.users(node.outputs[index])
    return users[0] if len(users) == 1 and _is(users[0], op, **attributes) else None


def _squeezed(r: Rewriter, node: Node | None, axis: int, index: int = 0) -> Node | None:
    found = _next(r, node, "Squeeze", index)
    return found if found is not None and r.ints(found, 1, "axes") == (axis,) else None


def _match(r: Rewriter, node: Node) -> _Match | None:
    reshape = _next(r, node, "Reshape")
    split = _next(r, reshape, "Split", axis=2)
    if reshape is None or split is None or len(split.outputs) != 3:
        return None
    shape = r.shape(reshape.outputs[0])
    if len(shape) != 5 or shape[2] != 3:
        return None
    queries = _next(r, split, "Transpose", 0, perm=_TO_HEADS)
    values = _next(r, split, "Transpose", 2, perm=_TO_HEADS)
    q, k, v = _squeezed(r, queries, 0), _squeezed(r, split, 2, 1), _squeezed(r, values, 0)
    scaled, keys = _next(r, q, "Mul"), _next(r, k, "Transpose", perm=(0, 2, 3, 1))
    scores = _next(r, scaled, "MatMul")
    softmax = _next(r, scores, "Softmax", axis=-1)
    mixed = _next(r, softmax, "MatMul")
    back = _next(r, mixed, "Transpose", perm=(0, 2, 1, 3))
    merged = _next(r, back, "Reshape")
    found = [reshape, split, queries, q, k, values, v, scaled, keys, scores, softmax, mixed, back, merged]
    nodes = [n for n in found if n is not None]
    if len(nodes) < len(found) or scaled is None or scores is None or mixed is None or keys is None or v is None:
        return None
    if not any(r.scalar(t) is not None for t in scaled.inputs):
        return None
    if scores.inputs[1] != keys.outputs[0] or mixed.inputs[1] != v.outputs[0]:
        return None
    return _Match(nodes, shape[3], shape[3] * shape[4])


def _projection(r: Rewriter, match: _Match) -> list[Node] | None:
    """The nodes of the projection: MatMul and Add, Gemm, or Gemm between two Reshapes."""
    merged, hidden = match.nodes[-1], match.hidden
    product = _next(r, merged, "MatMul")
    if product is not None:
        add = _next(r, product, "Add")
        shapes = [r.shape(t) for t in add.inputs] if add is not None else []
        fits = (hidden,) in shapes and r.shape(product.inputs[1]) == (hidden, hidden)
        return [product, add] if add is not None and fits and r.is_constant(product.inputs[1]) else None
    between = _next(r, merged, "Reshape")
    gemm = _next(r, merged if between is None else between, "Gemm")
    if gemm is None or len(gemm.inputs) < 3 or r.shape(gemm.inputs[1]) != (hidden, hidden):
        return None
    if r.shape(gemm.inputs[2]) != (hidden,) or not all(r.is_constant(t) for t in gemm.inputs[1:3]):
        return None
    return [gemm] if between is None else [between, gemm]


def _rewrite(r: Rewriter, node: Node, match: _Match, projection: list[Node]) -> None:
    packed, hidden = r.types[node.outputs[0]], match.hidden
    part = TensorType(packed.dtype, (*packed.dims[:-1], hidden))
    parts = [r.tensor(part, "qkv") for _ in range(3)]
    mixed = r.tensor(part, "attention")
    origin = merged_origin(*match.nodes)
    r.remove(*match.nodes)
    sizes = r.int_constant([hidden] * 3)
    name = match.nodes[0].name
    r.add(Node("Split", [node.outputs[0], sizes], list(parts), {"axis": 2}, "", f"{name}/split", origin))
    attributes = {"num_heads": match.heads}
    r.add(Node("MultiHeadAttention", list(parts), [mixed], dict(attributes), "com.microsoft", name, origin))
    if projection[0].op == "Reshape":
        r.set_input(projection[0], 0, mixed)
        return
    _between_reshapes(r, mixed, projection)


def _between_reshapes(r: Rewriter, mixed: str, projection: list[Node]) -> None:
    """A Gemm of rows in the place of a projection, which gives what the projection gave."""
    first, last = projection[0], projection[-1]
    weight = first.inputs[1]
    bias = first.inputs[2] if len(first.inputs) > 2 else next(t for t in last.inputs if r.is_constant(t))
    output, dtype = last.outputs[0], r.dtype(mixed)
    made = r.shape(output)
    rows = (prod(made[:-1]), made[-1])
    flat, product = (r.tensor(TensorType(dtype, rows), hint) for hint in ("gemm_input", "gemm_output"))
    origin = merged_origin(*projection)
    r.remove(*projection)
    r.add(Node("Reshape", [mixed, r.int_constant(rows)], [flat], {}, "", f"{first.name}_in", origin))
    r.add(Node("Gemm", [flat, weight, bias], [product], {}, "", first.name, origin))
    r.add(Node("Reshape", [product, r.int_constant(made)], [output], {}, "", f"{first.name}_out", origin))
