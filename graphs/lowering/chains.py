"""Chains of blocks: where they may be cut into parts, and what decides what becomes of a part.

A chain may be cut where one tensor alone goes on from one part to the next, and a convolution reads it. No rewrite sees
both sides of such a cut: a convolution ends every pattern that looks for who reads a tensor, and asks who made its own
data only to learn in which layout they come (`nchwc`). An addition may read the tensor too, since what is read twice
cannot be drawn into a fusion either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from graphs.ir import Graph, Node, Parameter, TensorType
from graphs.kernels_of import attributes_form

#: Operators of which networks may consist.
_KNOWN = frozenset({
    "Add", "AveragePool", "BatchNormalization", "Clip", "Conv", "Flatten", "Gemm", "GlobalAveragePool", "HardSigmoid",
    "HardSwish", "MaxPool", "Mul", "Relu", "Sigmoid",
})  # fmt: skip

#: Types of attributes that can be part of a key.
_HASHABLE = frozenset({int, float, str, bytes, tuple})

Key = tuple[Any, ...]


class Part(NamedTuple):
    """Nodes from ``first`` up to but not including ``end``; what they read from before them, and how many read them."""

    first: int
    end: int
    entry: str
    readers: int


def divide(graph: Graph) -> list[Part]:
    """The parts of a chain, cut wherever that may be; none for other graphs."""
    nodes, constants = graph.nodes, graph.parameters
    if len(graph.inputs) != 1 or not nodes or graph.outputs != nodes[-1].outputs:
        return []
    readers: dict[str, list[int]] = {}
    before = graph.inputs[0]
    for place, node in enumerate(nodes):
        if not before or node.op not in _KNOWN or node.domain or len(node.outputs) != 1 or before not in node.inputs:
            return []
        for name in node.inputs:
            if name and name not in constants:
                readers.setdefault(name, []).append(place)
        before = node.outputs[0]
    parts, first, entry = [], 0, graph.inputs[0]
    last_read = readers[entry][-1]
    for place, node in enumerate(nodes[:-1]):
        made = node.outputs[0]
        read = readers[made]
        if last_read > place:
            if node.op == "GlobalAveragePool":
                return []  # a gate, beside which the blocked layout ends: its kernels could run in several orders
        elif nodes[read[0]].op == "Conv" and _may_cut(graph, made, [nodes[i] for i in read]):
            parts.append(Part(first, place + 1, entry, len(read)))
            first, entry = place + 1, made
        if read[-1] > last_read:
            last_read = read[-1]
    return [*parts, Part(first, len(nodes), entry, 0)] if parts else []


def _may_cut(graph: Graph, tensor: str, readers: Sequence[Node]) -> bool:
    """Whether a convolution of all channels is all that reads the tensor, but perhaps for an addition behind it.

    The first of the ``readers`` is a convolution.
    """
    conv, constants = readers[0], graph.parameters
    if conv.inputs[0] != tensor or conv.int("group", 1) != 1:
        return False
    if any(name and name not in constants for name in conv.inputs[1:]):
        return False
    weight = constants.get(conv.inputs[1]) if len(conv.inputs) > 1 else None
    if weight is None or weight.type.dtype != "float32" or len(weight.type.shape) != 4:
        return False
    if len(readers) == 1:
        return True
    return len(readers) == 2 and readers[1].op == "Add" and constants.keys().isdisjoint(readers[1].inputs)


def forms_of(graph: Graph, parts: Sequence[Part]) -> list[Key] | None:
    """All that decides what becomes of each part, but for its surroundings.

    None where there are no parts, where parts share a constant, and where attributes are no plain values.
    """
    constants = graph.parameters
    forms: list[Key] = []
    elsewhere: set[str] = set()
    for part in parts:
        numbers = {"": 0, part.entry: 1}
        form: list[Any] = []
        for node in graph.nodes[part.first : part.end]:
            for name in node.inputs:
                if name not in numbers:
                    if name in elsewhere:
                        return None
                    elsewhere.add(name)
                    numbers[name] = len(numbers)
                    form.append(_constant_form(constants[name]))
            if not _HASHABLE.issuperset(map(type, node.attributes.values())):
                return None
            form.append((node.op, tuple([numbers[name] for name in node.inputs]), attributes_form(node)))
            numbers[node.outputs[0]] = len(numbers)
        forms.append(tuple(form))
    return forms or None


def _constant_form(parameter: Parameter) -> TensorType | Key:
    value = parameter.value
    if value is None and parameter.fill is None and not parameter.masking:
        return parameter.type
    return parameter.type, None if value is None else value.tobytes(), parameter.fill, parameter.masking
