"""Data movement that merges: gathers into a split, reshapes into one, equal computations into one.

After onnxruntime's GatherSliceToSplitFusion, ReshapeFusion and CommonSubexpressionElimination (core/optimizer, 1.31).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from graphs.ir import Graph, Node, TensorType
from graphs.lowering.rewriter import Rewriter, merged_origin


def fuse_gathers(r: Rewriter, node: Node) -> None:
    """All users pick single indices along one axis, each index once: Split (and Squeeze). Starts at the producer."""
    if len(node.outputs) == 1:
        split_gathers(r, node.outputs[0])


def split_gathers(r: Rewriter, tensor: str) -> None:
    users = r.users(tensor)
    if len(users) < 2 or r.is_output(tensor):
        return
    shape = r.shape(tensor)
    picks: dict[int, Node] = {}
    axis = None
    ranks = set()
    for user in users:
        index = r.value(user.inputs[1]) if user.op == "Gather" and user.inputs[0] == tensor else None
        if index is None or index.size != 1 or index.dtype != np.int64:
            return
        own = int(user.attributes.get("axis", 0)) % len(shape)  # type: ignore[call-overload]
        if axis is None:
            axis = own
        position = int(index.reshape(-1)[0]) % shape[own]
        if own != axis or position in picks or shape[own] != len(users):
            return
        picks[position] = user
        ranks.add(index.ndim)
    if axis is None or len(ranks) != 1 or ranks.pop() > 1:
        return
    _emit_split(r, tensor, axis, [picks[i] for i in range(len(users))])


def _emit_split(r: Rewriter, tensor: str, axis: int, gathers: list[Node]) -> None:
    t = r.types[tensor]
    part = TensorType(t.dtype, tuple(1 if i == axis else d for i, d in enumerate(t.dims)))
    squeeze = len(r.shape(gathers[0].outputs[0])) < len(t.dims)
    outputs = [g.outputs[0] for g in gathers]
    origin = merged_origin(*gathers)
    r.remove(*gathers)
    parts = [r.tensor(part, "split") for _ in gathers] if squeeze else outputs
    sizes = r.int_constant([1] * len(gathers))
    r.add(Node("Split", [tensor, sizes], parts, {"axis": axis}, "", gathers[0].name, origin))
    if squeeze:
        axes = r.int_constant([axis])
        for source, gather, output in zip(parts, gathers, outputs, strict=True):
            r.add(Node("Squeeze", [source, axes], [output], {}, "", gather.name, gather.origin))


_RESHAPES = frozenset({"Reshape", "Squeeze", "Unsqueeze", "Flatten"})


def fuse_reshapes(r: Rewriter, node: Node) -> None:
    """A chain of nodes that only rename dimensions is one Reshape."""
    before = r.producer(node.inputs[0])
    if before is not None and before.op in _RESHAPES and r.sole_user(before) is node:
        return
    chain = [node]
    while (user := r.sole_user(chain[-1])) is not None and user.op in _RESHAPES and user.inputs[0] == chain[-1].outputs[0]:
        chain.append(user)
    if len(chain) > 1:
        output = r.shape(chain[-1].outputs[0])
        r.fuse(chain, "Reshape", [node.inputs[0], r.int_constant(output)])


def merge_equal(r: Rewriter) -> None:
    """Nodes of the same operator, attributes and inputs are computed once. Small constants are equal by value."""
    seen: dict[str, Node] = {}
    names: dict[tuple[Any, ...], str] = {}
    for node in r.nodes:
        if node.op in _RANDOM or any(isinstance(v, Graph) for v in node.attributes.values()):
            continue
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


_RANDOM = frozenset({"RandomUniform", "RandomNormal", "RandomUniformLike", "RandomNormalLike", "Multinomial", "Bernoulli"})


def _signature(r: Rewriter, node: Node, names: dict[tuple[Any, ...], str]) -> str:
    inputs = [_constant_name(r, t, names) for t in node.inputs]
    attributes = {k: v.tolist() if isinstance(v, np.ndarray) else str(v) for k, v in sorted(node.attributes.items())}
    return json.dumps([node.kind, inputs, attributes])


def _constant_name(r: Rewriter, tensor: str, names: dict[tuple[Any, ...], str]) -> str:
    value = r.value(tensor) if tensor else None
    if value is None or value.size > 8:
        return tensor
    return names.setdefault((str(value.dtype), value.shape, value.tobytes()), tensor)
