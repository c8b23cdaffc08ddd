"""Output types by the C++ inference functions of the onnx package, for standard operators without a rule of our own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphs.errors import InvalidGraph, UnsupportedOperator
from graphs.inference.call import Call
from graphs.inference.elementwise import element_type
from graphs.ir import TensorType

if TYPE_CHECKING:
    from onnx import TypeProto


def infer_by_schema(call: Call) -> Sequence[TensorType]:
    """Output types by the operator's schema. Raises InvalidGraph or UnsupportedOperator."""
    import onnx.checker
    from onnx import helper, shape_inference

    from graphs.onnx_protos import NUMBERS, tensor_to_proto
    from graphs.onnx_writer import node_to_proto

    node = call.node
    schema = onnx.defs.get_schema(node.op, call.opset, node.domain)
    types, values = {}, {}
    for index, name in enumerate(node.inputs):
        if name:
            types[name] = helper.make_tensor_type_proto(NUMBERS[call.dtype(index)], call.shape(index))
        value = call.value(index)
        if value is not None:
            values[name] = tensor_to_proto(value, call.dtype(index), name)
    proto = node_to_proto(node, {node.domain: call.opset})
    opsets = [helper.make_opsetid(node.domain, call.opset)]
    try:
        found = shape_inference.infer_node_outputs(schema, proto, types, values, opset_imports=opsets)
    except (shape_inference.InferenceError, onnx.checker.ValidationError, RuntimeError) as error:
        raise InvalidGraph(str(error)) from error
    return [_static(call, name, found.get(name)) if name else TensorType("float32", ()) for name in node.outputs]


def _static(call: Call, name: str, type_: TypeProto | None) -> TensorType:
    kind = None if type_ is None else type_.WhichOneof("value")
    if type_ is None or kind is None:
        raise UnsupportedOperator([call.node.kind], f"the type of {name!r} cannot be inferred")
    if kind != "tensor_type":
        what = kind.removesuffix("_type")
        raise UnsupportedOperator([call.node.kind], f"{name!r} is a {what}; only tensors are supported")
    tensor = type_.tensor_type
    known = tensor.HasField("shape") and all(d.HasField("dim_value") for d in tensor.shape.dim)
    if not known:
        raise UnsupportedOperator(
            [call.node.kind], f"the shape of {name!r} depends on the data, so that it cannot be known before running"
        )
    return TensorType(element_type(tensor.elem_type), tuple(d.dim_value for d in tensor.shape.dim))
