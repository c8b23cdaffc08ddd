"""Damage: bytes flipped, odd values within JSON, odd values in the fields of ONNX files."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

#: What may stand in the place of anything in JSON.
ODD: list[Any] = [
    None, True, -1, 0, 1, 2**31, 2**63, 2**64, 10**30, 1e308, -0.0, float("nan"), "", "\0", "é", "x", [], {}, [[]],
    [None], {"": 0}, {"\0": "\0"}, "Infinity", "Conv", ["w1"], [1] * 40, "9" * 400, 4300 * "[", "../../etc/passwd",
]  # fmt: skip

_NUMBERS = (0, 1, -1, 2, 3, 7, 16, 255, 10**6, 2**31 - 1, -(2**31), 2**40, 2**63 - 1, -(2**63))
_TEXTS = ("", "x", "é", "\0", "batch", "Conv", "Loop", "If", "Reshape", "com.microsoft", 300 * "x")

#: Which values a field of an ONNX file may get, by its type in protobuf.
_VALUES: dict[int, Callable[[random.Random], Any]] = {
    FieldDescriptor.CPPTYPE_INT32: lambda rng: max(-(2**31), min(rng.choice(_NUMBERS), 2**31 - 1)),
    FieldDescriptor.CPPTYPE_INT64: lambda rng: rng.choice(_NUMBERS),
    FieldDescriptor.CPPTYPE_UINT64: lambda rng: abs(rng.choice(_NUMBERS)),
    FieldDescriptor.CPPTYPE_FLOAT: lambda rng: rng.choice([0.0, -1.0, 1e-40, 3e38, float("inf"), float("nan")]),
    FieldDescriptor.CPPTYPE_DOUBLE: lambda rng: rng.choice([0.0, -1.0, 1e308, float("inf"), float("nan")]),
}


def mutated_bytes(rng: random.Random, data: bytes) -> bytes:
    """Bytes flipped, left out, doubled, overwritten or cut off."""
    array = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        at = rng.randrange(len(array) or 1)
        size = rng.choice([1, 1, 2, 8, 64])
        kind = rng.randrange(5)
        if kind == 0 and array:
            array[at % len(array)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del array[at : at + size]
        elif kind == 2:
            array[at:at] = array[at : at + size]
        elif kind == 3:
            array[at : at + size] = rng.randbytes(size)
        elif rng.random() < 0.1:
            del array[at:]
    return bytes(array)


def mutated_data(rng: random.Random, data: Any) -> Any:
    """The same JSON data with something odd somewhere in it."""
    if isinstance(data, dict) and data and rng.random() < 0.9:
        key = rng.choice(list(data))
        if rng.random() < 0.1:
            return {name: value for name, value in data.items() if name != key}
        return {**data, key: mutated_data(rng, data[key])}
    if isinstance(data, list) and data and rng.random() < 0.9:
        at = rng.randrange(len(data))
        if rng.random() < 0.1:
            return [*data[:at], *data[at + 1 :]]
        return [*data[:at], mutated_data(rng, data[at]), *data[at + 1 :]]
    return rng.choice(ODD)


def mutated_model(rng: random.Random, data: bytes) -> bytes:
    """An ONNX file that can still be parsed, with odd values, fields too many and fields missing."""
    model = onnx.load_model_from_string(data)
    for _ in range(rng.choice([1, 1, 2, 5])):
        _mutate(rng, model)
    return bytes(model.SerializeToString())


def _mutate(rng: random.Random, message: Message) -> None:
    """Go down from a message to one of its fields, and change that."""
    there = [field for field, _ in message.ListFields()]
    fields = there if there and rng.random() < 0.85 else list(message.DESCRIPTOR.fields)
    field = rng.choice(fields)
    if field.message_type is None:
        _mutate_scalar(rng, message, field)
        return
    value = getattr(message, field.name)
    if not field.is_repeated:
        if rng.random() < 0.05:
            message.ClearField(field.name)
        else:
            _mutate(rng, value)
    elif not value or rng.random() < 0.03:
        value.add()
    elif (what := rng.random()) < 0.05:
        del value[rng.randrange(len(value))]
    elif what < 0.1:
        value.add().CopyFrom(rng.choice(value))
    else:
        _mutate(rng, rng.choice(value))


def _mutate_scalar(rng: random.Random, message: Message, field: FieldDescriptor) -> None:
    value = getattr(message, field.name)
    if rng.random() < 0.1:
        message.ClearField(field.name)
    elif not field.is_repeated:
        setattr(message, field.name, _odd(rng, field))
    elif value and rng.random() < 0.7:
        value[rng.randrange(len(value))] = _odd(rng, field)
    else:
        value.append(_odd(rng, field))


def _odd(rng: random.Random, field: FieldDescriptor) -> Any:
    if field.enum_type is not None:
        return rng.choice(field.enum_type.values).number
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        text = rng.choice(_TEXTS)
        return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
    return _VALUES[field.cpp_type](rng)
