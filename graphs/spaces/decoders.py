"""Networks whose output is an image or a map: segmentation, detection, restoration, generation.

U-Net https://arxiv.org/abs/1505.04597, DeepLab v3 https://arxiv.org/abs/1706.05587, FPN
https://arxiv.org/abs/1612.03144, SSD https://arxiv.org/abs/1512.02325, ESPCN https://arxiv.org/abs/1609.05158, EDSR
https://arxiv.org/abs/1707.02921, style transfer https://arxiv.org/abs/1603.08155, DCGAN
https://arxiv.org/abs/1511.06434.
"""

from __future__ import annotations

from math import prod

from graphs.spaces.activations import activate
from graphs.spaces.builder import GraphBuilder
from graphs.spaces.draw import Draw
from graphs.spaces.layers import conv_block, depthwise, image
from graphs.spaces.mobile import mobile_block
from graphs.spaces.normalisation import batch_norm, group_norm, instance_norm
from graphs.spaces.operators import conv, conv_transpose, global_pool, linear, pool


def _fit(b: GraphBuilder, x: str, like: str) -> str:
    """``x`` cut to the height and width of ``like``."""
    for axis in (2, 3):
        if b.shape(x)[axis] > b.shape(like)[axis]:
            x = b.slice(x, 0, b.shape(like)[axis], axis)
    return x


def unet(b: GraphBuilder, draw: Draw) -> str:
    """Down by pools, up by ConvTranspose or Resize, with skips that are concatenated."""
    x = image(b, draw, 64, 256, channels=draw.choice((3, 1)), batch=2)
    width = draw.width(8, 32)
    act = draw.choice(("relu", "leaky", "silu", "elu"), (7, 1, 1, 1))
    skips = []
    for _ in range(draw.integer(3, 4)):
        for _ in range(draw.depth(1, 2)):
            x = conv_block(b, x, draw.vary(width), 3, act=act)
        skips.append(x)
        x, width = pool(b, x, "Max", 2, 2, pad=0, round_up=True), width * 2
    x = conv_block(b, x, width, 3, act=act)
    for skip in reversed(skips):
        width //= 2
        x = _grow(b, draw, x, width)
        x = b.concat([_fit(b, x, skip), skip])
        for _ in range(draw.depth(1, 2)):
            x = conv_block(b, x, draw.vary(width), 3, act=act)
    y = conv(b, x, draw.choice((1, 2, 3, 21)))
    return activate(b, y, draw.choice(("sigmoid", None, "tanh")))


def _grow(b: GraphBuilder, draw: Draw, x: str, width: int) -> str:
    """Twice the size."""
    kind = draw.choice(("transpose", "nearest", "linear"), (45, 30, 25))
    if kind == "transpose":
        kernel = draw.choice((2, 4), (7, 3))
        return conv_transpose(b, x, width, kernel, 2)
    return conv(b, b.upsample(x, 2, kind), width, draw.choice((3, 1)))


def segmentation(b: GraphBuilder, draw: Draw) -> str:
    """A mobile encoder with dilation, pyramid pooling over dilated convolutions, and a linear Resize."""
    x = conv_block(b, image(b, draw, 96, 320, batch=1), draw.width(16, 32), 3, 2, act="relu6")
    early = x
    for width in (24, 40, 80):
        x = mobile_block(b, draw, x, draw.vary(width), 2, expansion=draw.choice((3, 4, 6)), act="relu6")
        early = x if width == 24 else early
    for dilation in (2, 4):
        x = conv_block(b, depthwise(b, x, 3, dilation=dilation), draw.width(64, 160))
    wide = draw.width(32, 128)
    rates = draw.choice(((6, 12, 18), (2, 4, 6), (3, 6, 9)))
    parts = [conv_block(b, x, wide)]
    parts += [conv_block(b, x, wide, 3, dilation=rate) for rate in rates if rate < b.shape(x)[2]]
    if draw.chance(0.6):
        pooled = conv_block(b, global_pool(b, x), wide)
        parts.append(b.expand(pooled, b.shape(x)[0], wide, *b.shape(x)[2:]))
    x = conv_block(b, b.concat(parts), wide, 1)
    x = _fit(b, b.upsample(x, 4, "linear"), early)
    x = conv_block(b, b.concat([x, conv_block(b, early, draw.width(12, 48))]), draw.width(32, 96), 3)
    return b.upsample(conv(b, x, draw.choice((19, 21, 2, 150))), 4, "linear")


