"""Language models: encoders, decoders, both, and decoding with a cache.

BERT https://arxiv.org/abs/1810.04805, DistilBERT https://arxiv.org/abs/1910.01108, ALBERT
https://arxiv.org/abs/1909.11942, MobileBERT https://arxiv.org/abs/2004.02984, GPT-2
(https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf), T5
https://arxiv.org/abs/1910.10683, Llama https://arxiv.org/abs/2302.13971, SwiGLU https://arxiv.org/abs/2002.05202.
Widths cover the small models of those papers, since large ones differ from them in depth most of all.
"""

from __future__ import annotations

from graphs.spaces.activations import activate
from graphs.spaces.attention import (
    AttentionForm,
    attend,
    causal_mask,
    draw_form,
    heads_of,
    merge_heads,
    pick_heads,
    relative_bias,
    repeat_heads,
    rotate,
    self_attention,
)
from graphs.spaces.builder import GraphBuilder
from graphs.spaces.draw import Draw
from graphs.spaces.normalisation import layer_norm, rms_norm
from graphs.spaces.operators import linear, matmul, reduce, softmax
from graphs.spaces.transformers import mlp


def token_ids(b: GraphBuilder, draw: Draw, low: int = 12, high: int = 512, name: str = "input_ids") -> str:
    """Ids ``(n, length)``: usual lengths, or any."""
    usual = [n for n in (16, 32, 64, 128, 192, 256, 384, 512) if low <= n <= high]
    length = draw.choice(usual) if draw.chance(0.6) else draw.size(low, high)
    n = 1 if length > 128 else draw.batch(8)
    return b.input((n, length), "int64", name)


def features_of(draw: Draw) -> int:
    """Hidden sizes of published models up to 1,024, or any multiple of 16."""
    if draw.chance(0.65):
        return draw.choice((128, 256, 312, 384, 512, 768, 1024), (8, 18, 6, 20, 20, 20, 8))
    return draw.width(96, 1024, 16)


def embed(b: GraphBuilder, draw: Draw, ids: str, features: int) -> str:
    """Rows of a table; real vocabularies are larger, which changes the memory and not the time."""
    return b.gather(b.weight(draw.choice((1000, 4000, 8000, 16000)), features), ids)


#: Entries of vocabularies, up to GPT-2's.
_VOCABULARIES = (1000, 4000, 8000, 16000, 32000, 50257)


def vocabulary_head(b: GraphBuilder, draw: Draw, x: str) -> str:
    """The product with the vocabulary, which is small here more often than in real models."""
    return matmul(b, x, b.weight(b.shape(x)[-1], draw.choice(_VOCABULARIES, (30, 25, 20, 12, 8, 5))))


