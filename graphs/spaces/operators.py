"""The operators that compute: convolutions, pools, products and reductions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from graphs.ir import Attribute
from graphs.spaces.builder import GraphBuilder, Sizes


def _tuple(value: Sizes, rank: int) -> tuple[int, ...]:
    return (value,) * rank if isinstance(value, int) else tuple(value)


def _padding(
    space: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], pad: Sizes | None
) -> tuple[int, ...]:
    """Begins and ends. None keeps the size (divided by the stride) with symmetric padding of half the kernel."""
    if pad is None:
        half = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilations, strict=True))
        return half + half
    if isinstance(pad, int):
        return (pad,) * (2 * len(space))
    return tuple(pad)


def _slid(
    space: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int],
    round_up: bool,
) -> tuple[int, ...]:
    """How many windows fit along every dimension (ONNX's formula; none starts in the padding at the end)."""
    sizes = []
    for i, size in enumerate(space):
        reach = size + pads[i] + pads[i + len(space)] - dilations[i] * (kernel[i] - 1) - 1
        count = (-(-reach // strides[i]) if round_up else reach // strides[i]) + 1
        if round_up and (count - 1) * strides[i] >= size + pads[i]:
            count -= 1
        sizes.append(count)
    return tuple(sizes)


def conv(
    b: GraphBuilder,
    x: str,
    out: int,
    kernel: Sizes = 1,
    stride: Sizes = 1,
    *,
    pad: Sizes | None = None,
    dilation: Sizes = 1,
    groups: int = 1,
    bias: bool = True,
) -> str:
    """A convolution in as many dimensions as ``x`` has beyond batch and channels."""
    n, channels, *space = b.shape(x)
    rank = len(space)
    kernel, strides, dilations = _tuple(kernel, rank), _tuple(stride, rank), _tuple(dilation, rank)
    inputs = [x, b.weight(out, channels // groups, *kernel)]
    if bias:
        inputs.append(b.weight(out))
    attributes: dict[str, Attribute] = {
        "kernel_shape": kernel, "strides": strides, "dilations": dilations, "group": groups,
    }  # fmt: skip
    # The runtime refuses automatic padding of dilated kernels.
    if b.style.same_upper and pad is None and max(dilations) == 1:
        attributes["auto_pad"] = "SAME_UPPER"
        sizes = tuple(-(-size // step) for size, step in zip(space, strides, strict=True))
    else:
        pads = _padding(space, kernel, strides, dilations, pad)
        attributes["pads"] = pads
        sizes = _slid(space, kernel, strides, dilations, pads, round_up=False)
    b.spend(2.0 * n * out * prod(sizes) * (channels // groups) * prod(kernel))
    return b.nodes("Conv", inputs, [(n, out, *sizes)], attributes)[0]


def conv_transpose(b: GraphBuilder, x: str, out: int, kernel: int = 2, stride: int = 2, *, groups: int = 1) -> str:
    """A learnt upsampling by ``stride``."""
    n, channels, *space = b.shape(x)
    rank = len(space)
    pad = (kernel - stride + 1) // 2
    sizes = [(size - 1) * stride - 2 * pad + kernel for size in space]
    b.spend(2.0 * n * channels * prod(space) * (out // groups) * kernel**rank)
    return b.node(
        "ConvTranspose", [x, b.weight(channels, out // groups, *[kernel] * rank), b.weight(out)], (n, out, *sizes),
        kernel_shape=(kernel,) * rank, strides=(stride,) * rank, pads=(pad,) * (2 * rank), group=groups,
    )  # fmt: skip


def pool(
    b: GraphBuilder,
    x: str,
    kind: str,
    kernel: Sizes,
    stride: Sizes | None = None,
    *,
    pad: Sizes | None = None,
    round_up: bool = False,
    include_pad: bool = False,
) -> str:
    """``kind`` is Max or Average; ``round_up`` is ceil_mode, for which opset 9 has padding at the ends instead."""
    n, c, *space = b.shape(x)
    rank = len(space)
    kernel = _tuple(kernel, rank)
    strides = _tuple(stride or kernel, rank)
    ones = (1,) * rank
    pads = _padding(space, kernel, strides, ones, pad)
    attributes: dict[str, Attribute] = {"kernel_shape": kernel, "strides": strides, "pads": pads}
    sizes = _slid(space, kernel, strides, ones, pads, round_up)
    if round_up and b.style.opset < 10:
        short = [(s - 1) * t + k - d - p for s, t, k, d, p in zip(sizes, strides, kernel, space, pads, strict=False)]
        attributes["pads"] = pads[:rank] + tuple(max(0, end) for end in short)
        sizes = _slid(space, kernel, strides, ones, (*pads[:rank], *(max(0, end) for end in short)), round_up=False)
    elif round_up:
        attributes["ceil_mode"] = 1
    if include_pad and kind == "Average":
        attributes["count_include_pad"] = 1
    return b.nodes(f"{kind}Pool", [x], [(n, c, *sizes)], attributes)[0]


def reduce(b: GraphBuilder, op: str, x: str, axes: Sequence[int], *, keep: bool = True) -> str:
    """``op`` is ReduceMean, ReduceMax, ReduceL2, ReduceSum …"""
    rank = len(b.shape(x))
    gone = {a % rank for a in axes}
    shape = [1 if i in gone else d for i, d in enumerate(b.shape(x)) if keep or i not in gone]
    if b.style.opset >= (13 if op == "ReduceSum" else 18):
        return b.node(op, [x, b.constant(axes, "int64")], shape, keepdims=int(keep))
    return b.node(op, [x], shape, axes=tuple(axes), keepdims=int(keep))


def global_pool(b: GraphBuilder, x: str) -> str:
    """The mean over all pixels, as the exporter says it: ``(n, c, 1, 1)``."""
    n, c, *space = b.shape(x)
    if b.style.squeeze == "ReduceMean":
        return reduce(b, "ReduceMean", x, range(2, 2 + len(space)))
    if b.style.squeeze == "AveragePool":
        return pool(b, x, "Average", space, 1, pad=0)
    return b.node("GlobalAveragePool", [x], (n, c, *[1] * len(space)))


def matmul(b: GraphBuilder, x: str, y: str) -> str:
    """A product of stacks of matrices; what precedes the last two dimensions broadcasts."""
    left, right = b.shape(x), b.shape(y)
    stack = left[:-2] if len(left) >= len(right) else right[:-2]
    b.spend(2.0 * prod(stack) * left[-2] * left[-1] * right[-1])
    return b.node("MatMul", [x, y], (*stack, left[-2], right[-1]))


def gemm(b: GraphBuilder, x: str, out: int, *, transposed: bool = True, bias: bool = True) -> str:
    """A fully connected layer on ``(rows, features)``; PyTorch and Caffe keep the weight transposed."""
    rows, features = b.shape(x)
    weight = b.weight(out, features) if transposed else b.weight(features, out)
    b.spend(2.0 * rows * features * out)
    inputs = [x, weight, b.weight(out)] if bias else [x, weight]
    return b.node("Gemm", inputs, (rows, out), transB=int(transposed))


def linear(b: GraphBuilder, x: str, out: int, *, bias: bool = True) -> str:
    """A fully connected layer on the last dimension of a tensor of any rank."""
    *rows, features = b.shape(x)
    if b.style.linear == "gemm" and bias:
        if len(rows) == 1:
            return gemm(b, x, out)
        flat = gemm(b, b.reshape(x, prod(rows), features), out, transposed=False)
        return b.reshape(flat, *rows, out)
    if len(rows) == 1 and b.style.exporter != "keras":
        return gemm(b, x, out, bias=bias)
    product = matmul(b, x, b.weight(features, out))
    if not bias:
        return product
    # Traced PyTorch puts the bias first.
    terms = (b.weight(out), product) if b.style.exporter == "torchscript" else (product, b.weight(out))
    return b.node("Add", terms, (*rows, out))


def softmax(b: GraphBuilder, x: str, axis: int = -1) -> str:
    """Before opset 13 Softmax flattened its input, so that only the last axis means the same."""
    if b.style.opset < 13 and axis == -1:
        axis = len(b.shape(x)) - 1
    return b.unary("Softmax", x, axis=axis)
