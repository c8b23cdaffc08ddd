"""Activations in the forms that exporters give them."""

from __future__ import annotations

from collections.abc import Callable

from graphs.spaces.builder import GraphBuilder

#: √2 and √(2/π) as the exporters write them, which is what the runtime compares with.
ROOT_TWO = 1.4142135381698608
ROOT_TWO_OVER_PI = 0.7978845608028654


def activate(b: GraphBuilder, x: str, kind: str | None) -> str:
    """Apply the activation ``kind`` (a key of `ACTIVATIONS`); None and the empty string apply nothing."""
    return ACTIVATIONS[kind](b, x) if kind else x


def _silu(b: GraphBuilder, x: str) -> str:
    return b.mul(x, b.unary("Sigmoid", x))


def _hard_sigmoid(b: GraphBuilder, x: str) -> str:
    if b.style.hard_swish == "clip":
        return b.scalar("Div", b.clip(b.scalar("Add", x, 3.0), 0.0, 6.0), 6.0)
    return b.unary("HardSigmoid", x, alpha=0.1666666716337204, beta=0.5)


def _hard_swish(b: GraphBuilder, x: str) -> str:
    if b.style.hard_swish == "op":
        return b.unary("HardSwish", x)
    if b.style.hard_swish == "hard_sigmoid":
        return b.mul(x, _hard_sigmoid(b, x))
    clipped = b.clip(b.scalar("Add", x, 3.0), 0.0, 6.0)
    if b.style.exporter == "keras":
        return b.mul(x, b.scalar("Mul", clipped, 1 / 6))
    return b.scalar("Div", b.mul(x, clipped), 6.0)


def _gelu(b: GraphBuilder, x: str) -> str:
    """``x Φ(x)``; https://arxiv.org/abs/1606.08415."""
    if b.style.gelu == "op":
        return b.unary("Gelu", x)
    if b.style.gelu == "tanh":
        return gelu_tanh(b, x)
    error = b.unary("Erf", b.scalar("Div", x, ROOT_TWO))
    shifted = b.scalar("Add", error, 1.0)
    if b.style.gelu == "erf_half_first":
        return b.mul(x, b.scalar("Mul", shifted, 0.5, first=True))
    return b.scalar("Mul", b.mul(x, shifted), 0.5)


def gelu_tanh(b: GraphBuilder, x: str) -> str:
    """GPT-2's approximation: ``0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))``."""
    half = b.scalar("Mul", x, 0.5)
    inner = b.binary("Add", x, b.scalar("Mul", b.scalar("Pow", x, 3.0), 0.044715))
    curve = b.unary("Tanh", b.scalar("Mul", inner, ROOT_TWO_OVER_PI))
    return b.mul(half, b.scalar("Add", curve, 1.0))


def _quick_gelu(b: GraphBuilder, x: str) -> str:
    """``x σ(1.702 x)``, CLIP's."""
    return b.mul(x, b.unary("Sigmoid", b.scalar("Mul", x, 1.702)))


def _mish(b: GraphBuilder, x: str) -> str:
    """``x tanh(softplus(x))``; https://arxiv.org/abs/1908.08681."""
    if b.style.opset >= 18 and b.style.exporter == "dynamo":
        return b.unary("Mish", x)
    return b.mul(x, b.unary("Tanh", b.unary("Softplus", x)))


def _prelu(b: GraphBuilder, x: str) -> str:
    rank = len(b.shape(x))
    slope = b.weight(b.shape(x)[1], *[1] * (rank - 2)) if rank > 2 else b.weight(b.shape(x)[-1])
    return b.unary("PRelu", x, slope)


ACTIVATIONS: dict[str, Callable[[GraphBuilder, str], str]] = {
    "relu": lambda b, x: b.unary("Relu", x),
    "relu6": lambda b, x: b.clip(x, 0.0, 6.0),
    "leaky": lambda b, x: b.unary("LeakyRelu", x, alpha=0.1),
    "prelu": _prelu,
    "elu": lambda b, x: b.unary("Elu", x, alpha=1.0),
    "selu": lambda b, x: b.unary("Selu", x),
    "sigmoid": lambda b, x: b.unary("Sigmoid", x),
    "tanh": lambda b, x: b.unary("Tanh", x),
    "softplus": lambda b, x: b.unary("Softplus", x),
    "silu": _silu,
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": _hard_swish,
    "gelu": _gelu,
    "gelu_tanh": gelu_tanh,
    "quick_gelu": _quick_gelu,
    "mish": _mish,
}
