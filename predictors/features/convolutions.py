"""Features of convolutions of one to three spatial dimensions, in every layout."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphs.kernels import Kernel
from predictors.features._columns import FeatureGroup, Floats, activation_cost, bits, log2, required, utilisation

OPERATORS = frozenset({
    "Conv", "FusedConv", "NhwcFusedConv", "QLinearConv", "ConvInteger", "ConvTranspose", "QLinearConvTranspose",
    "ConvTransposeWithDynamicPads", "DeformConv", "NhwcConv",
})  # fmt: skip

_RAW = (
    "batch", "group", "in_channels", "out_channels", "in_d", "in_h", "in_w", "out_d", "out_h", "out_w", "kernel_d",
    "kernel_h", "kernel_w", "stride_h", "stride_w", "dilation_h", "dilation_w", "pad_top", "pad_left", "pad_bottom",
    "pad_right", "residual", "activation", "bits", "channels_last", "per_channel",
)  # fmt: skip
_AT = {name: i for i, name in enumerate(_RAW)}

_COLUMNS = (
    "log_batch", "log_group", "log_in", "log_out", "log_in_area", "log_out_h", "log_out_w", "log_out_area",
    "log_taps", "log_depth", "log_k", "log_filter_bytes", "kernel_h", "kernel_w", "stride_h", "stride_w",
    "dilation_h", "dilation_w", "fill_in", "fill_out", "fill_set", "fill_row", "fill_area", "interior_h",
    "interior_w", "pointwise", "depthwise", "narrow_input", "residual", "activation", "log_activated", "bits",
    "channels_last", "per_channel", "log_row_bytes", "log_image_bytes",
)  # fmt: skip

#: Channels per vector, filter blocks per call and output columns per call of the blocked convolutions on AVX-512.
_VECTOR, _FILTER_SET, _ROW_TILE = 16, 4, 6


def _spatial(values: tuple[int, ...], fill: int) -> tuple[int, int, int]:
    """Depth, height and width; a one-dimensional convolution has only a width."""
    if len(values) == 2:
        return fill, values[0], values[1]
    d, h, w = (fill,) * (3 - len(values)) + values[:3]
    return d, h, w


def _raw(kernel: Kernel) -> tuple[float, ...]:
    attributes: dict[str, Any] = dict(kernel.attributes)
    op = kernel.kind.rpartition(".")[2]
    quantised = op.startswith("QLinear")
    x, w = required(kernel, 0), required(kernel, 3 if quantised else 1)
    y = kernel.outputs[0].shape
    last = op.startswith("Nhwc") or bool(attributes.get("channels_last", 0))
    x_spatial, y_spatial = (x.shape[1:-1], y[1:-1]) if last else (x.shape[2:], y[2:])
    n = len(x_spatial)
    none: tuple[int, ...] = (0,) * n
    pads = attributes.get("pads") or none * 2
    _, top, left = _spatial(pads[:n], 0)
    _, bottom, right = _spatial(pads[n:], 0)
    _, stride_h, stride_w = _spatial(attributes.get("strides") or (1,) * n, 1)
    _, dilation_h, dilation_w = _spatial(attributes.get("dilations") or (1,) * n, 1)
    residual = not quantised and len(kernel.inputs) > 3 and kernel.inputs[3] is not None
    scales = kernel.inputs[4] if quantised and len(kernel.inputs) > 4 else None
    return (
        x.shape[0], attributes.get("group", 1), x.shape[-1] if last else x.shape[1], y[-1] if last else y[1],
        *_spatial(x_spatial, 1), *_spatial(y_spatial, 1), *_spatial(w.shape[2:], 1), stride_h, stride_w,
        dilation_h, dilation_w, top, left, bottom, right, residual, activation_cost(attributes.get("activation")),
        bits(x), last, scales is not None and scales.elements > 1,
    )  # fmt: skip


def _interior(size: Floats, out: Floats, kernel: Floats, stride: Floats, dilation: Floats, begin: Floats) -> Floats:
    """Share of output positions along one axis whose whole window lies inside the input."""
    first = np.ceil(begin / stride)
    last = np.floor((size + begin - (kernel - 1.0) * dilation - 1.0) / stride)
    return np.clip(np.minimum(last, out - 1.0) - first + 1.0, 0.0, out) / np.maximum(out, 1.0)


def _derive(raw: Floats) -> Floats:
    def of(name: str) -> Floats:
        return raw[:, _AT[name]]

    inner = np.maximum(of("in_channels") / of("group"), 1.0)
    outer = np.maximum(of("out_channels") / of("group"), 1.0)
    area = of("out_d") * of("out_h") * of("out_w")
    in_area = of("in_d") * of("in_h") * of("in_w")
    taps = of("kernel_d") * of("kernel_h") * of("kernel_w")
    depthwise = (inner == 1.0) & (of("group") > 1.0)
    # A depthwise kernel fills its vectors with groups.
    lanes_in = np.where(depthwise, of("in_channels"), inner)
    lanes_out = np.where(depthwise, of("out_channels"), outer)
    item = of("bits") / 8.0
    columns = (
        log2(of("batch")), log2(of("group")), log2(inner), log2(outer), log2(in_area), log2(of("out_h")),
        log2(of("out_w")), log2(area), log2(taps), log2(of("out_d")), log2(inner * taps),
        log2(inner * taps * outer * item), of("kernel_h"), of("kernel_w"), of("stride_h"), of("stride_w"),
        of("dilation_h"), of("dilation_w"), utilisation(lanes_in, _VECTOR), utilisation(lanes_out, _VECTOR),
        utilisation(np.ceil(lanes_out / _VECTOR), _FILTER_SET), utilisation(of("out_w"), _ROW_TILE),
        utilisation(area, _ROW_TILE),
        _interior(of("in_h"), of("out_h"), of("kernel_h"), of("stride_h"), of("dilation_h"), of("pad_top")),
        _interior(of("in_w"), of("out_w"), of("kernel_w"), of("stride_w"), of("dilation_w"), of("pad_left")),
        (taps == 1.0).astype(np.float64), depthwise.astype(np.float64),
        (of("in_channels") < _VECTOR).astype(np.float64), of("residual"), of("activation"),
        np.where(of("activation") > 0, log2(of("batch") * of("out_channels") * area), 0.0), of("bits"),
        of("channels_last"), of("per_channel"), log2(of("in_w") * inner * item), log2(in_area * inner * item),
    )  # fmt: skip
    return np.stack(columns, axis=1)


GROUP = FeatureGroup("convolution", _COLUMNS, _raw, _derive)
