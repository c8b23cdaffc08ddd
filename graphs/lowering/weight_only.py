"""Products of float activations with weights that alone are quantised.

After onnxruntime's DQMatMulToMatMulNBits (core/optimizer/qdq_transformer/selectors_actions, 1.31): the weights are
repacked as N × blocks × bytes along K.
"""

from __future__ import annotations

from graphs.ir import Attribute, Node, TensorType
from graphs.lowering.qdq_pairs import DQ
from graphs.lowering.rewriter import Rewriter

_BITS = {"int8": 8, "uint8": 8, "int4": 4, "uint4": 4, "int2": 2, "uint2": 2}

#: Elements per block where the model has one scale per tensor or column.
_BLOCK = 32
_SMALLEST_BLOCK = 16
_ACCURACY_LEVEL = 4


def fuse_weight_only(r: Rewriter, node: Node) -> None:
    """MatMul, or a Gemm that is one with perhaps a vector as its bias."""
    dq = r.producer(node.inputs[1])
    if dq is None or dq.op != DQ or r.sole_user(dq) is None or any(not r.is_constant(t) for t in dq.inputs if t):
        return
    others = [p for t in (node.inputs[0], *node.inputs[2:]) if t and (p := r.producer(t)) is not None and p.op == DQ]
    bias = node.inputs[2] if len(node.inputs) > 2 else ""
    if len(others) > bool(bias) or (others and others[0].outputs[0] != bias):
        return
    weight = r.types[dq.inputs[0]]
    if weight.dtype not in _BITS or len(weight.shape) != 2 or r.dtype(node.outputs[0]) not in ("float32", "float16"):
        return
    if node.op == "Gemm" and not _is_product(r, node, bias, weight.dims[1]):
        return
    block = _block(r, dq)
    if block:
        _replace(r, node, dq, block, bias)


def _is_product(r: Rewriter, node: Node, bias: str, columns: int) -> bool:
    plain = not node.int("transA") and not node.int("transB") and node.attributes.get("alpha", 1.0) == 1.0
    return plain and (not bias or (r.shape(bias) == (columns,) and node.attributes.get("beta", 1.0) == 1.0))


def _block(r: Rewriter, dq: Node) -> int:
    """Elements of a column that share a scale in the kernel; 0 where it has no form for these scales."""
    rows, columns = r.shape(dq.inputs[0])
    shapes = {r.shape(t) for t in dq.inputs[1:] if t}
    given = dq.int("block_size")
    if not given:
        return _BLOCK if shapes == {()} or (shapes == {(columns,)} and dq.int("axis", 1) == 1) else 0
    fits = dq.int("axis", 1) == 0 and given >= _SMALLEST_BLOCK and not given & (given - 1)
    return given if fits and shapes == {(-(-rows // given), columns)} else 0


def _replace(r: Rewriter, node: Node, dq: Node, block: int, bias: str) -> None:
    weight, scale = r.types[dq.inputs[0]], r.types[dq.inputs[1]]
    (rows, columns), bits = weight.dims, _BITS[weight.dtype]
    blocks = -(-rows // block)
    packed = r.constant(t=TensorType("uint8", (columns, blocks, block * bits // 8)))
    scales = r.constant(t=TensorType(scale.dtype, (columns * blocks,)))
    inputs = [node.inputs[0], packed, scales]
    if (len(dq.inputs) > 2 and dq.inputs[2]) or weight.dtype.startswith("u"):
        inputs.append(r.constant(t=TensorType("uint8", (columns * -(-blocks * bits // 8),))))
    if bias:
        inputs += [""] * (5 - len(inputs)) + [bias]
    attributes: dict[str, Attribute] = {
        "K": rows, "N": columns, "bits": bits, "block_size": block, "accuracy_level": _ACCURACY_LEVEL,
    }  # fmt: skip
    r.fuse([dq, node], "MatMulNBits", inputs, "com.microsoft", attributes)


def fuse_bias(r: Rewriter, node: Node) -> None:
    """Add of a vector behind MatMulNBits (after MatMulNBitsFusion)."""
    add = r.sole_user(node)
    if add is None or add.op != "Add" or add.domain or add.inputs[0] == add.inputs[1]:
        return
    bias = add.inputs[1] if add.inputs[0] == node.outputs[0] else add.inputs[0]
    if r.shape(bias) != (node.int("N"),) or (len(node.inputs) > 5 and node.inputs[5]):
        return
    inputs = [*node.inputs[:5], *[""] * (5 - len(node.inputs)), bias]
    r.fuse([node, add], "MatMulNBits", inputs, "com.microsoft", dict(node.attributes))
