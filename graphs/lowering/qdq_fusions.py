"""Quantised graphs in QDQ form: DQ → operator → Q becomes the quantised kernel.

After onnxruntime's QDQSelectorActionTransformer, QDQS8ToU8Transformer, ReluQuantFusion and ClipQuantFusion
(core/optimizer/qdq_transformer, 1.31) for the CPU provider on x86.
"""

from __future__ import annotations

from graphs.ir import Attribute, Node
from graphs.lowering.qdq_propagation import per_tensor, same_parameters
from graphs.lowering.rewriter import Rewriter, merged_origin

_MICROSOFT = "com.microsoft"
_EIGHT_BITS = frozenset({"uint8", "int8"})

#: Operators that move quantised data as it is.
_MOVERS = frozenset({
    "Expand", "Flatten", "Gather", "GatherElements", "Reshape", "Slice", "Squeeze", "Tile", "Transpose", "Unsqueeze",
    "Resize", "MaxPool", "ReduceMax", "ReduceMin",
})  # fmt: skip
_UNARY = frozenset({"AveragePool", "LeakyRelu", "GlobalAveragePool", "Sigmoid", "Softmax"})


def fuse_quantised(r: Rewriter) -> None:
    """Try every operator once, in topological order."""
    for node in r.nodes:
        rule = _RULES.get(node.op)
        if rule is not None and not node.domain and r.alive(node):
            rule(r, node)


def _dq(r: Rewriter, tensor: str) -> Node | None:
    """The DequantizeLinear that gives ``tensor`` to one user only."""
    node = r.producer(tensor) if tensor else None
    if node is None or node.op != "DequantizeLinear" or r.edges(node) != 1 or r.gives_output(node):
        return None
    return node


def _q(r: Rewriter, node: Node) -> Node | None:
    user = r.sole_user(node)
    return user if user is not None and user.op == "QuantizeLinear" and per_tensor(r, user) else None


def _params(node: Node) -> list[str]:
    return [node.inputs[1], node.inputs[2] if len(node.inputs) > 2 else ""]


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
    r.remove(*nodes)
    r.add(new)


def _mover(r: Rewriter, node: Node) -> None:
    dq, q = _dq(r, node.inputs[0]), _q(r, node)
    if dq is None or q is None or not per_tensor(r, dq) or not same_parameters(r, dq, q):
        return
    if r.dtype(dq.inputs[0]) != r.dtype(q.outputs[0]):
        return
    if node.op == "MaxPool" and r.opset < 12:
        return
    output = q.outputs[0]
    origin = merged_origin(dq, node, q)
    r.set_input(node, 0, dq.inputs[0])
    r.remove(dq, q)
    r.set_output(node, 0, output)
    node.origin = origin


def _split(r: Rewriter, node: Node) -> None:
    dq = _dq(r, node.inputs[0])
    if dq is None or r.gives_output(node):
        return
    users = [r.users(t) for t in node.outputs]
    if any(len(u) != 1 or u[0].op != "QuantizeLinear" or not same_parameters(r, dq, u[0]) for u in users):
        return
    node.origin = merged_origin(dq, node, *(u[0] for u in users))
    r.set_input(node, 0, dq.inputs[0])
    r.remove(dq)
    for index, (q,) in enumerate([tuple(u) for u in users]):
        output = q.outputs[0]
        r.remove(q)
        r.set_output(node, index, output)


