"""Products of integers that are scaled back to float32, as dynamic quantisation writes them, become one kernel.

After onnxruntime's MatMulIntegerToFloatFusion and DynamicQuantizeMatMulFusion (core/optimizer, 1.31).
"""

from __future__ import annotations

from graphs.ir import Node
from graphs.lowering.rewriter import Rewriter

_MICROSOFT = "com.microsoft"


def fuse_integer_product(r: Rewriter, node: Node) -> None:
    """Cast(MatMulInteger) · (scale · scale), and a bias: MatMulIntegerToFloat. Starts at the outer Mul."""
    makers = [r.producer(t) for t in node.inputs]
    cast = next((m for m in makers if m is not None and m.op == "Cast"), None)
    scales = next((m for m in makers if m is not None and m.op == "Mul" and not m.domain), None)
    product = r.producer(cast.inputs[0]) if cast is not None else None
    if cast is None or scales is None or product is None or product.op != "MatMulInteger":
        return
    if any(r.sole_user(inner) is None for inner in (cast, scales, product)) or r.dtype(node.outputs[0]) != "float32":
        return
    nodes, inputs = [product, cast, scales, node], [*product.inputs[:2], *scales.inputs]
    bias = _bias(r, node)
    if len(product.inputs) > 2 or bias is not None:
        inputs += [*product.inputs[2:4], "", ""][:2]
    if bias is not None:
        add, tensor = bias
        nodes.append(add)
        inputs.append(tensor)
    r.fuse(nodes, "MatMulIntegerToFloat", inputs, _MICROSOFT)


def _bias(r: Rewriter, node: Node) -> tuple[Node, str] | None:
    """The Add behind ``node`` and its other term, a constant vector along the last dimension."""
    add = r.sole_user(node)
    if add is None or add.op != "Add" or add.domain or add.inputs[0] == add.inputs[1]:
        return None
    tensor = add.inputs[1] if add.inputs[0] == node.outputs[0] else add.inputs[0]
    shape = r.shape(tensor)
    if not r.is_constant(tensor) or not shape or shape[-1] < 2 or any(size != 1 for size in shape[:-1]):
        return None
    return add, tensor


def fuse_dynamic_product(r: Rewriter, node: Node) -> None:
    """A DynamicQuantizeLinear that only serves the left side of one MatMulIntegerToFloat joins it."""
    quantise = r.producer(node.inputs[0])
    if quantise is None or quantise.op != "DynamicQuantizeLinear" or len(node.inputs) < 5:
        return
    if [node.inputs[i] for i in (0, 2, 4)] != quantise.outputs or r.edges(quantise) != 3 or r.gives_output(quantise):
        return
    zero, bias = [*node.inputs[5:7], "", ""][:2]
    inputs = [quantise.inputs[0], node.inputs[1], node.inputs[3], zero, bias]
    r.fuse([quantise, node], "DynamicQuantizeMatMul", inputs, _MICROSOFT)
