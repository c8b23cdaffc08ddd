"""Sliding windows of convolutions and pools, with auto_pad resolved."""

from __future__ import annotations

from dataclasses import dataclass

from graphs.ir import Graph, Node


@dataclass(frozen=True, slots=True)
class Window:
    """Spatial parameters, one entry per spatial axis; ``pads`` holds all begins, then all ends."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]


def resolve(
    kernel: tuple[int, ...],
    spatial: tuple[int, ...],
    *,
    strides: tuple[int, ...] = (),
    dilations: tuple[int, ...] = (),
    pads: tuple[int, ...] = (),
    auto_pad: str = "NOTSET",
) -> Window:
    """Fill in defaults; SAME_UPPER and SAME_LOWER pad so that the output size is ceil(input / stride)."""
    n = len(kernel)
    strides = strides or (1,) * n
    dilations = dilations or (1,) * n
    if auto_pad in ("NOTSET", ""):
        return Window(kernel, strides, dilations, pads or (0,) * (2 * n))
    begins, ends = [0] * n, [0] * n
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        for i in range(n):
            outputs = -(-spatial[i] // strides[i])
            total = max((outputs - 1) * strides[i] + dilations[i] * (kernel[i] - 1) + 1 - spatial[i], 0)
            small, large = total // 2, total - total // 2
            begins[i], ends[i] = (small, large) if auto_pad == "SAME_UPPER" else (large, small)
    return Window(kernel, strides, dilations, tuple(begins + ends))


def resolved_window(graph: Graph, node: Node) -> Window:
    """The window of a convolution or pool node of an inferred graph."""
    x = graph.types[node.inputs[0]].dims
    channels_last = node.op.startswith("Nhwc") or "nhwc" in node.domain or bool(node.attributes.get("channels_last"))
    spatial = x[1:-1] if channels_last else x[2:]
    weight = {"QLinearConv": 3, "Conv": 1, "FusedConv": 1, "NhwcFusedConv": 1, "ConvTranspose": 1, "ConvInteger": 1}
    if node.op in weight:
        kernel = graph.types[node.inputs[weight[node.op]]].dims[2:]
    else:
        kernel = node.ints("kernel_shape") or ()
    return resolve(
        kernel,
        spatial,
        strides=(node.ints("strides") or ()),
        dilations=(node.ints("dilations") or ()),
        pads=(node.ints("pads") or ()),
        auto_pad=node.text("auto_pad", "NOTSET"),
    )
