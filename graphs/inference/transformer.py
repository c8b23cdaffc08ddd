"""Attention, embeddings and skip normalisations of ``com.microsoft``, as transformer fusions write them."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.errors import InvalidGraph
from graphs.inference.call import Call, axis_in, rule
from graphs.ir import TensorType

_M = "com.microsoft."


@rule(_M + "SkipLayerNormalization", _M + "SkipSimplifiedLayerNormalization")
def _skip_layer_normalization(call: Call) -> Sequence[TensorType]:
    """The normalised sum, mean, inverse deviation, and the sum itself."""
    data = call.shape(0)
    statistic = TensorType("float32", (*data[:-1], 1))
    return (call.type(0), statistic, statistic, call.type(0))


@rule(_M + "EmbedLayerNormalization")
def _embed_layer_normalization(call: Call) -> Sequence[TensorType]:
    """Embeddings [batch, sequence, hidden], the mask's sums [batch], and the embeddings' sum."""
    ids, hidden = call.shape(0), call.shape(2)[-1]
    embedded = TensorType(call.dtype(2), (*ids, hidden))
    return (embedded, TensorType("int32", (ids[0],)), embedded)


@rule(_M + "Attention")
def _attention(call: Call) -> Sequence[TensorType]:
    """[batch, sequence, hidden of V], and the keys and values so far [2, batch, heads, length, head]."""
    data, weight, heads = call.shape(0), call.shape(1), call.attribute("num_heads", 1)
    sizes = call.attribute("qkv_hidden_sizes")
    hidden = sizes[2] if sizes else weight[1] // 3
    past = call.shape(4)[3] if call.has(4) else 0
    present = (2, data[0], heads, data[1] + past, hidden // heads)
    return (TensorType(call.dtype(0), (*data[:2], hidden)), TensorType(call.dtype(0), present))


@rule(_M + "MultiHeadAttention")
def _multi_head_attention(call: Call) -> Sequence[TensorType]:
    """Query [batch, sequence, hidden]; keys and values [batch, length, hidden] or already split into heads."""
    query, heads = call.shape(0), call.attribute("num_heads", 1)
    if len(query) != 3 or not call.has(2):
        raise InvalidGraph("packed query, key and value are not supported; give them as three inputs")
    value = call.shape(2)
    length, hidden = (value[1], value[2]) if len(value) == 3 else (value[2], value[1] * value[3])
    past = call.shape(6)[2] if call.has(6) else 0
    key = TensorType(call.dtype(0), (query[0], heads, length + past, query[2] // heads))
    present = TensorType(call.dtype(0), (query[0], heads, length + past, hidden // heads))
    return (TensorType(call.dtype(0), (*query[:2], hidden)), key, present)


@rule(_M + "GroupQueryAttention")
def _group_query_attention(call: Call) -> Sequence[TensorType]:
    """Query [batch, sequence, heads·head], caches [batch, kv_heads, length, head].

    A cache is as long as the one given or as the total length (input 6), which is the sum of both where it is computed.
    """
    query = call.shape(0)
    heads, kv_heads = call.attribute("num_heads", 1), call.attribute("kv_num_heads", 1)
    head = query[2] // heads if call.has(1) else query[2] // (heads + 2 * kv_heads)
    past = call.shape(3)[2] if call.has(3) else 0
    total = call.value(6)
    length = past + query[1] if total is None else int(total.reshape(-1)[0])
    cache = TensorType(call.dtype(3) if call.has(3) else call.dtype(0), (query[0], kv_heads, max(past, length), head))
    return (TensorType(call.dtype(0), (*query[:2], heads * head)), cache, cache)


@rule(_M + "RotaryEmbedding")
def _rotary_embedding(call: Call) -> Sequence[TensorType]:
    return (call.type(0),)


@rule("RotaryEmbedding")
def _standard_rotary_embedding(call: Call) -> Sequence[TensorType]:
    return (call.type(0),)


@rule("Attention")
def _standard_attention(call: Call) -> Sequence[TensorType]:
    """ONNX Attention (opset 23): Q [batch, heads, sequence, head] or [batch, sequence, hidden], K and V likewise."""
    query, key, value = call.shape(0), call.shape(1), call.shape(2)
    dtype, past = call.dtype(0), call.shape(4)[2] if call.has(4) else 0
    if len(query) == 3:
        heads, kv_heads = call.attribute("q_num_heads", 1), call.attribute("kv_num_heads", 1)
        length, head, value_head = key[1] + past, query[2] // heads, value[2] // kv_heads
        output: tuple[int, ...] = (query[0], query[1], heads * value_head)
        sequence = query[1]
    else:
        heads, kv_heads, length = query[1], key[1], key[2] + past
        head, value_head, sequence = query[3], value[3], query[2]
        output = (query[0], heads, sequence, value_head)
    return (
        TensorType(dtype, output),
        TensorType(dtype, (query[0], kv_heads, length, head)),
        TensorType(dtype, (query[0], kv_heads, length, value_head)),
        TensorType(dtype, (query[0], heads, sequence, length)),
    )


@rule(_M + "RelativePositionBias")
def _relative_position_bias(call: Call) -> Sequence[TensorType]:
    heads = call.shape(0)[1]
    return (TensorType(call.dtype(0), (1, heads, call.need_ints(1)[0], call.need_ints(2)[0])),)


@rule(_M + "GatherBlockQuantized")
def _gather_block_quantized(call: Call) -> Sequence[TensorType]:
    data = call.shape(0)
    axis = axis_in(call.attribute("gather_axis", 0), len(data))
    return (TensorType(call.dtype(2), data[:axis] + call.shape(1) + data[axis + 1 :]),)
