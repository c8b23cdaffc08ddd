"""Quantised graphs in QDQ form: DQ → operator → Q becomes the quantised kernel.

After onnxruntime's QDQSelectorActionTransformer (core/optimizer/qdq_transformer, 1.31) for the CPU provider on x86.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from graphs.ir import Attribute, Node
from graphs.lowering.qdq_groups import all_dequantisers, behind, dequantisers, quantisers, spelled_out
from graphs.lowering.qdq_pairs import is_pair, parameters
from graphs.lowering.rewriter import Rewriter, merged_origin
from graphs.lowering.weight_only import fuse_weight_only

_Rule = Callable[[Rewriter, Node], None]

_MICROSOFT = "com.microsoft"
_EIGHT_BITS = frozenset({"uint8", "int8"})

#: Operators that move quantised data as it is.
_MOVERS = frozenset({
    "Expand", "Flatten", "Gather", "GatherElements", "Reshape", "Slice", "Squeeze", "Tile", "Transpose", "Unsqueeze",
    "Resize", "MaxPool", "ReduceMax", "ReduceMin", "DepthToSpace",
})  # fmt: skip
#: Those of them that compare numbers, whose order a negative scale would turn round.
_ORDERING = frozenset({"MaxPool", "ReduceMax", "ReduceMin"})
_UNARY = frozenset({"AveragePool", "LeakyRelu", "GlobalAveragePool", "Sigmoid", "Softmax"})


#: How far the scale of a convolution's bias may be from the product of both other scales.
_BIAS_RELATIVE, _BIAS_ABSOLUTE = 1e-2, 1e-6


def fuse_quantised(r: Rewriter) -> None:
    """Try every operator once, in topological order. int8 data stays in float at convolutions and products (x86)."""
    _fuse(r, _RULES)


def fuse_quantised_signed(r: Rewriter) -> None:
    """The same where there are kernels for int8 data by int8 weights (ARM)."""
    _fuse(r, _SIGNED_RULES)


def _fuse(r: Rewriter, rules: dict[str, _Rule]) -> None:
    for node in r.nodes:
        rule = rules.get(node.op)
        if rule is not None and not node.domain and r.alive(node):
            rule(r, node)
            if node.op in ("MatMul", "Gemm") and r.alive(node) and behind(r, node) == []:
                fuse_weight_only(r, node)


def _replace(
    r: Rewriter,
    nodes: list[Node],
    op: str,
    inputs: list[str],
    output: str,
    domain: str,
    attributes: dict[str, Attribute],
) -> None:
    new = Node(op, inputs, [output], dict(attributes), domain, nodes[0].name, merged_origin(*nodes))
    main = next(n for n in nodes if n.op not in ("DequantizeLinear", "QuantizeLinear"))
    new.name = main.name
    r.substitute(nodes, new)


def _mover(r: Rewriter, node: Node) -> None:
    dqs, qs = dequantisers(r, node), quantisers(r, node)
    if len(dqs) != 1 or not qs or not is_pair(r, dqs[0], qs[0]):
        return
    if not _moves_codes(r, node, r.dtype(dqs[0].inputs[0]), qs[0]):
        return
    _take_over(r, node, dqs[0], qs)


def _moves_codes(r: Rewriter, node: Node, dtype: str, q: Node) -> bool:
    """Whether the operator does to numbers of this type what it does to those that they stand for."""
    if node.op == "MaxPool" and r.opset < 12:
        return False
    if node.op == "Resize":
        return dtype in _EIGHT_BITS and node.text("mode", "nearest") == "nearest"
    if node.op in _ORDERING:
        return dtype in _EIGHT_BITS and (r.scalar(q.inputs[1]) or 1.0) > 0
    return not dtype.endswith("int4")


def _split(r: Rewriter, node: Node) -> None:
    dqs, qs = dequantisers(r, node), quantisers(r, node)
    if len(dqs) == 1 and qs and all(is_pair(r, dqs[0], q) for q in qs):
        _take_over(r, node, dqs[0], qs)


def _arg_max(r: Rewriter, node: Node) -> None:
    """Only the order of the data matters."""
    dqs = dequantisers(r, node)
    if len(dqs) == 1 and is_pair(r, dqs[0], dqs[0]):
        _take_over(r, node, dqs[0], [])


def _take_over(r: Rewriter, node: Node, dq: Node, qs: list[Node]) -> None:
    """The operator works on the quantised data itself."""
    node.origin = merged_origin(dq, node, *qs)
    r.set_input(node, 0, dq.inputs[0])
    r.remove(dq)
    for index, q in enumerate(qs):
        output = q.outputs[0]
        r.remove(q)
        r.set_output(node, index, output)


def _conv(r: Rewriter, node: Node, *, signed: bool = False) -> None:
    dqs, tail = all_dequantisers(r, node), behind(r, node)
    if not dqs or not tail or not _products_fit(r, dqs, r.dtype(tail[-1].outputs[0]), signed):
        return
    if len(dqs) > 2 and not _bias_fits(r, dqs):
        return
    x, w, q = dqs[0], dqs[1], tail[-1]
    inputs = [x.inputs[0], *spelled_out(r, x), w.inputs[0], *spelled_out(r, w), *spelled_out(r, q)]
    inputs += [b.inputs[0] for b in dqs[2:]]
    _replace(r, [*dqs, node, *tail], "QLinearConv", inputs, q.outputs[0], "", dict(node.attributes))


def _products_fit(r: Rewriter, dqs: list[Node], output: str | None, signed: bool) -> bool:
    """Eight bits, output as input, an int32 bias; int8 input where the runtime has kernels for it, by int8 weights."""
    x, w, *bias = (r.dtype(dq.inputs[0]) for dq in dqs)
    if x not in _EIGHT_BITS or w not in _EIGHT_BITS or (output is not None and output != x):
        return False
    return (x == "uint8" or (signed and w == "int8")) and all(b == "int32" for b in bias)


def _bias_fits(r: Rewriter, dqs: list[Node]) -> bool:
    """Whether the bias of a convolution has the scale of the products, and no zero point; unknown scales do fit."""
    scales = [r.value(dq.inputs[1]) for dq in dqs]
    zero = parameters(dqs[2])[1]
    offset = r.value(zero) if zero else None
    if offset is not None and np.any(offset):
        return False
    if any(scale is None for scale in scales):
        return True
    data, weight, bias = (np.ravel(scale).astype(np.float64) for scale in scales if scale is not None)
    return bool(np.allclose(bias, data * weight, rtol=_BIAS_RELATIVE, atol=_BIAS_ABSOLUTE))


def _unary(r: Rewriter, node: Node) -> None:
    dqs, tail = dequantisers(r, node), behind(r, node)
    if len(dqs) != 1 or not tail or not _same_dtypes(r, dqs, tail[-1]):
        return
    x, q = dqs[0], tail[-1]
    attributes = dict(node.attributes)
    if node.op == "Softmax":
        attributes.setdefault("axis", -1 if r.opset >= 13 else 1)
        attributes["opset"] = r.opset
    inputs = [x.inputs[0], *spelled_out(r, x), *spelled_out(r, q)]
    _replace(r, [x, node, *tail], f"QLinear{node.op}", inputs, q.outputs[0], _MICROSOFT, attributes)


def _same_dtypes(r: Rewriter, dqs: list[Node], q: Node) -> bool:
    dtypes = {r.dtype(dq.inputs[0]) for dq in dqs} | {r.dtype(q.outputs[0])}
    return len(dtypes) == 1 and dtypes <= _EIGHT_BITS


def _binary(r: Rewriter, node: Node) -> None:
    dqs, tail = all_dequantisers(r, node), behind(r, node)
    if not dqs or not tail or not _same_dtypes(r, dqs, tail[-1]):
        return
    a, b, q = dqs[0], dqs[1], tail[-1]
    inputs = [a.inputs[0], *spelled_out(r, a), b.inputs[0], *spelled_out(r, b), *spelled_out(r, q)]
    _replace(r, [a, b, node, *tail], f"QLinear{node.op}", inputs, q.outputs[0], _MICROSOFT, {})


def _concat(r: Rewriter, node: Node) -> None:
    dqs, tail = all_dequantisers(r, node), behind(r, node)
    if not dqs or not tail or not _same_dtypes(r, dqs, tail[-1]):
        return
    q = tail[-1]
    inputs = spelled_out(r, q)
    for dq in dqs:
        inputs += [dq.inputs[0], *spelled_out(r, dq)]
    _replace(r, [*dqs, node, *tail], "QLinearConcat", inputs, q.outputs[0], _MICROSOFT, dict(node.attributes))


def _matmul(r: Rewriter, node: Node, *, signed: bool = False) -> None:
    dqs, tail = all_dequantisers(r, node), behind(r, node)
    if not dqs or tail is None or not _products_fit(r, dqs, r.dtype(tail[-1].outputs[0]) if tail else None, signed):
        return
    a, b = dqs
    if tail:
        inputs = [a.inputs[0], *spelled_out(r, a), b.inputs[0], *spelled_out(r, b), *spelled_out(r, tail[-1])]
        _replace(r, [a, b, node, *tail], "QLinearMatMul", inputs, tail[-1].outputs[0], "", {})
        return
    (a_scale, a_zero), (b_scale, b_zero) = spelled_out(r, a), spelled_out(r, b)
    inputs = [a.inputs[0], b.inputs[0], a_scale, b_scale, a_zero, b_zero]
    _replace(r, [a, b, node], "MatMulIntegerToFloat", inputs, node.outputs[0], _MICROSOFT, {})


def _gemm(r: Rewriter, node: Node) -> None:
    dqs, tail = all_dequantisers(r, node), behind(r, node)
    if not dqs or tail is None:
        return
    if not _products_fit(r, dqs, r.dtype(tail[-1].outputs[0]) if tail else None, True):
        return
    if len(dqs) > 2 and node.attributes.get("beta", 1.0) != 1.0:
        return
    a, b = dqs[:2]
    if not (parameters(a)[1] and parameters(b)[1]):
        return
    inputs = [
        a.inputs[0],
        *spelled_out(r, a),
        b.inputs[0],
        *spelled_out(r, b),
        dqs[2].inputs[0] if len(dqs) > 2 else "",
    ]
    attributes = {k: v for k, v in node.attributes.items() if k != "beta"}
    output = node.outputs[0]
    if tail:
        inputs += spelled_out(r, tail[-1])
        output = tail[-1].outputs[0]
    _replace(r, [*dqs, node, *tail], "QGemm", inputs, output, _MICROSOFT, dict(attributes))


def _where(r: Rewriter, node: Node) -> None:
    dqs, tail = dequantisers(r, node), behind(r, node)
    if len(dqs) == 2 and tail and _same_dtypes(r, dqs, tail[-1]):
        a, b, q = dqs[0], dqs[1], tail[-1]
        inputs = [node.inputs[0], a.inputs[0], *spelled_out(r, a), b.inputs[0], *spelled_out(r, b), *spelled_out(r, q)]
        _replace(r, [a, b, node, *tail], "QLinearWhere", inputs, q.outputs[0], _MICROSOFT, {})


_RULES: dict[str, _Rule] = {
    **dict.fromkeys(_MOVERS, _mover), **dict.fromkeys(_UNARY, _unary), "Split": _split, "Conv": _conv, "Add": _binary,
    "Mul": _binary, "Concat": _concat, "MatMul": _matmul, "Gemm": _gemm, "Where": _where, "ArgMax": _arg_max,
}  # fmt: skip
_SIGNED_RULES = _RULES | {"Conv": partial(_conv, signed=True), "MatMul": partial(_matmul, signed=True)}
