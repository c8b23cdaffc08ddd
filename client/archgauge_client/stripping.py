"""Take the weights out of an ONNX file before it leaves the user, without the onnx package.

A pass over the protobuf wire format with the field numbers of onnx.proto (https://github.com/onnx/onnx). Every level
passes on only the fields that it knows, so nothing unforeseen slips through; documentation strings and metadata, which
hold file paths and stack traces, stay behind too. A tensor of more than `MAX_ELEMENTS` elements keeps its name, type
and shape and loses its data. Smaller ones stay whole, because runtimes fuse operators by such values.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from math import prod
from pathlib import Path

from archgauge_client._masks import noted_masking
from archgauge_client._protobuf import (
    BYTES,
    FIXED32,
    VARINT,
    Buffer,
    Field,
    encode_bytes,
    encode_int,
    fields,
    varints,
)
from archgauge_client.errors import NotAModel

#: Constants of up to this many elements keep their values.
MAX_ELEMENTS = 256
#: A small tensor, string or list of strings with more bytes than this loses them all the same.
MAX_BYTES = 16 * MAX_ELEMENTS
#: A message of so few bytes holds no more than `MAX_ELEMENTS` of anything, even of two bits each.
_HARMLESS_BYTES = MAX_ELEMENTS // 4
_MAX_DEPTH = 32

#: Turns the value of a field into the encoded fields that replace it.
_Pass = Callable[[Buffer, Field, int], bytes]


def strip_file(path: str | os.PathLike[str]) -> bytes:
    """The ONNX file at ``path`` without its weights. The file is mapped, not read: it may be larger than memory.

    Raises:
        NotAModel: it is no ONNX file.
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            raise NotAModel(f"{path} is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as buffer:
            return _strip(buffer, f"{path} is ")


def strip_weights(model: bytes) -> bytes:
    """The serialised ONNX model without its weights.

    Raises:
        NotAModel: the bytes are no ONNX model.
    """
    return _strip(model, "")


def _strip(buffer: Buffer, what: str) -> bytes:
    if (other := _other_format(buffer[:8])) is not None:
        raise NotAModel(f"{what}{other}, not an ONNX file")
    stripped = _message(buffer, 0, len(buffer), _MODEL, 0)
    if not any(field.number == 7 for field in fields(stripped, 0, len(stripped))):
        raise NotAModel(f"{what}not an ONNX file: there is no graph in it")
    return stripped


def _other_format(head: bytes) -> str | None:
    """What files that are often taken for ONNX begin with."""
    if head[4:8] == b"ORTM":
        return "a model in onnxruntime's own .ort format"
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite model"
    for magic, name in ((b"PK\x03\x04", "a zip archive, such as PyTorch saves"), (b"\x89HDF", "an HDF5 file"),
                        (b"\x1f\x8b", "compressed with gzip"), (b"\x80", "a Python pickle")):  # fmt: skip
        if head.startswith(magic):
            return name
    return None


def _message(buffer: Buffer, at: int, end: int, passes: dict[int, _Pass], depth: int) -> bytes:
    if depth > _MAX_DEPTH:
        raise NotAModel(f"graphs are nested more than {_MAX_DEPTH} messages deep")
    parts = []
    for field in fields(buffer, at, end):
        replace = passes.get(field.number)
        if replace is not None:
            parts.append(replace(buffer, field, depth))
    return b"".join(parts)


def _keep(buffer: Buffer, field: Field, depth: int) -> bytes:
    return buffer[field.begin : field.end]


def _nested(passes: dict[int, _Pass]) -> _Pass:
    def rewrite(buffer: Buffer, field: Field, depth: int) -> bytes:
        _require_bytes(field)
        return encode_bytes(field.number, _message(buffer, field.start, field.end, passes, depth + 1))

    return rewrite


def _require_bytes(field: Field) -> None:
    if field.wire != BYTES:
        raise NotAModel(f"not an ONNX file: field {field.number} at byte {field.begin} is no message")


# TensorProto: 1 dims, 2 data_type, 8 name, 4-7 and 9-11 data, 12 doc_string, 13 external_data, 16 metadata_props.
_TENSOR_HEAD = frozenset({1, 2, 8})
_TENSOR_DATA = frozenset({4, 5, 6, 7, 9, 10, 11})
_RAW = 9
_TENSOR_KEPT = _TENSOR_HEAD | _TENSOR_DATA | {3, 13, 14}


def _tensor(buffer: Buffer, field: Field, depth: int) -> bytes:
    _require_bytes(field)
    if field.end - field.start <= _HARMLESS_BYTES:
        return buffer[field.begin : field.end]
    head: list[bytes] = []
    data: list[Field] = []
    dims: list[int] = []
    size = dtype = 0
    for inner in fields(buffer, field.start, field.end):
        if inner.number in _TENSOR_HEAD:
            head.append(buffer[inner.begin : inner.end])
        elif inner.number in _TENSOR_KEPT:
            data.append(inner)
        if inner.number == 1:
            dims.extend(varints(buffer, inner))
        elif inner.number == 2:
            dtype = next(varints(buffer, inner), 0)
        elif inner.number in _TENSOR_DATA:
            size += inner.end - inner.start
    if prod(dims) <= MAX_ELEMENTS and size <= MAX_BYTES:
        head.extend(buffer[inner.begin : inner.end] for inner in data)
    elif len(dims) > 1:
        head.extend(noted_masking(buffer, raw, dtype) for raw in data if raw.number == _RAW)
    return encode_bytes(field.number, b"".join(head))


def _attribute(buffer: Buffer, field: Field, depth: int) -> bytes:
    """AttributeProto, whose lists of numbers and strings can be weights as well."""
    _require_bytes(field)
    if field.end - field.start <= _HARMLESS_BYTES:
        return buffer[field.begin : field.end]
    name, floats, ints, text = b"", 0, 0, 0
    for inner in fields(buffer, field.start, field.end):
        if inner.number == 1:
            name = buffer[inner.start : inner.end]
        elif inner.number == 7:
            floats += 1 if inner.wire == FIXED32 else (inner.end - inner.start) // 4
        elif inner.number == 8:
            ints += 1 if inner.wire == VARINT else sum(1 for _ in varints(buffer, inner))
        elif inner.number in (4, 9):
            text += inner.end - inner.start
    if name == b"value_floats" and floats > MAX_ELEMENTS:
        return encode_bytes(field.number, _constant(floats, 1))
    if name == b"value_ints" and ints > MAX_ELEMENTS:
        return encode_bytes(field.number, _constant(ints, 7))
    passes = dict(_ATTRIBUTE)
    if floats > MAX_ELEMENTS:
        del passes[7]
    if text > MAX_BYTES:
        passes[4] = passes[9] = _empty
    content = _message(buffer, field.start, field.end, passes, depth + 1)
    if floats > MAX_ELEMENTS:
        content += encode_bytes(7, bytes(4 * floats))  # as many zeros
    return encode_bytes(field.number, content)


def _constant(elements: int, dtype: int) -> bytes:
    """A Constant's attribute ``value``: a vector of which nothing but the length and the element type is known."""
    tensor = encode_int(1, elements) + encode_int(2, dtype)
    return encode_bytes(1, b"value") + encode_bytes(5, tensor) + encode_int(20, 4)


def _empty(buffer: Buffer, field: Field, depth: int) -> bytes:
    return encode_bytes(field.number, b"")


# ValueInfoProto: 1 name, 2 type.
_VALUE_INFO: dict[int, _Pass] = {1: _keep, 2: _keep}
_MODEL: dict[int, _Pass] = {}
_GRAPH: dict[int, _Pass] = {}
# NodeProto: 1 input, 2 output, 3 name, 4 op_type, 5 attribute, 7 domain, 8 overload.
_NODE: dict[int, _Pass] = {1: _keep, 2: _keep, 3: _keep, 4: _keep, 5: _attribute, 7: _keep, 8: _keep}
# SparseTensorProto: 1 values, 2 indices, 3 dims.
_SPARSE: dict[int, _Pass] = {1: _tensor, 2: _tensor, 3: _keep}
# AttributeProto: 1 name, 2 f, 3 i, 4 s, 5 t, 6 g, 7 floats, 8 ints, 9 strings, 10 tensors, 11 graphs, 14 tp,
# 15 type_protos, 20 type, 21 ref_attr_name, 22 sparse_tensor, 23 sparse_tensors.
_ATTRIBUTE: dict[int, _Pass] = {
    1: _keep, 2: _keep, 3: _keep, 4: _keep, 5: _tensor, 6: _nested(_GRAPH), 7: _keep, 8: _keep, 9: _keep, 10: _tensor,
    11: _nested(_GRAPH), 14: _keep, 15: _keep, 20: _keep, 21: _keep, 22: _nested(_SPARSE), 23: _nested(_SPARSE),
}  # fmt: skip
# GraphProto: 1 node, 2 name, 5 initializer, 11 input, 12 output, 13 value_info, 14 quantization_annotation,
# 15 sparse_initializer.
_GRAPH.update({
    1: _nested(_NODE), 2: _keep, 5: _tensor, 11: _nested(_VALUE_INFO), 12: _nested(_VALUE_INFO),
    13: _nested(_VALUE_INFO), 14: _keep, 15: _nested(_SPARSE),
})  # fmt: skip
# FunctionProto: 1 name, 4 input, 5 output, 6 attribute, 7 node, 9 opset_import, 10 domain, 11 attribute_proto,
# 12 value_info, 13 overload.
_FUNCTION: dict[int, _Pass] = {
    1: _keep, 4: _keep, 5: _keep, 6: _keep, 7: _nested(_NODE), 9: _keep, 10: _keep, 11: _attribute,
    12: _nested(_VALUE_INFO), 13: _keep,
}  # fmt: skip
# ModelProto: 1 ir_version, 2 and 3 producer, 4 domain, 5 model_version, 7 graph, 8 opset_import, 25 functions.
# Not passed on: 6 doc_string, 14 metadata_props, 20 training_info.
_MODEL.update({
    1: _keep, 2: _keep, 3: _keep, 4: _keep, 5: _keep, 7: _nested(_GRAPH), 8: _keep, 25: _nested(_FUNCTION),
})  # fmt: skip
