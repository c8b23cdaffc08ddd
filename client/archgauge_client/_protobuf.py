"""The protobuf wire format, as far as walking over messages and writing fields needs it.

Encoding: https://protobuf.dev/programming-guides/encoding/. A field is a varint tag (number·8 + wire type) and a value:
0 a varint, 1 eight bytes, 2 a length and that many bytes, 5 four bytes. Groups (3 and 4) do not occur in ONNX.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import NamedTuple

from archgauge_client.errors import NotAModel

Buffer = bytes | mmap.mmap

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class Field(NamedTuple):
    """One field: [begin, end) with its tag, [start, end) its value alone."""

    number: int
    wire: int
    begin: int
    start: int
    end: int


def fields(buffer: Buffer, at: int, end: int) -> Iterator[Field]:
    """The fields of the message in [at, end).

    Raises:
        NotAModel: the bytes are no protobuf message.
    """
    while at < end:
        begin = at
        tag, at = varint(buffer, at, end)
        wire = tag & 7
        start = at
        if wire == BYTES:
            size, start = varint(buffer, at, end)
            at = start + size
        elif wire == VARINT:
            _, at = varint(buffer, at, end)
        elif wire == FIXED32:
            at += 4
        elif wire == FIXED64:
            at += 8
        else:
            raise NotAModel(f"not an ONNX file: wire type {wire} at byte {begin}")
        if at > end or tag < 8:
            raise NotAModel(f"not an ONNX file, or a truncated one: field at byte {begin} ends at {at}, past {end}")
        yield Field(tag >> 3, wire, begin, start, at)


def varint(buffer: Buffer, at: int, end: int) -> tuple[int, int]:
    """The unsigned varint at ``at`` and the position after it."""
    value = shift = 0
    while at < end and shift < 70:
        byte = buffer[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise NotAModel(f"not an ONNX file, or a truncated one: no number ends at byte {at}")


def varints(buffer: Buffer, field: Field) -> Iterator[int]:
    """The values of a repeated integer field, one (wire type 0) or packed (wire type 2)."""
    at = field.start
    while at < field.end:
        value, at = varint(buffer, at, field.end)
        yield value


def encode_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_bytes(number: int, content: bytes) -> bytes:
    """A field of wire type 2: a message, a string or packed numbers."""
    return encode_varint(number << 3 | BYTES) + encode_varint(len(content)) + content


def encode_int(number: int, value: int) -> bytes:
    """A field of wire type 0."""
    return encode_varint(number << 3 | VARINT) + encode_varint(value)
