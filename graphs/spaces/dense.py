"""Networks that concatenate, and cells found by search.

DenseNet https://arxiv.org/abs/1608.06993, VoVNet https://arxiv.org/abs/1904.09730 and
https://arxiv.org/abs/1911.06667, NAS-Bench-201 https://arxiv.org/abs/2001.00326, DARTS
https://arxiv.org/abs/1806.09055.
"""

from __future__ import annotations

from graphs.spaces.activations import activate
from graphs.spaces.builder import GraphBuilder
from graphs.spaces.draw import Draw
from graphs.spaces.layers import classifier, conv_block, depthwise, image, shortcut
from graphs.spaces.normalisation import batch_norm
from graphs.spaces.operators import conv, global_pool, pool


def densenet(b: GraphBuilder, draw: Draw) -> str:
    """Every layer reads all earlier ones; growth 12 to 48, bottleneck 2 to 4, compression by half."""
    growth = draw.choice((32, 24, 48, 12, 16, 40), (45, 15, 10, 10, 10, 10))
    x = conv_block(b, image(b, draw, 96, 256, batch=4), draw.width(32, 96), 7, 2)
    x = pool(b, x, "Max", 3, 2, pad=1)
    for stage in range(4):
        # Whole networks start every block narrow; the others start anywhere in what a real block passes through.
        if not draw.whole and draw.chance(0.7):
            x = conv(b, x, draw.width(64, 128 << stage), 1, bias=False)
        features = [x]
        for _ in range(draw.integer(4, 16) if draw.whole else draw.integer(1, 4)):
            y = features[0] if len(features) == 1 else b.concat(features)
            y = activate(b, batch_norm(b, y), "relu")
            y = conv_block(b, y, growth * draw.choice((4, 2, 3), (80, 10, 10)), 1)
            grown = conv(b, y, growth, 3, bias=False)
            # Caffe concatenates two at a time, PyTorch everything every time.
            features = [b.concat([*features, grown])] if b.style.exporter == "caffe2" else [*features, grown]
        x = features[0] if len(features) == 1 else b.concat(features)
        if stage < 3:
            x = activate(b, batch_norm(b, x), "relu")
            x = pool(b, conv(b, x, b.channels(x) // 2, 1, bias=False), "Average", 2, 2, pad=0)
    return classifier(b, draw, activate(b, batch_norm(b, x), "relu"))


def one_shot_aggregation(b: GraphBuilder, draw: Draw) -> str:
    """A chain of 3×3 (or separable) convolutions, all concatenated once; effective squeeze-and-excite."""
    x = conv_block(b, image(b, draw, 96, 256, batch=4), draw.width(32, 64), 3, 2)
    x = conv_block(b, x, draw.width(32, 64), 3, draw.choice((1, 2)))
    inner, out = draw.width(32, 96), draw.width(64, 192)
    separable, excite = draw.chance(0.35), draw.chance(0.5)
    for stage in range(4):
        if stage:
            x = pool(b, x, "Max", 3, 2, pad=0, round_up=True)
        for _ in range(draw.depth(1, 2)):
            parts = [x]
            for _ in range(draw.integer(3, 5) if draw.whole else draw.integer(2, 3)):
                y = depthwise(b, parts[-1], act=None) if separable and b.channels(parts[-1]) == inner else parts[-1]
                parts.append(conv_block(b, y, inner, 1 if y is not parts[-1] else 3))
            y = conv_block(b, b.concat(parts), out, 1)
            if excite:
                y = b.mul(y, activate(b, conv(b, global_pool(b, y), out), "hard_sigmoid"))
            x = b.add(y, x) if b.shape(x) == b.shape(y) else y
        inner, out = draw.vary(int(inner * 1.25)), min(1024, draw.width(out, out * 2))
    return classifier(b, draw, x)


def nasbench201(b: GraphBuilder, draw: Draw) -> str:
    """Cells of four nodes with one of five operators on every edge, 16 to 64 channels; here at more sizes."""
    x = image(b, draw, 32, 192, batch=8)
    width = draw.width(12, 48)
    x = conv_block(b, x, width, 3, draw.choice((1, 2)), act=None)
    for stage in range(3):
        for _ in range(draw.depth(2, 5)):
            x = _four_node_cell(b, draw, x)
        if stage < 2:
            width = draw.vary(width * 2)
            y = conv_block(b, activate(b, x, "relu"), width, 3, 2, act=None)
            y = conv_block(b, activate(b, y, "relu"), width, 3, act=None)
            side = conv(b, pool(b, x, "Average", 2, 2, pad=0, round_up=True), width, 1, bias=False)
            x = b.add(side, y)
    return classifier(b, draw, activate(b, batch_norm(b, x), "relu"))


def _four_node_cell(b: GraphBuilder, draw: Draw, x: str) -> str:
    nodes = [x]
    for target in range(1, 4):
        edges = []
        for source in nodes[:target]:
            kind = draw.choice(("none", "skip", "1x1", "3x3", "pool"), (8, 20, 25, 30, 17))
            if kind == "skip":
                edges.append(source)
            elif kind == "pool":
                edges.append(pool(b, source, "Average", 3, 1))
            elif kind != "none":
                kernel = int(kind[0])
                edges.append(conv_block(b, activate(b, source, "relu"), b.channels(x), kernel, act=None))
        nodes.append(b.add(*edges) if len(edges) > 1 else edges[0] if edges else x)
    return nodes[-1]


def cells(b: GraphBuilder, draw: Draw) -> str:
    """DARTS: cells that read the two before them; separable and dilated 3×3 and 5×5, pools, all concatenated."""
    x = image(b, draw, 48, 224, batch=4)
    width = draw.width(16, 48)
    before = last = conv_block(b, x, 3 * width, 3, 2, act=None)
    count = draw.integer(5, 8) if draw.whole else draw.integer(2, 4)
    for index in range(count):
        shrink = index in (count // 3, 2 * count // 3)
        width = draw.vary(width * 2) if shrink else width
        before, last = last, _cell(b, draw, before, last, width, 2 if shrink else 1)
    return classifier(b, draw, last)


def _cell(b: GraphBuilder, draw: Draw, before: str, last: str, width: int, stride: int) -> str:
    ratio = -(-b.shape(before)[2] // b.shape(last)[2])
    states = [
        conv_block(b, activate(b, before, "relu"), width, 1, ratio, act=None),
        conv_block(b, activate(b, last, "relu"), width, 1, act=None),
    ]
    for _ in range(4):
        edges = []
        for source in draw.sample(range(len(states)), 2):
            edges.append(_edge(b, draw, states[source], stride if source < 2 else 1))
        states.append(b.add(*edges))
    return b.concat(states[2:])


def _edge(b: GraphBuilder, draw: Draw, x: str, stride: int) -> str:
    kind = draw.choice(("separable", "dilated", "max", "average", "skip"), (40, 20, 12, 12, 16))
    if kind == "skip":
        return x if stride == 1 else shortcut(b, x, pool(b, x, "Max", 1, stride, pad=0), stride=stride)
    if kind in ("max", "average"):
        return pool(b, x, kind.capitalize(), 3, stride, pad=1)
    kernel = draw.choice((3, 5))
    y = activate(b, x, "relu")
    if kind == "dilated":
        y = conv(b, y, b.channels(x), kernel, stride, groups=b.channels(x), dilation=2, bias=False)
        return conv_block(b, y, b.channels(x), 1, act=None)
    for step in (stride, 1):
        y = conv(b, y, b.channels(x), kernel, step, groups=b.channels(x), bias=False)
        y = conv_block(b, y, b.channels(x), 1, act="relu" if step == stride and stride > 1 else None)
    return y
