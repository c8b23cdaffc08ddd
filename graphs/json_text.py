"""The JSON form straight from its text, where it is written as programs write it.

A decoder that knows what a graph consists of makes it several times as fast as going through dictionaries. What is
unusual, and what is wrong, it leaves to `graphs.json_form`, which looks at every field and says what is wrong with it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct

from graphs.dtypes import BITS
from graphs.errors import InvalidGraph
from graphs.ir import Graph, Node, Parameter, TensorType
from graphs.json_fields import Field
from graphs.json_form import FLOAT_ATTRIBUTES, read_json, read_parameter
from graphs.validation import NEWEST_OPSET, validate


class _Input(Struct, forbid_unknown_fields=True):
    name: str
    dtype: str
    shape: tuple[int | str | None, ...]


class _Parameter(Struct, forbid_unknown_fields=True):
    name: str
    dtype: str
    shape: tuple[int, ...]
    value: Any = UNSET
    fill: Any = UNSET
    masking: Any = UNSET


class _Node(Struct, forbid_unknown_fields=True):
    op: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, int | float | str | tuple[int, ...]] = {}
    domain: str = ""
    name: str = ""


class GraphText(Struct, forbid_unknown_fields=True):
    """A graph in the JSON form as it was decoded, none of whose names and sizes was looked at yet."""

    nodes: list[_Node]
    outputs: list[str]
    name: str = ""
    opset: dict[str, int] = {}
    inputs: list[_Input] = []
    parameters: list[_Parameter] = []


_DECODER = msgspec.json.Decoder(GraphText)


def decode(data: bytes) -> GraphText | None:
    """None for what is unusual, and for what is wrong."""
    try:
        return _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def read_text(text: GraphText) -> Graph:
    """The graph; raises as `read_json` does."""
    graph = _read(text)
    if graph is None:
        return read_json(msgspec.to_builtins(text))
    validate(graph)
    return graph


def _read(text: GraphText) -> Graph | None:
    graph = Graph(text.name, {"": NEWEST_OPSET, **text.opset})
    for item in text.inputs:
        if item.dtype not in BITS or any(isinstance(dim, int) and dim < 1 for dim in item.shape):
            return None
        graph.inputs.append(item.name)
        graph.types[item.name] = TensorType(item.dtype, tuple([None if dim == "" else dim for dim in item.shape]))
    parameters = graph.parameters
    for index, weight in enumerate(text.parameters):
        if weight.value is UNSET and weight.fill is UNSET and weight.masking is UNSET:
            if weight.dtype not in BITS or min(weight.shape, default=0) < 0:
                return None
            parameters[weight.name] = Parameter(TensorType(weight.dtype, weight.shape))
        else:
            try:
                parameters[weight.name] = read_parameter(Field(f"parameters[{index}]", msgspec.to_builtins(weight)))
            except InvalidGraph:
                return None  # something before it may be wrong as well
    if len(graph.types) < len(text.inputs) or len(parameters) < len(text.parameters):
        return None
    if "" in graph.types or "" in parameters or not graph.types.keys().isdisjoint(parameters):
        return None
    for index, node in enumerate(text.nodes):
        if not (FLOAT_ATTRIBUTES.isdisjoint(node.attributes) or _make_floats(node)):
            return None
        name = node.name or f"{node.op}_{index}"
        graph.nodes.append(Node(node.op, node.inputs, node.outputs, {**node.attributes}, node.domain, name))
    graph.outputs = text.outputs
    return graph


def _make_floats(node: _Node) -> bool:
    """Whole numbers become floating point where the operator wants that; False where something else is given."""
    for name in FLOAT_ATTRIBUTES.intersection(node.attributes):
        value = node.attributes[name]
        if not isinstance(value, int | float):
            return False
        node.attributes[name] = float(value)
    return True
