"""Mobile networks of inverted bottlenecks: what most hardware-aware searches search.

MobileNet https://arxiv.org/abs/1704.04861, V2 https://arxiv.org/abs/1801.04381, V3 https://arxiv.org/abs/1905.02244,
MnasNet https://arxiv.org/abs/1807.11626, ProxylessNAS https://arxiv.org/abs/1812.00332, FBNet
https://arxiv.org/abs/1812.03443, Once-for-All https://arxiv.org/abs/1908.09791, EfficientNet
https://arxiv.org/abs/1905.11946 and V2 https://arxiv.org/abs/2104.00298, MixConv https://arxiv.org/abs/1907.09595,
PP-LCNet https://arxiv.org/abs/2109.15099.
"""

from __future__ import annotations

from graphs.spaces.activations import activate
from graphs.spaces.builder import GraphBuilder
from graphs.spaces.draw import Draw
from graphs.spaces.layers import (
    channel_shuffle,
    classifier,
    conv_block,
    depthwise,
    image,
    squeeze_excite,
    squeeze_excite_dense,
)
from graphs.spaces.operators import conv, global_pool

#: Widths and strides of the seven stages at multiplier 1, roughly as the searched networks agree on them.
STAGES = ((16, 1), (24, 2), (40, 2), (80, 2), (112, 1), (192, 2), (320, 1))


def _scaled(draw: Draw, width: int, multiplier: float) -> int:
    """A stage's width times the multiplier, rounded to 8 as the papers do; a share is left unrounded."""
    scaled = width * multiplier * (1.0 if draw.whole else draw.uniform(0.8, 1.25))
    align = draw.choice((8, 4, 2, 1), (82, 10, 3, 5))
    return max(align, 4, round(scaled / align) * align)


def mobilenet(b: GraphBuilder, draw: Draw) -> str:
    """The first: depthwise and 1×1, nothing else."""
    act = draw.choice(("relu", "relu6", "hard_swish", "prelu"), (40, 40, 10, 10))
    multiplier = draw.choice((0.25, 0.5, 0.75, 1.0, 1.4), (15, 20, 20, 35, 10))
    x = conv_block(b, image(b, draw), _scaled(draw, 32, multiplier), 3, 2, act=act)
    for width, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (1024, 2), (1024, 1)):
        x = depthwise(b, x, draw.choice((3, 5), (5, 1)), stride, act=act)
        x = conv_block(b, x, _scaled(draw, width, multiplier), 1, act=act)
    return classifier(b, draw, x)


def mbconv(b: GraphBuilder, draw: Draw) -> str:
    """The searched space: kernels 3, 5, 7, expansion 1 to 6, squeeze-and-excite, Relu6, hard-swish or SiLU."""
    act = draw.choice(("relu6", "relu", "hard_swish", "silu"), (25, 20, 30, 25))
    gate = "sigmoid" if act == "silu" else "hard_sigmoid"
    multiplier = draw.choice((0.35, 0.5, 0.75, 1.0, 1.1, 1.4), (10, 15, 15, 35, 10, 15))
    excite = draw.choice((0.0, 0.5, 1.0), (40, 35, 25))
    x = conv_block(b, image(b, draw), _scaled(draw, 32, multiplier), 3, 2, act=act)
    for stage, (width, stride) in enumerate(STAGES):
        out = _scaled(draw, width, multiplier)
        for block in range(draw.depth(1, 1 if stage == 0 else 4)):
            expansion = 1 if stage == 0 else draw.choice((6, 4, 3, 2, 1), (35, 25, 25, 7, 8))
            x = _inverted(
                b, draw, x, out, draw.choice((3, 5, 7), (50, 33, 17)), stride if block == 0 else 1,
                hidden=expansion * b.channels(x) if draw.chance(0.9) else _scaled(draw, 100, expansion / 2),
                act=act, gate=gate if draw.chance(excite) else None,
            )  # fmt: skip
    return _mobile_head(b, draw, x, act, multiplier)