def detector(b: GraphBuilder, draw: Draw) -> str:
    """A pyramid with nearest Resize and heads whose outputs are reshaped, transposed and concatenated."""
    act = draw.choice(("silu", "relu6", "relu", "leaky"))
    x = conv_block(b, image(b, draw, 128, 320, batch=1), draw.width(16, 32), 3, 2, act=act)
    levels: list[str] = []
    width = draw.width(24, 64)
    for stage in range(4):
        x = conv_block(b, x, width, 3, 2, act=act)
        for _ in range(draw.depth(1, 2)):
            y = conv_block(b, conv_block(b, x, width // 2, 1, act=act), width, 3, act=act)
            x = b.add(x, y)
        levels, width = [*levels, x] if stage else levels, draw.vary(width * 2 if width < 200 else width)
    neck = draw.width(48, 128)
    for i in (1, 0):
        up = _fit(b, b.upsample(conv_block(b, levels[i + 1], neck, 1, act=act), 2), levels[i])
        levels[i] = conv_block(b, b.concat([up, levels[i]]), neck, draw.choice((1, 3)), act=act)
    count = draw.choice((20, 80, 1, 4))
    outputs = [_detection_head(b, draw, level, count, act) for level in levels]
    return b.concat(outputs, axis=1)


def _detection_head(b: GraphBuilder, draw: Draw, x: str, count: int, act: str) -> str:
    """Boxes as ``exp`` and scores as ``sigmoid``, or SSD's raw ones, as rows ``(n, positions, numbers)``."""
    n, _, height, width = b.shape(x)
    anchors = draw.choice((3, 1, 6))
    y = depthwise(b, x, 3, act=act) if draw.chance(0.5) else conv_block(b, x, b.channels(x), 3, act=act)
    y = conv(b, y, anchors * (count + 5))
    if draw.chance(0.5):
        y = b.reshape(b.transpose(y, 0, 2, 3, 1), n, height * width * anchors, count + 5)
    else:
        y = b.transpose(b.reshape(y, n, anchors, count + 5, height, width), 0, 1, 3, 4, 2)
        y = b.reshape(y, n, anchors * height * width, count + 5)
    place, size, score = b.split(y, [2, 2, count + 1], axis=2)
    place = b.scalar("Mul", b.binary("Add", place, b.weight(1, b.shape(y)[1], 2)), 8.0)
    return b.concat([place, b.unary("Exp", size), activate(b, score, "sigmoid")], axis=2)


def super_resolution(b: GraphBuilder, draw: Draw) -> str:
    """Convolutions at low resolution, then DepthToSpace, or Reshape and Transpose for it."""
    x = image(b, draw, 48, 160, channels=draw.choice((1, 3)), batch=1)
    width, scale = draw.width(12, 64), draw.choice((2, 3, 4))
    act = draw.choice(("relu", "prelu", "tanh", "leaky"))
    x = first = conv_block(b, x, width, draw.choice((3, 5, 9)), act=act, norm=False)
    for _ in range(draw.integer(3, 6)):
        y = conv_block(b, x, draw.vary(width), 3, act=act, norm=False)
        x = b.binary("Add", b.scalar("Mul", conv(b, y, width, 3), 0.1), x) if draw.chance(0.6) else conv(b, y, width, 3)
    x = b.binary("Add", x, first) if draw.chance(0.5) else x
    x = conv(b, x, 3 * scale * scale, 3)
    n, _, height, breadth = b.shape(x)
    if draw.chance(0.6):
        shape = (n, 3, height * scale, breadth * scale)
        return b.node("DepthToSpace", [x], shape, blocksize=scale, **({"mode": "CRD"} if b.style.opset > 10 else {}))
    y = b.transpose(b.reshape(x, n, 3, scale, scale, height, breadth), 0, 1, 4, 2, 5, 3)
    return b.reshape(y, n, 3, height * scale, breadth * scale)


def stylisation(b: GraphBuilder, draw: Draw) -> str:
    """Reflecting pads, instance or group normalisation, residual blocks, up by Resize."""
    x = image(b, draw, 64, 224, batch=1)
    width = draw.width(8, 32)
    norm = draw.choice(("instance", "group"), (7, 3))
    x = _reflected(b, x, width, 9, 1, norm)
    for _ in range(2):
        width *= 2
        x = _reflected(b, x, width, 3, 2, norm)
    for _ in range(draw.depth(2, 5)):
        y = _reflected(b, _reflected(b, x, draw.vary(width), 3, 1, norm), width, 3, 1, norm, act=None)
        x = b.add(x, y)
    for _ in range(2):
        width //= 2
        x = _reflected(b, b.upsample(x, 2), width, 3, 1, norm)
    return activate(b, _reflected(b, x, 3, 9, 1, "none", act=None), draw.choice(("tanh", None)))


def _reflected(b: GraphBuilder, x: str, out: int, kernel: int, stride: int, norm: str, act: str | None = "relu") -> str:
    half = kernel // 2
    y = conv(b, b.pad(x, (0, 0, half, half), (0, 0, half, half), "reflect"), out, kernel, stride, pad=0)
    if norm == "instance":
        y = instance_norm(b, y)
    elif norm == "group":
        y = group_norm(b, y, next(g for g in (8, 4, 2, 1) if out % g == 0))
    return activate(b, y, act)


def generator(b: GraphBuilder, draw: Draw) -> str:
    """From a vector to an image by ConvTranspose and batch normalisation."""
    n, side = draw.batch(8), draw.choice((4, 7, 8, 5))
    width = draw.width(64, 256)
    x = b.reshape(linear(b, b.input((n, draw.choice((64, 100, 128, 256)))), width * side * side), n, width, side, side)
    x = activate(b, batch_norm(b, x), "relu")
    for _ in range(draw.integer(3, 4)):
        width = max(8, draw.vary(width // 2))
        x = conv_transpose(b, x, width, draw.choice((4, 2, 3)), 2)
        x = activate(b, batch_norm(b, x) if draw.chance(0.7) else x, draw.choice(("relu", "leaky")))
        if draw.chance(0.3):
            x = conv_block(b, x, width, 3)
    return activate(b, conv(b, x, 3, 3), "tanh")


def autoencoder(b: GraphBuilder, draw: Draw) -> str:
    """Strided convolutions to a vector and back, as in anomaly detection and latent diffusion's first stage."""
    x = image(b, draw, 32, 160, batch=8)
    width = draw.width(8, 48)
    for _ in range(draw.integer(2, 4)):
        act = draw.choice(("relu", "leaky", "elu", "selu"))
        x = conv_block(b, x, draw.vary(width), draw.choice((3, 4, 5)), 2, act=act)
        width = min(256, width * 2)
    shape = b.shape(x)
    y = linear(b, b.flatten(x), draw.width(32, 512)) if prod(shape[1:]) < 20000 else None
    if y is not None:
        x = b.reshape(activate(b, linear(b, y, prod(shape[1:])), "relu"), *shape)
    for _ in range(draw.integer(2, 3)):
        width = max(8, width // 2)
        x = _grow(b, draw, x, width)
        x = activate(b, x, "relu")
    return activate(b, conv(b, x, 3, 3), "sigmoid")
