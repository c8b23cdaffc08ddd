"""Contrib operators (``com.microsoft``) that models bring along: namesakes of standard ones, and some of their own.

Signatures: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

from collections.abc import Sequence

from graphs.errors import InvalidGraph
from graphs.inference.call import Call, axis_in, rule
from graphs.inference.conv_pool import window
from graphs.inference.elementwise import same_as_first
from graphs.inference.indexing import gather_nd
from graphs.inference.shape_ops import range_of
from graphs.ir import TensorType

_M = "com.microsoft."

rule(_M + "Trilu", _M + "Inverse")(same_as_first)
rule(_M + "GatherND")(gather_nd)
rule(_M + "Range")(range_of)


@rule(_M + "QAttention")
def _quantised_attention(call: Call) -> Sequence[TensorType]:
    """[batch, sequence, hidden] in float, and the keys and values so far [2, batch, heads, length, head]."""
    data, hidden, heads = call.shape(0), call.shape(1)[1] // 3, call.attribute("num_heads", 1)
    past = call.shape(8)[3] if call.has(8) else 0
    present = (2, data[0], heads, data[1] + past, hidden // heads)
    return (TensorType(call.dtype(3), (*data[:2], hidden)), TensorType(call.dtype(3), present))


@rule(_M + "GridSample")
def _grid_sample(call: Call) -> Sequence[TensorType]:
    """N×C×H×W data sampled at N×Ho×Wo×2 places."""
    data, grid = call.shape(0), call.shape(1)
    return (TensorType(call.dtype(0), (*data[:2], *grid[1:-1])),)


@rule(_M + "CDist")
def _distances(call: Call) -> Sequence[TensorType]:
    return (TensorType(call.dtype(0), (call.shape(0)[0], call.shape(1)[0])),)


@rule(_M + "Pad")
def _pad(call: Call) -> Sequence[TensorType]:
    """Pads of all dimensions, always as an input."""
    data, pads = call.shape(0), call.need_ints(1)
    rank = len(data)
    if len(pads) != 2 * rank:
        raise InvalidGraph(f"pads {pads} do not fit {rank} dimensions")
    return (TensorType(call.dtype(0), tuple(n + pads[i] + pads[i + rank] for i, n in enumerate(data))),)


@rule(_M + "ExpandDims")
def _expand_dims(call: Call) -> Sequence[TensorType]:
    data = call.shape(0)
    axis = axis_in(call.need_ints(1)[0], len(data) + 1)
    return (TensorType(call.dtype(0), (*data[:axis], 1, *data[axis:])),)


@rule(_M + "MaxpoolWithMask")
def _masked_max_pool(call: Call) -> Sequence[TensorType]:
    data = call.shape(0)
    return (TensorType(call.dtype(0), data[:2] + window(call, data[2:], call.attribute("kernel_shape", ()))),)


@rule(_M + "CropAndResize")
def _crop_and_resize(call: Call) -> Sequence[TensorType]:
    """One crop of the size given per region."""
    return (TensorType(call.dtype(0), (call.shape(1)[0], call.shape(0)[1], *call.need_ints(3))),)


@rule(_M + "MatMulBnb4")
def _matmul_four_bits(call: Call) -> Sequence[TensorType]:
    return (TensorType(call.dtype(0), (*call.shape(0)[:-1], call.attribute("N"))),)


@rule(_M + "SparseAttention")
def _sparse_attention(call: Call) -> Sequence[TensorType]:
    """As GroupQueryAttention, whose caches share their buffers with those given."""
    query, heads, kv_heads = call.shape(0), call.attribute("num_heads", 1), call.attribute("kv_num_heads", 1)
    head = query[2] // heads if call.has(1) else query[2] // (heads + 2 * kv_heads)
    return (TensorType(call.dtype(0), (*query[:2], heads * head)), call.type(3), call.type(4))
