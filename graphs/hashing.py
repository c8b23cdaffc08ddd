"""A hash of an architecture that does not depend on names or on the order of nodes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from graphs.ir import Attribute, Graph, Node, Parameter, TensorType
from graphs.structure import sort

#: Longer constants of floating point are weights; shorter ones (a scale, an exponent, an epsilon) are architecture.
_LONGEST_SETTING = 8


def graph_hash(graph: Graph, *, weights: bool = True) -> str:
    """32 hex digits, equal for graphs that differ only in names and in the order of their nodes.

    Two passes colour the graph: forwards every tensor by what computes it, backwards by what reads it, so that sharing
    shows (one weight for two layers is not two equal ones). With ``weights`` false, numbers that training changes do
    not count, and neither does whether they are known: two models of one architecture then have one hash.
    """
    return _Colouring(graph, {}, weights).digest().hex()


class _Colouring:
    def __init__(self, graph: Graph, outer: Mapping[str, bytes], weights: bool) -> None:
        self.graph = graph
        self.weights = weights
        self.opset = graph.opset
        self.colours = dict(outer)
        for index, name in enumerate(graph.inputs):
            self.colours[name] = _hash(b"input", str(index), _type(graph.types.get(name)))
        for name, parameter in graph.parameters.items():
            self.colours[name] = self._parameter(parameter)
        self.nodes = sort(list(graph.nodes), set(self.colours))
        self.node_colours = [self._node(node) for node in self.nodes]

    def digest(self) -> bytes:
        """The multiset of all nodes and parameters as they are seen from both sides, and the outputs in order."""
        seen: dict[str, list[bytes]] = {}
        for index, name in enumerate(self.graph.outputs):
            seen.setdefault(name, []).append(_hash(b"output", str(index)))
        contexts = []
        for node, colour in zip(reversed(self.nodes), reversed(self.node_colours), strict=True):
            uses = (b"".join(sorted(seen.get(name, ()))) for name in node.outputs)
            context = _hash(b"context", colour, *(_hash(u) for u in uses))
            contexts.append(context)
            for index, name in enumerate(node.inputs):
                seen.setdefault(name, []).append(_hash(context, str(index)))
        for name in (*self.graph.parameters, *self.graph.inputs):
            if name in seen or name in self.graph.inputs:
                contexts.append(_hash(self.colours[name], *sorted(seen.get(name, ()))))
        outputs = (self.colours[name] for name in self.graph.outputs)
        return _hash(b"graph", *sorted(contexts), *outputs)

    def _parameter(self, parameter: Parameter) -> bytes:
        value, fill = parameter.value, parameter.fill
        setting = parameter.type.dtype[0] not in "bf" or parameter.type.elements <= _LONGEST_SETTING
        if not self.weights and not setting:
            value = fill = None
        if value is not None:
            data = "|".join(map(str, value.reshape(-1))).encode() if value.dtype.kind == "O" else value.tobytes()
            return _hash(b"value", _type(parameter.type), data)
        masking = (repr(tuple(parameter.masking)),) if parameter.masking else ()
        return _hash(b"weight", _type(parameter.type), repr(fill), *masking)

    def _node(self, node: Node) -> bytes:
        given = sorted(node.attributes.items(), key=lambda item: item[0])
        attributes = [part for name, value in given for part in (name, self._attribute(value))]
        version = str(self.opset.get(node.domain, 1))
        inputs = [self.colours[name] if name else b"-" for name in node.inputs]
        colour = _hash(node.kind, version, *inputs, *attributes, str(len(node.outputs)))
        for index, name in enumerate(node.outputs):
            if name:
                self.colours[name] = _hash(colour, str(index))
        return colour

    def _attribute(self, value: Attribute) -> bytes:
        if isinstance(value, Graph):
            inner = Graph("", self.opset, value.inputs, value.outputs, value.parameters, value.nodes, value.types)
            return _Colouring(inner, self.colours, self.weights).digest()
        if isinstance(value, np.ndarray):
            return _hash(str(value.dtype), str(value.shape), value.tobytes())
        return repr(value).encode()


def _type(type_: TensorType | None) -> str:
    return "" if type_ is None else f"{type_.dtype}{list(type_.shape)}"


def _hash(*parts: bytes | str) -> bytes:
    """Every part with its length in front, so that no two lists of parts read the same."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(4, "little"))
        state.update(data)
    return state.digest()
