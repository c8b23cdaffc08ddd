"""Convolutions and attention in one network, and convolutions that imitate transformers.

ConvNeXt https://arxiv.org/abs/2201.03545, PoolFormer https://arxiv.org/abs/2111.11418, MobileViT
https://arxiv.org/abs/2110.02178, EdgeNeXt https://arxiv.org/abs/2206.10589, ConvMixer
https://arxiv.org/abs/2201.09792, EfficientFormer https://arxiv.org/abs/2206.01191, XCiT
https://arxiv.org/abs/2106.09681.
"""

from __future__ import annotations

from graphs.spaces.activations import activate
from graphs.spaces.attention import AttentionForm, attend, draw_form, heads_of, merge_heads, self_attention, unpack
from graphs.spaces.builder import GraphBuilder
from graphs.spaces.draw import Draw
from graphs.spaces.layers import classes, classifier, conv_block, depthwise, image, squeeze_excite, tokens
from graphs.spaces.mobile import mobile_block
from graphs.spaces.normalisation import group_norm, layer_norm, unit_length
from graphs.spaces.operators import conv, linear, matmul, pool, reduce, softmax
from graphs.spaces.transformers import mlp


def _norm_first(b: GraphBuilder, x: str) -> str:
    """LayerNorm over the channels of ``(n, c, h, w)``, between two Transposes."""
    return b.transpose(layer_norm(b, b.transpose(x, 0, 2, 3, 1)), 0, 3, 1, 2)


def convnext(b: GraphBuilder, draw: Draw) -> str:
    """7×7 depthwise, LayerNorm, an inverted MLP with channels last (MatMul) or first (1×1), LayerScale."""
    x = image(b, draw, 96, 288, batch=4)
    features = draw.width(32, 96, 8)
    stem = draw.choice((4, 2), (4, 1))
    x = _norm_first(b, conv(b, x, features, stem, stem, pad=0))
    first, global_response = draw.chance(0.4), draw.chance(0.15)
    for stage in range(4):
        if stage:
            features = draw.width(features, features * 2, 8) if not draw.whole else features * 2
            x = conv(b, _norm_first(b, x), features, 2, 2, pad=0)
        for _ in range(draw.depth(2, 5)):
            y = conv(b, x, features, draw.choice((7, 5, 9, 11), (75, 10, 10, 5)), groups=features)
            hidden = features * draw.choice((4, 3, 2), (85, 10, 5))
            if first:
                y = conv(b, activate(b, conv(b, _norm_first(b, y), hidden), "gelu"), features)
                y = b.mul(y, b.weight(1, features, 1, 1))
            else:
                y = _last_mlp(b, y, hidden, global_response=global_response)
            x = b.binary("Add", x, y)
    pooled = b.flatten(_norm_first(b, b.node("GlobalAveragePool", [x], (*b.shape(x)[:2], 1, 1))))
    return linear(b, pooled, classes(draw))


def _last_mlp(b: GraphBuilder, x: str, hidden: int, *, global_response: bool) -> str:
    y = layer_norm(b, b.transpose(x, 0, 2, 3, 1))
    features = b.shape(y)[-1]
    y = activate(b, linear(b, y, hidden), "gelu")
    if global_response:
        norm = reduce(b, "ReduceL2", y, (1, 2))
        share = b.binary("Div", norm, b.scalar("Add", reduce(b, "ReduceMean", norm, (-1,)), 1e-6))
        scaled = b.binary("Add", b.mul(b.mul(y, share), b.weight(1, 1, 1, hidden)), b.weight(1, 1, 1, hidden))
        y = b.binary("Add", y, scaled)
    y = linear(b, y, features)
    y = y if global_response else b.mul(b.weight(features), y)
    return b.transpose(y, 0, 3, 1, 2)


