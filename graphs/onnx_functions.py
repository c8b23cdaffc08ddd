"""Functions that an ONNX model brings along, put in the places where they are called.

A function may call others, so that a few bytes can stand for any number of nodes; how many is counted beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from onnx import FunctionProto, ModelProto, NodeProto
from onnx.checker import ValidationError
from onnx.inliner import inline_local_functions

from graphs.errors import InvalidGraph

#: What a model may become, in nodes and in bytes.
MAX_NODES = 200_000
MAX_BYTES = 256 * 1024 * 1024
#: Functions within functions.
_MAX_DEPTH = 64

_Name = tuple[str, str, str]


class _Size(NamedTuple):
    nodes: int
    bytes: int


def inlined(model: ModelProto) -> ModelProto:
    """The model without functions. Raises InvalidGraph where that is impossible or far too large."""
    sizes = _Sizes({(f.domain, f.name, f.overload): f for f in model.functions})
    size = sizes.of(model.graph.node, 0)
    if size.nodes > MAX_NODES or size.bytes > MAX_BYTES:
        raise InvalidGraph(f"with its functions written out, the model has {size.nodes:,} nodes ({size.bytes:,} bytes)")
    try:
        return inline_local_functions(model)
    except (ValidationError, RuntimeError, ValueError) as error:
        raise InvalidGraph(f"the functions of the model cannot be written out: {error}") from error


class _Sizes:
    """What nodes become, each function counted once."""

    def __init__(self, functions: Mapping[_Name, FunctionProto]) -> None:
        self._functions = functions
        self._known: dict[_Name, _Size] = {}

    def of(self, nodes: Iterable[NodeProto], depth: int) -> _Size:
        total = own = 0
        for node in _all(nodes):
            size = self._called((node.domain, node.op_type, node.overload), depth)
            total += size.nodes
            own += size.bytes + node.ByteSize()
        return _Size(total, own)

    def _called(self, name: _Name, depth: int) -> _Size:
        function = self._functions.get(name)
        if function is None:
            return _Size(1, 0)
        if name not in self._known:
            if depth >= _MAX_DEPTH:
                raise InvalidGraph(f"functions of the model call each other {_MAX_DEPTH} deep, or in a circle")
            self._known[name] = self.of(function.node, depth + 1)
        return self._known[name]


def _all(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """Those in bodies of control operators too."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _all(graph.node)
