"""Operators that work element by element, or whose first output looks like the first input."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from graphs.errors import InvalidGraph
from graphs.inference.call import Call, broadcast, rule
from graphs.ir import TensorType, Value

#: Names of TensorProto.DataType by number, as ``Cast.to`` gives it.
ELEMENT_TYPES = (
    "undefined", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16",
    "float64", "uint32", "uint64", "complex64", "complex128", "bfloat16", "float8e4m3fn", "float8e4m3fnuz",
    "float8e5m2", "float8e5m2fnuz", "uint4", "int4", "float4e2m1", "float8e8m0", "uint2", "int2",
    "float6e2m3", "float6e3m2",
)  # fmt: skip


def element_type(number: int) -> str:
    """The name of an ONNX element type number."""
    if not 0 < number < len(ELEMENT_TYPES):
        raise InvalidGraph(f"{number} is no ONNX element type")
    return ELEMENT_TYPES[number]


def dtype_of(value: Value) -> str:
    """The element type of an array by our names."""
    return _dtype_name(value.dtype)


@cache
def _dtype_name(dtype: np.dtype[Any]) -> str:
    if dtype.kind in "OSTU":
        return "string"
    name = dtype.name.replace("_", "")
    return _OTHER_NAMES.get(name, name)


#: Names of ml_dtypes that say more than ONNX does.
_OTHER_NAMES = {
    "float4e2m1fn": "float4e2m1", "float6e2m3fn": "float6e2m3", "float6e3m2fn": "float6e3m2",
    "float8e8m0fnu": "float8e8m0",
}  # fmt: skip


@rule(
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Ceil", "Celu", "Clip", "Cos", "Cosh",
    "CumProd", "CumSum", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Hardmax", "Identity",
    "LRN", "LeakyRelu", "Log", "LogSoftmax", "LpNormalization", "MeanVarianceNormalization", "Mish", "Neg", "Not",
    "Reciprocal", "Relu", "Round", "ScatterElements", "ScatterND", "Scatter", "Selu", "Shrink", "Sigmoid", "Sign",
    "Sin", "Sinh", "Softmax", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu", "Trilu",
    "TensorScatter", "ReverseSequence", "MemcpyFromHost", "MemcpyToHost",
)  # fmt: skip
def same_as_first(call: Call) -> Sequence[TensorType]:
    """Shape and element type of the first input."""
    return (call.type(0),)


@rule("IsInf", "IsNaN")
def _test_elements(call: Call) -> Sequence[TensorType]:
    return (TensorType("bool", call.shape(0)),)


@rule(
    "Add", "Sub", "Mul", "Div", "Mod", "Sum", "Mean", "Max", "Min", "And", "Or", "Xor", "BitShift", "BitwiseAnd",
    "BitwiseOr", "BitwiseXor",
)  # fmt: skip
def _arithmetic(call: Call) -> Sequence[TensorType]:
    """Broadcast inputs of one element type."""
    first = call.type(0)
    inputs = call.inputs
    if len(inputs) == 2 and inputs[1] == first:
        return (first,)
    types = call.present()
    _same_dtypes(types)
    return (TensorType(first.dtype, broadcast(*[t.dims for t in types])),)


@rule("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
def _comparison(call: Call) -> Sequence[TensorType]:
    _same_dtypes([call.type(0), call.type(1)])
    return (TensorType("bool", broadcast(call.shape(0), call.shape(1))),)


@rule("Pow")
def _power(call: Call) -> Sequence[TensorType]:
    """The exponent may be of another type."""
    return (TensorType(call.dtype(0), broadcast(call.shape(0), call.shape(1))),)


@rule("PRelu")
def _parametric_relu(call: Call) -> Sequence[TensorType]:
    if broadcast(call.shape(0), call.shape(1)) != call.shape(0):
        raise InvalidGraph(f"slope {list(call.shape(1))} does not broadcast to {list(call.shape(0))}")
    return (call.type(0),)


@rule("Where")
def _where(call: Call) -> Sequence[TensorType]:
    _same_dtypes([call.type(1), call.type(2)])
    return (TensorType(call.dtype(1), broadcast(call.shape(0), call.shape(1), call.shape(2))),)


@rule("Cast")
def _cast(call: Call) -> Sequence[TensorType]:
    to = call.attribute("to")
    if to is None:
        raise InvalidGraph("attribute 'to' is required")
    return (TensorType(element_type(to), call.shape(0)),)


@rule("CastLike")
def _cast_like(call: Call) -> Sequence[TensorType]:
    return (TensorType(call.dtype(1), call.shape(0)),)


@rule("Dropout")
def _dropout(call: Call) -> Sequence[TensorType]:
    """Data and, from opset 10 on, a mask of bools."""
    mask = "bool" if call.opset >= 10 else call.dtype(0)
    return (call.type(0), TensorType(mask, call.shape(0)))


def _same_dtypes(types: Sequence[TensorType]) -> None:
    dtype = types[0].dtype
    for other in types:
        if other.dtype != dtype:
            raise InvalidGraph(f"element types differ: {', '.join(t.dtype for t in types)}")
