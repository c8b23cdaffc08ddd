"""Cross-stage, aggregating and multi-resolution networks: detectors' backbones and the like.

Darknet https://arxiv.org/abs/1804.02767, CSPNet https://arxiv.org/abs/1911.11929, YOLO's C2f and SPPF blocks
(https://arxiv.org/abs/2304.00501 reviews them), DLA https://arxiv.org/abs/1707.06484, HRNet
https://arxiv.org/abs/1908.07919.
"""

from __future__ import annotations

from graphs.spaces.activations import activate
from graphs.spaces.builder import GraphBuilder
from graphs.spaces.draw import Draw
from graphs.spaces.layers import classifier, conv_block, image, shortcut
from graphs.spaces.operators import pool


def darknet(b: GraphBuilder, draw: Draw) -> str:
    """1×1 and 3×3 with LeakyRelu and a residual; strided 3×3 between the stages."""
    act = draw.choice(("leaky", "silu", "mish"), (60, 30, 10))
    width = draw.width(16, 32)
    x = conv_block(b, image(b, draw, 96, 320, batch=4), width, 3, act=act)
    for _ in range(draw.integer(4, 5)):
        width = min(1024, width * 2)
        x = conv_block(b, x, width, 3, 2, act=act)
        for _ in range(draw.depth(1, 4)):
            y = conv_block(b, x, draw.vary(width // 2), 1, act=act)
            x = b.add(x, conv_block(b, y, width, 3, act=act))
    return classifier(b, draw, x)


def csp(b: GraphBuilder, draw: Draw) -> str:
    """Half of the channels pass by the blocks of a stage: two 1×1 convolutions, or one and a Split."""
    act = draw.choice(("leaky", "silu", "relu", "hard_swish", "mish"), (35, 35, 10, 10, 10))
    x = conv_block(b, image(b, draw, 112, 384, batch=4), draw.width(16, 64), draw.choice((3, 6, 7)), 2, act=act)
    if draw.chance(0.4):
        x = pool(b, x, "Max", 3, 2, pad=1)
    width = draw.width(32, 128)
    for _ in range(4):
        x = conv_block(b, x, width, 3, 2, act=act)
        x = _split_stage(b, draw, x, act) if draw.chance(0.5) else _two_way_stage(b, draw, x, act)
        width = min(768, draw.width(width, width * 2))
    if draw.chance(0.5):
        x = _spatial_pyramid(b, draw, x, act)
    return classifier(b, draw, x)


def _two_way_stage(b: GraphBuilder, draw: Draw, x: str, act: str) -> str:
    """YOLOv5's C3, CSPDarknet's stage."""
    width = b.channels(x)
    half = draw.vary(width // 2)
    side = conv_block(b, x, half, 1, act=act)
    y = conv_block(b, x, half, 1, act=act)
    for _ in range(draw.depth(1, 3)):
        inner = conv_block(b, conv_block(b, y, draw.vary(half), 1, act=act), half, 3, act=act)
        y = b.add(y, inner)
    return conv_block(b, b.concat([y, side]), width, 1, act=act)


def _split_stage(b: GraphBuilder, draw: Draw, x: str, act: str) -> str:
    """CSPResNet's and YOLOv8's: one convolution, then Split; everything that passed is concatenated."""
    width = b.channels(x)
    half = draw.width(max(8, width // 3), width)
    parts = b.split(conv_block(b, x, 2 * half, 1, act=act), [half, half])
    for _ in range(draw.depth(1, 4)):
        y = conv_block(b, conv_block(b, parts[-1], half, 3, act=act), half, 3, act=act)
        parts.append(b.add(parts[-1], y) if draw.chance(0.7) else y)
    return conv_block(b, b.concat(parts), width, 1, act=act)


def _spatial_pyramid(b: GraphBuilder, draw: Draw, x: str, act: str) -> str:
    """SPPF: three pools in a row; SPP: three side by side."""
    y = conv_block(b, x, b.channels(x) // 2, 1, act=act)
    pooled = [y]
    for kernel in draw.choice(((5, 5, 5), (5, 9, 13))):
        pooled.append(pool(b, pooled[-1] if kernel == 5 else y, "Max", kernel, 1))
    return conv_block(b, b.concat(pooled), b.channels(x), 1, act=act)


def aggregation(b: GraphBuilder, draw: Draw) -> str:
    """Deep layer aggregation: trees of residual blocks, joined by Concat and 1×1; shortcuts are pooled."""
    x = conv_block(b, image(b, draw, 96, 256, batch=4), draw.width(16, 24), 7)
    x = conv_block(b, x, draw.width(16, 32), 3, 2)
    width = draw.width(32, 72)
    for _ in range(draw.integer(3, 4)):
        x = _tree(b, draw, x, width, levels=draw.depth(1, 2), stride=2)
        width = min(512, draw.width(width, width * 2))
    return classifier(b, draw, x)


def _tree(b: GraphBuilder, draw: Draw, x: str, width: int, *, levels: int, stride: int) -> str:
    """Two subtrees (or blocks), whose outputs a 1×1 joins."""
    if levels > 1:
        left = _tree(b, draw, x, width, levels=levels - 1, stride=stride)
        right = _tree(b, draw, left, width, levels=levels - 1, stride=1)
    else:
        left = _residual(b, draw, x, width, stride)
        right = _residual(b, draw, left, width, 1)
    roots = [right, left]
    if stride > 1:
        roots.append(pool(b, x, "Max", 2, 2, pad=0, round_up=True))
    return conv_block(b, b.concat(roots), width, 1)


def _residual(b: GraphBuilder, draw: Draw, x: str, width: int, stride: int) -> str:
    side = pool(b, x, "Max", 2, 2, pad=0, round_up=True) if stride > 1 else x
    y = conv_block(b, conv_block(b, x, draw.vary(width), 3, stride), width, 3, act=None)
    return activate(b, b.add(y, shortcut(b, side, y)), "relu")


def multi_resolution(b: GraphBuilder, draw: Draw) -> str:
    """HRNet: branches at several resolutions that keep exchanging, by strided 3×3 one way and Resize the other."""
    x = image(b, draw, 128, 256, batch=2)
    for _ in range(2):
        x = conv_block(b, x, draw.width(24, 64), 3, 2)
    mode = draw.choice(("nearest", "linear"), (3, 1))
    width = draw.width(12, 40)
    branches = [conv_block(b, x, width, 3)]
    for _ in range(draw.integer(2, 3)):
        branches.append(conv_block(b, branches[-1], draw.vary(b.channels(branches[-1]) * 2), 3, 2))
        branches = [_basic(b, draw, branch) for branch in branches]
        branches = [_exchange(b, branches, i, mode) for i in range(len(branches))]
    return classifier(b, draw, conv_block(b, branches[-1], draw.width(256, 1024), 1))


def _basic(b: GraphBuilder, draw: Draw, x: str) -> str:
    for _ in range(draw.depth(1, 3)):
        y = conv_block(b, conv_block(b, x, b.channels(x), 3), b.channels(x), 3, act=None)
        x = activate(b, b.add(y, x), "relu")
    return x


def _exchange(b: GraphBuilder, branches: list[str], target: int, mode: str) -> str:
    """The sum of all branches at the resolution of one."""
    total = branches[target]
    _, channels, *space = b.shape(total)
    for source, x in enumerate(branches):
        if source > target:
            x = b.upsample(conv_block(b, x, channels, 1, act=None), 2 ** (source - target), mode)
            for axis, size in zip((2, 3), space, strict=True):
                if b.shape(x)[axis] > size:
                    x = b.slice(x, 0, size, axis)
        for step in range(source, target):
            last = step == target - 1
            x = conv_block(b, x, channels if last else b.channels(x), 3, 2, act=None if last else "relu")
        if source != target:
            total = b.binary("Add", total, x)
    return activate(b, total, "relu")
