"""What a block's neighbours can feel of it: its last operators, or its first, with sizes only as far as layouts care.

A runtime fuses operators across the border of two blocks and keeps tensors in a blocked layout over it, and both depend
on which operators meet there and whether channels divide into blocks, hardly on anything farther away. So neighbours
with equal signatures are taken for one, and whether that was right is measured afterwards.
"""

from __future__ import annotations

from graphs.ir import Graph, Node, TensorType
from graphs.search_spaces.pieces import Piece
from graphs.search_spaces.space import fingerprint

#: Operators from the border that count.
RADIUS = 2

#: Channels are blocked by 16 at most.
_BLOCK = 16

#: Attributes that no fusion and no layout depends on.
_SIZES = frozenset({"pads", "dilations", "group"})


def tail(piece: Piece) -> bytes:
    """Of the operators that make its outputs."""
    graph = piece.graph
    made = {name: node for node in graph.nodes for name in node.outputs}
    return fingerprint(_backwards(graph, made, name, RADIUS) for name in graph.outputs)


def head(piece: Piece) -> bytes:
    """Of the operators that read its inputs."""
    graph = piece.graph
    made = {name: node for node in graph.nodes for name in node.outputs}
    readers: dict[str, list[tuple[int, Node]]] = {}
    for node in graph.nodes:
        for index, name in enumerate(node.inputs):
            readers.setdefault(name, []).append((index, node))
    return fingerprint(_forwards(graph, made, readers, name, RADIUS) for name in graph.inputs)


def _backwards(graph: Graph, made: dict[str, Node], name: str, radius: int) -> object:
    node = made.get(name)
    type_ = _coarse(graph.types[name]) if name else None
    if node is None or not radius:
        return _constant(graph, name), name in graph.inputs, type_
    return type_, _operator(node), [_backwards(graph, made, source, radius - 1) for source in node.inputs]


def _forwards(
    graph: Graph, made: dict[str, Node], readers: dict[str, list[tuple[int, Node]]], name: str, radius: int
) -> object:
    seen: list[object] = [_coarse(graph.types[name]), name in graph.outputs]
    if radius:
        for index, node in readers.get(name, ()):
            others = [_backwards(graph, made, other, radius) for other in node.inputs if other != name]
            after = [_forwards(graph, made, readers, output, radius - 1) for output in node.outputs if output]
            seen.append((index, _operator(node), others, after))
    return seen


def _operator(node: Node) -> object:
    kept = sorted((key, repr(value)) for key, value in node.attributes.items() if key not in _SIZES)
    return node.kind, kept, node.int("group", 1) == 1


def _constant(graph: Graph, name: str) -> object:
    """Whether it is one, and its value where that is a single number: runtimes fuse by value."""
    parameter = graph.parameters.get(name)
    if parameter is None:
        return False
    return parameter.value.tolist() if parameter.value is not None and parameter.value.size == 1 else True


def _coarse(type_: TensorType) -> object:
    return type_.dtype, [(size == 1, min(size & -size, _BLOCK)) for size in type_.dims]
