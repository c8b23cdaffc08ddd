"""What is worth knowing of a mask of attention scores once its numbers are gone: the share that hides.

The softmax of a hidden score is a subnormal number, which processors are slow at, so that the share decides what the
product after it costs. It leaves the user as metadata of the tensor.
"""

from __future__ import annotations

from struct import calcsize
from typing import TypeAlias

from archgauge_client._protobuf import Buffer, Field, encode_bytes

#: The key under which the share stands in TensorProto.metadata_props.
KEY = b"archgauge.masking"

#: Scores at or below this count as hidden; as in the server's reader.
_HIDDEN = -87.0
#: The bits of -87 and of minus infinity in half precision, between which all lower numbers lie.
_HIDDEN_HALF, _LOWEST_HALF = 0xD570, 0xFC00

#: struct's letter by TensorProto.DataType: float, bool, float16 (as its bits: a memoryview has no such numbers).
_FORMATS = {1: "f", 9: "?", 10: "H"}

#: Numbers that are looked at to tell a mask, of which a good part hides, from weights, of which nothing does.
_LOOKED_AT = 1000


Numbers: TypeAlias = "memoryview[float] | memoryview[int] | memoryview[bool]"


def noted_masking(buffer: Buffer, raw: Field, dtype: int) -> bytes:
    """The field that notes which share of the tensor's raw data hides; empty for what is no mask.

    Of weights, which may be larger than memory, only a few numbers are looked at.
    """
    letter = _FORMATS.get(dtype)
    size = raw.end - raw.start
    if letter is None or size == 0 or size % calcsize(letter):
        return b""
    with memoryview(buffer) as whole, whole[raw.start : raw.end] as data, _cast(data, letter) as numbers:
        with numbers[:: max(1, len(numbers) // _LOOKED_AT | 1)] as some:
            if not _hidden(some, letter):
                return b""
        share = _hidden(numbers, letter) / len(numbers)
    return encode_bytes(16, encode_bytes(1, KEY) + encode_bytes(2, f"{share:.4f}".encode()))


def _cast(data: memoryview, letter: str) -> Numbers:
    if letter == "f":
        return data.cast("f")
    return data.cast("H") if letter == "H" else data.cast("?")


def _hidden(numbers: Numbers, letter: str) -> int:
    if letter == "?":
        return sum(not number for number in numbers)
    if letter == "H":
        return sum(_HIDDEN_HALF <= bits <= _LOWEST_HALF for bits in numbers)
    return sum(number <= _HIDDEN for number in numbers)
