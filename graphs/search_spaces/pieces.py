"""A block with everything that its expressions need → a graph with static types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphs.errors import GraphError, InvalidSearchSpace
from graphs.inference import infer
from graphs.ir import Graph, TensorType
from graphs.json_form import read_json
from graphs.search_spaces.expressions import Scope, expression
from graphs.search_spaces.space import Block, Choice, fingerprint, number

#: All that a piece of a space depends on: its block, by identity; the types that come in; names that the block reads.
Made = tuple[int, tuple[TensorType, ...], tuple[int | None, ...]]


@dataclass(frozen=True, slots=True)
class Piece:
    """A block as one architecture has it. ``graph`` is inferred; an output may be an input that is passed on."""

    graph: Graph
    #: Equal where all that can decide a cost is equal.
    digest: bytes

    @property
    def output_types(self) -> tuple[TensorType, ...]:
        return tuple(self.graph.types[name] for name in self.graph.outputs)


def make_piece(
    choice: Choice, variables: Scope, types: Sequence[TensorType], opset: Mapping[str, int], made: dict[Made, Piece]
) -> Piece:
    """The block of ``choice`` for inputs of the given types; ``made`` are those of the space that were made before.

    Raises a GraphError that names the choice.
    """
    block = choice.block
    assert block is not None
    try:
        known = {**variables, **_bound(block, types)}
        scope = known | {name: number(value, known) for name, value in choice.given}
        read = tuple([scope.get(name) for name in sorted(block.free | block.sizes)])
        found = made.get((id(block), tuple(types), read))
        if found is None:
            for name, value in block.definitions:
                scope[name] = value(scope)
            graph = _read(block, scope, types, opset)
            found = made[id(block), tuple(types), read] = Piece(graph, fingerprint(_identity(graph)))
        return found
    except GraphError as error:
        raise InvalidSearchSpace(f"choice {choice.name!r}, block {block.name!r}: {error}") from error


def _bound(block: Block, types: Sequence[TensorType]) -> dict[str, int]:
    """The sizes that come in, by the names that the shapes of the inputs give them."""
    bound: dict[str, int] = {}
    for (name, dtype, shape), type_ in zip(block.inputs, types, strict=True):
        if dtype != type_.dtype or len(shape) != len(type_.dims):
            raise InvalidSearchSpace(
                f"input {name!r} takes {dtype} {list(shape)}, but {type_.dtype} {type_.dims} comes"
            )
        for wanted, size in zip(shape, type_.dims, strict=True):
            known = bound.setdefault(wanted, size) if isinstance(wanted, str) else wanted
            if known is not None and known != size:
                raise InvalidSearchSpace(
                    f"input {name!r} takes {list(shape)}, but {type_.dims} comes ({known} ≠ {size})"
                )
    return bound


def _read(block: Block, scope: Scope, types: Sequence[TensorType], opset: Mapping[str, int]) -> Graph:
    nodes, renamed = _nodes(block, scope)
    outputs = [renamed.get(name, name) for name in block.body["outputs"]]
    parameters = [_parameter(item, scope) for item in block.body["parameters"]]
    read = {name for node in nodes for name in node["inputs"]}.union(outputs)
    graph = read_json({
        "name": block.name,
        "opset": dict(opset),
        "inputs": [
            {"name": name, "dtype": t.dtype, "shape": list(t.dims)}
            for (name, _, _), t in zip(block.inputs, types, strict=True)
        ],
        "parameters": [p for p in parameters if p["name"] in read],
        "nodes": nodes,
        "outputs": outputs,
    })  # fmt: skip
    if any(isinstance(value, Graph) for node in graph.nodes for value in node.attributes.values()):
        raise InvalidSearchSpace("blocks may not hold control flow (If, Loop, Scan)")
    inferred = infer(graph)
    constant = [name for name in inferred.outputs if name in inferred.parameters]
    if constant:
        raise InvalidSearchSpace(f"the output {constant[0]!r} depends on no input")
    return inferred


def _parameter(item: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
    shape = [expression(dim)(scope) if isinstance(dim, str) else dim for dim in item["shape"]]
    result = {**item, "shape": shape}
    if "value" in item:
        result["value"] = _evaluated(item["value"], scope)
    return result


def _nodes(block: Block, scope: Scope) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Nodes whose condition holds; the output of one that is left out is its first input."""
    renamed: dict[str, str] = {}
    nodes = []
    for item in block.body["nodes"]:
        inputs = [renamed.get(name, name) for name in item["inputs"]]
        if "when" in item and not expression(item["when"].removeprefix("="))(scope):
            renamed[item["outputs"][0]] = inputs[0]
            continue
        node = {key: value for key, value in item.items() if key != "when"}
        node["inputs"] = inputs
        if "attributes" in item:
            node["attributes"] = {name: _evaluated(value, scope) for name, value in item["attributes"].items()}
        nodes.append(node)
    return nodes, renamed


def _evaluated(value: Any, scope: Scope) -> Any:
    if isinstance(value, str) and value.startswith("="):
        return expression(value.removeprefix("="))(scope)
    if isinstance(value, list | tuple):
        return [_evaluated(element, scope) for element in value]
    return value


def _identity(graph: Graph) -> Iterator[object]:
    """Names are left out where they say nothing: tensors count by who made them first."""
    places: dict[str, int] = {"": -1}
    for name in graph.inputs:
        places[name] = len(places)
        yield graph.types[name]
    for name, parameter in graph.parameters.items():
        places[name] = len(places)
        value = None if parameter.value is None else parameter.value.tolist()
        yield parameter.type, value, parameter.fill
    for node in graph.nodes:
        yield node.kind, [places[name] for name in node.inputs]
        for key in sorted(node.attributes):
            yield key, node.attributes[key]
        for name in node.outputs:
            places[name] = len(places)
    yield [places[name] for name in graph.outputs]
