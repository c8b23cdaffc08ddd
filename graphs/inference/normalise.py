"""Normalisations: the data keeps its type; some also give out statistics."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.errors import InvalidGraph
from graphs.inference.call import Call, Shape, axis_in, rule
from graphs.ir import TensorType


@rule("BatchNormalization")
def _batch_normalization(call: Call) -> Sequence[TensorType]:
    """In training mode the running statistics (opset 14; saved ones before) follow the data."""
    data = call.type(0)
    if len(data.shape) < 2:
        raise InvalidGraph(f"data must have at least 2 dimensions, not {len(data.shape)}")
    for index in range(1, 5):
        _per_channel(call, index)
    if len(call.node.outputs) == 1:
        return (data,)
    return (data, call.type(3), call.type(4), call.type(3), call.type(4))


@rule("InstanceNormalization", "GroupNormalization")
def _per_channel_normalization(call: Call) -> Sequence[TensorType]:
    if len(call.shape(0)) < 2:
        raise InvalidGraph(f"data must have at least 2 dimensions, not {len(call.shape(0))}")
    if call.node.op == "InstanceNormalization" or call.opset >= 21:
        _per_channel(call, 1)
        _per_channel(call, 2)
    return (call.type(0),)


@rule("LayerNormalization", "SimplifiedLayerNormalization", "RMSNormalization")
def _layer_normalization(call: Call) -> Sequence[TensorType]:
    """Mean and inverse deviation keep the dimensions before ``axis`` (Simplified/RMS: no mean)."""
    data = call.type(0)
    if len(call.node.outputs) == 1:
        return (data,)
    shape = call.shape(0)
    axis = axis_in(call.attribute("axis", -1), len(shape))
    statistic = TensorType("float32", _reduced(shape, axis))
    return (data, statistic, statistic)


def _reduced(shape: Shape, axis: int) -> Shape:
    return shape[:axis] + (1,) * (len(shape) - axis)


def _per_channel(call: Call, index: int) -> None:
    channels = call.shape(0)[1]
    if call.shape(index) != (channels,):
        raise InvalidGraph(f"{call.node.inputs[index]!r} has shape {list(call.shape(index))}, not [{channels}]")
