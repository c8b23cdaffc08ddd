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
from graphs.ir import Graph, TensorType

_N = "com.microsoft.nchwc."

_BLOCKS = (16, 8)


def block_size(graph: Graph) -> int:
    """Channels in a block: 16 with AVX-512, else 8; the weights, padded to whole blocks, show which."""
    for node in graph.nodes:
        if node.kind == _N + "Conv" and (weight := graph.parameters.get(node.inputs[1])) is not None:
            outputs, inputs = weight.type.dims[:2]
            if outputs % _BLOCKS[0] or (inputs > _BLOCKS[0] and inputs % _BLOCKS[0]):
                return _BLOCKS[1]
    return _BLOCKS[0]


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
    """Plain (or with ``channels_last`` N×H×W×C) data into blocks, the last of which is padded."""
    shape = to_nchw(call.shape(0)) if call.attribute("channels_last", 0) else call.shape(0)
    padded = -(-shape[1] // call.block) * call.block
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
