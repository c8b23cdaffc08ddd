"""Tensors whose shapes the runtime does not know before it runs, though we do.

Its inference has nothing to say about GreaterOrEqual and LessOrEqual before operator set 16 (functions then, without
a rule of their own), which exporters of that time put into attention masks. What is computed from them is then of
unknown shape until a Reshape says it, and optimisations that want to know a shape leave it alone.
"""

from __future__ import annotations

from graphs.ir import Graph, Node

#: Sizes, of which None is unknown; or None where not even the rank is known.
_Known = tuple[int | None, ...] | None

_WITHOUT_RULE = frozenset({"GreaterOrEqual", "LessOrEqual"})
_RULE_SINCE = 16
_LIKE_FIRST = frozenset({"Softmax", "LogSoftmax", "Not", "Cast", "IsNaN", "Identity", "Relu", "Exp", "Erf", "Tanh"})


def uncertain_tensors(graph: Graph) -> frozenset[str]:
    """The tensors of an inferred graph whose shapes onnxruntime's own inference leaves open, wholly or in part."""
    if graph.opset.get("", 21) >= _RULE_SINCE or not any(n.op in _WITHOUT_RULE for n in graph.nodes):
        return frozenset()
    known: dict[str, _Known] = {}
    for node in graph.nodes:
        shapes = [known.get(t, graph.types[t].dims) for t in node.inputs if t]
        if node.op in _WITHOUT_RULE or any(not _is_complete(s) for s in shapes):
            made = _shape(graph, node, shapes)
            for tensor in node.outputs:
                if tensor and not _is_complete(made):
                    known[tensor] = made
    return frozenset(known)


def _is_complete(shape: _Known) -> bool:
    return shape is not None and None not in shape


def _shape(graph: Graph, node: Node, shapes: list[_Known]) -> _Known:
    """What follows for the first output; None where we do not follow it up."""
    first = shapes[0] if shapes else None
    if node.op == "Reshape":
        return _reshaped(graph, node, first)
    if node.op in _WITHOUT_RULE or first is None:
        return None
    if node.op == "Transpose":
        perm = node.ints("perm") or tuple(range(len(first) - 1, -1, -1))
        return tuple(first[i] for i in perm)
    if node.op == "MatMul" and shapes[1] is not None and len(shapes[1]) == 2:
        return (*first[:-1], shapes[1][1])
    if node.op in _LIKE_FIRST:
        return first
    if node.op in ("Add", "Sub", "Mul", "Div") and None not in shapes:
        return _broadcast(first, shapes[1] or ())
    return None


def _reshaped(graph: Graph, node: Node, data: _Known) -> _Known:
    target = graph.value(node.inputs[1])
    if target is None:
        return None
    sizes = [int(n) for n in target.reshape(-1)]
    zero: list[int | None] = [data[i] if data is not None and i < len(data) else None for i in range(len(sizes))]
    return tuple(None if n < 0 else zero[i] if n == 0 else n for i, n in enumerate(sizes))


def _broadcast(a: tuple[int | None, ...], b: tuple[int | None, ...]) -> _Known:
    """Sizes above 1 are the result's; beside a 1, an unknown one stays unknown."""
    rank = max(len(a), len(b))
    left, right = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    return tuple(_common(*pair) for pair in zip(left, right, strict=True))


def _common(a: int | None, b: int | None) -> int | None:
    larger = max(a or 1, b or 1)
    return larger if larger > 1 or None not in (a, b) else None
