"""Copies between the memory of the machine and that of a device, as nodes: they take time like kernels do.

onnxruntime puts nodes called MemcpyFromHost and MemcpyToHost where a tensor goes from a node on the processor to one on
the device or back (core/optimizer/transformer_memcpy.cc). What a caller gives and gets is copied too, before and after
the nodes run (core/framework/utils.cc); here these copies are nodes of the same names, first and last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from graphs.ir import Graph, Node

FROM_HOST, TO_HOST = "MemcpyFromHost", "MemcpyToHost"
COPIES = frozenset({FROM_HOST, TO_HOST})

OnDevice = Callable[[Node], bool]

_OURS = "copy of "


def with_inner_copies(graph: Graph, on_device: OnDevice) -> Graph:
    """``graph`` (in order of execution) with copies between its nodes, as the runtime makes them: one per tensor."""
    result = replace(graph, nodes=[], types=dict(graph.types))
    made_on = {name: on_device(node) for node in graph.nodes for name in node.outputs if name}
    copied: dict[str, str] = {}
    for node in graph.nodes:
        here = on_device(node)
        inputs = []
        for tensor in node.inputs:
            if tensor in made_on and made_on[tensor] != here:
                if tensor not in copied:
                    copied[tensor] = _copy(result, tensor, f"{tensor}__copy", here)
                tensor = copied[tensor]
            inputs.append(tensor)
        result.nodes.append(node if inputs == node.inputs else _rewired(node, inputs, node.outputs))
    return result


def with_outer_copies(graph: Graph, on_device: OnDevice) -> Graph:
    """``graph`` with a copy of every input that a node on the device reads, and of every output that one writes."""
    result = replace(graph, nodes=[], types=dict(graph.types))
    read = {tensor for node in graph.nodes if on_device(node) for tensor in node.inputs}
    written = {tensor for node in graph.nodes if on_device(node) for tensor in node.outputs}
    taken = {name: _copy(result, name, f"{name}__taken", to_device=True) for name in graph.inputs if name in read}
    given = {name: f"{name}__given" for name in graph.outputs if name in written}
    result.types.update({inner: graph.types[name] for name, inner in given.items()})
    for node in graph.nodes:
        names = taken if on_device(node) else {}
        inputs = [names.get(tensor, given.get(tensor, tensor)) for tensor in node.inputs]
        outputs = [given.get(tensor, tensor) for tensor in node.outputs]
        result.nodes.append(_rewired(node, inputs, outputs))
    for name, inner in given.items():
        result.nodes.append(Node(TO_HOST, [inner], [name], {}, "", _name(name)))
    return result


def _copy(graph: Graph, tensor: str, name: str, to_device: bool) -> str:
    graph.types[name] = graph.types[tensor]
    graph.nodes.append(Node(FROM_HOST if to_device else TO_HOST, [tensor], [name], {}, "", _name(tensor)))
    return name


def _name(tensor: str) -> str:
    return f"{_OURS}{tensor}"


def is_outer(graph: Graph, node: Node) -> bool:
    """Whether a node is a copy that `with_outer_copies` made: the runtime has no event for it."""
    ours = node.op in COPIES and node.name.startswith(_OURS)
    return ours and (node.inputs[0] in graph.inputs or node.outputs[0] in graph.outputs)


def _rewired(node: Node, inputs: list[str], outputs: list[str]) -> Node:
    return replace(node, inputs=list(inputs), outputs=list(outputs), attributes=dict(node.attributes))
