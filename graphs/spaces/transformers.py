"""Vision transformers and mixers.

ViT https://arxiv.org/abs/2010.11929, DeiT https://arxiv.org/abs/2012.12877, AutoFormer
https://arxiv.org/abs/2107.00651, CaiT https://arxiv.org/abs/2103.17239, Swin https://arxiv.org/abs/2103.14030, PVT
https://arxiv.org/abs/2106.13797, MLP-Mixer https://arxiv.org/abs/2105.01601, ResMLP
https://arxiv.org/abs/2105.03404, gMLP https://arxiv.org/abs/2105.08050.
"""

from __future__ import annotations

from graphs.spaces.activations import activate
from graphs.spaces.attention import (
    AttentionForm,
    attend,
    draw_form,
    heads_of,
    merge_heads,
    pick_heads,
    relative_bias,
    self_attention,
    unpack,
)
from graphs.spaces.builder import GraphBuilder
from graphs.spaces.draw import Draw
from graphs.spaces.layers import classes, image, pixels, tokens
from graphs.spaces.normalisation import layer_norm
from graphs.spaces.operators import conv, linear, reduce


def patches(b: GraphBuilder, draw: Draw, x: str, features: int, sizes: tuple[int, ...]) -> str:
    """Non-overlapping patches, projected by a convolution, as a sequence."""
    side = min(b.shape(x)[2:])
    size = draw.choice([s for s in sizes if side >= 2 * s] or [min(sizes)])
    return tokens(b, conv(b, x, features, size, size, pad=0))


def mlp(b: GraphBuilder, draw: Draw, x: str, hidden: int, *, act: str = "gelu", scaled: bool = False) -> str:
    """Two fully connected layers; ``scaled`` multiplies by a learnt vector (LayerScale, CaiT)."""
    features = b.shape(x)[-1]
    y = linear(b, activate(b, linear(b, x, hidden), act), features)
    return b.mul(b.weight(features), y) if scaled else y


def vit(b: GraphBuilder, draw: Draw) -> str:
    """Plain blocks on a sequence of patches, with AutoFormer's freedom in heads and hidden sizes per block."""
    x = image(b, draw, 96, 288, batch=8)
    features = draw.choice((192, 384, 256, 320, draw.width(96, 512, 16)))
    x = patches(b, draw, x, features, (16, 32, 14, 8))
    n, length, _ = b.shape(x)
    class_token = draw.chance(0.6)
    if class_token:
        token = b.weight(1, 1, features)
        x = b.concat([b.expand(token, n, 1, features) if n > 1 else token, x], axis=1)
        length += 1
    x = b.binary("Add", x, b.weight(1, length, features))
    form, scaled = draw_form(b, draw), draw.chance(0.2)
    heads = pick_heads(draw, features)
    act = draw.choice(("gelu", "quick_gelu", "relu"), (90, 7, 3))
    for _ in range(draw.integer(6, 12) if draw.whole else draw.integer(2, 4)):
        if not draw.whole and draw.chance(0.6):
            heads, size = draw.integer(2, 8), draw.choice((64, 32, 48, 24))
        else:
            size = features // heads
        y = self_attention(b, draw, layer_norm(b, x), heads, size, form)
        x = b.binary("Add", x, b.mul(b.weight(features), y) if scaled else y)
        ratio = 4.0 if draw.whole else draw.choice((4.0, 3.0, 3.5, 2.0))
        x = b.binary("Add", x, mlp(b, draw, layer_norm(b, x), int(features * ratio), act=act, scaled=scaled))
    return _sequence_head(b, draw, x, class_token=class_token)


def _sequence_head(b: GraphBuilder, draw: Draw, x: str, *, class_token: bool) -> str:
    """Normalise, take the class token (Gather or Slice) or the mean, and classify."""
    if draw.chance(0.6):
        x = layer_norm(b, x)
    if class_token:
        pooled = b.gather(x, b.constant(0, "int64"), axis=1)
    else:
        pooled = reduce(b, "ReduceMean", x, (1,), keep=False)
    return linear(b, pooled, classes(draw))


