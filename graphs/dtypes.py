"""Element types by their ONNX-JSON names, which are numpy's where numpy has the type."""

from __future__ import annotations

#: Bits per element; sub-byte types are packed.
BITS: dict[str, int] = {
    "float32": 32, "float64": 64, "float16": 16, "bfloat16": 16,
    "int8": 8, "int16": 16, "int32": 32, "int64": 64,
    "uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64,
    "bool": 8, "complex64": 64, "complex128": 128, "string": 64,
    "float8e4m3fn": 8, "float8e4m3fnuz": 8, "float8e5m2": 8, "float8e5m2fnuz": 8, "float8e8m0": 8,
    "float6e2m3": 6, "float6e3m2": 6, "float4e2m1": 4, "int4": 4, "uint4": 4, "int2": 2, "uint2": 2,
}  # fmt: skip

FLOATING = frozenset({"float16", "bfloat16", "float32", "float64"})


def nbytes(dtype: str, elements: int) -> int:
    """Bytes that ``elements`` values of ``dtype`` occupy when packed."""
    return (elements * BITS[dtype] + 7) // 8
