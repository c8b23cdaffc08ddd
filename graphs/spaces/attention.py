"""Attention (https://arxiv.org/abs/1706.03762) in the forms that exporters give it.

Heads are ``(n, heads, length, size)`` everywhere here.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphs.spaces.builder import GraphBuilder
from graphs.spaces.draw import Draw
from graphs.spaces.operators import linear, matmul, softmax


@dataclass(frozen=True, slots=True)
class AttentionForm:
    """How queries, keys and values come about and are multiplied."""

    #: One projection for all three, taken apart by Split and Squeeze, by Gather, or by Split of the last dimension.
    packed: str = "split"
    #: Where 1/√d goes: into the queries, half into both, onto the scores as Mul or as Div.
    scale: str = "query"
    #: Rows that are masked altogether give NaN, which the newer PyTorch replaces.
    guard_nan: bool = False
    bias: bool = True


def draw_form(b: GraphBuilder, draw: Draw) -> AttentionForm:
    """What the network's exporter would make of attention."""
    if b.style.exporter == "dynamo":
        packed = draw.choice(("none", "last", "split", "gather"), (40, 30, 20, 10))
        return AttentionForm(packed, "both", draw.chance(0.6))
    return AttentionForm(
        draw.choice(("split", "gather", "none", "last"), (40, 15, 30, 15)),
        draw.choice(("query", "scores", "divide", "both"), (50, 20, 20, 10)),
        bias=draw.chance(0.9),
    )


def self_attention(
    b: GraphBuilder, draw: Draw, x: str, heads: int, size: int, form: AttentionForm, *, mask: str = ""
) -> str:
    """Queries, keys and values from one sequence ``(n, length, features)``, and the projection back."""
    n, length, features = b.shape(x)
    if form.packed == "none":
        q, k, v = (heads_of(b, linear(b, x, heads * size, bias=form.bias), heads) for _ in range(3))
    elif form.packed == "last":
        packed = b.split(linear(b, x, 3 * heads * size, bias=form.bias), [heads * size] * 3, axis=2)
        q, k, v = (heads_of(b, part, heads) for part in packed)
    else:
        packed_heads = b.reshape(linear(b, x, 3 * heads * size, bias=form.bias), n, length, 3, heads, size)
        q, k, v = unpack(b, b.transpose(packed_heads, 2, 0, 3, 1, 4), form)
    return linear(b, merge_heads(b, attend(b, q, k, v, form, mask=mask)), features)


