"""Operators that pick elements: gathering, sorting, selecting, resampling."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

import numpy as np

from graphs.errors import InvalidGraph
from graphs.inference.call import Call, Shape, axis_in, rule
from graphs.ir import TensorType


@rule("Gather")
def _gather(call: Call) -> Sequence[TensorType]:
    data, indices = call.shape(0), call.shape(1)
    axis = axis_in(call.attribute("axis", 0), len(data))
    return (TensorType(call.dtype(0), data[:axis] + indices + data[axis + 1 :]),)


@rule("GatherElements")
def _gather_elements(call: Call) -> Sequence[TensorType]:
    if len(call.shape(0)) != len(call.shape(1)):
        raise InvalidGraph(f"data {list(call.shape(0))} and indices {list(call.shape(1))} differ in rank")
    return (TensorType(call.dtype(0), call.shape(1)),)


@rule("GatherND")
def gather_nd(call: Call) -> Sequence[TensorType]:
    """Slices of the data at indices; the first ``batch_dims`` dimensions go along."""
    data, indices = call.shape(0), call.shape(1)
    batch = call.attribute("batch_dims", 0)
    if not indices or batch + indices[-1] > len(data):
        raise InvalidGraph(f"indices {list(indices)} do not fit data {list(data)}")
    return (TensorType(call.dtype(0), indices[:-1] + data[batch + indices[-1] :]),)


@rule("TopK")
def _top_k(call: Call) -> Sequence[TensorType]:
    """k is an attribute before opset 10, then an input."""
    data = call.shape(0)
    axis = axis_in(call.attribute("axis", -1), len(data))
    k = call.attribute("k") if call.opset < 10 else call.need_ints(1)[0]
    if not 0 <= k <= data[axis]:
        raise InvalidGraph(f"k = {k} is more than the {data[axis]} elements along axis {axis}")
    shape = (*data[:axis], k, *data[axis + 1 :])
    return (TensorType(call.dtype(0), shape), TensorType("int64", shape))


@rule("OneHot")
def _one_hot(call: Call) -> Sequence[TensorType]:
    indices, depth = call.shape(0), call.need_ints(1)[0]
    axis = axis_in(call.attribute("axis", -1), len(indices) + 1)
    return (TensorType(call.dtype(2), (*indices[:axis], depth, *indices[axis:])),)


@rule("Upsample", "Resize")
def _resize(call: Call) -> Sequence[TensorType]:
    """Scales or sizes: Upsample 9 and Resize 10 (X, scales), Resize from 11 on (X, roi, scales, sizes)."""
    data = call.shape(0)
    if call.node.op == "Upsample" or call.opset < 11:
        scales: Sequence[float] = call.attribute("scales") or call.need(1).reshape(-1).tolist()
        return (TensorType(call.dtype(0), _scaled(data, scales, range(len(data)))),)
    axes: Sequence[int] = call.attribute("axes") or range(len(data))
    axes = [axis_in(a, len(data)) for a in axes]
    if call.has(3) and call.shape(3) != (0,):
        shape = _sized(data, call.need_ints(3), axes, call.attribute("keep_aspect_ratio_policy", "stretch"))
    else:
        shape = _scaled(data, call.need(2).reshape(-1).tolist(), axes)
    return (TensorType(call.dtype(0), shape),)


def _scaled(data: Shape, scales: Sequence[float], axes: Sequence[int]) -> Shape:
    if len(scales) != len(axes):
        raise InvalidGraph(f"{len(scales)} scales do not fit {len(axes)} dimensions")
    result = list(data)
    for axis, scale in zip(axes, scales, strict=True):
        result[axis] = floor(data[axis] * scale)
    return tuple(result)


def _sized(data: Shape, sizes: Sequence[int], axes: Sequence[int], policy: str) -> Shape:
    if len(sizes) != len(axes):
        raise InvalidGraph(f"{len(sizes)} sizes do not fit {len(axes)} dimensions")
    result = list(data)
    if policy != "stretch":
        choose = min if policy == "not_larger" else max
        scale = choose(n / data[a] for a, n in zip(axes, sizes, strict=True))
        sizes = [floor(data[a] * scale + 0.5) for a in axes]
    for axis, size in zip(axes, sizes, strict=True):
        result[axis] = size
    return tuple(result)


@rule("Compress")
def _compress(call: Call) -> Sequence[TensorType]:
    """As many slices along the axis (elements without one) as the condition holds true."""
    data, kept = call.shape(0), int(np.count_nonzero(call.need(1)))
    if "axis" not in call.node.attributes:
        return (TensorType(call.dtype(0), (kept,)),)
    axis = axis_in(call.attribute("axis"), len(data))
    return (TensorType(call.dtype(0), (*data[:axis], kept, *data[axis + 1 :])),)


@rule("MaxUnpool")
def _max_unpool(call: Call) -> Sequence[TensorType]:
    """The output_shape given, or the size that a pooling would have needed to give this input."""
    data = call.shape(0)
    if call.has(2):
        return (TensorType(call.dtype(0), tuple(call.need_ints(2))),)
    kernel = call.attribute("kernel_shape")
    n = len(kernel)
    strides, pads = call.attribute("strides") or (1,) * n, call.attribute("pads") or (0,) * (2 * n)
    sizes = tuple((data[2 + i] - 1) * strides[i] + kernel[i] - pads[i] - pads[i + n] for i in range(n))
    return (TensorType(call.dtype(0), data[:2] + sizes),)


@rule("STFT")
def _short_time_fourier(call: Call) -> Sequence[TensorType]:
    """[batch, frames, bins, 2]; of a real signal only the non-negative frequencies unless ``onesided`` is 0."""
    batch, length = call.shape(0)[:2]
    frame = call.need_ints(3)[0] if call.has(3) else call.shape(2)[0]
    frames = (length - frame) // call.need_ints(1)[0] + 1
    bins = frame // 2 + 1 if call.attribute("onesided", 1) else frame
    return (TensorType(call.dtype(0), (batch, frames, bins, 2)),)


@rule("NonZero")
def _non_zero(call: Call) -> Sequence[TensorType]:
    count = int((call.need(0) != 0).sum())
    return (TensorType("int64", (len(call.shape(0)), count)),)
