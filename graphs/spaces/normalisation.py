"""Normalisations in the forms that exporters give them."""

from __future__ import annotations

from math import prod

from graphs.spaces.builder import GraphBuilder
from graphs.spaces.operators import reduce


def batch_norm(b: GraphBuilder, x: str) -> str:
    """Batch normalisation as an operator, with Caffe's scale and shift after it where the style has them."""
    channels = b.channels(x)
    parameters = [b.weight(channels) for _ in range(4)]
    y = b.unary("BatchNormalization", x, *parameters, epsilon=1e-5)
    if b.style.batch_norm != "scale":
        return y
    for op in ("Mul", "Add"):
        factor = b.node("Unsqueeze", [b.weight(channels)], (channels, 1, 1), axes=(1, 2))
        y = b.binary(op, y, factor)
    return y


def layer_norm(b: GraphBuilder, x: str) -> str:
    """Over the last dimension; https://arxiv.org/abs/1607.06450."""
    features = b.shape(x)[-1]
    if b.style.layer_norm == "op" and b.style.opset >= 17:
        return b.unary("LayerNormalization", x, b.weight(features), b.weight(features), axis=-1, epsilon=1e-6)
    centred = b.binary("Sub", x, reduce(b, "ReduceMean", x, (-1,)))
    variance = reduce(b, "ReduceMean", b.scalar("Pow", centred, 2.0), (-1,))
    deviation = b.unary("Sqrt", b.scalar("Add", variance, 1e-6))
    normal = b.binary("Div", centred, deviation)
    return b.binary("Add", b.mul(normal, b.weight(features)), b.weight(features))


def rms_norm(b: GraphBuilder, x: str, *, reciprocal: bool = True) -> str:
    """Over the last dimension; https://arxiv.org/abs/1910.07467. With Reciprocal and Mul, or with Div."""
    square = reduce(b, "ReduceMean", b.scalar("Pow", x, 2.0), (-1,))
    root = b.unary("Sqrt", b.scalar("Add", square, 1e-6))
    normal = b.mul(x, b.unary("Reciprocal", root)) if reciprocal else b.binary("Div", x, root)
    return b.mul(b.weight(b.shape(x)[-1]), normal)


def instance_norm(b: GraphBuilder, x: str) -> str:
    """https://arxiv.org/abs/1607.08022."""
    return b.unary("InstanceNormalization", x, b.weight(b.channels(x)), b.weight(b.channels(x)), epsilon=1e-5)


def group_norm(b: GraphBuilder, x: str, groups: int) -> str:
    """https://arxiv.org/abs/1803.08494, as PyTorch exports it: an InstanceNormalization between Reshapes."""
    n, channels, *space = b.shape(x)
    rows = b.reshape(x, n, groups, channels * prod(space) // groups)
    unit = [b.constant([value] * groups) for value in (1.0, 0.0)]
    normal = b.reshape(b.unary("InstanceNormalization", rows, *unit, epsilon=1e-5), n, channels, *space)
    ones = (1,) * len(space)
    return b.binary("Add", b.mul(normal, b.weight(channels, *ones)), b.weight(channels, *ones))


def local_response_norm(b: GraphBuilder, x: str, size: int = 5) -> str:
    """AlexNet's; section 3.3 of https://papers.nips.cc/paper/4824."""
    return b.unary("LRN", x, size=size, alpha=1e-4, beta=0.75, bias=1.0)


def unit_length(b: GraphBuilder, x: str) -> str:
    """``x / max(‖x‖₂, 1e-12)`` over the last dimension, as ``torch.nn.functional.normalize`` is exported."""
    norm = b.clip(reduce(b, "ReduceL2", x, (-1,)), 1e-12, 3.4e38)
    return b.binary("Div", x, b.expand(norm, *b.shape(x)))
