"""Residual networks and what grew out of them.

ResNet https://arxiv.org/abs/1512.03385 (and -D https://arxiv.org/abs/1812.01187), pre-activation
https://arxiv.org/abs/1603.05027, Wide ResNet https://arxiv.org/abs/1605.07146, ResNeXt
https://arxiv.org/abs/1611.05431, SENet https://arxiv.org/abs/1709.01507, RegNet https://arxiv.org/abs/2003.13678,
Res2Net https://arxiv.org/abs/1904.01169, Xception https://arxiv.org/abs/1610.02357.
"""

from __future__ import annotations

from graphs.spaces.activations import activate
from graphs.spaces.builder import GraphBuilder
from graphs.spaces.draw import Draw
from graphs.spaces.layers import (
    classifier,
    conv_block,
    depthwise,
    image,
    shortcut,
    squeeze_excite,
    squeeze_excite_dense,
)
from graphs.spaces.normalisation import batch_norm
from graphs.spaces.operators import conv, pool


def _stem(b: GraphBuilder, draw: Draw, x: str, width: int, act: str) -> str:
    """7×7 and a pool, three 3×3 and a pool (-D), or a single strided 3×3."""
    form = draw.choice(("classic", "deep", "small"), (55, 30, 15))
    if form == "small":
        return conv_block(b, x, width, 3, 2, act=act)
    if form == "deep":
        for i, out in enumerate((width // 2, width // 2, width)):
            x = conv_block(b, x, out, 3, 2 if i == 0 else 1, act=act)
    else:
        x = conv_block(b, x, width, 7, 2, act=act)
    return pool(b, x, "Max", 3, 2, pad=1)


def resnet(b: GraphBuilder, draw: Draw) -> str:
    """Basic or bottleneck blocks, optionally wide, grouped, squeezed or pooled where they shrink."""
    x = image(b, draw, 96, 288, batch=8)
    act = draw.choice(("relu", "silu", "leaky", "gelu"), (85, 7, 4, 4))
    bottleneck = draw.chance(0.6)
    width = 64 if draw.chance(0.4) else draw.width(32, 80)
    expansion = draw.choice((4, 2), (80, 20)) if bottleneck else 1
    cardinality = draw.choice((1, 32, 16, 8), (65, 20, 8, 7)) if bottleneck else 1
    excite, pooled = draw.chance(0.25), draw.chance(0.25)
    x = _stem(b, draw, x, width, act)
    for stage in range(4):
        if bottleneck:
            inner = draw.vary(width) if cardinality == 1 else width * draw.choice((1, 2))
        else:
            inner = draw.vary(width)
        out = width * expansion
        for block in range(draw.depth(2, 3 if stage in (0, 3) else 5)):
            stride = 2 if stage and not block else 1
            if bottleneck:
                groups = cardinality if inner % cardinality == 0 else 1
                y = _bottleneck(b, x, inner, out, stride, groups, act)
            else:
                y = conv_block(b, conv_block(b, x, inner, 3, stride, act=act), out, 3, act=None)
            if excite:
                squeeze = squeeze_excite if draw.chance(0.5) else squeeze_excite_dense
                y = squeeze(b, y, max(8, out // draw.choice((16, 8))))
            x = activate(b, b.add(y, shortcut(b, x, y, stride=stride, pooled=pooled)), act)
            inner = draw.vary(inner) if cardinality == 1 else inner
        width = min(512, width * 2 if draw.chance(0.8) else draw.width(width, 2 * width))
    return classifier(b, draw, x)


def _bottleneck(b: GraphBuilder, x: str, inner: int, out: int, stride: int, groups: int, act: str) -> str:
    """1×1, 3×3 (which has the stride), 1×1."""
    y = conv_block(b, x, inner, 1, act=act)
    y = conv_block(b, y, inner, 3, stride, groups=groups, act=act)
    return conv_block(b, y, out, 1, act=None)


def preactivation(b: GraphBuilder, draw: Draw) -> str:
    """BatchNormalization and Relu come before the convolutions, so that they cannot be merged into any."""
    x = image(b, draw, 64, 224, batch=8)
    width = draw.width(16, 64)
    x = conv(b, x, width, 3, draw.choice((1, 2), (1, 4)), bias=False)
    for stage in range(3):
        for block in range(draw.depth(2, 4)):
            stride = 2 if not block else 1
            y = activate(b, batch_norm(b, x), "relu")
            side = x if b.channels(x) == width and stride == 1 else conv(b, y, width, 1, stride, bias=False)
            y = conv(b, y, draw.vary(width), 3, stride, bias=False)
            y = conv(b, activate(b, batch_norm(b, y), "relu"), width, 3, bias=False)
            x = b.add(y, side)
        width = draw.width(width, width * 3) if stage else width * 2
    return classifier(b, draw, activate(b, batch_norm(b, x), "relu"))


def regnet(b: GraphBuilder, draw: Draw) -> str:
    """Quantised linear widths and one group width for all stages; group widths 1 to 64, SE in the Y variant."""
    x = conv_block(b, image(b, draw, 96, 320, batch=8), draw.choice((32, 16, 24)), 3, 2)
    group = draw.choice((4, 8, 16, 24, 32, 40, 48, 56, 64, 12, 1), (4, 22, 22, 18, 6, 5, 8, 4, 5, 3, 3))
    excite = draw.chance(0.4)
    width, slope = draw.width(24, 96, 8), draw.uniform(1.4, 2.6)
    for _ in range(4):
        width = max(group, round(width / group) * group)
        for block in range(draw.depth(1, 6)):
            stride = 2 if not block else 1
            y = conv_block(b, x, width, 1)
            y = conv_block(b, y, width, 3, stride, groups=width // group)
            if excite:
                y = squeeze_excite(b, y, max(4, b.channels(x) // 4))
            y = conv_block(b, y, width, 1, act=None)
            x = activate(b, b.add(y, shortcut(b, x, y, stride=stride)), "relu")
        width = int(width * slope)
    return classifier(b, draw, x)


def res2net(b: GraphBuilder, draw: Draw) -> str:
    """The 3×3 is split in a hierarchy: parts are convolved one after another and concatenated."""
    x = _stem(b, draw, image(b, draw, 96, 256, batch=4), draw.width(32, 64), "relu")
    part = draw.width(12, 32)
    for stage in range(3):
        scale = draw.choice((4, 3, 6, 8), (70, 10, 10, 10))
        for block in range(draw.depth(2, 4)):
            stride = 2 if stage and not block else 1
            pieces = b.split(conv_block(b, x, part * scale, 1), [part] * scale)
            done = [conv_block(b, pieces[0], part, 3, stride)]
            for piece in pieces[1:-1]:
                joined = piece if stride > 1 else b.binary("Add", done[-1], piece)
                done.append(conv_block(b, joined, part, 3, stride))
            done.append(pool(b, pieces[-1], "Average", 3, stride, pad=1) if stride > 1 else pieces[-1])
            y = conv_block(b, b.concat(done), 4 * part * scale // 2, 1, act=None)
            x = activate(b, b.add(y, shortcut(b, x, y, stride=stride)), "relu")
        part = min(104, draw.width(part, 2 * part))
    return classifier(b, draw, x)


def xception(b: GraphBuilder, draw: Draw) -> str:
    """Depthwise separable convolutions with Relu before them, strided residual projections."""
    x = conv_block(b, image(b, draw, 112, 299, batch=4), draw.width(16, 32), 3, 2)
    x = conv_block(b, x, draw.width(32, 64), 3)
    width = draw.width(64, 160)
    kernel = draw.choice((3, 5), (4, 1))
    for stage in range(draw.integer(3, 4)):
        for block in range(draw.depth(1, 4)):
            stride = 2 if not block else 1
            y = x
            for step in range(draw.integer(2, 3)):
                y = activate(b, y, "relu" if stage + step else None)
                y = depthwise(b, y, kernel, stride if step == 1 else 1, act=None)
                y = conv_block(b, y, width, 1, act=None)
            x = b.add(y, shortcut(b, x, y, stride=stride))
        width = min(728, draw.width(width, width * 2))
    x = conv_block(b, x, draw.width(width, 2 * width), 1)
    return classifier(b, draw, x)
