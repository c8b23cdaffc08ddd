"""Layer norms that exporters spell out, and the additions before them.

After onnxruntime's LayerNormFusion, SimplifiedLayerNormFusion, SkipLayerNormFusion and BiasSkipLayerNormFusion
(core/optimizer, 1.31).
"""

from __future__ import annotations

from graphs.ir import Node
from graphs.lowering.rewriter import Rewriter

_DTYPES = frozenset({"float32", "float16", "bfloat16"})


def _reduces_last(r: Rewriter, node: Node) -> bool:
    axes = r.ints(node, 1, "axes")
    rank = len(r.shape(node.inputs[0]))
    return axes is not None and tuple(a % rank for a in axes) == (rank - 1,) and node.attributes.get("keepdims", 1) == 1


def _only(r: Rewriter, tensor: str, op: str) -> Node | None:
    """The producer of ``tensor`` if it is ``op`` and nothing else uses it."""
    node = r.producer(tensor)
    if node is None or node.op != op or node.domain or r.edges(node) != 1 or r.gives_output(node):
        return None
    return node


def fuse_layer_norm(r: Rewriter, node: Node) -> None:
    """(x − mean) / √(mean((x − mean)²) + ε) · γ + β; starts at the first ReduceMean."""
    x = node.inputs[0]
    subs = r.users(node.outputs[0])
    if (
        _is_cast(r, x)
        or not subs
        or len(subs) > 2
        or any(s.op != "Sub" or s.inputs[0] != x for s in subs)
        or not _reduces_last(r, node)
    ):
        return
    div = next((u for s in subs for u in r.users(s.outputs[0]) if u.op == "Div"), None)
    if div is None or r.gives_output(node):
        return
    sqrt = _only(r, div.inputs[1], "Sqrt")
    add = _only(r, sqrt.inputs[0], "Add") if sqrt is not None else None
    mean = next((m for t in add.inputs if (m := _only(r, t, "ReduceMean"))), None) if add is not None else None
    if sqrt is None or add is None or mean is None or not _reduces_last(r, mean):
        return
    square = _only(r, mean.inputs[0], "Pow") or _only(r, mean.inputs[0], "Mul")
    if square is None or r.producer(square.inputs[0]) not in subs or not _squares(r, square):
        return
    scaled = r.sole_user(div)
    if scaled is None or scaled.op != "Mul":
        return
    shifted = r.sole_user(scaled)
    if shifted is None or shifted.op != "Add":
        return
    gamma = scaled.inputs[1] if scaled.inputs[0] == div.outputs[0] else scaled.inputs[0]
    beta = shifted.inputs[1] if shifted.inputs[0] == scaled.outputs[0] else shifted.inputs[0]
    if not _vector(r, gamma) or not _vector(r, beta) or r.shape(gamma) != r.shape(beta):
        return
    unique = list({id(s): s for s in subs}.values())
    r.fuse(
        [node, *unique, square, mean, add, sqrt, div, scaled, shifted],
        "LayerNormalization",
        [x, gamma, beta],
        "",
        {"axis": -1},
    )


def fuse_standard_layer_norm(r: Rewriter, node: Node) -> None:
    """Early, where the opset of the graph has the operator (17)."""
    if r.opset >= 17:
        fuse_layer_norm(r, node)


def _squares(r: Rewriter, node: Node) -> bool:
    """The exponent of a Pow is taken on trust, unless a Cast makes it."""
    return not _is_cast(r, node.inputs[1]) if node.op == "Pow" else node.inputs[0] == node.inputs[1]


def _is_cast(r: Rewriter, tensor: str) -> bool:
    maker = r.producer(tensor)
    return maker is not None and maker.op == "Cast"


def _vector(r: Rewriter, tensor: str) -> bool:
    """One number per feature, constant or computed."""
    return len(r.shape(tensor)) == 1


def _is_two(r: Rewriter, tensor: str) -> bool:
    """Whether a constant is 2, if need be through its cast."""
    maker = r.producer(tensor)
    source = maker.inputs[0] if maker is not None and maker.op == "Cast" else tensor
    return r.scalar(source) == 2.0


def fuse_rms_norm(r: Rewriter, node: Node) -> None:
    """x / √(mean(x²) + ε) · γ; starts at Pow. The form with Reciprocal stays as it is."""
    x = node.inputs[0]
    mean = r.sole_user(node)
    if mean is None or mean.op != "ReduceMean" or not _is_two(r, node.inputs[1]) or not _reduces_last(r, mean):
        return
    add = r.sole_user(mean)
    sqrt = r.sole_user(add) if add is not None and add.op == "Add" else None
    div = r.sole_user(sqrt) if sqrt is not None and sqrt.op == "Sqrt" else None
    if add is None or sqrt is None or div is None or div.op != "Div" or div.inputs != [x, sqrt.outputs[0]]:
        return
    scaled = r.sole_user(div)
    if scaled is None or scaled.op != "Mul":
        return
    gamma = scaled.inputs[1] if scaled.inputs[0] == div.outputs[0] else scaled.inputs[0]
    cast, factor = r.producer(node.inputs[1]), r.producer(gamma)
    # With the exponent and the factor both behind casts of constants the runtime does not see it.
    if _vector(r, gamma) and not (cast is not None and factor is not None and id(factor) in r.lasting):
        r.fuse([node, mean, add, sqrt, div, scaled], "SimplifiedLayerNormalization", [x, gamma], "", {"axis": -1})
        if cast is not None and not r.edges(cast):
            r.remove(cast)


def fuse_skip_layer_norm(r: Rewriter, node: Node) -> None:
    """Add of two tensors of three dimensions (and of a bias before it), then LayerNormalization."""
    add = r.producer(node.inputs[0])
    if add is None or add.op != "Add" or r.sole_user(add) is not node or r.dtype(node.inputs[0]) not in _DTYPES:
        return
    first, second = add.inputs
    if len(r.shape(first)) != 3 or r.shape(first) != r.shape(second) or not r.uncertain.isdisjoint(add.inputs):
        return
    beta = node.inputs[2] if len(node.inputs) > 2 else ""
    nodes, inputs = [add, node], [first, second, node.inputs[1], beta]
    for index in (0, 1):
        before = r.producer(add.inputs[index])
        if before is not None and before.op == "Add" and r.sole_user(before) is add and _adds_bias(r, before):
            inputs[index] = before.inputs[0]
            inputs.append(before.inputs[1])
            nodes.insert(0, before)
            break
    r.fuse(nodes, "SkipLayerNormalization", inputs, "com.microsoft")


def fuse_bias_skip_layer_norm(r: Rewriter, node: Node) -> None:
    """A bias between a MatMul and SkipLayerNormalization joins it; starts at SkipLayerNormalization."""
    if len(node.inputs) != 4:
        return
    for index in (0, 1):
        add = r.producer(node.inputs[index])
        if add is None or add.op != "Add" or r.sole_user(add) is not node:
            continue
        for product, bias in (add.inputs, add.inputs[::-1]):
            maker = r.producer(product)
            if maker is None or maker.kind != "MatMul":
                continue
            if r.is_constant(bias) and r.shape(bias) == r.shape(node.inputs[2]):
                inputs = [*node.inputs, bias]
                inputs[index] = product
                r.fuse([add, node], "SkipLayerNormalization", inputs, "com.microsoft", dict(node.attributes))
                return


def _adds_bias(r: Rewriter, node: Node) -> bool:
    shape, bias = r.shape(node.inputs[0]), node.inputs[1]
    return r.is_constant(bias) and len(shape) == 3 and r.shape(bias) == shape[-1:]
