"""Convolutions and poolings over N×C×spatial data, and what they share with their channels-last forms."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.errors import InvalidGraph
from graphs.inference.call import Call, Shape, rule
from graphs.ir import TensorType


def window(call: Call, size: Shape, kernel: Sequence[int], ceil: bool = False) -> Shape:
    """Output sizes of a sliding window over ``size`` by the attributes of Conv and the poolings."""
    attributes = call.node.attributes
    rank = len(size)
    if len(kernel) != rank:
        raise InvalidGraph(f"a kernel of {len(kernel)} dimensions does not fit data with {rank} spatial ones")
    strides: Sequence[int] = attributes.get("strides") or (1,) * rank  # type: ignore[assignment]
    dilations: Sequence[int] = attributes.get("dilations") or (1,) * rank  # type: ignore[assignment]
    auto = attributes.get("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        return tuple(-(-n // s) for n, s in zip(size, strides, strict=True))
    pads: Sequence[int] = (0,) * (2 * rank)
    if auto == "NOTSET":
        pads = attributes.get("pads") or pads  # type: ignore[assignment]
    return window_size(size, kernel, strides, dilations, pads, ceil)


def window_size(
    size: Shape,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int],
    ceil: bool = False,
) -> Shape:
    """Output sizes with all padding explicit: ⌊(n + pads − dilation·(k−1) − 1) / stride⌋ + 1, or rounded up."""
    rank = len(size)
    result = []
    for i in range(rank):
        stride, before = strides[i], size[i] + pads[i]
        padded = before + pads[i + rank]
        span = dilations[i] * (kernel[i] - 1) + 1
        room = padded - span
        if room < 0 or stride < 1:
            raise InvalidGraph(f"a window of {span} does not fit {padded} (data with padding) in dimension {i + 2}")
        out = room // stride + 1
        if ceil and room % stride and out * stride < before:
            # a last window that starts inside the data or the padding before it
            out += 1
        result.append(out)
    return tuple(result)


def conv_shape(call: Call, data: Shape, weight: Shape, channels: int | None = None) -> Shape:
    """N, output channels, spatial sizes of a convolution with OIHW weights."""
    if len(data) < 3 or len(weight) != len(data):
        raise InvalidGraph(f"data {list(data)} and weights {list(weight)} do not fit a convolution")
    attributes = call.node.attributes
    group: int = attributes.get("group", 1)  # type: ignore[assignment]
    in_channels = data[1] if channels is None else channels
    if weight[1] * group != in_channels:
        raise InvalidGraph(f"data of {in_channels} channels does not fit weights {list(weight)} in {group} groups")
    if group < 1 or weight[0] % group:
        raise InvalidGraph(f"{weight[0]} output channels do not divide into {group} groups")
    kernel: Shape = attributes.get("kernel_shape") or weight[2:]  # type: ignore[assignment]
    if tuple(kernel) != weight[2:]:
        raise InvalidGraph(f"kernel_shape {list(kernel)} contradicts weights {list(weight)}")
    return (data[0], weight[0], *window(call, data[2:], kernel))


@rule("Conv")
def _conv(call: Call) -> Sequence[TensorType]:
    data, weight = call.type(0), call.type(1)
    shape = conv_shape(call, data.shape, weight.shape)  # type: ignore[arg-type]  # static
    if call.has(2) and call.shape(2) != (shape[1],):
        raise InvalidGraph(f"bias has shape {list(call.shape(2))}, not [{shape[1]}]")
    return (TensorType(data.dtype, shape),)


@rule("ConvInteger")
def _conv_integer(call: Call) -> Sequence[TensorType]:
    return (TensorType("int32", conv_shape(call, call.shape(0), call.shape(1))),)


@rule("ConvTranspose")
def _conv_transpose(call: Call) -> Sequence[TensorType]:
    """ONNX ConvTranspose: stride·(n−1) + output_padding + dilation·(k−1) + 1 − pads, or the output_shape given."""
    data, weight = call.shape(0), call.shape(1)
    rank = len(data) - 2
    if rank < 1 or len(weight) != len(data) or weight[0] != data[1]:
        raise InvalidGraph(f"data {list(data)} and weights {list(weight)} do not fit a transposed convolution")
    channels = weight[1] * call.attribute("group", 1)
    strides = call.attribute("strides") or (1,) * rank
    given = call.attribute("output_shape")
    if given:
        return (TensorType(call.dtype(0), (data[0], channels, *given[-rank:])),)
    auto = call.attribute("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        sizes = tuple(n * s for n, s in zip(data[2:], strides, strict=True))
        return (TensorType(call.dtype(0), (data[0], channels, *sizes)),)
    dilations = call.attribute("dilations") or (1,) * rank
    extra = call.attribute("output_padding") or (0,) * rank
    pads = (call.attribute("pads") if auto == "NOTSET" else None) or (0,) * (2 * rank)
    sizes = tuple(
        strides[i] * (data[2 + i] - 1) + extra[i] + dilations[i] * (weight[2 + i] - 1) + 1 - pads[i] - pads[i + rank]
        for i in range(rank)
    )
    return (TensorType(call.dtype(0), (data[0], channels, *sizes)),)


@rule("MaxPool", "AveragePool", "LpPool")
def pool(call: Call) -> Sequence[TensorType]:
    """MaxPool may also give out indices."""
    data = call.shape(0)
    kernel = call.attribute("kernel_shape")
    if kernel is None or len(data) < 3:
        raise InvalidGraph("a pooling needs kernel_shape and data with spatial dimensions")
    shape = data[:2] + window(call, data[2:], kernel, bool(call.attribute("ceil_mode", 0)))
    return (TensorType(call.dtype(0), shape), TensorType("int64", shape))


@rule("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(call: Call) -> Sequence[TensorType]:
    """All spatial dimensions become 1."""
    data = call.shape(0)
    if len(data) < 3:
        raise InvalidGraph("a global pooling needs data with spatial dimensions")
    return (TensorType(call.dtype(0), data[:2] + (1,) * (len(data) - 2)),)
