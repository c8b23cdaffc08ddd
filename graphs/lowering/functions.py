"""Operators without a kernel for their element types that the standard defines as functions: their bodies run instead.

After onnxruntime's function inlining, which happens when nodes are assigned to the provider, that is after the
optimisations of level 1: what a body computes from constants or shapes alone is computed in every run. The body is the
one of the newest operator set that the model's own includes (core/framework/graph_partitioner.cc, core/graph/graph.cc,
1.31).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from graphs.errors import GraphError
from graphs.inference import infer
from graphs.ir import Attribute, Graph, Node, TensorType
from graphs.lowering.contrib_functions import contrib_body
from graphs.lowering.kernel_types import KernelTypes

if TYPE_CHECKING:
    from onnx import FunctionProto, NodeProto

#: Bodies may use operators that are functions themselves.
_MAX_DEPTH = 5


def expand_functions(graph: Graph, table: KernelTypes) -> tuple[Graph, list[Node]]:
    """``graph`` (inferred) with bodies in the place of operators without a kernel, itself if there are none; and the
    nodes that still lack one.
    """
    known: dict[int, Node] = {}
    without: list[Node] = []
    for depth in range(_MAX_DEPTH + 1):
        lacking = [n for n in graph.nodes if id(n) not in known and not table.covers(graph, n)]
        bodies = {id(n): body for n in lacking if depth < _MAX_DEPTH and (body := _body(graph, n)) is not None}
        without += [n for n in lacking if id(n) not in bodies]
        if not bodies:
            break
        known |= {id(n): n for n in graph.nodes if id(n) not in bodies}
        result = replace(graph, parameters=dict(graph.parameters), types=dict(graph.types), nodes=[])
        for node in graph.nodes:
            if id(node) in bodies:
                _inline(result, node, bodies[id(node)])
            else:
                result.nodes.append(node)
        graph = result if _all_typed(graph, bodies) else infer(result, fold=False)
    return graph, without


def _all_typed(graph: Graph, bodies: dict[int, Graph]) -> bool:
    """Whether the types of all tensors in ``bodies`` are known, and none reads a constant whose value would matter."""
    return all(
        bodies[id(node)].types and graph.parameters.keys().isdisjoint(node.inputs)
        for node in graph.nodes
        if id(node) in bodies
    )


def _inline(graph: Graph, node: Node, body: Graph) -> None:
    """Append the nodes of ``body``, whose inputs and outputs are those of ``node`` in order."""
    names = {"": ""}
    names.update(zip(body.inputs, [*node.inputs, *[""] * len(body.inputs)], strict=False))
    prefix = f"{node.outputs[0]}/"
    for name, parameter in body.parameters.items():
        names[name] = prefix + name
        graph.parameters[prefix + name] = parameter
        graph.types[prefix + name] = parameter.type
    for inner in body.nodes:
        names.update({name: prefix + name for name in inner.outputs if name})
    graph.types.update({names[n]: t for n, t in body.types.items() if n in names and n not in body.inputs})
    made = dict(zip(body.outputs, node.outputs, strict=False))
    names.update({name: outer for name, outer in made.items() if outer})
    for inner in body.nodes:
        inputs, outputs = [names[n] for n in inner.inputs], [names[n] for n in inner.outputs]
        name = f"{node.name}/{inner.name}"
        graph.nodes.append(Node(inner.op, inputs, outputs, dict(inner.attributes), inner.domain, name, node.origin))


def _body(graph: Graph, node: Node) -> Graph | None:
    """What the standard says that ``node`` computes; None where it is no function in the model's operator set."""
    if node.domain:
        return contrib_body(graph, node)
    opset = graph.opset.get("", 1)
    inputs = tuple([graph.types[n] if n else None for n in node.inputs])
    attributes = tuple(node.attributes.items())
    try:
        return _standard_body(node.op, attributes, inputs, tuple(map(bool, node.outputs)), opset)
    except TypeError:  # attributes that are tensors or graphs cannot be remembered
        return _standard_body.__wrapped__(node.op, attributes, inputs, tuple(map(bool, node.outputs)), opset)


