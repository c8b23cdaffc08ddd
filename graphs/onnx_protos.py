"""Nodes, types and values to and from the protobuf messages of the onnx package."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper

from graphs.inference.elementwise import ELEMENT_TYPES
from graphs.ir import Attribute, Graph, Node, TensorType, Value

#: TensorProto.DataType by name.
NUMBERS = {name: number for number, name in enumerate(ELEMENT_TYPES)}

_UNPACKED = {
    TensorProto.FLOAT: ("float_data", np.float32), TensorProto.INT64: ("int64_data", np.int64),
    TensorProto.INT32: ("int32_data", np.int32), TensorProto.DOUBLE: ("double_data", np.float64),
}  # fmt: skip


def tensor_value(tensor: TensorProto) -> Value:
    """The values of a tensor held in the file."""
    found = _UNPACKED.get(tensor.data_type)
    if found is None:
        return numpy_helper.to_array(tensor)
    field, dtype = found
    shape = tuple(tensor.dims)
    if tensor.HasField("raw_data"):
        return np.frombuffer(tensor.raw_data, dtype).reshape(shape)
    return np.array(getattr(tensor, field), dtype).reshape(shape)


def tensor_to_proto(value: Value, dtype: str, name: str = "") -> TensorProto:
    """A tensor message; ``dtype`` may be one that numpy lacks (ml_dtypes arrays are packed by onnx)."""
    if dtype == "string":
        return helper.make_tensor(name, TensorProto.STRING, value.shape, [str(v).encode() for v in value.reshape(-1)])
    return numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name)


def type_to_proto(name: str, type_: TensorType) -> onnx.ValueInfoProto:
    """The declaration of a tensor."""
    return helper.make_tensor_value_info(name, NUMBERS[type_.dtype], type_.shape)


def node_to_proto(node: Node) -> NodeProto:
    """The message of a node, attributes in the types that its operator's schema says."""
    proto = helper.make_node(node.op, node.inputs, node.outputs, node.name or None, domain=node.domain)
    types = _schema_types(node)
    for name, value in node.attributes.items():
        proto.attribute.append(attribute_to_proto(name, value, types.get(name)))
    return proto


def _schema_types(node: Node) -> dict[str, int]:
    """Attribute types by the newest schema of the operator, which say whether 1 is meant as 1.0."""
    if not onnx.defs.has(node.op, domain=node.domain):
        return {}
    schema = onnx.defs.get_schema(node.op, domain=node.domain)
    return {name: int(a.type.value) for name, a in schema.attributes.items()}


def attribute_to_proto(name: str, value: Attribute, kind: int | None = None) -> AttributeProto:
    """``kind``: the AttributeProto.AttributeType by the operator's schema, where there is one."""
    data: Any = value
    if isinstance(value, Graph):
        raise NotImplementedError(name)
    if isinstance(value, np.ndarray):
        data = tensor_to_proto(value, value.dtype.name)
    elif kind == AttributeProto.FLOAT:
        data = float(data)
    elif kind == AttributeProto.FLOATS:
        data = [float(v) for v in data]
    attribute_type = kind if isinstance(data, (list, tuple)) and not data else None
    return helper.make_attribute(name, data, attr_type=attribute_type)