def _conv(r: Rewriter, node: Node) -> None:
    x, w, q = _dq(r, node.inputs[0]), _dq(r, node.inputs[1]), _q(r, node)
    has_bias = len(node.inputs) > 2 and bool(node.inputs[2])
    b = _dq(r, node.inputs[2]) if has_bias else None
    if x is None or w is None or q is None or (has_bias and b is None) or not per_tensor(r, x):
        return
    if r.dtype(x.inputs[0]) not in _EIGHT_BITS or r.dtype(x.inputs[0]) != r.dtype(q.outputs[0]):
        return
    if r.dtype(w.inputs[0]) not in _EIGHT_BITS or (r.dtype(x.inputs[0]) == "int8" and r.dtype(w.inputs[0]) != "int8"):
        return
    inputs = [x.inputs[0], *_params(x), w.inputs[0], *_params(w), *_params(q)]
    nodes = [x, w, node, q]
    if b is not None:
        if r.dtype(b.inputs[0]) != "int32":
            return
        inputs.append(b.inputs[0])
        nodes.insert(2, b)
    _replace(r, nodes, "QLinearConv", inputs, q.outputs[0], "", dict(node.attributes))


def _unary(r: Rewriter, node: Node) -> None:
    x, q = _dq(r, node.inputs[0]), _q(r, node)
    if (
        x is None
        or q is None
        or r.dtype(x.inputs[0]) not in _EIGHT_BITS
        or r.dtype(x.inputs[0]) != r.dtype(q.outputs[0])
    ):
        return
    attributes = dict(node.attributes)
    if node.op == "Softmax":
        attributes["opset"] = r.opset
    op = f"QLinear{node.op}"
    _replace(r, [x, node, q], op, [x.inputs[0], *_params(x), *_params(q)], q.outputs[0], _MICROSOFT, attributes)


def _binary(r: Rewriter, node: Node) -> None:
    a, b, q = _dq(r, node.inputs[0]), _dq(r, node.inputs[1]), _q(r, node)
    if a is None or b is None or q is None:
        return
    dtypes = {r.dtype(a.inputs[0]), r.dtype(b.inputs[0]), r.dtype(q.outputs[0])}
    if len(dtypes) != 1 or not dtypes <= _EIGHT_BITS:
        return
    inputs = [a.inputs[0], *_params(a), b.inputs[0], *_params(b), *_params(q)]
    _replace(r, [a, b, node, q], f"QLinear{node.op}", inputs, q.outputs[0], _MICROSOFT, {})


def _concat(r: Rewriter, node: Node) -> None:
    q = _q(r, node)
    parts = [_dq(r, t) for t in node.inputs]
    if q is None or any(p is None for p in parts) or len(set(node.inputs)) != len(node.inputs):
        return
    dqs = [p for p in parts if p is not None]
    if {r.dtype(p.inputs[0]) for p in dqs} != {r.dtype(q.outputs[0])} or r.dtype(q.outputs[0]) not in _EIGHT_BITS:
        return
    inputs = _params(q)
    for p in dqs:
        inputs += [p.inputs[0], *_params(p)]
    _replace(r, [*dqs, node, q], "QLinearConcat", inputs, q.outputs[0], _MICROSOFT, dict(node.attributes))


def _matmul(r: Rewriter, node: Node) -> None:
    a, b, q = _dq(r, node.inputs[0]), _dq(r, node.inputs[1]), _q(r, node)
    if a is None or b is None or not per_tensor(r, a):
        return
    if r.dtype(a.inputs[0]) not in _EIGHT_BITS or r.dtype(b.inputs[0]) not in _EIGHT_BITS:
        return
    if r.dtype(a.inputs[0]) == "int8" and r.dtype(b.inputs[0]) != "int8":
        return
    if q is not None:
        if r.dtype(q.outputs[0]) != r.dtype(a.inputs[0]):
            return
        inputs = [a.inputs[0], *_params(a), b.inputs[0], *_params(b), *_params(q)]
        _replace(r, [a, b, node, q], "QLinearMatMul", inputs, q.outputs[0], "", {})
        return
    inputs = [a.inputs[0], b.inputs[0], a.inputs[1], b.inputs[1], _params(a)[1], _params(b)[1]]
    _replace(r, [a, b, node], "MatMulIntegerToFloat", inputs, node.outputs[0], _MICROSOFT, {})


