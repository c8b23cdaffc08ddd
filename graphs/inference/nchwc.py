"""Operators of onnxruntime's blocked layout (``com.microsoft.nchwc``).

A blocked tensor's shape stays written as [N, channels padded to whole blocks, height, width]. Operators and attributes:
onnxruntime/core/graph/contrib_ops/nchwc_schema_defs.cc.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphs.errors import InvalidGraph
from graphs.inference.call import Call, rule
from graphs.inference.conv_pool import global_pool, pool, window
from graphs.inference.microsoft import to_nchw, to_nhwc
from graphs.ir import TensorType

_N = "com.microsoft.nchwc."

#: onnxruntime's block on AVX-512; 8 elsewhere. Only ReorderInput pads, and weights padded before say the rest.
BLOCK = 16

rule(_N + "MaxPool", _N + "AveragePool")(pool)
rule(_N + "GlobalMaxPool", _N + "GlobalAveragePool")(global_pool)


@rule(_N + "Conv")
def _conv(call: Call) -> Sequence[TensorType]:
    """Weights are OIHW with padded channels; input 3 is a residual of the output's shape."""
    data, weight = call.shape(0), call.shape(1)
    if len(data) != 4 or len(weight) != 4:
        raise InvalidGraph(f"data {list(data)} and weights {list(weight)} do not fit a blocked convolution")
    shape = (data[0], weight[0], *window(call, data[2:], weight[2:]))
    if call.has(3) and call.shape(3) != shape:
        raise InvalidGraph(f"the residual has shape {list(call.shape(3))}, not {list(shape)}")
    return (TensorType(call.dtype(0), shape),)


@rule(_N + "ReorderInput")
def _reorder_input(call: Call) -> Sequence[TensorType]:
    """Plain (or with ``channels_last`` N×H×W×C) data into blocks; channels are padded to a multiple of 4 at least."""
    shape = to_nchw(call.shape(0)) if call.attribute("channels_last", 0) else call.shape(0)
    padded = -(-shape[1] // BLOCK) * BLOCK
    return (TensorType(call.dtype(0), (shape[0], padded, *shape[2:])),)


@rule(_N + "ReorderOutput")
def _reorder_output(call: Call) -> Sequence[TensorType]:
    """Back to plain data with ``channels`` channels."""
    data = call.shape(0)
    shape = (data[0], call.attribute("channels", data[1]), *data[2:])
    return (TensorType(call.dtype(0), to_nhwc(shape) if call.attribute("channels_last", 0) else shape),)


@rule(_N + "Upsample")
def _upsample(call: Call) -> Sequence[TensorType]:
    data = call.shape(0)
    scales = call.attribute("scales", (1, 1, 1, 1))
    return (TensorType(call.dtype(0), tuple(int(n * s) for n, s in zip(data, scales, strict=True))),)
