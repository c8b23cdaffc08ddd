"""Language models as optimisers and generators write them for onnxruntime: attention and its company in few operators.

`bert_fused` is what onnxruntime's transformer optimiser (Optimum's O2 and O3) makes of encoders, `decoder_fused` what
the generator of onnxruntime-genai writes for Llama, Mistral, Phi and Qwen, with four-bit weights as often as not, and
`standard_attention` what exporters write since operator set 23. Operators of com.microsoft:
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md; grouped queries
https://arxiv.org/abs/2305.13245, rotary positions https://arxiv.org/abs/2104.09864.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphs.ir import Attribute
from graphs.spaces.attention import pick_heads
from graphs.spaces.builder import GraphBuilder
from graphs.spaces.draw import Draw
from graphs.spaces.language import embed, features_of, token_ids, vocabulary_head
from graphs.spaces.normalisation import rms_norm
from graphs.spaces.operators import linear, matmul

_MICROSOFT = "com.microsoft"
_BLOCK = 32


def _contrib(
    b: GraphBuilder, op: str, inputs: Sequence[str], shapes: Sequence[Sequence[int]], **attributes: Attribute
) -> list[str]:
    """An operator of com.microsoft; a shape that is empty stands for an output that nobody needs."""
    b.graph.opset[_MICROSOFT] = 1
    first = next(name for name in inputs if name and b.dtype(name) == "float32")
    wanted = b.nodes(op, inputs, [s for s in shapes if s], attributes, dtype=b.dtype(first))
    node = b.graph.nodes[-1]
    node.domain = _MICROSOFT
    names = iter(wanted)
    node.outputs = [next(names) if shape else "" for shape in shapes]
    return wanted


def bert_fused(b: GraphBuilder, draw: Draw) -> str:
    """Encoder: EmbedLayerNormalization or SkipLayerNormalization, Attention or MultiHeadAttention, BiasGelu."""
    ids = token_ids(b, draw)
    n, length = b.shape(ids)
    features = features_of(draw)
    heads = pick_heads(draw, features, (64, 32, 26, 24, 48, 16))
    x = _embedded(b, draw, ids, features)
    mask = [b.input((n, length), "int32", "attention_mask")] if draw.chance(0.5) else []
    packed, act = draw.chance(0.6), draw.choice(("BiasGelu", "FastGelu"), (80, 20))
    for _ in range(draw.integer(3, 6) if draw.whole else draw.integer(1, 2)):
        if packed:
            inputs = [x, b.weight(features, 3 * features), b.weight(3 * features), *mask]
            b.spend(2.0 * n * length * features * 3 * features)
            y = _contrib(b, "Attention", inputs, [(n, length, features)], num_heads=heads)[0]
        else:
            parts = [linear(b, x, features, bias=False) for _ in range(3)]
            inputs = [*parts, b.weight(3 * features)]
            y = _contrib(b, "MultiHeadAttention", inputs, [(n, length, features)], num_heads=heads)[0]
        b.spend(4.0 * n * length * length * features)
        x = _skip_norm(b, linear(b, y, features, bias=False), x)
        hidden = features * draw.choice((4, 2, 3), (8, 1, 1))
        z = linear(b, x, hidden, bias=False)
        z = _contrib(b, act, [z, b.weight(hidden)], [b.shape(z)])[0]
        x = _skip_norm(b, linear(b, z, features, bias=False), x)
    if draw.chance(0.4):
        return vocabulary_head(b, draw, x)
    return linear(b, b.gather(x, b.constant(0, "int64"), axis=1), draw.choice((2, 3, 20)))


def _embedded(b: GraphBuilder, draw: Draw, ids: str, features: int) -> str:
    """Embedded ids, by one operator or by three."""
    n, length = b.shape(ids)
    tables = [b.weight(draw.choice((1000, 4000, 8000)), features), b.weight(length, features)]
    if draw.chance(0.5):
        ids32 = b.node("Cast", [ids], (n, length), dtype="int32", to=6)
        inputs = [ids32, "", *tables, "", b.weight(features), b.weight(features)]
        return _contrib(b, "EmbedLayerNormalization", inputs, [(n, length, features), ()], epsilon=1e-12)[0]
    x = b.binary("Add", b.gather(tables[0], ids), tables[1])
    return b.unary("LayerNormalization", x, b.weight(features), b.weight(features), axis=-1, epsilon=1e-12)


def _skip_norm(b: GraphBuilder, x: str, skip: str) -> str:
    features = b.shape(x)[-1]
    inputs = [x, skip, b.weight(features), b.weight(features), b.weight(features)]
    return _contrib(b, "SkipLayerNormalization", inputs, [b.shape(x)], epsilon=1e-12)[0]


def decoder_fused(b: GraphBuilder, draw: Draw) -> str:
    """Decoder of a generator: GroupQueryAttention with rotary positions and a cache, weights of four bits or 32."""
    past = draw.choice((0, draw.size(15, 1023)))
    length = 1 if past else draw.size(8, 256)
    n = draw.choice((1, 2, 4), (80, 10, 10))
    ids = b.input((n, length), "int64", "input_ids")
    features = draw.width(128, 1024, _BLOCK)
    size = draw.choice((64, 128, 32), (6, 3, 1))
    heads = max(2, features // size)
    groups = draw.choice([g for g in (1, 2, 4, 8) if heads % g == 0])
    product = _four_bits if draw.chance(0.5) else _full
    x = embed(b, draw, ids, features)
    y = rms_norm(b, x, reciprocal=False)
    total = past + length
    lengths = [b.constant([total - 1] * n, "int32"), b.constant([total], "int32")]
    angles = [b.weight(2048, size // 2) for _ in range(2)]
    for layer in range(draw.integer(3, 6) if draw.whole else draw.integer(1, 2)):
        old = ["", ""]
        if past:
            old = [b.input((n, heads // groups, past, size), name=f"past_{layer}_{part}") for part in ("key", "value")]
        packed = draw.chance(0.5)
        widths = [heads * size, heads // groups * size, heads // groups * size]
        parts = [product(b, y, sum(widths)), "", ""] if packed else [product(b, y, w) for w in widths]
        cache = (n, heads // groups, total, size)
        mixed = _contrib(
            b, "GroupQueryAttention", [*parts, *old, *lengths, *angles], [(n, length, heads * size), cache, cache],
            num_heads=heads, kv_num_heads=heads // groups, do_rotary=1,
        )[0]  # fmt: skip
        b.spend(4.0 * n * length * total * heads * size)
        y, x = _skip_rms(b, product(b, mixed, features), x)
        hidden = max(_BLOCK, features * draw.choice((8, 11, 12)) // (3 * _BLOCK) * _BLOCK)
        gate, up = product(b, y, hidden), product(b, y, hidden)
        y, x = _skip_rms(b, product(b, b.mul(b.mul(gate, b.unary("Sigmoid", gate)), up), features), x)
    return product(b, y, draw.choice((1000, 4000, 8000, 16000)))


def _skip_rms(b: GraphBuilder, x: str, skip: str) -> tuple[str, str]:
    """The norm of a sum, and the sum."""
    shape = b.shape(x)
    inputs = [x, skip, b.weight(shape[-1])]
    first, total = _contrib(b, "SkipSimplifiedLayerNormalization", inputs, [shape, (), (), shape], epsilon=1e-5)
    return first, total


def _full(b: GraphBuilder, x: str, features: int) -> str:
    return matmul(b, x, b.weight(b.shape(x)[-1], features))


def _four_bits(b: GraphBuilder, x: str, features: int) -> str:
    """A product with weights of four bits, scaled in blocks of 32."""
    *rows, inner = b.shape(x)
    blocks = inner // _BLOCK
    weight = b.weight(features, blocks, _BLOCK // 2, dtype="uint8")
    b.spend(4.0 * features * inner * b.shape(x)[0] * b.shape(x)[1])
    return _contrib(
        b, "MatMulNBits", [x, weight, b.weight(features * blocks)], [(*rows, features)],
        K=inner, N=features, bits=4, block_size=_BLOCK,
    )[0]  # fmt: skip


def standard_attention(b: GraphBuilder, draw: Draw) -> str:
    """Encoder or decoder of operator set 23: Attention, RotaryEmbedding, RMSNormalization or LayerNormalization."""
    b.style = replace(b.style, opset=23)
    b.graph.opset[""] = 23
    ids = token_ids(b, draw, 8, 384)
    n, length = b.shape(ids)
    features = features_of(draw)
    size = draw.choice((64, 32, 128), (70, 20, 10))
    heads = max(2, features // size)
    groups = draw.choice([g for g in (1, 2, 4) if heads % g == 0])
    causal, rotary, flat = draw.chance(0.6), draw.chance(0.6), draw.chance(0.5)
    x = embed(b, draw, ids, features)
    for _ in range(draw.integer(3, 6) if draw.whole else draw.integer(1, 2)):
        y = _standard_norm(b, x, plain=rotary)
        widths = (heads * size, heads // groups * size, heads // groups * size)
        q, k, v = (linear(b, y, w, bias=not rotary) for w in widths)
        if rotary:
            q, k = _rotated(b, q, heads), _rotated(b, k, heads // groups)
        mixed = _attend(b, (q, k, v), heads, groups, causal=causal, flat=flat)
        b.spend(4.0 * n * length * length * heads * size)
        x = b.binary("Add", x, linear(b, mixed, features, bias=not rotary))
        hidden = linear(b, _standard_norm(b, x, plain=rotary), features * 4, bias=not rotary)
        hidden = b.unary("Gelu", hidden, approximate="none") if draw.chance(0.7) else b.unary("Relu", hidden)
        x = b.binary("Add", x, linear(b, hidden, features, bias=not rotary))
    return vocabulary_head(b, draw, _standard_norm(b, x, plain=rotary))


def _attend(b: GraphBuilder, parts: tuple[str, str, str], heads: int, groups: int, *, causal: bool, flat: bool) -> str:
    """Attention over ``(n, length, features)``, or over ``(n, heads, length, size)`` between transposes."""
    n, length, features = b.shape(parts[0])
    if flat:
        return b.node(
            "Attention", parts, (n, length, features), is_causal=int(causal), q_num_heads=heads,
            kv_num_heads=heads // groups,
        )  # fmt: skip
    counts = (heads, heads // groups, heads // groups)
    split = [b.transpose(b.reshape(p, n, length, c, -1), 0, 2, 1, 3) for p, c in zip(parts, counts, strict=True)]
    mixed = b.node("Attention", split, b.shape(split[0]), is_causal=int(causal))
    return b.reshape(b.transpose(mixed, 0, 2, 1, 3), n, length, features)


def _rotated(b: GraphBuilder, x: str, heads: int) -> str:
    n, length, features = b.shape(x)
    half = features // heads // 2
    angles = [b.weight(n, length, half) for _ in range(2)]
    return b.unary("RotaryEmbedding", x, *angles, num_heads=heads)


def _standard_norm(b: GraphBuilder, x: str, *, plain: bool) -> str:
    features = b.shape(x)[-1]
    if plain:
        return b.unary("RMSNormalization", x, b.weight(features), axis=-1, epsilon=1e-5)
    return b.unary("LayerNormalization", x, b.weight(features), b.weight(features), axis=-1, epsilon=1e-5)
