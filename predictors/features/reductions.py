"""Features of operators that reduce or normalise along axes, and of pools."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from graphs.kernels import Kernel
from predictors.features._columns import FeatureGroup, Floats, bits, elements, log2, required, utilisation

NORMALISING = frozenset({
    "Softmax", "LogSoftmax", "Hardmax", "QLinearSoftmax", "LayerNormalization", "SimplifiedLayerNormalization",
    "SkipLayerNormalization", "SkipSimplifiedLayerNormalization", "RMSNormalization", "InstanceNormalization",
    "GroupNormalization", "GroupNorm", "SkipGroupNorm", "MeanVarianceNormalization", "LpNormalization", "LRN",
    "BiasSoftmax", "CumSum", "CumProd", "TopK", "SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss",
})  # fmt: skip

REDUCING = frozenset({
    "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum",
    "ReduceLogSumExp", "ReduceSumSquare", "ReduceSumInteger", "QLinearReduceMean", "ArgMax", "ArgMin",
    "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "QLinearGlobalAveragePool",
})  # fmt: skip

POOLING = frozenset({"MaxPool", "AveragePool", "LpPool", "NhwcMaxPool", "QLinearAveragePool"})

OPERATORS = NORMALISING | REDUCING | POOLING

_COLUMNS = (
    "log_elements_in", "log_elements_out", "log_outer", "log_reduced", "log_inner", "fill_reduced", "fill_inner",
    "inner", "pieces", "operands", "second_full", "outputs", "bits", "log_taps", "kernel_h", "kernel_w", "stride",
    "log_out_w", "fill_out_w", "padded", "log_channels", "fill_channels", "channels_last", "dilated", "ceil_mode",
    "largest", "padding_counted", "size", "since_version", "subnormal",
    "vanishing",
)  # fmt: skip


def reduced_axes(kernel: Kernel) -> tuple[int, ...]:
    """The axes of the first input over which the operator reduces or normalises."""
    x = kernel.inputs[0]
    rank = len(x.shape) if x is not None else 0
    op = kernel.kind.rpartition(".")[2]
    axes = kernel.attribute("axes")
    if axes is not None:
        return tuple(axes)
    if op in POOLING or op in ("InstanceNormalization",) or op.startswith(("Global", "QLinearGlobal")):
        last = bool(kernel.attribute("channels_last", 0)) or op.startswith("Nhwc")
        return tuple(range(1, rank - 1)) if last else tuple(range(2, rank))
    if op == "GroupNormalization":
        return tuple(range(1, rank))
    axis = kernel.attribute("axis", rank - 1)
    axis = axis + rank if axis < 0 else axis
    to_the_end = op.endswith("LayerNormalization") or op == "RMSNormalization" or kernel.attribute("flatten")
    return tuple(range(axis, rank)) if to_the_end else (axis,) if rank else ()


def _extent(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, int, int, int]:
    """(outer, reduced, inner, pieces): sizes before, of and after the reduced axes, and how many runs they form."""
    if not axes or not shape:
        return prod(shape), 1, 1, 0
    axes = tuple(a for a in axes if shape[a] != 1) or axes[:1]
    first, last = min(axes), max(axes)
    pieces = 1 + sum(b - a > 1 and prod(shape[a + 1 : b]) > 1 for a, b in pairwise(axes))
    reduced = prod(shape[a] for a in axes)
    inner = prod(shape[last + 1 :])
    between = prod(shape[a] for a in range(first, last + 1) if a not in axes)
    return prod(shape[:first]) * between, reduced, inner, pieces


def _raw(kernel: Kernel) -> tuple[float, ...]:
    attributes: dict[str, Any] = dict(kernel.attributes)
    op = kernel.kind.rpartition(".")[2]
    x = required(kernel, 0)
    y = kernel.outputs[0]
    outer, reduced, inner, pieces = _extent(x.shape, reduced_axes(kernel))
    taps: tuple[int, ...] = attributes.get("kernel_shape", ()) if op in POOLING else ()
    last = bool(attributes.get("channels_last", 0)) or op.startswith("Nhwc")
    out_w = y.shape[-2 if last else -1] if taps and len(y.shape) > 2 else 1
    channels = x.shape[-1 if last else 1] if len(x.shape) > 1 else 1
    strides = attributes.get("strides") or (1,)
    return (
        x.elements, sum(o.elements for o in kernel.outputs), outer, reduced, inner, pieces,
        sum(o is not None for o in kernel.inputs),
        len(kernel.inputs) > 1 and elements(kernel.inputs[1]) == x.elements, len(kernel.outputs), bits(x), prod(taps),
        taps[-2] if len(taps) > 1 else 1, taps[-1] if taps else 1, strides[-1], out_w,
        any(attributes.get("pads", ())), channels, last, max(attributes.get("dilations") or (1,)) > 1,
        attributes.get("ceil_mode", 0), attributes.get("largest", 0), attributes.get("count_include_pad", 0),
        attributes.get("size", 0), attributes.get("since_version", 0), attributes.get("subnormal", 0.0),
        attributes.get("vanishing", 0.0),
    )  # fmt: skip


def _derive(raw: Floats) -> Floats:
    size, out, outer, reduced, inner, pieces, operands, full, outputs, width, taps = raw[:, :11].T
    columns = (
        log2(size), log2(out), log2(outer), log2(reduced), log2(inner), utilisation(reduced, 16),
        utilisation(inner, 16), (inner > 1.0).astype(np.float64), pieces, operands, full, outputs, width, log2(taps),
        *raw[:, 11:14].T, log2(raw[:, 14]), utilisation(raw[:, 14], 6), raw[:, 15], log2(raw[:, 16]),
        utilisation(raw[:, 16], 16), *raw[:, 17:].T,
    )  # fmt: skip
    return np.stack(columns, axis=1)


GROUP = FeatureGroup("reduction", _COLUMNS, _raw, _derive)
