"""`Graph` → ONNX that runs. Weights become ConstantOfShape nodes, so that a model takes kilobytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, NodeProto, ValueInfoProto, helper

from graphs.ir import Attribute, Graph, Node, Parameter
from graphs.masking import pattern
from graphs.onnx_protos import array_type, tensor_to_proto, type_to_proto
from graphs.stand_ins import StandIns
from graphs.structure import walk

#: What ConstantOfShape makes in onnxruntime; other weights are written out.
_FILLABLE = frozenset({
    "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool",
})  # fmt: skip

#: Model files of older format versions must list initialisers among the inputs.
_OLDEST_FORMAT = 8


def write_onnx(graph: Graph, *, initializers: bool = False) -> bytes:
    """A runnable model of this graph.

    Known values are kept exactly. Other parameters are filled with stand-ins (see `graphs.stand_ins`), each by a
    ConstantOfShape node, which runtimes fold when they optimise. With ``initializers`` they are written out in full
    instead: only so are they constants to a runtime whose optimisations are off.
    """
    proto = graph_to_proto(graph, StandIns(graph), initializers)
    used = {node.domain for node in walk(graph.nodes)} | {""}
    opsets = [helper.make_opsetid(d, graph.opset.get(d, 1)) for d in sorted(used)]
    version = helper.find_min_ir_version_for([o for o in opsets if not o.domain], ignore_unknown=True)
    model = helper.make_model(
        proto, opset_imports=opsets, ir_version=max(version, _OLDEST_FORMAT), producer_name="archgauge"
    )
    data: bytes = model.SerializeToString()
    return data


def graph_to_proto(graph: Graph, stand_ins: StandIns, initializers: bool = False) -> GraphProto:
    """The graph's message; a subgraph's inputs and outputs may lack types."""
    proto = GraphProto(name=graph.name or "graph")
    proto.input.extend(_declaration(graph, name) for name in graph.inputs)
    proto.output.extend(_declaration(graph, name) for name in graph.outputs)
    for name, parameter in graph.parameters.items():
        _write_parameter(proto, name, parameter, stand_ins, initializers)
    for node in graph.nodes:
        proto.node.append(node_to_proto(node, graph.opset, stand_ins))
    return proto


def _declaration(graph: Graph, name: str) -> ValueInfoProto:
    known = graph.types.get(name)
    if known is None and name in graph.parameters:
        known = graph.parameters[name].type
    return ValueInfoProto(name=name) if known is None else type_to_proto(name, known)


def _write_parameter(
    proto: GraphProto, name: str, parameter: Parameter, stand_ins: StandIns, initializers: bool
) -> None:
    type_ = parameter.type
    if parameter.value is not None and (parameter.fill is None or initializers):
        proto.initializer.append(tensor_to_proto(parameter.value, type_.dtype, name))
        return
    if type_.dtype == "string":
        value = np.full(type_.dims, "stand-in", np.object_)
        proto.initializer.append(tensor_to_proto(value, "string", name))
        return
    if parameter.masking:
        mask = pattern(type_.dims, type_.dtype, parameter.masking)
        proto.initializer.append(tensor_to_proto(mask, type_.dtype, name))
        return
    fill = stand_ins.fill(name)
    if initializers or type_.dtype not in _FILLABLE:
        proto.initializer.append(tensor_to_proto(np.full(type_.dims, fill, array_type(type_.dtype)), type_.dtype, name))
    else:
        shape = f"{name}__shape"
        proto.initializer.append(tensor_to_proto(np.array(type_.dims, np.int64), "int64", shape))
        value = tensor_to_proto(np.full(1, fill, type_.dtype), type_.dtype, "value")
        proto.node.append(helper.make_node("ConstantOfShape", [shape], [name], f"{name}__fill", value=value))


def node_to_proto(node: Node, opset: dict[str, int], stand_ins: StandIns | None = None) -> NodeProto:
    """The message of a node, attributes in the types that its operator's schema says."""
    proto = NodeProto(op_type=node.op, domain=node.domain, name=node.name, input=node.inputs, output=node.outputs)
    kinds = _schema_types(node, opset.get(node.domain, 1))
    for name, value in node.attributes.items():
        if isinstance(value, Graph):
            body = graph_to_proto(value, StandIns(value, stand_ins.given if stand_ins else None))
            proto.attribute.append(helper.make_attribute(name, body))
        else:
            proto.attribute.append(_attribute_to_proto(name, value, kinds.get(name)))
    return proto


def _schema_types(node: Node, version: int) -> dict[str, int]:
    """AttributeProto.AttributeType by name, which says whether 1 is meant as 1.0."""
    if not node.attributes or not onnx.defs.has(node.op, version, node.domain):
        return {}
    schema = onnx.defs.get_schema(node.op, version, node.domain)
    return {name: int(a.type.value) for name, a in schema.attributes.items()}  # type: ignore[attr-defined]


def _attribute_to_proto(name: str, value: Attribute, kind: int | None) -> AttributeProto:
    data: Any = value
    if isinstance(value, np.ndarray):
        data = tensor_to_proto(value, "string" if value.dtype.kind in "OSU" else value.dtype.name)
    elif kind == AttributeProto.FLOAT:
        data = float(data)
    elif kind == AttributeProto.INT and isinstance(value, float):
        data = int(value)
    elif kind == AttributeProto.FLOATS:
        data = [float(v) for v in data]
    empty = isinstance(data, (list, tuple)) and not data
    return helper.make_attribute(name, data, attr_type=(kind or AttributeProto.INTS) if empty else None)