def _inverted(
    b: GraphBuilder, draw: Draw, x: str, out: int, kernel: int, stride: int, *, hidden: int, act: str, gate: str | None
) -> str:
    """Expand, depthwise, squeeze-and-excite, project; residual where shapes agree."""
    y = conv_block(b, x, hidden, 1, act=act) if hidden != b.channels(x) else x
    y = depthwise(b, y, kernel, stride, act=act)
    if gate:
        inner = "silu" if act == "silu" else "relu"
        share = draw.choice((hidden // 4, b.channels(x) // 4, hidden // 16))
        y = squeeze_excite(b, y, max(4, -(-share // 8) * 8 if draw.chance(0.6) else share), act=inner, gate=gate)
    y = conv_block(b, y, out, 1, act=None)
    return b.add(y, x) if b.shape(x) == b.shape(y) else y


def mobile_block(b: GraphBuilder, draw: Draw, x: str, out: int, stride: int, *, expansion: int, act: str) -> str:
    """An inverted bottleneck without squeeze-and-excite, for networks that mix them with something else."""
    return _inverted(b, draw, x, out, 3, stride, hidden=expansion * b.channels(x), act=act, gate=None)


def _mobile_head(b: GraphBuilder, draw: Draw, x: str, act: str, multiplier: float) -> str:
    """A wide 1×1 before the mean, or after it (MobileNetV3)."""
    if draw.chance(0.6):
        return classifier(b, draw, conv_block(b, x, _scaled(draw, 1280, max(1.0, multiplier)), 1, act=act))
    x = conv_block(b, x, _scaled(draw, 576, multiplier), 1, act=act)
    x = activate(b, conv(b, global_pool(b, x), _scaled(draw, 1280, max(0.8, multiplier)), 1), act)
    return classifier(b, draw, x)


def fused_mbconv(b: GraphBuilder, draw: Draw) -> str:
    """EfficientNetV2 and edge variants: early stages expand by a full 3×3, some blocks have no residual."""
    act = draw.choice(("silu", "relu", "relu6", "hard_swish"), (55, 20, 10, 15))
    x = conv_block(b, image(b, draw, 96, 300, batch=8), draw.width(16, 32), 3, 2, act=act)
    widths = ((24, 1), (48, 2), (64, 2), (128, 2), (160, 1), (256, 2))
    for stage, (width, stride) in enumerate(widths):
        out = _scaled(draw, width, draw.choice((0.75, 1.0, 0.5)))
        for block in range(draw.depth(1, 4)):
            step = stride if block == 0 else 1
            hidden = b.channels(x) * draw.choice((4, 2, 6, 1), (50, 15, 20, 15))
            if stage < 3 and draw.chance(0.8):
                y = conv_block(b, x, hidden, 3, step, act=act)
                y = conv_block(b, y, out, 1, act=None)
                x = b.add(y, x) if b.shape(x) == b.shape(y) else y
            else:
                x = _inverted(b, draw, x, out, 3, step, hidden=hidden, act=act, gate="sigmoid")
    return _mobile_head(b, draw, x, act, 1.0)


def mixed_kernels(b: GraphBuilder, draw: Draw) -> str:
    """MixNet and FBNet: several depthwise kernels side by side after a Split, grouped 1×1 with shuffles."""
    act = draw.choice(("relu", "silu", "hard_swish"))
    x = conv_block(b, image(b, draw, 96, 256, batch=4), draw.width(12, 32), 3, 2, act=act)
    for width, stride in STAGES[1:]:
        for block in range(draw.depth(1, 3)):
            step = stride if block == 0 else 1
            groups = 2 if draw.chance(0.4) and b.channels(x) % 2 == 0 else 1
            hidden = -(-b.channels(x) * draw.choice((2, 3, 4, 6)) // 12) * 12
            y = conv_block(b, x, hidden, 1, groups=groups, act=act)
            y = channel_shuffle(b, y, groups) if groups > 1 else y
            y = _mixed_depthwise(b, draw, y, step, act)
            out = _scaled(draw, width, 0.9)
            y = conv_block(b, y, out + out % groups, 1, groups=groups, act=None)
            x = b.add(y, x) if b.shape(x) == b.shape(y) else y
    return _mobile_head(b, draw, x, act, 0.9)


def _mixed_depthwise(b: GraphBuilder, draw: Draw, x: str, stride: int, act: str) -> str:
    count = draw.choice((1, 2, 3, 4))
    part = b.channels(x) // count
    sizes = [part] * (count - 1) + [b.channels(x) - part * (count - 1)]
    pieces = b.split(x, sizes) if count > 1 else [x]
    done = [depthwise(b, piece, 3 + 2 * i, stride, act=None) for i, piece in enumerate(pieces)]
    return activate(b, b.concat(done) if count > 1 else done[0], act)


def lcnet(b: GraphBuilder, draw: Draw) -> str:
    """PP-LCNet: MobileNet with hard-swish, large kernels and squeeze-and-excite late, a wide last layer."""
    multiplier = draw.choice((0.25, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0))
    x = conv_block(b, image(b, draw), _scaled(draw, 16, multiplier), 3, 2, act="hard_swish")
    for stage, (width, stride) in enumerate(((32, 1), (64, 2), (128, 2), (256, 2), (256, 1), (512, 2))):
        for block in range(draw.depth(1, 3)):
            x = depthwise(b, x, 5 if stage > 2 else 3, stride if block == 0 else 1, act="hard_swish")
            if stage > 4 or (stage > 2 and draw.chance(0.2)):
                squeeze = squeeze_excite if draw.chance(0.8) else squeeze_excite_dense
                x = squeeze(b, x, max(4, b.channels(x) // 4), gate="hard_sigmoid")
            x = conv_block(b, x, _scaled(draw, width, multiplier), 1, act="hard_swish")
    x = activate(b, conv(b, global_pool(b, x), 1280, 1), "hard_swish")
    return classifier(b, draw, x)
