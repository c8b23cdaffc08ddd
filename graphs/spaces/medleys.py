"""Networks of no published kind: chains of single operators over the shapes that published networks pass through.

They cost little and cover what whole families would take minutes to reach: odd channel counts, rare kernels, layouts'
borders and products of any shape.
"""

from __future__ import annotations

from graphs.spaces.activations import ACTIVATIONS, activate
from graphs.spaces.builder import GraphBuilder, Sizes
from graphs.spaces.draw import Draw
from graphs.spaces.layers import channel_shuffle, classifier, conv_block, depthwise, squeeze_excite
from graphs.spaces.normalisation import batch_norm, local_response_norm
from graphs.spaces.operators import conv, conv_transpose, gemm, global_pool, linear, matmul, pool, reduce, softmax

#: Sides of feature maps with the channels that networks have there.
MAPS = ((112, 8, 96), (75, 16, 128), (56, 16, 256), (38, 24, 320), (28, 24, 512), (19, 48, 640), (14, 48, 1024),
        (10, 64, 1280), (7, 96, 2048))  # fmt: skip


def feature_map(b: GraphBuilder, draw: Draw, *, biggest: int = 0) -> str:
    """An input like the inside of a network, index ``biggest`` of `MAPS` at most in area."""
    side, low, high = draw.choice(MAPS[biggest:])
    side = max(4, side + draw.choice((0, 1, -1, 2, -2), (70, 8, 8, 7, 7)))
    name = f"input_{len(b.graph.inputs)}"
    n = draw.choice((1, 2, 4), (88, 8, 4)) if side < 60 else 1
    return b.input((n, draw.width(low, high), side, side if draw.chance(0.9) else max(4, side // 2 + 1)), name=name)


def convolutions(b: GraphBuilder, draw: Draw) -> str:
    """Four chains of any convolutions, with additions, pools and concatenations between."""
    ends = []
    for _ in range(4):
        x = feature_map(b, draw)
        # Most convolutions of today's networks take less than VGG's, whose gigaflops are met too.
        most = draw.choice((1e8, 4e8, 1.5e9, 3.8e9), (35, 40, 18, 7))
        for _ in range(draw.integer(3, 8)):
            act = draw.choice(("relu", "relu6", "leaky", "silu", "hard_swish", "gelu", "tanh", "sigmoid", None),
                              (40, 10, 5, 8, 6, 4, 2, 3, 22))  # fmt: skip
            y = _any_convolution(b, draw, x, act, most)
            x = b.add(y, x) if b.shape(x) == b.shape(y) and draw.chance(0.7) else y
            x = _between(b, draw, x) if draw.chance(0.25) else x
        ends.append(b.reshape(global_pool(b, x), b.shape(x)[0], b.channels(x)))
    return b.concat([b.reshape(end, 1, -1) for end in ends])


def _any_convolution(b: GraphBuilder, draw: Draw, x: str, act: str | None, most: float) -> str:
    """A convolution of up to about ``most`` floating-point operations."""
    channels, height, width = b.shape(x)[1:]
    side = min(height, width)
    stride = 2 if side > 12 and draw.chance(0.18) else 1
    _, low, high = next((m for m in MAPS if m[0] <= side // stride + 2), MAPS[-1])
    out = channels if draw.chance(0.3) else draw.width(low, high)
    while 18.0 * channels * out * height * width / stride**2 > most and out > 16:
        out //= 2
    kind = draw.choice(("1x1", "3x3", "depthwise", "grouped", "long", "dilated", "large"), (31, 24, 22, 11, 5, 3, 4))
    if kind == "depthwise":
        kernel = min(draw.choice((3, 5, 7, 9, 2, 4), (50, 25, 15, 5, 2, 3)), side)
        return depthwise(b, x, kernel, stride, act=act, dilation=draw.choice((1, 2), (12, 1)))
    if kind == "grouped":
        groups = draw.choice([g for g in (2, 3, 4, 8, 16, 32) if channels % g == 0] or [1])
        kernel = draw.choice((3, 1, 5), (6, 3, 1))
        return conv_block(b, x, -(-out // groups) * groups, kernel, stride, groups=groups, act=act)
    if kind == "long":
        k = min(draw.choice((3, 5, 7, 11)), side)
        return conv_block(b, x, out, draw.choice(((1, k), (k, 1))), stride, act=act)
    if kind == "dilated":
        return conv_block(b, x, out, 3, dilation=draw.choice((2, 3, 4)) if side > 9 else 1, act=act)
    if kind == "large":
        kernel = min(draw.choice((2, 4, 5, 7, 6)), side)
        stride, pad = draw.choice((stride, kernel)), draw.choice((0, None))
        return conv_block(b, x, min(out, 128), kernel, stride, act=act, pad=pad)
    return conv_block(b, x, out, int(kind[0]), stride, act=act, pad=0 if side > 8 and draw.chance(0.1) else None)


def _between(b: GraphBuilder, draw: Draw, x: str) -> str:
    """What stands between convolutions."""
    channels, side = b.channels(x), min(b.shape(x)[2:])
    kinds = ("pool", "excite", "shuffle", "norm", "join", "up", "act", "response")
    kind = draw.choice(kinds, (28, 14, 8, 15, 12, 5, 10, 8))
    if kind == "pool" and side >= 4:
        return pool(
            b, x, draw.choice(("Max", "Average")), draw.choice((2, 3)), draw.choice((2, 1)), pad=draw.choice((0, 1)),
            round_up=draw.chance(0.25), include_pad=draw.chance(0.3),
        )  # fmt: skip
    if kind == "excite":
        return squeeze_excite(b, x, max(4, channels // 4), gate=draw.choice(("sigmoid", "hard_sigmoid")))
    if kind == "shuffle" and channels % 2 == 0:
        return channel_shuffle(b, x, 2)
    if kind == "norm":
        return activate(b, batch_norm(b, x), draw.choice(("relu", None)))
    if kind == "join":
        half = conv(b, x, max(8, channels // 4), 3)
        return b.concat([x, half, pool(b, x, "Max", 3, 1)] if draw.chance(0.3) else [x, half])
    if kind == "up" and side <= 40:
        if draw.chance(0.4):
            return conv_transpose(b, x, max(8, channels // 2), draw.choice((2, 4)), 2)
        return b.upsample(x, 2, draw.choice(("nearest", "linear")))
    if kind == "response":
        return local_response_norm(b, x, draw.choice((5, 3)))
    return activate(b, x, draw.choice(sorted(ACTIVATIONS)))


def products(b: GraphBuilder, draw: Draw) -> str:
    """MatMul and Gemm of any size, with constants and computed, stacked and broadcast, next to softmax and GELU."""
    ends = []
    for _ in range(4):
        n, length = draw.batch(8), draw.choice((1, 16, 49, 64, 128, 196, 197, 256, draw.size(2, 600)))
        x = b.input((n, length, draw.width(16, 1024)), name=f"input_{len(b.graph.inputs)}")
        for _ in range(draw.integer(3, 6)):
            x = _any_product(b, draw, x)
            if draw.chance(0.25):
                x = activate(b, x, draw.choice(("gelu", "relu", "silu", "tanh", "hard_swish", "sigmoid")))
        ends.append(b.reshape(reduce(b, "ReduceMean", x, (1,)), 1, -1))
    return b.concat(ends)


def _any_product(b: GraphBuilder, draw: Draw, x: str) -> str:
    n, length, features = b.shape(x)
    # Long sequences get narrow layers, as budgets have it.
    wide = max(32, min(2048, int(1.5e8 / (n * length * features))))
    kinds = ("linear", "no_bias", "gemm", "heads", "tokens", "outer", "einsum")
    kind = draw.choice(kinds, (34, 15, 14, 24, 5, 5, 3))
    if kind == "heads":
        heads = next(h for h in [*draw.shuffled((1, 2, 3, 4, 6, 8, 12)), 1] if features % h == 0)
        return _stacked(b, draw, x, heads)
    if kind == "gemm":
        flat = gemm(b, b.reshape(x, n * length, features), draw.size(4, wide), transposed=draw.chance(0.5))
        return b.reshape(flat, n, length, -1)
    if kind == "tokens":
        turned = linear(b, b.transpose(x, 0, 2, 1), draw.size(4, min(512, wide)))
        return b.transpose(turned, 0, 2, 1)
    if kind == "outer" and length * length * features * n < 5e7:
        scores = matmul(b, x, b.transpose(x, 0, 2, 1))
        return matmul(b, softmax(b, b.scalar("Mul", scores, features**-0.5)), x)
    out = draw.size(4, wide) if draw.chance(0.3) else draw.width(8, wide)
    if kind == "einsum" and b.style.opset >= 12:
        b.spend(2.0 * n * length * features * out)
        return b.node("Einsum", [x, b.weight(features, out)], (n, length, out), equation="abc,cd->abd")
    return linear(b, x, out, bias=kind != "no_bias")


def _stacked(b: GraphBuilder, draw: Draw, x: str, heads: int) -> str:
    """Products of every head with computed operands, or with a constant per head."""
    n, length, features = b.shape(x)
    q = b.transpose(b.reshape(x, n, length, heads, features // heads), 0, 2, 1, 3)
    if draw.chance(0.3) or n * heads * length * length * features // heads > 1e8:
        y = matmul(b, q, b.weight(heads, features // heads, draw.size(8, 128)))
    else:
        scores = matmul(b, q, b.transpose(q, 0, 1, 3, 2))
        scores = b.binary("Add", scores, b.weight(heads, length, length)) if draw.chance(0.4) else scores
        y = matmul(b, softmax(b, b.scalar("Div", scores, 8.0)), q)
    return b.reshape(b.transpose(y, 0, 2, 1, 3), n, length, -1)


def classify_maps(b: GraphBuilder, draw: Draw) -> str:
    """Pools, response normalisations, heads and classifiers on maps of any size."""
    ends = []
    for _ in range(5):
        x = feature_map(b, draw, biggest=draw.choice((0, 2)))
        x = local_response_norm(b, x, draw.choice((5, 3))) if draw.chance(0.4) else x
        for _ in range(draw.integer(1, 3)):
            if min(b.shape(x)[2:]) < 6:
                break
            windows: tuple[Sizes, ...] = (2, 3, 5, (1, 3), (3, 1))
            x = pool(
                b, x, draw.choice(("Max", "Average")), draw.choice(windows), draw.choice((1, 2)),
                pad=draw.choice((0, None)), round_up=draw.chance(0.3), include_pad=draw.chance(0.4),
            )  # fmt: skip
            x = activate(b, x, draw.choice((None, "relu", "silu")))
            x = conv_block(b, x, b.channels(x), 1) if draw.chance(0.4) else x
        ends.append(b.reshape(classifier(b, draw, x, hidden=draw.choice((0, draw.size(32, 1024)))), 1, -1))
    return b.concat(ends)
