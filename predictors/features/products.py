"""Features of matrix products: rows, columns, depth and batch, whatever the operator is called."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from graphs.kernels import Kernel, Operand
from predictors.features._columns import FeatureGroup, Floats, activation_cost, bits, log2, required, utilisation

OPERATORS = frozenset({
    "MatMul", "Gemm", "FusedMatMul", "FusedGemm", "FusedMatMulActivation", "QGemm", "QLinearMatMul",
    "MatMulInteger", "MatMulInteger16", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "MatMulNBits",
    "MatMulFpQ4", "MatMulBnb4", "TransposeMatMul", "GemmFloat8",
})  # fmt: skip

_RAW = (
    "batch", "m", "n", "k", "constant_a", "constant_b", "transposed_a", "transposed_b", "batch_transposed", "bias",
    "activation", "bits_a", "bits_b", "per_channel", "shared_b", "subnormal",
)  # fmt: skip
_AT = {name: i for i, name in enumerate(_RAW)}

_COLUMNS = (
    "log_batch", "log_m", "log_n", "log_k", "log_mn", "log_mk", "log_kn", "fill_m", "fill_n", "fill_n_pair",
    "fill_k", "row_vector", "column_vector", "constant_a", "constant_b", "transposed_a", "transposed_b",
    "batch_transposed", "bias", "activation", "bits_a", "bits_b", "per_channel", "shared_b", "subnormal",
)  # fmt: skip

#: Rows and columns of the AVX-512 product kernel's register tile, and its unrolling along the depth.
_ROWS, _VECTOR, _UNROLL = 12, 16, 4


def product_shape(kernel: Kernel) -> tuple[int, int, int, int]:
    """(batch, rows, columns, depth). Leading dimensions of the left operand are rows where the right one has none."""
    a, b = _factors(kernel)
    attributes: dict[str, Any] = dict(kernel.attributes)
    out = kernel.outputs[0].shape
    a_shape = a.shape if len(a.shape) > 1 else (1, *a.shape)
    depth = a_shape[-2] if attributes.get("transA") else a_shape[-1]
    columns = out[-1] if out and len(b.shape) > 1 else 1
    total = max(prod(out), 1)
    if (len(b.shape) <= 2 or "block_size" in attributes) and not attributes.get("transA"):
        return 1, max(total // max(columns, 1), 1), columns, depth
    rows = a_shape[-1] if attributes.get("transA") else a_shape[-2]
    return max(total // max(rows * columns, 1), 1), rows, columns, depth


def _factors(kernel: Kernel) -> tuple[Operand, Operand]:
    op = kernel.kind.rpartition(".")[2]
    return required(kernel, 0), required(kernel, 3 if op in ("QGemm", "QLinearMatMul") else 1)


#: Positions of the right operand's scales and of the bias in quantised products. The bias of QGemm is in no column.
_SCALES = {"QGemm": 4, "QLinearMatMul": 4, "MatMulIntegerToFloat": 3, "DynamicQuantizeMatMul": 2}
_BIASES = {"MatMulInteger": -1, "QGemm": -1, "QLinearMatMul": -1, "MatMulIntegerToFloat": 6,
           "DynamicQuantizeMatMul": 4, "MatMulNBits": 5}  # fmt: skip


def _operand(kernel: Kernel, index: int) -> Operand | None:
    return kernel.inputs[index] if 0 <= index < len(kernel.inputs) else None


def _raw(kernel: Kernel) -> tuple[float, ...]:
    attributes: dict[str, Any] = dict(kernel.attributes)
    a, b = _factors(kernel)
    batch, m, n, k = product_shape(kernel)
    op = kernel.kind.rpartition(".")[2]
    scales = _operand(kernel, _SCALES.get(op, -1))
    return (
        batch, m, n, k, a.constant, b.constant, attributes.get("transA", 0), attributes.get("transB", 0),
        attributes.get("transBatchA", 0) + attributes.get("transBatchB", 0),
        _operand(kernel, _BIASES.get(op, 2)) is not None, activation_cost(attributes.get("activation")), bits(a),
        attributes.get("bits") or bits(b), scales is not None and scales.elements > 1,
        len(b.shape) <= 2 or op == "MatMulNBits", attributes.get("subnormal", 0.0),
    )  # fmt: skip


def _derive(raw: Floats) -> Floats:
    batch, m, n, k = raw[:, 0], raw[:, 1], raw[:, 2], raw[:, 3]
    columns = (
        log2(batch), log2(m), log2(n), log2(k), log2(m * n), log2(m * k), log2(k * n), utilisation(m, _ROWS),
        utilisation(n, _VECTOR), utilisation(n, 2 * _VECTOR), utilisation(k, _UNROLL),
        (m == 1.0).astype(np.float64), (n == 1.0).astype(np.float64), *raw[:, 4:].T,
    )  # fmt: skip
    return np.stack(columns, axis=1)


GROUP = FeatureGroup("product", _COLUMNS, _raw, _derive)
