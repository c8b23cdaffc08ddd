"""An architecture of a search space → its graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphs.errors import InvalidSearchSpace
from graphs.ir import Graph, Node
from graphs.search_spaces.pieces import Piece
from graphs.search_spaces.space import Layer, SearchSpace
from graphs.search_spaces.walking import Walker

#: Between the name of a layer and the names of its block's nodes and tensors.
SEPARATOR = "/"


def assemble(
    space: SearchSpace,
    choices: Sequence[int] | Mapping[str, str | int],
    *,
    batch_size: int | None = None,
    dims: Mapping[str, int] | None = None,
) -> Graph:
    """The graph of an architecture, with static types, ready for lowering.

    ``choices`` are positions, or names by layer (of layers left out, the first choice). Nodes, tensors and parameters
    are called ``<layer>/<name in the block>``. Raises InvalidChoices, or another GraphError where the choices do not
    fit together.
    """
    return assemble_row(Walker(space, batch_size=batch_size, dims=dims), space.row(choices))


def assemble_row(walker: Walker, row: Sequence[int]) -> Graph:
    """As `assemble`, with a walker that remembers and a row that is known to be valid."""
    space = walker.space
    steps = walker.walk(row)
    graph = Graph(name=space.name, opset=dict(space.opset))
    tensors: dict[str, str] = {}
    for name, type_ in walker.input_types(steps).items():
        graph.inputs.append(name)
        graph.types[name] = type_
        tensors[name] = name
    for layer, step in zip(space.layers, steps, strict=True):
        if step.piece is not None:
            _append(graph, layer, step.piece, tensors)
    missing = [name for name in space.outputs if name not in tensors]
    if missing:
        raise InvalidSearchSpace(f"nothing gives the output {missing[0]!r}")
    graph.outputs = [tensors[name] for name in space.outputs]
    return graph


def _append(graph: Graph, layer: Layer, piece: Piece, tensors: dict[str, str]) -> None:
    inner, prefix = piece.graph, layer.name + SEPARATOR
    names = {"": ""}
    names.update(zip(inner.inputs, (tensors[name] for name in layer.inputs), strict=True))
    for name, parameter in inner.parameters.items():
        names[name] = prefix + name
        graph.parameters[prefix + name] = parameter
    for name, type_ in inner.types.items():
        if name not in names:
            names[name] = prefix + name
        graph.types[names[name]] = type_
    for node in inner.nodes:
        graph.nodes.append(
            Node(
                node.op, [names[n] for n in node.inputs], [names[n] for n in node.outputs], node.attributes,
                node.domain, prefix + node.name,
            )
        )  # fmt: skip
    tensors.update(zip(layer.outputs, (names[name] for name in inner.outputs), strict=True))
