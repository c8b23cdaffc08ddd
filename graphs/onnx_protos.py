"""Types and values to and from the protobuf messages of the onnx package."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from graphs.inference.elementwise import ELEMENT_TYPES, element_type
from graphs.ir import TensorType, Value

#: TensorProto.DataType by name.
NUMBERS = {name: number for number, name in enumerate(ELEMENT_TYPES)}

#: Where a message holds numbers that are not raw bytes, for the types whose numbers need no unpacking.
_UNPACKED: dict[int, tuple[str, type[np.generic]]] = {
    1: ("float_data", np.float32), 6: ("int32_data", np.int32), 7: ("int64_data", np.int64),
    11: ("double_data", np.float64),
}  # fmt: skip


def tensor_value(tensor: TensorProto) -> Value:
    """The values of a tensor held in the file. Raises InvalidGraph for an element type that does not exist."""
    found = _UNPACKED.get(tensor.data_type)
    if found is None:
        element_type(tensor.data_type)
        return numpy_helper.to_array(tensor)
    field, dtype = found
    shape = tuple(tensor.dims)
    if tensor.HasField("raw_data"):
        return np.frombuffer(tensor.raw_data, dtype).reshape(shape)
    return np.array(getattr(tensor, field), dtype).reshape(shape)


def tensor_to_proto(value: Value, dtype: str, name: str = "") -> TensorProto:
    """A tensor message; ``dtype`` may be one that numpy lacks (ml_dtypes arrays are packed by onnx)."""
    if dtype == "string":
        texts = [str(v).encode() for v in value.reshape(-1)]
        return TensorProto(name=name, data_type=NUMBERS["string"], dims=value.shape, string_data=texts)
    return numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name)


def type_to_proto(name: str, type_: TensorType) -> onnx.ValueInfoProto:
    """The declaration of a tensor."""
    return helper.make_tensor_value_info(name, NUMBERS[type_.dtype], type_.shape)


def array_type(dtype: str) -> np.dtype[Any]:
    """The numpy type (of ml_dtypes, where numpy has none) of an element type."""
    return np.dtype(helper.tensor_dtype_to_np_dtype(NUMBERS[dtype]))