def bert(b: GraphBuilder, draw: Draw) -> str:
    """Post-norm encoder with token, segment and position embeddings; a mask is added or chosen by Where."""
    ids = token_ids(b, draw)
    n, length = b.shape(ids)
    features = features_of(draw)
    inner = draw.choice((128, 64)) if draw.chance(0.15) else features
    x = embed(b, draw, ids, inner)
    if draw.chance(0.6):
        x = b.binary("Add", x, b.gather(b.weight(2, inner), b.weight(1, length, dtype="int64", fill=0)))
    x = layer_norm(b, b.binary("Add", x, b.weight(1, length, inner)))
    x = linear(b, x, features) if inner != features else x
    mask = draw.choice(("", "sum", "where"), (30, 45, 25))
    share = draw.choice((0.0, 0.25, 0.5), (70, 15, 15))
    where = mask == "where"
    hidden_by = b.mask(n, 1, length if where else 1, length, share=share, dtype="bool" if where else "float32")
    form, heads = draw_form(b, draw), pick_heads(draw, features, (64, 32, 26, 24, 48, 16))
    act = draw.choice(("gelu", "relu", "gelu_tanh"), (85, 8, 7))
    for _ in range(draw.integer(3, 6) if draw.whole else draw.integer(1, 2)):
        y = self_attention(b, draw, x, heads, features // heads, form, mask=hidden_by if mask else "")
        x = layer_norm(b, b.binary("Add", y, x))
        x = layer_norm(b, b.binary("Add", mlp(b, draw, x, features * draw.choice((4, 2, 3), (8, 1, 1)), act=act), x))
    if draw.chance(0.4):
        return vocabulary_head(b, draw, layer_norm(b, activate(b, linear(b, x, features), act)))
    pooled = activate(b, linear(b, b.gather(x, b.constant(0, "int64"), axis=1), features), "tanh")
    return linear(b, pooled, draw.choice((2, 3, 20)))


def gpt(b: GraphBuilder, draw: Draw) -> str:
    """Pre-norm decoder with a causal mask and GPT-2's GELU, or an encoder-like one (GPT-Neo, OPT, Whisper's)."""
    ids = token_ids(b, draw)
    length, features = b.shape(ids)[1], features_of(draw)
    x = b.binary("Add", embed(b, draw, ids, features), b.weight(1, length, features))
    form, heads = draw_form(b, draw), pick_heads(draw, features)
    act = draw.choice(("gelu_tanh", "gelu", "relu", "quick_gelu"), (60, 20, 10, 10))
    mask = causal_mask(b, draw, length)
    for _ in range(draw.integer(3, 6) if draw.whole else draw.integer(1, 2)):
        y = self_attention(b, draw, layer_norm(b, x), heads, features // heads, form, mask=mask)
        x = b.binary("Add", y, x)
        x = b.binary("Add", x, mlp(b, draw, layer_norm(b, x), features * 4, act=act))
    return vocabulary_head(b, draw, layer_norm(b, x))


def llama(b: GraphBuilder, draw: Draw) -> str:
    """RMSNorm, rotary positions, grouped queries, SwiGLU, no biases."""
    ids = token_ids(b, draw, 8, 384)
    features = features_of(draw)
    x = embed(b, draw, ids, features)
    mask = causal_mask(b, draw, b.shape(ids)[1])
    size = draw.choice((64, 32, 128, 80, 96), (60, 15, 15, 5, 5))
    heads = max(2, features // size)
    groups = draw.choice([g for g in (1, 2, 3, 4, 8) if heads % g == 0])
    form = AttentionForm("none", draw.choice(("both", "divide", "scores")), draw.chance(0.5), bias=False)
    reciprocal = draw.chance(0.7)
    for _ in range(draw.integer(3, 6) if draw.whole else draw.integer(1, 2)):
        y = rms_norm(b, x, reciprocal=reciprocal)
        q = heads_of(b, linear(b, y, heads * size, bias=False), heads)
        k, v = (heads_of(b, linear(b, y, heads // groups * size, bias=False), heads // groups) for _ in range(2))
        halves = draw.chance(0.85)
        q, k = rotate(b, q, halves=halves), rotate(b, k, halves=halves)
        mixed = attend(b, q, repeat_heads(b, k, groups), repeat_heads(b, v, groups), form, mask=mask)
        x = b.binary("Add", x, linear(b, merge_heads(b, mixed), features, bias=False))
        x = b.binary("Add", x, _swiglu(b, draw, rms_norm(b, x, reciprocal=reciprocal)))
    return vocabulary_head(b, draw, rms_norm(b, x, reciprocal=reciprocal))


def _swiglu(b: GraphBuilder, draw: Draw, x: str) -> str:
    features = b.shape(x)[-1]
    hidden = draw.choice((features * 8 // 3, features * 4, features * 7 // 2, draw.width(features, 4 * features)))
    gate = activate(b, linear(b, x, hidden, bias=False), draw.choice(("silu", "gelu_tanh"), (9, 1)))
    return linear(b, b.mul(gate, linear(b, x, hidden, bias=False)), features, bias=False)


def t5(b: GraphBuilder, draw: Draw) -> str:
    """Encoder and decoder with cross-attention, relative biases, no scale, Relu or gated MLPs."""
    source, target = token_ids(b, draw, 12, 256), token_ids(b, draw, 8, 128, name="decoder_input_ids")
    # Both come in batches of one size.
    n = b.shape(source)[0]
    if b.shape(target)[0] != n:
        target = b.reshape(target, 1, -1) if n == 1 else b.gather(target, b.weight(n, dtype="int64", fill=0))
    features = features_of(draw)
    size = 64
    heads = max(2, features // size)
    form = AttentionForm("none", "none", bias=False)
    encoded = embed(b, draw, source, features)
    bias = relative_bias(b, heads, b.shape(encoded)[1])
    for _ in range(draw.depth(2, 3)):
        encoded = _t5_attention(b, encoded, encoded, heads, size, form, bias)
        encoded = _t5_mlp(b, draw, encoded)
    encoded = rms_norm(b, encoded)
    x = embed(b, draw, target, features)
    bias = relative_bias(b, heads, b.shape(x)[1])
    for _ in range(draw.depth(2, 3)):
        x = _t5_attention(b, x, x, heads, size, form, bias)
        x = _t5_attention(b, x, encoded, heads, size, form, "")
        x = _t5_mlp(b, draw, x)
    return vocabulary_head(b, draw, rms_norm(b, x))


def _t5_attention(b: GraphBuilder, x: str, source: str, heads: int, size: int, form: AttentionForm, bias: str) -> str:
    y = rms_norm(b, x)
    other = y if source == x else source
    q, k, v = (heads_of(b, linear(b, t, heads * size, bias=False), heads) for t in (y, other, other))
    mixed = merge_heads(b, attend(b, q, k, v, form, mask=bias))
    return b.binary("Add", x, linear(b, mixed, b.shape(x)[-1], bias=False))


def _t5_mlp(b: GraphBuilder, draw: Draw, x: str) -> str:
    features = b.shape(x)[-1]
    y = rms_norm(b, x)
    hidden = activate(b, linear(b, y, features * 4, bias=False), draw.choice(("relu", "gelu_tanh")))
    if draw.chance(0.4):
        hidden = b.mul(hidden, linear(b, y, features * 4, bias=False))
    return b.binary("Add", x, linear(b, hidden, features, bias=False))


def decoding(b: GraphBuilder, draw: Draw) -> str:
    """One step with a cache: products of one row, keys and values that grow by Concat."""
    n, past = draw.choice((1, 2, 4, 8), (70, 10, 10, 10)), draw.size(15, 1023)
    ids = b.input((n, 1), "int64", "input_ids")
    features = features_of(draw)
    size = draw.choice((64, 128, 32), (7, 2, 1))
    heads = max(2, features // size)
    groups = draw.choice([g for g in (1, 2, 4) if heads % g == 0])
    x = embed(b, draw, ids, features)
    form = AttentionForm("none", draw.choice(("scores", "both", "divide")), bias=False)
    for layer in range(draw.integer(4, 8) if draw.whole else draw.integer(2, 4)):
        y = rms_norm(b, x) if draw.chance(0.6) else layer_norm(b, x)
        q = rotate(b, heads_of(b, linear(b, y, heads * size, bias=False), heads))
        k, v = (heads_of(b, linear(b, y, heads // groups * size, bias=False), heads // groups) for _ in range(2))
        old = [b.input((n, heads // groups, past, size), name=f"past_{layer}_{part}") for part in ("key", "value")]
        k, v = b.concat([old[0], rotate(b, k)], axis=2), b.concat([old[1], v], axis=2)
        mixed = attend(b, q, repeat_heads(b, k, groups), repeat_heads(b, v, groups), form)
        x = b.binary("Add", x, linear(b, merge_heads(b, mixed), features, bias=False))
        x = b.binary("Add", x, _swiglu(b, draw, rms_norm(b, x)))
    return vocabulary_head(b, draw, rms_norm(b, x))


def recurrent(b: GraphBuilder, draw: Draw) -> str:
    """LSTM or GRU layers over embedded words, forwards or both ways, and a classifier."""
    ids = token_ids(b, draw, 8, 128)
    x = b.transpose(embed(b, draw, ids, draw.width(32, 300)), 1, 0, 2)
    for _ in range(draw.integer(1, 3)):
        x = recurrent_layer(b, x, draw.width(32, 384), draw.choice(("LSTM", "GRU", "RNN"), (6, 3, 1)), draw.chance(0.5))
    if draw.chance(0.5):
        return softmax(b, linear(b, x, draw.integer(5, 200)))
    return linear(b, reduce(b, "ReduceMean", x, (0,), keep=False), draw.integer(2, 100))


def recurrent_layer(b: GraphBuilder, x: str, hidden: int, kind: str, both_ways: bool) -> str:
    """``(length, n, features)`` to ``(length, n, hidden)``, doubled when it runs both ways, as PyTorch exports it."""
    length, n, features = b.shape(x)
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    ways = 2 if both_ways else 1
    weights = [
        b.weight(ways, gates * hidden, features),
        b.weight(ways, gates * hidden, hidden),
        b.weight(ways, 2 * gates * hidden),
    ]
    state = [b.weight(ways, n, hidden, fill=0.0) for _ in range(2 if kind == "LSTM" else 1)]
    b.spend(2.0 * length * n * ways * gates * hidden * (features + hidden))
    direction = "bidirectional" if both_ways else "forward"
    inputs = [x, *weights, "", *state]
    shape = (length, ways, n, hidden)
    if kind == "GRU":
        y = b.node(kind, inputs, shape, hidden_size=hidden, direction=direction, linear_before_reset=1)
    else:
        y = b.node(kind, inputs, shape, hidden_size=hidden, direction=direction)
    if not both_ways:
        return b.squeeze(y, 1)
    return b.reshape(b.transpose(y, 0, 2, 1, 3), length, n, ways * hidden)