def _gemm(r: Rewriter, node: Node) -> None:
    a, b, q = _dq(r, node.inputs[0]), _dq(r, node.inputs[1]), _q(r, node)
    has_c = len(node.inputs) > 2 and bool(node.inputs[2])
    c = _dq(r, node.inputs[2]) if has_c else None
    if a is None or b is None or (has_c and c is None) or not per_tensor(r, a):
        return
    if r.dtype(a.inputs[0]) not in _EIGHT_BITS or r.dtype(b.inputs[0]) not in _EIGHT_BITS:
        return
    if (r.dtype(a.inputs[0]) == "int8" and r.dtype(b.inputs[0]) != "int8") or node.attributes.get("beta", 1.0) != 1.0:
        return
    if q is not None and r.dtype(q.outputs[0]) != r.dtype(a.inputs[0]):
        return
    if c is not None and r.dtype(c.inputs[0]) != "int32":
        return
    nodes = [n for n in (a, b, c, node, q) if n is not None]
    inputs = [a.inputs[0], *_params(a), b.inputs[0], *_params(b), c.inputs[0] if c is not None else ""]
    attributes = {k: v for k, v in node.attributes.items() if k != "beta"}
    if q is not None:
        inputs += _params(q)
    output = q.outputs[0] if q is not None else node.outputs[0]
    _replace(r, nodes, "QGemm", inputs, output, _MICROSOFT, dict(attributes))


def _where(r: Rewriter, node: Node) -> None:
    a, b, q = _dq(r, node.inputs[1]), _dq(r, node.inputs[2]), _q(r, node)
    if a is None or b is None or q is None:
        return
    dtypes = {r.dtype(a.inputs[0]), r.dtype(b.inputs[0]), r.dtype(q.outputs[0])}
    if len(dtypes) == 1 and dtypes <= _EIGHT_BITS:
        inputs = [node.inputs[0], a.inputs[0], *_params(a), b.inputs[0], *_params(b), *_params(q)]
        _replace(r, [a, b, node, q], "QLinearWhere", inputs, q.outputs[0], _MICROSOFT, {})


_RULES = {
    **dict.fromkeys(_MOVERS, _mover), **dict.fromkeys(_UNARY, _unary), "Split": _split, "Conv": _conv, "Add": _binary,
    "Mul": _binary, "Concat": _concat, "MatMul": _matmul, "Gemm": _gemm, "Where": _where,
}  # fmt: skip


def drop_relu(r: Rewriter, node: Node) -> None:
    """Relu (or a Clip from zero) before a quantisation whose zero point is the lowest value does nothing."""
    q = _q(r, node)
    if q is None:
        return
    dtype = r.dtype(q.outputs[0])
    zero = r.scalar(q.inputs[2]) if len(q.inputs) > 2 and q.inputs[2] else 0.0
    if zero != {"uint8": 0.0, "int8": -128.0, "uint16": 0.0, "int16": -32768.0}.get(dtype):
        return
    q.origin = merged_origin(node, q)
    r.set_input(q, 0, node.inputs[0])
    r.remove(node)


def drop_clip(r: Rewriter, node: Node) -> None:
    """A Clip that does not cut into the range of the quantisation behind it does nothing."""
    q = _q(r, node)
    scale = r.scalar(q.inputs[1]) if q is not None else None
    if q is None or scale is None:
        return
    lowest, highest = {"uint8": (0, 255), "int8": (-128, 127)}.get(r.dtype(q.outputs[0]), (0, -1))
    zero = r.scalar(q.inputs[2]) if len(q.inputs) > 2 and q.inputs[2] else 0.0
    bounds = [r.scalar(t) if t else None for t in [*node.inputs[1:3], "", ""][:2]]
    if zero is None or highest < lowest:
        return
    low, high = (b if b is not None else v for b, v in zip(bounds, (float("-inf"), float("inf")), strict=True))
    if low > scale * (lowest - zero) or high < scale * (highest - zero):
        return
    q.origin = merged_origin(node, q)
    r.set_input(q, 0, node.inputs[0])
    r.remove(node)
