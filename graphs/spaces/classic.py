"""The convolutional networks of 2012 to 2016, most of which live on as Caffe exports.

AlexNet https://papers.nips.cc/paper/4824, ZFNet https://arxiv.org/abs/1311.2901, VGG https://arxiv.org/abs/1409.1556,
Network in Network https://arxiv.org/abs/1312.4400, Inception https://arxiv.org/abs/1409.4842,
https://arxiv.org/abs/1502.03167 and https://arxiv.org/abs/1512.00567, SqueezeNet https://arxiv.org/abs/1602.07360.
"""

from __future__ import annotations

from graphs.spaces.activations import activate
from graphs.spaces.builder import GraphBuilder
from graphs.spaces.draw import Draw
from graphs.spaces.layers import classes, classifier, conv_block, dropout, image
from graphs.spaces.normalisation import local_response_norm
from graphs.spaces.operators import conv, gemm, global_pool, linear, pool, softmax


def alexnet(b: GraphBuilder, draw: Draw) -> str:
    """A large stem, local response normalisation, overlapping pools and three big fully connected layers."""
    x = image(b, draw, 128, 256, batch=4)
    kernel, stride = draw.choice(((11, 4), (7, 2), (9, 4), (11, 3), (8, 4)))
    x = activate(b, conv(b, x, draw.width(48, 96), kernel, stride, pad=draw.choice((0, 1, 2, 3))), "relu")
    x = _reduce(b, draw, x, normalise=True)
    x = _plain(b, draw, x, draw.width(96, 256), draw.choice((5, 3)), stride=draw.choice((1, 2), (3, 1)), group=True)
    x = _reduce(b, draw, x, normalise=True)
    for _ in range(draw.integer(2, 3)):
        x = _plain(b, draw, x, draw.width(160, 512), 3, group=True)
    return _dense_head(b, draw, pool(b, x, "Max", 3, 2, pad=draw.choice((0, 1))))


def _plain(b: GraphBuilder, draw: Draw, x: str, out: int, kernel: int, stride: int = 1, *, group: bool = False) -> str:
    """Convolution and Relu without normalisation; AlexNet ran in two groups on two GPUs."""
    groups = 2 if group and draw.chance(0.4) and b.channels(x) % 2 == 0 else 1
    y = conv(b, x, out + out % groups, kernel, stride, groups=groups)
    return activate(b, y, "relu")


def _reduce(b: GraphBuilder, draw: Draw, x: str, *, normalise: bool) -> str:
    """An overlapping pool, with local response normalisation before or after it."""
    first = draw.chance(0.6)
    if normalise and first:
        x = local_response_norm(b, x)
    x = pool(b, x, "Max", draw.choice((3, 2), (4, 1)), 2, pad=draw.choice((0, 1), (4, 1)), round_up=draw.chance(0.3))
    return local_response_norm(b, x) if normalise and not first else x


def _dense_head(b: GraphBuilder, draw: Draw, x: str) -> str:
    """Two hidden layers; mostly smaller than AlexNet's 4,096, since large ones take long to prepare."""
    x = b.flatten(x)
    for _ in range(2):
        x = activate(b, gemm(b, x, 4096 if draw.chance(0.25) else draw.size(256, 2560)), "relu")
        x = dropout(b, x) if b.style.opset < 12 else x
    return softmax(b, gemm(b, x, classes(draw)))


def vgg(b: GraphBuilder, draw: Draw) -> str:
    """Stages of 3×3 convolutions between 2×2 pools, then fully connected layers."""
    x = image(b, draw, 64, 224, batch=4)
    width = 64 if draw.chance(0.3) else draw.width(16, 64)
    for stage in range(draw.integer(4, 5)):
        for _ in range(draw.depth(1, 4 if stage > 1 else 2)):
            x = conv_block(b, x, draw.vary(width), 3, norm=b.style.batch_norm == "node")
        x = pool(b, x, "Max", 2, 2, pad=0)
        width = min(512, width * 2)
    if draw.chance(0.3):
        return classifier(b, draw, x)
    return _dense_head(b, draw, x)


