"""Networks for sound, sensors and video: convolutions in one and three dimensions, recurrent layers.

TC-ResNet https://arxiv.org/abs/1904.03814, M5 https://arxiv.org/abs/1610.00087, WaveNet
https://arxiv.org/abs/1609.03499, TCN https://arxiv.org/abs/1803.01271, wav2vec 2.0
https://arxiv.org/abs/2006.11477, Conformer https://arxiv.org/abs/2005.08100, CRNN
https://arxiv.org/abs/1507.05717, C3D https://arxiv.org/abs/1412.0767, R(2+1)D https://arxiv.org/abs/1711.11248, X3D
https://arxiv.org/abs/2004.04730.
"""

from __future__ import annotations

from graphs.spaces.activations import activate
from graphs.spaces.attention import draw_form, self_attention
from graphs.spaces.builder import GraphBuilder, Sizes
from graphs.spaces.draw import Draw
from graphs.spaces.language import recurrent_layer
from graphs.spaces.layers import classifier, conv_block, image
from graphs.spaces.normalisation import batch_norm, group_norm, layer_norm
from graphs.spaces.operators import conv, global_pool, linear, pool, reduce, softmax


def keywords(b: GraphBuilder, draw: Draw) -> str:
    """Residual 1-D convolutions over spectral frames; kernels 9 and the like, strides, depthwise variants."""
    x = b.input((draw.batch(8), draw.choice((40, 64, 80, 128)), draw.size(50, 800)))
    width, separable = draw.width(16, 96), draw.chance(0.4)
    x = conv_block(b, x, width, 3)
    for _ in range(draw.integer(3, 5)):
        width = draw.width(width, width * 2)
        for block in range(draw.depth(1, 3)):
            stride = 2 if block == 0 else 1
            kernel = draw.choice((9, 3, 5, 7, 11, 15))
            if separable:
                y = conv_block(b, x, b.channels(x), kernel, stride, groups=b.channels(x), act=None)
                y = conv_block(b, y, width, 1, act=None)
            else:
                y = conv_block(b, conv_block(b, x, width, kernel, stride), width, kernel, act=None)
            side = x if b.shape(x) == b.shape(y) else conv_block(b, x, width, 1, stride, act=None)
            x = activate(b, b.add(y, side), "relu")
    return _series_head(b, draw, x)


def _series_head(b: GraphBuilder, draw: Draw, x: str) -> str:
    n, channels = b.shape(x)[:2]
    return linear(b, b.reshape(global_pool(b, x), n, channels), draw.choice((10, 12, 35, 527)))


def waveform(b: GraphBuilder, draw: Draw) -> str:
    """Raw samples through long strided kernels, group or layer normalisation between, then attention or a pool."""
    x = b.input((draw.batch(4), 1, draw.size(4000, 32000)))
    width = draw.width(32, 256)
    norm = draw.choice(("batch", "group", "layer"))
    for i in range(draw.integer(4, 6)):
        kernel, stride = (draw.choice((10, 80, 16)), draw.choice((5, 4, 8))) if i == 0 else (draw.choice((3, 2)), 2)
        x = conv(b, x, width, kernel, stride, pad=draw.choice((0, 1)))
        if norm == "batch":
            x = batch_norm(b, x)
        elif norm == "group" and i == 0:
            x = group_norm(b, x, width)
        elif norm == "layer":
            x = b.transpose(layer_norm(b, b.transpose(x, 0, 2, 1)), 0, 2, 1)
        x = activate(b, x, draw.choice(("gelu", "relu")))
        width = draw.vary(width)
    if b.shape(x)[2] > 400:
        x = pool(b, x, "Max", 4, 4, pad=0)
    return _series_head(b, draw, x)


def dilated_series(b: GraphBuilder, draw: Draw) -> str:
    """Causal (padded) convolutions whose dilation doubles; gated as in WaveNet or residual as in TCN."""
    x = b.input((draw.batch(4), draw.choice((1, 8, 25, 64)), draw.size(200, 4000)))
    width, gated = draw.width(16, 96), draw.chance(0.5)
    kernel = draw.choice((2, 3, 5))
    x = conv(b, x, width, 1)
    skips: list[str] = []
    for i in range(draw.integer(4, 8)):
        reach = (kernel - 1) << i
        if reach >= b.shape(x)[2]:
            break
        padded = b.pad(x, (0, 0, reach), (0, 0, 0))
        if gated:
            y = conv(b, padded, 2 * width, kernel, dilation=1 << i, pad=0)
            left, right = b.split(y, [width, width])
            y = b.mul(b.unary("Tanh", left), b.unary("Sigmoid", right))
            skips.append(conv(b, y, draw.vary(width) if not i else b.channels(skips[0])))
        else:
            y = activate(b, conv(b, padded, draw.vary(width), kernel, dilation=1 << i, pad=0), "relu")
        x = b.add(x, conv(b, y, width))
    if skips:
        x = activate(b, b.add(*skips) if len(skips) > 1 else skips[0], "relu")
    return conv(b, activate(b, conv(b, x, width), "relu"), draw.choice((16, 64, 256)))