def poolformer(b: GraphBuilder, draw: Draw) -> str:
    """GroupNorm of one group, average pooling less the input, 1×1 MLPs, LayerScale."""
    x = image(b, draw, 96, 256, batch=4)
    features = draw.width(32, 96, 8)
    x = conv(b, x, features, 7, 4, pad=2)
    for stage in range(4):
        if stage:
            features = draw.width(features, features * 2, 8) if not draw.whole else features * 2
            x = conv(b, x, features, 3, 2)
        for _ in range(draw.depth(1, 3)):
            y = group_norm(b, x, 1)
            mixed = b.binary("Sub", pool(b, y, "Average", draw.choice((3, 5), (6, 1)), 1), y)
            x = b.binary("Add", x, b.mul(mixed, b.weight(features, 1, 1)))
            hidden = features * draw.choice((4, 3, 2), (8, 1, 1))
            y = conv(b, activate(b, conv(b, group_norm(b, x, 1), hidden), "gelu"), features)
            x = b.binary("Add", x, b.mul(y, b.weight(features, 1, 1)))
    return classifier(b, draw, x)


def mobilevit(b: GraphBuilder, draw: Draw) -> str:
    """Inverted bottlenecks, then transformers on unfolded 2×2 patches, fused with a Concat and 3×3."""
    x = image(b, draw, 128, 320, batch=2)
    multiplier = draw.choice((0.5, 0.75, 1.0))
    x = conv_block(b, x, 16, 3, 2, act="silu")
    for width, stride in ((32, 1), (64, 2)):
        x = mobile_block(b, draw, x, int(width * multiplier), stride, expansion=draw.choice((4, 2)), act="silu")
    for width in (96, 128, 160):
        x = mobile_block(b, draw, x, int(width * multiplier) // 8 * 8, 2, expansion=draw.choice((4, 2)), act="silu")
        x = _unfolded_transformer(b, draw, x, draw.width(48, 160, 16))
    return classifier(b, draw, conv_block(b, x, draw.width(320, 640), 1, act="silu"))


def _unfolded_transformer(b: GraphBuilder, draw: Draw, x: str, features: int) -> str:
    n, channels, height, width = b.shape(x)
    y = conv(b, conv_block(b, x, channels, 3, act="silu"), features, bias=False)
    rows, columns = -(-height // 2), -(-width // 2)
    if (height, width) != (2 * rows, 2 * columns):
        y = b.resize(y, "linear", (n, features, 2 * rows, 2 * columns))
    y = b.transpose(b.reshape(y, n * features * rows, 2, columns, 2), 0, 2, 1, 3)
    y = b.transpose(b.reshape(y, n, features, rows * columns, 4), 0, 3, 2, 1)
    y = b.reshape(y, n * 4, rows * columns, features)
    form, heads = draw_form(b, draw), draw.choice((4, 8, 2))
    for _ in range(draw.depth(2, 4)):
        y = b.binary("Add", y, self_attention(b, draw, layer_norm(b, y), heads, features // heads, form))
        y = b.binary("Add", y, mlp(b, draw, layer_norm(b, y), features * 2, act="silu"))
    y = b.transpose(b.reshape(layer_norm(b, y), n, 4, rows * columns, features), 0, 3, 2, 1)
    y = b.transpose(b.reshape(y, n * features * rows, columns, 2, 2), 0, 2, 1, 3)
    y = b.reshape(y, n, features, 2 * rows, 2 * columns)
    if (height, width) != (2 * rows, 2 * columns):
        y = b.resize(y, "linear", (n, features, height, width))
    y = conv_block(b, y, channels, 1, act="silu")
    return conv_block(b, b.concat([x, y]), channels, 3, act="silu")


def edgenext(b: GraphBuilder, draw: Draw) -> str:
    """ConvNeXt blocks of growing kernels; hierarchical splits and attention across channels (XCiT's)."""
    features = draw.width(24, 64, 8)
    x = _norm_first(b, conv(b, image(b, draw, 96, 288, batch=2), features, 4, 4, pad=0))
    for stage, kernel in enumerate((3, 5, 7, 9)):
        if stage:
            features = draw.width(int(features * 1.3), features * 2, 8)
            x = conv(b, _norm_first(b, x), features, 2, 2, pad=0)
        for _ in range(draw.depth(1, 3)):
            y = conv(b, x, features, kernel, groups=features)
            x = b.binary("Add", x, _last_mlp(b, y, features * 4, global_response=False))
        if stage:
            x = _cross_covariance_block(b, draw, x, scale=stage + 1)
    pooled = b.flatten(_norm_first(b, b.node("GlobalAveragePool", [x], (*b.shape(x)[:2], 1, 1))))
    return linear(b, pooled, classes(draw))


def _cross_covariance_block(b: GraphBuilder, draw: Draw, x: str, scale: int) -> str:
    n, features, height, width = b.shape(x)
    part = -(-features // scale)
    sizes = [part] * (features // part) + ([features % part] if features % part else [])
    pieces = b.split(x, sizes)
    done = [conv(b, pieces[0], sizes[0], 3, groups=sizes[0])]
    for piece, size in zip(pieces[1:-1], sizes[1:-1], strict=True):
        done.append(conv(b, b.binary("Add", piece, done[-1]), size, 3, groups=size))
    joined = b.concat([*done, pieces[-1]]) if len(pieces) > 1 else done[0]
    y = b.transpose(b.reshape(joined, n, features, height * width), 0, 2, 1)
    heads = next(h for h in [*draw.shuffled((4, 8, 2)), 1] if features % h == 0)
    packed = b.reshape(linear(b, layer_norm(b, y), 3 * features), n, height * width, 3, heads, features // heads)
    form = AttentionForm("split")
    q, k, v = unpack(b, b.transpose(packed, 2, 0, 3, 4, 1), form)
    scores = matmul(b, unit_length(b, q), b.transpose(unit_length(b, k), 0, 1, 3, 2))
    mixed = matmul(b, softmax(b, b.mul(scores, b.weight(heads, 1, 1))), v)
    mixed = linear(b, b.reshape(b.transpose(mixed, 0, 3, 1, 2), n, height * width, features), features)
    y = b.binary("Add", y, b.mul(b.weight(features), mixed))
    y = b.reshape(y, n, height, width, features)
    inner = linear(b, activate(b, linear(b, layer_norm(b, y), features * 4), "gelu"), features)
    return b.binary("Add", x, b.transpose(b.mul(b.weight(features), inner), 0, 3, 1, 2))


def convmixer(b: GraphBuilder, draw: Draw) -> str:
    """Patches, then large depthwise kernels and 1×1, each with activation and batch normalisation after it."""
    features = draw.width(96, 384)
    act = draw.choice(("gelu", "relu"))
    size = draw.choice((7, 8, 14, 16))
    x = conv_block(b, image(b, draw, 96, 224, batch=2), features, size, size, pad=0, act=act)
    for _ in range(draw.integer(4, 8) if draw.whole else draw.integer(2, 3)):
        x = b.add(depthwise(b, x, draw.choice((9, 7, 5, 11)), act=act), x)
        x = conv_block(b, x, features, 1, act=act)
    return classifier(b, draw, x)


def conv_attention(b: GraphBuilder, draw: Draw) -> str:
    """CoAtNet- and EfficientFormer-like: two stages of convolutions, two of attention over all pixels."""
    x = image(b, draw, 96, 224, batch=2)
    features = draw.width(32, 64)
    for _ in range(2):
        x = conv_block(b, x, features, 3, 2, act="gelu")
    for _ in range(2):
        features = draw.width(features, 2 * features)
        x = conv_block(b, x, features, 3, 2, act=None)
        for _ in range(draw.depth(1, 3)):
            if draw.chance(0.5):
                x = mobile_block(b, draw, x, features, 1, expansion=4, act="gelu")
            else:
                x = b.add(x, squeeze_excite(b, depthwise(b, x, 3, act="gelu"), max(8, features // 4)))
    heads = draw.choice((4, 8, 6))
    x = conv(b, x, draw.choice((24, 32, 48)) * heads, 3, 2)
    y = tokens(b, x)
    for _ in range(draw.depth(2, 3)):
        q, k, v = (heads_of(b, linear(b, layer_norm(b, y), b.shape(y)[2]), heads) for _ in range(3))
        bias = b.weight(heads, b.shape(y)[1], b.shape(y)[1])
        mixed = merge_heads(b, attend(b, q, k, v, AttentionForm("none", "scores"), mask=bias))
        y = b.binary("Add", y, linear(b, mixed, b.shape(y)[2]))
        y = b.binary("Add", y, mlp(b, draw, layer_norm(b, y), 4 * b.shape(y)[2]))
    return linear(b, reduce(b, "ReduceMean", y, (1,), keep=False), classes(draw))
