"""Small networks that are not made of inverted bottlenecks.

ShuffleNet https://arxiv.org/abs/1707.01083 and V2 https://arxiv.org/abs/1807.11164, GhostNet
https://arxiv.org/abs/1911.11907, RepVGG https://arxiv.org/abs/2101.03697, MobileOne
https://arxiv.org/abs/2206.04040, RepViT https://arxiv.org/abs/2307.09283, StarNet https://arxiv.org/abs/2403.19967,
FasterNet https://arxiv.org/abs/2303.03667.
"""

from __future__ import annotations

from graphs.spaces.activations import activate
from graphs.spaces.builder import GraphBuilder
from graphs.spaces.draw import Draw
from graphs.spaces.layers import channel_shuffle, classifier, conv_block, depthwise, image, squeeze_excite
from graphs.spaces.normalisation import batch_norm
from graphs.spaces.operators import conv, pool


def shufflenet(b: GraphBuilder, draw: Draw) -> str:
    """Grouped 1×1 with a shuffle between; where it shrinks, a pooled copy is concatenated."""
    groups = draw.choice((2, 3, 4, 8))
    x = conv_block(b, image(b, draw, 96, 288, batch=8), draw.choice((24, 12, 16, 36)), 3, 2)
    x = pool(b, x, "Max", 3, 2, pad=1)
    width = draw.size(40, 100) * groups
    for _ in range(3):
        for block in range(draw.depth(2, 6)):
            stride = 2 if block == 0 else 1
            out = width - b.channels(x) if stride == 2 else width
            inner = max(groups, width // 4 // groups * groups)
            entry = groups if b.channels(x) % groups == 0 and b.channels(x) > 32 else 1
            y = conv_block(b, x, inner, 1, groups=entry)
            y = channel_shuffle(b, y, groups)
            y = depthwise(b, y, 3, stride, act=None)
            y = conv_block(b, y, max(groups, out // groups * groups), 1, groups=groups, act=None)
            if stride == 2:
                x = activate(b, b.concat([y, pool(b, x, "Average", 3, 2, pad=1)]), "relu")
            elif b.shape(x) == b.shape(y):
                x = activate(b, b.add(y, x), "relu")
            else:
                x = activate(b, y, "relu")
        width *= 2
    return classifier(b, draw, x)


def shufflenet_v2(b: GraphBuilder, draw: Draw) -> str:
    """Half of the channels pass by, then Concat and shuffle; the Split may be two Slices or a Gather."""
    act = draw.choice(("relu", "hard_swish", "leaky"), (8, 1, 1))
    x = conv_block(b, image(b, draw, batch=8), draw.choice((24, 16, 32)), 3, 2, act=act)
    x = pool(b, x, "Max", 3, 2, pad=1)
    half = draw.choice((24, 58, 88, 122, draw.size(16, 128)))
    for _ in range(3):
        for block in range(draw.depth(2, 6)):
            stride = 2 if block == 0 else 1
            if stride == 2:
                side = conv_block(b, depthwise(b, x, 3, 2, act=None), half, 1, act=act)
                y = x
            else:
                side, y = _halves(b, draw, x)
            y = conv_block(b, y, half, 1, act=act)
            y = depthwise(b, y, draw.choice((3, 5, 7), (6, 2, 1)), stride, act=None)
            y = conv_block(b, y, half, 1, act=act)
            x = channel_shuffle(b, b.concat([side, y]), 2)
        half = draw.vary(half * 2) if not draw.whole else half * 2
    return classifier(b, draw, conv_block(b, x, draw.choice((1024, 2048, 768)), 1, act=act))


def _halves(b: GraphBuilder, draw: Draw, x: str) -> list[str]:
    half = b.channels(x) // 2
    if draw.chance(0.6):
        return b.split(x, [half, half])
    return [b.slice(x, 0, half, 1), b.slice(x, half, 2 * half, 1)]


def ghostnet(b: GraphBuilder, draw: Draw) -> str:
    """Half of the features come from cheap depthwise convolutions of the other half; Concat and Slice."""
    multiplier = draw.choice((0.5, 1.0, 1.3))
    x = conv_block(b, image(b, draw, batch=8), draw.width(12, 24, 4), 3, 2)
    for width, hidden, stride in ((16, 16, 1), (24, 48, 2), (40, 120, 2), (80, 240, 2), (112, 480, 1), (160, 672, 2)):
        out = max(4, round(draw.vary(int(width * multiplier)) / 4) * 4)
        for block in range(draw.depth(1, 3)):
            step = stride if block == 0 else 1
            y = _ghost(b, x, int(hidden * multiplier) // 2 * 2, act="relu")
            if step == 2:
                y = depthwise(b, y, draw.choice((3, 5)), 2, act=None)
            if draw.chance(0.35):
                y = squeeze_excite(b, y, max(4, b.channels(y) // 4), gate="hard_sigmoid")
            y = _ghost(b, y, out, act=None)
            side = x
            if b.shape(x) != b.shape(y):
                side = conv_block(b, depthwise(b, x, 3, step, act=None), out, 1, act=None)
            x = b.add(y, side)
    return classifier(b, draw, conv_block(b, x, int(960 * multiplier), 1), hidden=draw.choice((0, 1280)))


def _ghost(b: GraphBuilder, x: str, out: int, *, act: str | None) -> str:
    primary = conv_block(b, x, -(-out // 2), 1, act=act)
    joined = b.concat([primary, depthwise(b, primary, 3, act=act)])
    return b.slice(joined, 0, out, 1)


def reparameterised(b: GraphBuilder, draw: Draw) -> str:
    """RepVGG, MobileOne and RepViT: plain after training, or still with their parallel branches."""
    act = draw.choice(("relu", "gelu", "hard_swish"), (50, 35, 15))
    plain, branched = draw.chance(0.35), draw.chance(0.4)
    x = conv_block(b, image(b, draw, 96, 256, batch=4), draw.width(16, 64), 3, 2, act=act)
    width = draw.width(32, 80)
    for _ in range(4):
        for block in range(draw.depth(1, 4)):
            stride = 2 if block == 0 else 1
            if plain:
                x = activate(b, _parallel(b, draw, x, width, stride, branched=branched), act)
                continue
            y = depthwise(b, x, 3, stride, act=None)
            if branched and stride == 1:
                pointwise = conv_block(b, x, b.channels(x), 1, groups=b.channels(x), act=None)
                y = batch_norm(b, b.add(b.add(y, pointwise), x))
            if draw.chance(0.3):
                y = squeeze_excite(b, y, max(4, b.channels(y) // 4))
            y = conv_block(b, y, width, 1, act=act if draw.chance(0.2) else None)
            mixed = conv_block(b, conv_block(b, y, width * 2, 1, act=act), width, 1, act=None)
            x = b.add(y, mixed)
        width = min(512, draw.width(width, width * 2))
    return classifier(b, draw, x)


def _parallel(b: GraphBuilder, draw: Draw, x: str, width: int, stride: int, *, branched: bool) -> str:
    """A 3×3; with branches also a 1×1 and a lone batch normalisation."""
    width = draw.vary(width)
    y = conv_block(b, x, width, 3, stride, act=None)
    if branched:
        y = b.add(y, conv_block(b, x, width, 1, stride, act=None))
        if b.shape(x) == b.shape(y):
            y = b.add(y, batch_norm(b, x))
    return y


def star(b: GraphBuilder, draw: Draw) -> str:
    """Two expansions multiplied with each other between 7×7 depthwise convolutions."""
    act = draw.choice(("relu6", "relu", "gelu"), (6, 2, 2))
    x = conv_block(b, image(b, draw, 96, 256, batch=8), 32, 3, 2, act=act)
    width, expansion = draw.width(16, 40), draw.choice((3, 4, 8))
    for _ in range(4):
        x = conv_block(b, x, width, 3, 2, act=None)
        for _ in range(draw.depth(1, 4)):
            y = depthwise(b, x, draw.choice((7, 5, 9), (8, 1, 1)), act=None)
            hidden = draw.vary(width * expansion)
            left, right = conv(b, y, hidden), conv(b, y, hidden)
            y = conv_block(b, b.mul(activate(b, left, act), right), width, 1, act=None)
            x = b.add(x, depthwise(b, y, 7, act=None) if draw.chance(0.7) else y)
        width = draw.vary(width * 2) if not draw.whole else width * 2
    return classifier(b, draw, batch_norm(b, x))


def partial_convolution(b: GraphBuilder, draw: Draw) -> str:
    """FasterNet: a 3×3 on a quarter of the channels, the rest by Split and Concat."""
    act = draw.choice(("relu", "gelu"))
    width = draw.width(32, 96, 8)
    x = conv_block(b, image(b, draw, 112, 256, batch=4), width, 4, 4, pad=0, act=None)
    for stage in range(4):
        for _ in range(draw.depth(1, 4)):
            part = max(1, width // draw.choice((4, 2, 8), (8, 1, 1)))
            first, rest = b.split(x, [part, width - part])
            y = b.concat([conv(b, first, part, 3, bias=False), rest])
            hidden = draw.vary(width * 2)
            x = b.add(x, conv(b, conv_block(b, y, hidden, 1, act=act), width, bias=False))
        if stage < 3:
            width = draw.vary(width * 2) if not draw.whole else width * 2
            x = conv_block(b, x, width, 2, 2, pad=0, act=None)
    return classifier(b, draw, x, hidden=draw.choice((0, 1280)))
