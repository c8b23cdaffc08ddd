"""Values of constant tensors: what operators compute, in numpy; rare ones through onnx's reference implementation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphs.inference.call import Call
from graphs.inference.reduce import reduction_axes
from graphs.inference.shape_ops import shape_slice, slices
from graphs.ir import TensorType, Value

Compute = Callable[[Call, Sequence[Any], TensorType], Any]

#: How to compute the first output of an operator from the values of all its inputs.
COMPUTE: dict[str, Compute] = {}


def compute(*kinds: str) -> Callable[[Compute], Compute]:
    """Register how to compute these operators."""

    def register(function: Compute) -> Compute:
        for kind in kinds:
            COMPUTE[kind] = function
        return function

    return register


def _numpy(function: Callable[..., Any]) -> Compute:
    return lambda call, values, type_: function(*values)


def _pairwise(function: Callable[..., Any]) -> Compute:
    def run(call: Call, values: Sequence[Any], type_: TensorType) -> Any:
        result = values[0]
        for value in values[1:]:
            result = function(result, value)
        return result

    return run


_NUMPY: dict[str, Callable[..., Any]] = {
    "Sub": np.subtract, "Mul": np.multiply, "Equal": np.equal, "Greater": np.greater, "Less": np.less,
    "GreaterOrEqual": np.greater_equal, "LessOrEqual": np.less_equal, "Where": np.where, "Neg": np.negative,
    "Abs": np.abs, "Ceil": np.ceil, "Floor": np.floor, "Sqrt": np.sqrt, "Exp": np.exp, "Log": np.log,
    "Not": np.logical_not,
    "And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor, "Sin": np.sin, "Cos": np.cos, "Tanh": np.tanh,
    "Reciprocal": np.reciprocal, "Sign": np.sign, "Round": np.round, "IsNaN": np.isnan, "MatMul": np.matmul,
    "Pow": lambda a, b: np.power(a, b.astype(a.dtype) if a.dtype.kind == "f" else b),
}  # fmt: skip
for _kind, _function in _NUMPY.items():
    COMPUTE[_kind] = _numpy(_function)
for _kind, _function in {"Add": np.add, "Sum": np.add, "Max": np.maximum, "Min": np.minimum}.items():
    COMPUTE[_kind] = _pairwise(_function)


@compute("Shape")
def _shape(call: Call, values: Sequence[Any], type_: TensorType) -> Any:
    return np.array(shape_slice(call), np.int64)


@compute("Size")
def _size(call: Call, values: Sequence[Any], type_: TensorType) -> Any:
    return np.array(call.type(0).elements, np.int64)


@compute("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze")
def _reshape(call: Call, values: Sequence[Any], type_: TensorType) -> Any:
    return values[0].reshape(type_.dims)


@compute("Div")
def _div(call: Call, values: Sequence[Any], type_: TensorType) -> Any:
    """Integers are divided towards zero."""
    a, b = values
    if a.dtype.kind not in "iu":
        return a / b
    quotient = np.floor_divide(a, b)
    return np.where((quotient < 0) & (quotient * b != a), quotient + 1, quotient)


@compute("Mod")
def _mod(call: Call, values: Sequence[Any], type_: TensorType) -> Any:
    return (np.fmod if call.attribute("fmod", 0) else np.mod)(*values)


@compute("Cast", "CastLike")
def _cast(call: Call, values: Sequence[Any], type_: TensorType) -> Any:
    return values[0].astype(type_.dtype)


@compute("Concat")
def _concat(call: Call, values: Sequence[Any], type_: TensorType) -> Any:
    return np.concatenate(values, call.attribute("axis", 1))


@compute("Gather")
def _gather(call: Call, values: Sequence[Any], type_: TensorType) -> Any:
    return np.take(values[0], values[1].astype(np.int64), call.attribute("axis", 0))


@compute("Slice")
def _slice(call: Call, values: Sequence[Any], type_: TensorType) -> Any:
    cuts = slices(call)
    return values[0][tuple(cuts.get(i, slice(None)) for i in range(values[0].ndim))]


@compute("Transpose")
def _transpose(call: Call, values: Sequence[Any], type_: TensorType) -> Any:
    return np.transpose(values[0], call.attribute("perm"))


@compute("Expand")
def _expand(call: Call, values: Sequence[Any], type_: TensorType) -> Any:
    return np.broadcast_to(values[0], type_.dims)


@compute("Tile")
def _tile(call: Call, values: Sequence[Any], type_: TensorType) -> Any:
    return np.tile(values[0], values[1])


@compute("ConstantOfShape")
def _constant_of_shape(call: Call, values: Sequence[Any], type_: TensorType) -> Any:
    value = call.attribute("value")
    return np.full(type_.dims, 0 if value is None else value.reshape(-1)[0], type_.dtype)


@compute("Range")
def _range(call: Call, values: Sequence[Any], type_: TensorType) -> Any:
    start, _, delta = (v.reshape(-1)[0] for v in values)
    return start + np.arange(type_.elements, dtype=values[0].dtype) * delta


@compute("ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean")
def _reduce(call: Call, values: Sequence[Any], type_: TensorType) -> Any:
    axes = reduction_axes(call)
    function: Callable[..., Any] = getattr(np, call.node.op.removeprefix("Reduce").lower())
    along = None if axes is None else tuple(axes)
    return function(values[0], axis=along, keepdims=bool(call.attribute("keepdims", 1)))


@compute("CumSum")
def _cumsum(call: Call, values: Sequence[Any], type_: TensorType) -> Any:
    if call.attribute("exclusive", 0) or call.attribute("reverse", 0):
        return None
    return np.cumsum(values[0], int(values[1].reshape(-1)[0]))


@compute("NonZero")
def _non_zero(call: Call, values: Sequence[Any], type_: TensorType) -> Any:
    return np.array(np.nonzero(values[0]), np.int64)


def compute_outputs(call: Call, types: Sequence[TensorType]) -> list[Value | None] | None:
    """The values of a node's outputs; None where they are not known, or None for all.

    Raises IndexError where an index is outside what it indexes.
    """
    node = call.node
    values = [call.value(i) for i in range(len(call.inputs))] if node.op not in ("Shape", "Size") else []
    if any(v is None and call.has(i) for i, v in enumerate(values)):
        return None
    function = COMPUTE.get(node.kind)
    with np.errstate(all="ignore"):
        if function is None:
            return _split_values(call, values[0], types) if node.kind == "Split" else _by_reference(call, values)
        try:
            result = function(call, values, types[0])
        except (ValueError, TypeError):  # numpy lacks the type, or the maximum of nothing was asked for
            return None
    return None if result is None else [np.asarray(result, types[0].dtype)]


def _split_values(call: Call, data: Any, types: Sequence[TensorType]) -> list[Value | None]:
    axis = call.attribute("axis", 0)
    ends = np.cumsum([t.dims[axis] for t in types])[:-1]
    return list(np.split(data, ends, axis))


def _by_reference(call: Call, values: Sequence[Value | None]) -> list[Value | None] | None:
    """Run the one node in onnx's reference implementation; None where it has none for it."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    from graphs.onnx_writer import node_to_proto

    proto = node_to_proto(call.node, {call.node.domain: call.opset})
    names = {n: v for n, v in zip(call.node.inputs, values, strict=True) if n and v is not None}
    number = helper.np_dtype_to_tensor_dtype
    inputs = [helper.make_tensor_value_info(n, number(v.dtype), v.shape) for n, v in names.items()]
    outputs = [helper.make_value_info(n, helper.make_tensor_type_proto(0, None)) for n in call.node.outputs if n]
    graph = helper.make_graph([proto], "fold", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(call.node.domain, call.opset)])
    try:
        found = iter(ReferenceEvaluator(model).run(None, names))
    except Exception:  # the reference raises anything for what it does not implement; the value is then unknown
        return None
    return [np.asarray(next(found)) if n else None for n in call.node.outputs]
