"""LeViT (https://arxiv.org/abs/2104.01136): attention whose layouts and normalisations are those of convolutions."""

from __future__ import annotations

from graphs.spaces.activations import activate
from graphs.spaces.builder import GraphBuilder
from graphs.spaces.draw import Draw
from graphs.spaces.layers import classes, conv_block, image, tokens
from graphs.spaces.operators import linear, matmul, reduce, softmax


def levit(b: GraphBuilder, draw: Draw) -> str:
    """Batch normalisation after every product, hard-swish, short keys and long values, strided queries."""
    x = image(b, draw, 96, 288, batch=4)
    features = draw.choice((128, 96, 192, 256, 160))
    for i in range(4):
        x = conv_block(b, x, features >> (3 - i), 3, 2, act="hard_swish" if i < 3 else None)
    side = b.shape(x)[2], b.shape(x)[3]
    y = tokens(b, x)
    size = draw.choice((16, 32, 24))
    for stage in range(3):
        heads = draw.choice((4, 3, 6, 8))
        for _ in range(draw.depth(2, 4)):
            y = b.binary("Add", y, _levit_attention(b, y, heads, size, 2 * size))
            y = b.binary("Add", y, _levit_mlp(b, y))
        if stage < 2 and min(side) > 2:
            features = draw.width(features, features * 2, 16)
            y, side = _levit_shrink(b, y, side, 2 * heads, size, features)
            y = b.binary("Add", y, _levit_mlp(b, y))
    pooled = reduce(b, "ReduceMean", y, (1,), keep=False)
    return linear(b, _normed(b, pooled), classes(draw))


def _normed(b: GraphBuilder, x: str) -> str:
    """BatchNormalization over the last dimension, flattened to two for it."""
    features = b.shape(x)[-1]
    flat = b.reshape(x, -1, features) if len(b.shape(x)) != 2 else x
    y = b.unary("BatchNormalization", flat, *[b.weight(features) for _ in range(4)], epsilon=1e-5)
    return b.reshape(y, *b.shape(x)) if flat != x else y


def _levit_linear(b: GraphBuilder, x: str, out: int) -> str:
    return _normed(b, matmul(b, x, b.weight(b.shape(x)[-1], out)))


def _levit_mlp(b: GraphBuilder, x: str) -> str:
    features = b.shape(x)[-1]
    return _levit_linear(b, activate(b, _levit_linear(b, x, 2 * features), "hard_swish"), features)


def _levit_attention(b: GraphBuilder, x: str, heads: int, size: int, value: int) -> str:
    n, length, features = b.shape(x)
    packed = b.reshape(_levit_linear(b, x, heads * (2 * size + value)), n, length, heads, 2 * size + value)
    q, k, v = b.split(packed, [size, size, value], axis=3)
    scores = b.scalar("Mul", matmul(b, b.transpose(q, 0, 2, 1, 3), b.transpose(k, 0, 2, 3, 1)), size**-0.5)
    weights = softmax(b, b.binary("Add", scores, b.weight(heads, length, length)))
    y = b.transpose(matmul(b, weights, b.transpose(v, 0, 2, 1, 3)), 0, 2, 1, 3)
    return _levit_linear(b, activate(b, b.reshape(y, n, length, heads * value), "hard_swish"), features)


def _levit_shrink(
    b: GraphBuilder, x: str, side: tuple[int, int], heads: int, size: int, out: int
) -> tuple[str, tuple[int, int]]:
    """Queries of every other pixel in both directions; values four times as long as keys."""
    n, length, features = b.shape(x)
    value = 4 * size
    packed = b.reshape(_levit_linear(b, x, heads * (size + value)), n, length, heads, size + value)
    k, v = b.split(packed, [size, value], axis=3)
    grid = b.reshape(x, n, *side, features)
    grid = b.slice(b.slice(grid, 0, side[0], 1, 2), 0, side[1], 2, 2)
    small = b.shape(grid)[1], b.shape(grid)[2]
    rows = b.reshape(grid, n, small[0] * small[1], features)
    q = b.reshape(_levit_linear(b, rows, heads * size), n, small[0] * small[1], heads, size)
    scores = b.scalar("Mul", matmul(b, b.transpose(q, 0, 2, 1, 3), b.transpose(k, 0, 2, 3, 1)), size**-0.5)
    weights = softmax(b, b.binary("Add", scores, b.weight(heads, small[0] * small[1], length)))
    y = b.transpose(matmul(b, weights, b.transpose(v, 0, 2, 1, 3)), 0, 2, 1, 3)
    y = b.reshape(y, n, small[0] * small[1], heads * value)
    return _levit_linear(b, activate(b, y, "hard_swish"), out), small