def inception(b: GraphBuilder, draw: Draw) -> str:
    """Parallel 1×1, 3×3, 5×5 and pooled branches, with local response normalisation or batch normalisation."""
    x = image(b, draw, 112, 256, batch=4)
    old = draw.chance(0.45)
    x = conv_block(b, x, draw.width(32, 64), 7, 2, norm=not old)
    x = _reduce(b, draw, x, normalise=old)
    x = conv_block(b, x, draw.width(32, 96), 1, norm=not old)
    x = conv_block(b, x, draw.width(96, 224), 3, norm=not old)
    x = _reduce(b, draw, x, normalise=old)
    width = draw.width(160, 288)
    for _ in range(draw.integer(2, 3)):
        for _ in range(draw.depth(2, 5)):
            x = _inception_block(b, draw, x, draw.vary(width), old=old)
        x = pool(b, x, "Max", 3, 2, pad=draw.choice((0, 1)), round_up=draw.chance(0.4))
        width = min(1024, int(width * draw.uniform(1.4, 2.0)))
    x = _inception_block(b, draw, x, width, old=old)
    return classifier(b, draw, x)


def _inception_block(b: GraphBuilder, draw: Draw, x: str, width: int, *, old: bool) -> str:
    """GoogLeNet's block, where the 5×5 may be two 3×3 (Inception v2)."""

    def part(low: float, high: float) -> int:
        return draw.width(max(8, int(width * low)), max(12, int(width * high)))

    norm = not old
    branches = [conv_block(b, x, part(0.15, 0.4), 1, norm=norm)]
    three = conv_block(b, x, part(0.25, 0.45), 1, norm=norm)
    branches.append(conv_block(b, three, part(0.3, 0.5), 3, norm=norm))
    five = conv_block(b, x, part(0.06, 0.2), 1, norm=norm)
    if old or draw.chance(0.3):
        branches.append(conv_block(b, five, part(0.08, 0.2), 5, norm=norm))
    else:
        middle = conv_block(b, five, part(0.1, 0.25), 3, norm=norm)
        branches.append(conv_block(b, middle, part(0.1, 0.25), 3, norm=norm))
    pooled = pool(b, x, draw.choice(("Max", "Average")), 3, 1, include_pad=draw.chance(0.5))
    branches.append(conv_block(b, pooled, part(0.08, 0.2), 1, norm=norm))
    return b.concat(branches)


def inception_factorised(b: GraphBuilder, draw: Draw) -> str:
    """Inception v3 and v4: 1×7 and 7×1, 1×3 and 3×1, grids reduced by parallel strides."""
    x = image(b, draw, 107, 320, batch=2)
    x = conv_block(b, x, draw.width(24, 32), 3, 2, pad=0)
    x = conv_block(b, x, draw.width(24, 48), 3, pad=0)
    x = conv_block(b, x, draw.width(48, 64), 3)
    x = pool(b, x, "Max", 3, 2, pad=0)
    x = conv_block(b, x, draw.width(64, 80), 1, pad=0)
    x = _grid(b, draw, conv_block(b, x, draw.width(96, 192), 3, pad=0))
    for _ in range(draw.depth(2, 3)):
        x = _factorised(b, draw, x, draw.choice((5, 7)))
    x = _grid(b, draw, x)
    for _ in range(draw.depth(1, 3)):
        x = _factorised(b, draw, x, 3)
    return classifier(b, draw, x)


def _factorised(b: GraphBuilder, draw: Draw, x: str, kernel: int) -> str:
    """A 1×1 branch, a chain of 1×k and k×1, and a pooled one."""
    branches = [conv_block(b, x, draw.width(96, 192), 1)]
    y = conv_block(b, x, draw.width(64, 160), 1)
    for i in range(draw.choice((2, 4))):
        y = conv_block(b, y, draw.width(64, 192), (1, kernel) if i % 2 == 0 else (kernel, 1))
    branches.append(y)
    pooled = pool(b, x, "Average", 3, 1, include_pad=draw.chance(0.5))
    branches.append(conv_block(b, pooled, draw.width(48, 192), 1))
    return b.concat(branches)