def heads_of(b: GraphBuilder, x: str, heads: int) -> str:
    """``(n, length, heads·size)`` to ``(n, heads, length, size)``."""
    n, length, features = b.shape(x)
    return b.transpose(b.reshape(x, n, length, heads, features // heads), 0, 2, 1, 3)


def merge_heads(b: GraphBuilder, x: str) -> str:
    """``(n, heads, length, size)`` to ``(n, length, heads·size)``."""
    n, heads, length, size = b.shape(x)
    return b.reshape(b.transpose(x, 0, 2, 1, 3), n, length, heads * size)


def unpack(b: GraphBuilder, packed: str, form: AttentionForm) -> list[str]:
    """The slices of the first dimension, by Gather or by Split and Squeeze."""
    count = b.shape(packed)[0]
    if form.packed == "gather":
        return [b.gather(packed, b.constant(i, "int64")) for i in range(count)]
    return [b.squeeze(part, 0) for part in b.split(packed, [1] * count, axis=0)]


def attend(b: GraphBuilder, q: str, k: str, v: str, form: AttentionForm, *, mask: str = "", windows: int = 0) -> str:
    """``softmax(q kᵀ / √d + mask) v``; ``mask`` is added, or chosen by Where if it is boolean.

    With ``windows`` another mask per window is added between Reshapes, as shifted windows have it.
    """
    size = b.shape(q)[-1]
    turned = _turn(b, k, form)
    if form.scale == "query":
        q = b.scalar("Mul", q, size**-0.5)
    elif form.scale == "both":
        q, turned = b.scalar("Mul", q, size**-0.25), b.scalar("Mul", turned, size**-0.25)
    scores = matmul(b, q, turned)
    if form.scale == "scores":
        scores = b.scalar("Mul", scores, size**-0.5)
    elif form.scale == "divide":
        scores = b.scalar("Div", scores, size**0.5)
    if mask:
        scores = apply_mask(b, scores, mask)
    if windows:
        scores = _mask_windows(b, scores, windows)
    weights = softmax(b, scores)
    if form.guard_nan:
        lost = b.node("IsNaN", [weights], b.shape(weights), dtype="bool")
        weights = b.node("Where", [lost, b.constant(0.0), weights], b.shape(weights), dtype="float32")
    return matmul(b, weights, v)


def _turn(b: GraphBuilder, k: str, form: AttentionForm) -> str:
    """The keys with their last two dimensions swapped; PyTorch's FX export does it in three dimensions."""
    n, heads, length, size = b.shape(k)
    if form.scale == "both" and b.style.exporter == "dynamo":
        return b.reshape(b.transpose(b.reshape(k, n * heads, length, size), 0, 2, 1), n, heads, size, length)
    return b.transpose(k, 0, 1, 3, 2)


def _mask_windows(b: GraphBuilder, scores: str, windows: int) -> str:
    n, heads, length, _ = b.shape(scores)
    apart = b.reshape(scores, n // windows, windows, heads, length, length)
    masked = b.binary("Add", apart, b.mask(1, windows, 1, length, length, share=_torn_share(windows), faint=True))
    return b.reshape(masked, n, heads, length, length)


def _torn_share(windows: int) -> float:
    """Of a square of windows those in the last row and column hold pixels that a shift tore apart: half of the scores
    there are hidden, and three quarters in the corner.
    """
    side: int = max(1, round(float(windows) ** 0.5))
    return ((side - 1) + 0.75) / windows


def apply_mask(b: GraphBuilder, scores: str, mask: str) -> str:
    """Minus infinity where a boolean mask is false, or a sum."""
    if b.dtype(mask) == "bool":
        return b.node("Where", [mask, scores, b.constant(-3.4e38)], b.shape(scores), dtype=b.dtype(scores))
    return b.binary("Add", scores, mask)


def causal_mask(b: GraphBuilder, draw: Draw, length: int, total: int | None = None) -> str:
    """A constant that hides the future."""
    shape = (1, 1, length, total or length)
    share = 0.5 * length / (total or length) if draw.chance(0.75) else 0.0
    return b.mask(*shape, share=share, dtype="float32" if draw.chance(0.75) else "bool")


def relative_bias(b: GraphBuilder, heads: int, length: int) -> str:
    """A learnt bias per head and pair of positions, already gathered from its table."""
    return b.weight(1, heads, length, length)


def rotate(b: GraphBuilder, x: str, *, halves: bool = True) -> str:
    """Rotary position embedding (https://arxiv.org/abs/2104.09864): Slice, Neg, Concat, two Mul and Add."""
    *_, length, size = b.shape(x)
    cosine, sine = (b.weight(1, 1, length, size) for _ in range(2))
    half = size // 2
    if halves:
        first, second = b.slice(x, 0, half, 3), b.slice(x, half, 2**63 - 1, 3)
        turned = b.concat([b.unary("Neg", second), first], axis=3)
    else:
        pairs = b.reshape(x, *b.shape(x)[:-1], half, 2)
        even, odd = (b.gather(pairs, b.constant(i, "int64"), axis=4) for i in (0, 1))
        stacked = b.concat([b.unsqueeze(b.unary("Neg", odd), 4), b.unsqueeze(even, 4)], axis=4)
        turned = b.reshape(stacked, *b.shape(x))
    return b.binary("Add", b.mul(x, cosine), b.mul(turned, sine))


def repeat_heads(b: GraphBuilder, x: str, times: int) -> str:
    """Grouped queries (https://arxiv.org/abs/2305.13245): every key head serves ``times`` query heads."""
    if times == 1:
        return x
    n, heads, length, size = b.shape(x)
    spread = b.expand(b.unsqueeze(x, 2), n, heads, times, length, size)
    return b.reshape(spread, n, heads * times, length, size)


def pick_heads(draw: Draw, features: int, sizes: tuple[int, ...] = (64, 32, 48, 24, 16, 80, 96, 128)) -> int:
    """A number of heads that divides ``features`` into one of the usual head sizes, or nearly."""
    for size in draw.shuffled(sizes[:2]) + draw.shuffled(sizes[2:]):
        if features % size == 0:
            return features // size
    return next(h for h in (8, 6, 4, 3, 2, 1) if features % h == 0)
