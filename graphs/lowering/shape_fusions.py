"""Data movement that merges: gathers into a split, reshapes into one, equal computations into one.

After onnxruntime's GatherSliceToSplitFusion, ReshapeFusion and CommonSubexpressionElimination (core/optimizer, 1.31).
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np

from graphs.ir import Graph, Node, TensorType
from graphs.lowering.rewriter import Rewriter, merged_origin


def split_all_picks(r: Rewriter) -> None:
    """`split_picks` of every tensor."""
    if any(node.op in ("Gather", "Slice") for node in r.nodes):
        for tensor in [*r.graph.inputs, *(n.outputs[0] for n in r.nodes if len(n.outputs) == 1)]:
            split_picks(r, tensor)


def split_picks(r: Rewriter, tensor: str) -> None:
    """Users that pick parts along one axis (single indices, or slices) that tile it become one Split, and Squeezes."""
    users = r.users(tensor)
    made = r.producer(tensor)
    if r.opset < 13 or len(users) < 2 or r.is_output(tensor) or (made is not None and made.op == "Shape"):
        return
    shape = r.shape(tensor)
    parts = [_part(r, user, tensor, shape) for user in users]
    found = sorted((p for p in parts if p is not None), key=lambda p: p.start)
    if len(found) < 2 or len({p.axis for p in found}) != 1:
        return
    ends = [p.start + p.size for p in found]
    if [p.start for p in found] != [0, *ends[:-1]] or ends[-1] != shape[found[0].axis]:
        return
    _emit_split(r, tensor, found)


@dataclass(frozen=True, slots=True)
class _Part:
    node: Node
    axis: int
    start: int
    size: int
    squeeze: bool


def _part(r: Rewriter, user: Node, tensor: str, shape: tuple[int, ...]) -> _Part | None:
    if user.inputs[0] != tensor or user.domain:
        return None
    if user.op == "Gather":
        index = r.value(user.inputs[1])
        if index is None or index.size != 1 or index.dtype != np.int64 or index.ndim > 1:
            return None
        axis = user.int("axis", 0) % len(shape)
        return _Part(user, axis, int(index.reshape(-1)[0]) % shape[axis], 1, index.ndim == 0)
    if user.op == "Slice":
        starts, steps = r.ints(user, 1, "starts"), r.ints(user, 4, "steps")
        axes = r.ints(user, 3, "axes") or (0,)
        if starts is None or len(starts) != 1 or len(axes) != 1 or (steps is not None and steps != (1,)):
            return None
        axis = axes[0] % len(shape)
        start = min(starts[0] + shape[axis] if starts[0] < 0 else starts[0], shape[axis])
        return _Part(user, axis, start, r.shape(user.outputs[0])[axis], False)
    return None


def _emit_split(r: Rewriter, tensor: str, parts: list[_Part]) -> None:
    t, axis = r.types[tensor], parts[0].axis
    nodes = [p.node for p in parts]
    outputs = [n.outputs[0] for n in nodes]
    r.remove(*nodes)
    single = TensorType(t.dtype, tuple(1 if i == axis else d for i, d in enumerate(t.dims)))
    names = [r.tensor(single, "split") if p.squeeze else output for p, output in zip(parts, outputs, strict=True)]
    sizes = r.int_constant(p.size for p in parts)
    r.add(Node("Split", [tensor, sizes], list(names), {"axis": axis}, "", nodes[0].name, merged_origin(*nodes)))
    axes = r.int_constant([axis])
    for part, source, node, output in zip(parts, names, nodes, outputs, strict=True):
        if part.squeeze:
            r.add(Node("Squeeze", [source, axes], [output], {}, "", node.name, node.origin))


_RENAMING = frozenset({"Reshape", "Squeeze", "Unsqueeze"})


def _renames(node: Node | None) -> bool:
    """Only the shape changes, and a 0 in it copies a dimension."""
    return node is not None and node.op in _RENAMING and not node.domain and not node.attributes.get("allowzero")


def fuse_reshapes(r: Rewriter, node: Node) -> None:
    """A Reshape and the nodes behind it that only rename dimensions are one Reshape."""
    if not _renames(node):
        return
    chain = [node]
    while (user := r.sole_user(chain[-1])) is not None and _renames(user) and user.inputs[0] == chain[-1].outputs[0]:
        chain.append(user)
    if len(chain) > 1:
        r.fuse(chain, "Reshape", [node.inputs[0], r.int_constant(r.shape(chain[-1].outputs[0]))])


#: The runtime shares constants of up to this many elements and of these types; others are equal to themselves only.
_LARGEST_SHARED = 8
_SHARED = frozenset({"float16", "bfloat16", "float32", "float64", "int32", "int64"})


def merge_equal(r: Rewriter) -> None:
    """Nodes of the same operator, attributes and inputs are computed once. Small known constants are equal by value."""
    seen: dict[tuple[Any, ...], Node] = {}
    names: dict[tuple[Any, ...], str] = {}
    #: Signatures take long: nodes get theirs once another one computes something alike of the same tensors.
    alike: dict[tuple[Any, ...], Node | None] = {}
    for node in r.nodes:
        form = (node.op, node.domain, *[t for t in node.inputs if t not in r.parameters])
        if form not in alike:
            alike[form] = node
            continue
        if node.op in _NOT_MERGED or any(isinstance(v, Graph) for v in node.attributes.values()):
            continue
        if (earlier := alike[form]) is not None:
            seen[_signature(r, earlier, names)] = earlier
            alike[form] = None
        key = _signature(r, node, names)
        first = seen.setdefault(key, node)
        if first is node or len(first.outputs) != len(node.outputs) or r.gives_output(node):
            continue
        for mine, theirs in zip(node.outputs, first.outputs, strict=True):
            for user in list(r.users(mine)):
                for index, tensor in enumerate(user.inputs):
                    if tensor == mine:
                        r.set_input(user, index, theirs)
        r.remove(node)


#: Random operators, and dequantisation, of which every user keeps one of its own.
_NOT_MERGED = frozenset({
    "RandomUniform", "RandomNormal", "RandomUniformLike", "RandomNormalLike", "Multinomial", "Bernoulli",
    "DequantizeLinear",
})  # fmt: skip


def _signature(r: Rewriter, node: Node, names: dict[tuple[Any, ...], str]) -> tuple[Any, ...]:
    inputs = tuple(_constant_name(r, t, names) for t in node.inputs)
    attributes = tuple(
        (k, v.tobytes() if isinstance(v, np.ndarray) else v)
        for k, v in sorted(node.attributes.items(), key=itemgetter(0))
    )
    return node.kind, inputs, attributes


def _constant_name(r: Rewriter, tensor: str, names: dict[tuple[Any, ...], str]) -> str:
    parameter = r.parameters.get(tensor)
    if parameter is not None and parameter.fill is not None:
        return names.setdefault((parameter.type, parameter.fill), tensor)
    value = parameter.value if parameter is not None else None
    if value is None or value.size > _LARGEST_SHARED or value.dtype.name not in _SHARED or tensor in r.incomparable:
        return tensor
    return names.setdefault((str(value.dtype), value.shape, value.tobytes()), tensor)