def conformer(b: GraphBuilder, draw: Draw) -> str:
    """Half MLPs around attention and a gated depthwise 1-D convolution, after a strided 2-D front end."""
    n, frames, bands = draw.batch(2), draw.size(64, 600), draw.choice((80, 64, 40))
    features = draw.choice((144, 176, 256, 192, 128, 384))
    x = b.input((n, 1, frames, bands))
    for _ in range(2):
        x = activate(b, conv(b, x, draw.width(16, 64), 3, 2), "relu")
    _, channels, length, height = b.shape(x)
    x = linear(b, b.reshape(b.transpose(x, 0, 2, 1, 3), n, length, channels * height), features)
    form = draw_form(b, draw)
    heads = next(h for h in (4, 8, 2) if features % h == 0)
    for _ in range(draw.depth(1, 3)):
        x = b.binary("Add", x, _half_mlp(b, x))
        x = b.binary("Add", x, self_attention(b, draw, layer_norm(b, x), heads, features // heads, form))
        x = b.binary("Add", x, _convolution_module(b, draw, x))
        x = layer_norm(b, b.binary("Add", x, _half_mlp(b, x)))
    return softmax(b, linear(b, x, draw.choice((29, 128, 1024))))


def _half_mlp(b: GraphBuilder, x: str) -> str:
    features = b.shape(x)[-1]
    y = linear(b, activate(b, linear(b, layer_norm(b, x), 4 * features), "silu"), features)
    return b.scalar("Mul", y, 0.5)


def _convolution_module(b: GraphBuilder, draw: Draw, x: str) -> str:
    """1×1, gated linear unit, depthwise, batch normalisation, SiLU, 1×1; channels first in between."""
    features = b.shape(x)[-1]
    y = conv(b, b.transpose(layer_norm(b, x), 0, 2, 1), 2 * features)
    left, right = b.split(y, [features, features])
    y = b.mul(left, b.unary("Sigmoid", right))
    y = conv_block(b, y, features, draw.choice((31, 15, 9, 7)), groups=features, act="silu")
    return b.transpose(conv(b, y, features), 0, 2, 1)


def text_recogniser(b: GraphBuilder, draw: Draw) -> str:
    """CRNN: convolutions whose pools keep the width, then recurrent layers both ways over columns."""
    x = b.input((draw.batch(4), draw.choice((1, 3)), draw.choice((32, 48)), draw.integer(64, 320)))
    width = draw.width(24, 64)
    for stage in range(4):
        x = conv_block(b, x, width, 3)
        x = pool(b, x, "Max", 2 if stage < 2 else (2, 1), 2 if stage < 2 else (2, 1), pad=0)
        width = min(384, draw.vary(width * 2))
    n, channels, height, breadth = b.shape(x)
    x = b.transpose(b.reshape(x, n, channels * height, breadth), 2, 0, 1)
    for _ in range(draw.integer(1, 2)):
        x = recurrent_layer(b, x, draw.width(48, 256), draw.choice(("LSTM", "GRU")), True)
    return linear(b, x, draw.choice((37, 97, 6625), (5, 4, 1)))


def spectrogram(b: GraphBuilder, draw: Draw) -> str:
    """2-D convolutions over long thin inputs, wide pools, a mean over time."""
    x = image(b, draw, 64, 128, channels=1, batch=2) if draw.chance(0.3) else _thin(b, draw)
    width = draw.width(16, 64)
    for _ in range(draw.integer(3, 5)):
        kernels: tuple[Sizes, ...] = (3, 5, (3, 5), (1, 7))
        x = conv_block(b, x, width, draw.choice(kernels))
        if min(b.shape(x)[2:]) >= 4:
            windows: tuple[Sizes, ...] = (2, (2, 4), (1, 2))
            x = pool(b, x, draw.choice(("Average", "Max")), draw.choice(windows), pad=0)
        width = min(384, draw.vary(width * 2))
    return classifier(b, draw, x)


def _thin(b: GraphBuilder, draw: Draw) -> str:
    return b.input((draw.batch(2), 1, draw.choice((40, 64, 80, 128)), draw.integer(100, 800)))


def video(b: GraphBuilder, draw: Draw) -> str:
    """Clips: full 3×3×3, split 1×3×3 and 3×1×1, or depthwise 3-D convolutions, with 3-D pools."""
    side = draw.choice((56, 64, 80, 112))
    x = b.input((1, 3, draw.choice((8, 4, 16)), side, side))
    width, kind = draw.width(8, 32), draw.choice(("full", "split", "depthwise"))
    x = conv_block(b, x, width, (3, 7, 7) if draw.chance(0.5) else (1, 3, 3), (1, 2, 2))
    for stage in range(draw.integer(2, 3)):
        stride = 2 if stage else (1, 2, 2)
        if draw.chance(0.4):
            x = pool(b, x, "Max", (1, 2, 2), pad=0)
            stride = 1
        width = draw.width(width, 2 * width)
        x = _video_block(b, draw, x, width, stride, kind)
        y = _video_block(b, draw, x, width, 1, kind)
        x = b.add(x, y)
    pooled = reduce(b, "ReduceMean", x, (2, 3, 4), keep=False)
    return linear(b, pooled, draw.choice((400, 101, 10)))


def _video_block(b: GraphBuilder, draw: Draw, x: str, width: int, stride: int | tuple[int, ...], kind: str) -> str:
    if kind == "full":
        return conv_block(b, x, width, 3, stride)
    if kind == "split":
        time, space = (1, stride) if isinstance(stride, int) else (stride[0], stride[1])
        y = conv_block(b, x, draw.vary(width), (1, 3, 3), (1, space, space))
        return conv_block(b, y, width, (3, 1, 1), (time, 1, 1))
    y = conv_block(b, x, b.channels(x) * 2, 1)
    y = conv_block(b, y, b.channels(y), 3, stride, groups=b.channels(y))
    return conv_block(b, y, width, 1)