@lru_cache(maxsize=1024)
def _standard_body(
    op: str,
    attributes: tuple[tuple[str, Attribute], ...],
    inputs: tuple[TensorType | None, ...],
    outputs: tuple[bool, ...],
    opset: int,
) -> Graph | None:
    """As `_body`, for an operator of the standard with inputs of these types; nobody may change the result."""
    from onnx import defs

    given_inputs = ["" if t is None else f"x{i}" for i, t in enumerate(inputs)]
    node = Node(op, given_inputs, [f"y{i}" if given else "" for i, given in enumerate(outputs)], dict(attributes))
    graph = Graph(opset={"": opset}, types={n: t for n, t in zip(given_inputs, inputs, strict=True) if t is not None})
    if not defs.has(node.op, opset, ""):
        return None
    proto = _function(graph, node, opset)
    if proto is None:
        return None
    defaults = {name: a.default_value for name, a in defs.get_schema(node.op, opset, "").attributes.items()}
    given = {a.name: a for a in _as_proto(node, opset).attribute}
    body = _read(proto, {**{n: a for n, a in defaults.items() if a.name}, **given})
    return None if body is None else _typed(body, inputs, opset)


def _typed(body: Graph, inputs: Sequence[TensorType | None], opset: int) -> Graph:
    """``body`` with the types of its tensors where they follow from those of its inputs; else as it is."""
    types = {name: t for name, t in zip(body.inputs, inputs, strict=False) if t is not None}
    given = replace(body, opset={"": opset}, types=types, inputs=[name for name in body.inputs if name in types])
    try:
        return replace(infer(given, fold=False), inputs=body.inputs)
    except GraphError:  # a constant of the model decides a shape in it
        return body


def _function(graph: Graph, node: Node, opset: int) -> FunctionProto | None:
    from onnx import FunctionProto, defs

    from graphs.onnx_protos import type_to_proto

    schema: Any = defs.get_schema(node.op, opset, "")  # its stubs lack what follows
    if schema.has_context_dependent_function:
        version = max((v for v in schema.context_dependent_function_opset_versions if v <= opset), default=None)
        if version is None:
            return None
        types = [type_to_proto(n, graph.types[n]).type.SerializeToString() if n else b"" for n in node.inputs]
        proto = _as_proto(node, opset).SerializeToString()
        data = schema.get_context_dependent_function_with_opset_version(version, proto, types)
    else:
        version = max((v for v in schema.function_opset_versions if v <= opset), default=None)
        if version is None:
            return None
        data = schema.get_function_with_opset_version(version)
        if not _means_the_same(FunctionProto.FromString(data), version, opset):
            return None
    return FunctionProto.FromString(data) if data else None


def _means_the_same(proto: FunctionProto, written: int, opset: int) -> bool:
    """Whether no operator of a body has changed between the operator set it was written for and the model's."""
    from onnx import defs

    return all(
        defs.get_schema(n.op_type, written, n.domain).since_version
        == defs.get_schema(n.op_type, opset, n.domain).since_version
        for n in proto.node
    )


def _as_proto(node: Node, opset: int) -> NodeProto:
    from graphs.onnx_writer import node_to_proto

    return node_to_proto(node, {"": opset})


def _read(proto: FunctionProto, attributes: dict[str, object]) -> Graph | None:
    """The body with attributes of the operator in the place of references to them; None with bodies inside."""
    from onnx import AttributeProto, GraphProto, ValueInfoProto

    from graphs.onnx_reader import read_body

    body = GraphProto(name=proto.name, node=proto.node, output=[ValueInfoProto(name=n) for n in proto.output])
    for node in body.node:
        bound = []
        for attribute in node.attribute:
            if not attribute.ref_attr_name:
                bound.append(attribute)
            elif attribute.ref_attr_name in attributes:
                copy = type(attribute)()
                copy.CopyFrom(attributes[attribute.ref_attr_name])
                copy.name = attribute.name
                bound.append(copy)
        del node.attribute[:]
        node.attribute.extend(bound)
    if any(a.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for n in body.node for a in n.attribute):
        return None  # those on sequences
    graph = read_body(body)
    graph.inputs = list(proto.input)
    return graph