def swin(b: GraphBuilder, draw: Draw) -> str:
    """Attention within windows that are shifted every other block; patches merge between the stages."""
    x = image(b, draw, 96, 256, batch=2)
    window = draw.choice((7, 8, 6, 4), (60, 20, 10, 10))
    features = draw.choice((96, 64, 48, 128), (50, 20, 15, 15))
    size = draw.choice((32, 16, 24), (80, 10, 10))
    x = b.transpose(conv(b, x, features, 4, 4, pad=0), 0, 2, 3, 1)
    x = layer_norm(b, x)
    form = AttentionForm(draw.choice(("split", "gather")), draw.choice(("query", "both"), (4, 1)))
    for stage in range(4):
        for block in range(draw.choice((2, 2, 4)) if draw.whole else draw.integer(1, 2)):
            heads = next(h for h in range(max(1, features // size), 0, -1) if features % h == 0)
            y = _windowed(b, layer_norm(b, x), window, heads, form, shifted=bool(block % 2) or draw.chance(0.2))
            x = b.binary("Add", x, y)
            n, height, width, _ = b.shape(x)
            flat = b.reshape(x, n, height * width, features)
            hidden = features * draw.choice((4, 3, 2), (8, 1, 1))
            flat = b.binary("Add", flat, mlp(b, draw, layer_norm(b, flat), hidden))
            x = b.reshape(flat, n, height, width, features)
        if stage == 3 or min(b.shape(x)[1:3]) < 4:
            break
        x, features = _merge_patches(b, draw, x), 2 * features
    pooled = reduce(b, "ReduceMean", layer_norm(b, x), (1, 2), keep=False)
    return linear(b, pooled, classes(draw))


def _windowed(b: GraphBuilder, x: str, window: int, heads: int, form: AttentionForm, *, shifted: bool) -> str:
    """Roll (Slice and Concat), pad, partition, attend with relative bias and mask, and all of it back."""
    n, height, width, features = b.shape(x)
    window = min(window, height, width)
    shift = window // 2 if shifted and min(height, width) > window else 0
    y = roll(b, x, shift)
    below, right = -height % window, -width % window
    if below or right:
        y = b.pad(y, (0, 0, 0, 0), (0, below, right, 0))
    rows, columns = (height + below) // window, (width + right) // window
    y = b.transpose(b.reshape(y, n, rows, window, columns, window, features), 0, 1, 3, 2, 4, 5)
    length = window * window
    y = b.reshape(y, n * rows * columns, length, features)
    packed = b.reshape(linear(b, y, 3 * features), -1, length, 3, heads, features // heads)
    q, k, v = unpack(b, b.transpose(packed, 2, 0, 3, 1, 4), form)
    y = attend(b, q, k, v, form, mask=relative_bias(b, heads, length), windows=rows * columns if shift else 0)
    y = linear(b, merge_heads(b, y), features)
    y = b.transpose(b.reshape(y, n, rows, columns, window, window, features), 0, 1, 3, 2, 4, 5)
    y = b.reshape(y, n, rows * window, columns * window, features)
    for axis, size, padded in ((1, height, below), (2, width, right)):
        y = b.slice(y, 0, size, axis) if padded else y
    return roll(b, y, -shift)


def roll(b: GraphBuilder, x: str, shift: int) -> str:
    """``torch.roll`` by ``-shift`` along height and width (dimensions 1 and 2)."""
    for axis in (1, 2) if shift else ():
        cut = shift % b.shape(x)[axis]
        x = b.concat([b.slice(x, cut, 2**63 - 1, axis), b.slice(x, 0, cut, axis)], axis=axis)
    return x


def _merge_patches(b: GraphBuilder, draw: Draw, x: str) -> str:
    """2×2 pixels become one: by Reshape and Transpose, or by four strided Slices as the original has it."""
    n, height, width, features = b.shape(x)
    if height % 2 or width % 2:
        x = b.pad(x, (0, 0, 0, 0), (0, height % 2, width % 2, 0))
        _, height, width, _ = b.shape(x)
    if draw.chance(0.6):
        y = b.reshape(x, n, height // 2, 2, width // 2, 2, features)
        y = b.reshape(b.transpose(y, 0, 1, 3, 4, 2, 5), n, height // 2, width // 2, 4 * features)
    else:
        corners = [b.slice(b.slice(x, i, height, 1, 2), j, width, 2, 2) for j in (0, 1) for i in (0, 1)]
        y = b.concat(corners, axis=3)
    return linear(b, layer_norm(b, y), 2 * features, bias=False)


def pyramid(b: GraphBuilder, draw: Draw) -> str:
    """PVT v2: overlapping patches, keys and values at a reduced size, depthwise convolutions in the MLPs."""
    x = image(b, draw, 96, 256, batch=2)
    features = draw.choice((32, 64, 48, 24))
    size = draw.choice((32, 64, 24), (60, 30, 10))
    for stage, reduction in enumerate((8, 4, 2, 1)):
        x = conv(b, x, features, 7 if stage == 0 else 3, 4 if stage == 0 else 2)
        height, width = b.shape(x)[2:]
        y = layer_norm(b, tokens(b, x))
        for _ in range(draw.depth(1, 3)):
            heads = max(1, features // size)
            y = b.binary("Add", y, _reduced_attention(b, layer_norm(b, y), height, width, heads, reduction))
            hidden = features * draw.choice((8, 4, 2), (40, 50, 10))
            y = b.binary("Add", y, _convolved_mlp(b, layer_norm(b, y), height, width, hidden))
        x = pixels(b, layer_norm(b, y), height, width)
        features = features * 2 if stage != 1 or draw.chance(0.5) else int(features * 2.5)
    return linear(b, reduce(b, "ReduceMean", tokens(b, x), (1,), keep=False), classes(draw))


def _reduced_attention(b: GraphBuilder, x: str, height: int, width: int, heads: int, reduction: int) -> str:
    n, _, features = b.shape(x)
    heads = next(h for h in range(min(heads, features), 0, -1) if features % h == 0)
    q = heads_of(b, linear(b, x, features), heads)
    source = x
    if reduction > 1 and min(height, width) >= reduction:
        shrunk = conv(b, pixels(b, x, height, width), features, reduction, reduction, pad=0)
        source = layer_norm(b, tokens(b, shrunk))
    packed = b.reshape(linear(b, source, 2 * features), n, -1, 2, heads, features // heads)
    form = AttentionForm("split", "query")
    k, v = unpack(b, b.transpose(packed, 2, 0, 3, 1, 4), form)
    return linear(b, merge_heads(b, attend(b, q, k, v, form)), features)


def _convolved_mlp(b: GraphBuilder, x: str, height: int, width: int, hidden: int) -> str:
    y = pixels(b, linear(b, x, hidden), height, width)
    y = tokens(b, conv(b, y, hidden, 3, groups=hidden))
    return linear(b, activate(b, y, "gelu"), b.shape(x)[-1])


def mixer(b: GraphBuilder, draw: Draw) -> str:
    """MLPs over the patches between Transposes; gated (gMLP) or affine instead of normalised (ResMLP)."""
    x = image(b, draw, 96, 256, batch=8)
    features = draw.width(128, 640, 16)
    x = patches(b, draw, x, features, (16, 32, 8))
    length = b.shape(x)[1]
    kind = draw.choice(("mixer", "gated", "affine"), (60, 20, 20))
    for _ in range(draw.integer(6, 12) if draw.whole else draw.integer(2, 4)):
        normal = layer_norm(b, x) if kind != "affine" else _affine(b, x)
        if kind == "gated":
            y = activate(b, linear(b, normal, features * 2), "gelu")
            kept, gate = b.split(y, [features, features], axis=2)
            turned = b.transpose(layer_norm(b, gate), 0, 2, 1)
            y = linear(b, b.mul(kept, b.transpose(linear(b, turned, length), 0, 2, 1)), features)
            x = b.binary("Add", x, y)
            continue
        turned = b.transpose(normal, 0, 2, 1)
        turned = linear(b, turned, length) if kind == "affine" else mlp(b, draw, turned, draw.size(64, 512))
        x = b.binary("Add", x, b.transpose(turned, 0, 2, 1))
        normal = layer_norm(b, x) if kind != "affine" else _affine(b, x)
        x = b.binary("Add", x, mlp(b, draw, normal, features * draw.choice((4, 2, 3), (6, 3, 1))))
    return _sequence_head(b, draw, x, class_token=False)


def _affine(b: GraphBuilder, x: str) -> str:
    features = b.shape(x)[-1]
    return b.binary("Add", b.mul(b.weight(1, 1, features), x), b.weight(1, 1, features))
