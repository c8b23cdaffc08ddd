"""Layers that most families of networks share, made of the operators an exporter would emit."""

from __future__ import annotations

from math import prod

from graphs.spaces.activations import activate
from graphs.spaces.builder import GraphBuilder, Sizes
from graphs.spaces.draw import Draw
from graphs.spaces.normalisation import batch_norm
from graphs.spaces.operators import conv, gemm, global_pool, linear, pool, softmax


def image(b: GraphBuilder, draw: Draw, low: int = 96, high: int = 384, *, channels: int = 3, batch: int = 16) -> str:
    """A batch of images, channels first; sometimes not square, sometimes transposed from channels last."""
    n = draw.batch(batch)
    # More images at once are smaller, which keeps the cost of one run near that of the others.
    height = draw.resolution(low, high if n < 4 else max(low, high // 2))
    width = height if draw.chance(0.88) else draw.resolution(low, height)
    if b.style.channels_last_input:
        return b.transpose(b.input((n, height, width, channels)), 0, 3, 1, 2)
    return b.input((n, channels, height, width))


def conv_block(
    b: GraphBuilder,
    x: str,
    out: int,
    kernel: Sizes = 1,
    stride: Sizes = 1,
    *,
    act: str | None = "relu",
    groups: int = 1,
    dilation: Sizes = 1,
    pad: Sizes | None = None,
    norm: bool = True,
) -> str:
    """Convolution, batch normalisation (merged, a node or Caffe's pair) and activation."""
    separate = norm and b.style.batch_norm != "folded"
    y = conv(b, x, out, kernel, stride, groups=groups, dilation=dilation, pad=pad, bias=not separate)
    return activate(b, batch_norm(b, y) if separate else y, act)


def depthwise(
    b: GraphBuilder, x: str, kernel: Sizes = 3, stride: Sizes = 1, *, act: str | None = "relu", dilation: Sizes = 1
) -> str:
    """One filter per channel."""
    channels = b.channels(x)
    return conv_block(b, x, channels, kernel, stride, act=act, groups=channels, dilation=dilation)


def squeeze_excite(b: GraphBuilder, x: str, hidden: int, *, act: str = "relu", gate: str = "sigmoid") -> str:
    """https://arxiv.org/abs/1709.01507 with 1×1 convolutions, as mobile networks have it."""
    squeezed = activate(b, conv(b, global_pool(b, x), hidden), act)
    return b.mul(x, activate(b, conv(b, squeezed, b.channels(x)), gate))


def squeeze_excite_dense(b: GraphBuilder, x: str, hidden: int, *, gate: str = "sigmoid") -> str:
    """The same with fully connected layers, as the original has it."""
    n, channels = b.shape(x)[:2]
    squeezed = activate(b, gemm(b, b.reshape(global_pool(b, x), n, channels), hidden), "relu")
    return b.mul(x, b.reshape(activate(b, gemm(b, squeezed, channels), gate), n, channels, 1, 1))


def channel_shuffle(b: GraphBuilder, x: str, groups: int) -> str:
    """https://arxiv.org/abs/1707.01083: Reshape, Transpose, Reshape."""
    n, channels, height, width = b.shape(x)
    split = b.reshape(x, n, groups, channels // groups, height, width)
    return b.reshape(b.transpose(split, 0, 2, 1, 3, 4), n, channels, height, width)


def shortcut(b: GraphBuilder, x: str, y: str, *, stride: int = 1, pooled: bool = False) -> str:
    """``x``, projected where its shape is not that of ``y``; ``pooled`` averages before projecting (ResNet-D)."""
    if b.shape(x) == b.shape(y):
        return x
    if pooled and stride > 1:
        x = pool(b, x, "Average", stride, pad=0, round_up=True, include_pad=False)
        stride = 1
    return conv_block(b, x, b.channels(y), 1, stride, act=None)


def dropout(b: GraphBuilder, x: str) -> str:
    """Which does nothing, but old files contain it."""
    if b.style.opset < 12:
        return b.unary("Dropout", x, ratio=0.5)
    return b.unary("Dropout", x)


def drop_pixels(b: GraphBuilder, x: str, size: int) -> str:
    """The top left ``size`` × ``size`` pixels at most, so that any two branches can be joined."""
    for axis in (2, 3):
        if b.shape(x)[axis] > size:
            x = b.slice(x, 0, size, axis)
    return x


def tokens(b: GraphBuilder, x: str) -> str:
    """``(n, c, h, w)`` to ``(n, h·w, c)``."""
    n, channels, *space = b.shape(x)
    return b.transpose(b.reshape(x, n, channels, prod(space)), 0, 2, 1)


def pixels(b: GraphBuilder, x: str, height: int, width: int) -> str:
    """``(n, h·w, c)`` to ``(n, c, h, w)``."""
    n, _, channels = b.shape(x)
    return b.reshape(b.transpose(x, 0, 2, 1), n, channels, height, width)


def classes(draw: Draw) -> int:
    """ImageNet's thousand mostly."""
    return draw.choice((1000, 10, 100, 21, 365, 1001, 21841), (60, 8, 10, 4, 5, 8, 1))


def classifier(b: GraphBuilder, draw: Draw, x: str, *, hidden: int = 0, act: str = "relu") -> str:
    """Global average, an optional hidden layer, and the classes, sometimes with Softmax."""
    pooled = b.flatten(global_pool(b, x))
    if hidden:
        pooled = activate(b, linear(b, pooled, hidden), act)
    if b.style.opset < 12 and draw.chance(0.5):
        pooled = dropout(b, pooled)
    scores = linear(b, pooled, classes(draw))
    return softmax(b, scores) if b.style.exporter in ("caffe2", "keras") and draw.chance(0.8) else scores