def _grid(b: GraphBuilder, draw: Draw, x: str) -> str:
    """Half the size: a strided convolution beside a pool."""
    deep = conv_block(b, conv_block(b, x, draw.width(48, 128), 1), draw.width(64, 128), 3)
    return b.concat([
        conv_block(b, x, draw.width(96, 256), 3, 2, pad=0),
        conv_block(b, deep, draw.width(64, 192), 3, 2, pad=0),
        pool(b, x, "Max", 3, 2, pad=0),
    ])  # fmt: skip


def squeezenet(b: GraphBuilder, draw: Draw) -> str:
    """Fire modules: a narrow 1×1 and then 1×1 beside 3×3; the classes come from a convolution."""
    x = image(b, draw, 112, 320, batch=8)
    kernel = draw.choice((3, 7, 5))
    x = activate(b, conv(b, x, draw.width(48, 96), kernel, 2, pad=draw.choice((0, kernel // 2))), "relu")
    x = pool(b, x, "Max", 3, 2, pad=0, round_up=draw.chance(0.4))
    narrow = draw.width(12, 32)
    for stage in range(3):
        for _ in range(draw.depth(2, 4)):
            squeezed = activate(b, conv(b, x, draw.vary(narrow), 1), "relu")
            wide = draw.width(narrow * 3, narrow * 5)
            x = b.concat([activate(b, conv(b, squeezed, wide, k), "relu") for k in (1, 3)])
        if stage < 2:
            x = pool(b, x, "Max", 3, 2, pad=0, round_up=draw.chance(0.4))
        narrow = min(64, narrow + draw.integer(8, 24))
    x = dropout(b, x) if b.style.opset < 12 else x
    x = activate(b, conv(b, x, classes(draw), 1), "relu")
    pooled = global_pool(b, x)
    return softmax(b, b.flatten(pooled) if draw.chance(0.5) or b.style.opset >= 13 else pooled, axis=1)


def fully_connected(b: GraphBuilder, draw: Draw) -> str:
    """Layers as in recommenders and tabular models, whose pace the caches set."""
    rows = draw.choice((1, 2, 4, 8, 16, 32, 64, 128), (45, 8, 8, 8, 8, 8, 8, 7))
    x = b.input((rows, draw.size(64, 6000)))
    act = draw.choice(("relu", "tanh", "sigmoid", "gelu", "leaky"), (6, 1, 1, 1, 1))
    for _ in range(draw.integer(6, 14)):
        out = draw.choice((2048, 1024, 512)) if draw.chance(0.25) else draw.size(16, 2500)
        x = activate(b, linear(b, x, out), act if draw.chance(0.8) else None)
        if draw.chance(0.1):
            x = b.node("BatchNormalization", [x, *[b.weight(b.shape(x)[1]) for _ in range(4)]], b.shape(x))
    return linear(b, x, classes(draw))


def wide_layers(b: GraphBuilder, draw: Draw) -> str:
    """The ends of AlexNet and VGG alone (up to 25,088 × 4,096), whose pace the memory sets."""
    side, channels = draw.choice((7, 6, 5, 8, 4)), draw.choice((512, 256, 384, 1024, draw.width(128, 512)))
    x = b.flatten(pool(b, b.input((draw.batch(4), channels, 2 * side, 2 * side)), "Max", 2, 2, pad=0))
    for _ in range(2):
        out = draw.choice((4096, 2048, 3072, draw.size(1024, 4096)), (4, 2, 1, 3))
        x = activate(b, gemm(b, x, out, transposed=draw.chance(0.85)), "relu")
        x = dropout(b, x) if b.style.opset < 12 else x
    return softmax(b, gemm(b, x, classes(draw)))
