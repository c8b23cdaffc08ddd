"""What is worth knowing of a mask of attention scores once its numbers are gone: which shares of it hide.

A softmax is slow where scores are hidden, and where it leaves subnormal numbers, the product after it is slower by far.
So both shares leave the user, as metadata of the tensor: of scores that vanish, and of those that leave such a number.
"""

from __future__ import annotations

from struct import calcsize
from typing import TypeAlias

from archgauge_client._protobuf import Buffer, Field, encode_bytes

#: The key under which the shares stand in TensorProto.metadata_props.
KEY = b"archgauge.masking"

#: Scores at or below the first count as hidden, below the second they vanish; as in the server's reader.
_HIDDEN, _VANISHED = -87.0, -104.0
#: The bits of both and of minus infinity in half precision: of negative numbers, lower ones have higher bits.
_HIDDEN_HALF, _VANISHED_HALF, _LOWEST_HALF = 0xD570, 0xD680, 0xFC00

#: struct's letter by TensorProto.DataType: float, bool, float16 (as its bits: a memoryview has no such numbers).
_FORMATS = {1: "f", 9: "?", 10: "H"}

#: Numbers that are looked at to tell a mask, of which a good part hides, from weights, of which nothing does.
_LOOKED_AT = 1000


Numbers: TypeAlias = "memoryview[float] | memoryview[int] | memoryview[bool]"


def noted_masking(buffer: Buffer, raw: Field, dtype: int) -> bytes:
    """The field that notes which shares of the tensor's raw data hide; empty for what is no mask.

    Of weights, which may be larger than memory, only a few numbers are looked at.
    """
    letter = _FORMATS.get(dtype)
    size = raw.end - raw.start
    if letter is None or size == 0 or size % calcsize(letter):
        return b""
    with memoryview(buffer) as whole, whole[raw.start : raw.end] as data, _cast(data, letter) as numbers:
        with numbers[:: max(1, len(numbers) // _LOOKED_AT | 1)] as some:
            if not any(_hidden(some, letter)):
                return b""
        vanishing, subnormal = (found / len(numbers) for found in _hidden(numbers, letter))
    return encode_bytes(16, encode_bytes(1, KEY) + encode_bytes(2, f"{vanishing:.4f} {subnormal:.4f}".encode()))


def _cast(data: memoryview, letter: str) -> Numbers:
    if letter == "f":
        return data.cast("f")
    return data.cast("H") if letter == "H" else data.cast("?")


def _hidden(numbers: Numbers, letter: str) -> tuple[int, int]:
    """How many vanish, and how many leave subnormal numbers."""
    if letter == "?":
        return sum(not number for number in numbers), 0
    if letter == "H":
        vanishing = sum(_VANISHED_HALF < bits <= _LOWEST_HALF for bits in numbers)
        return vanishing, sum(_HIDDEN_HALF <= bits <= _VANISHED_HALF for bits in numbers)
    return sum(number < _VANISHED for number in numbers), sum(_VANISHED <= number <= _HIDDEN for number in numbers)
