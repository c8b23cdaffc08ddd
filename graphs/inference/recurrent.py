"""Recurrent layers: the sequence of hidden states, the last one, and the last cell of an LSTM."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.errors import InvalidGraph
from graphs.inference.call import Call, rule
from graphs.ir import TensorType


@rule("LSTM", "GRU", "RNN")
def _recurrent(call: Call) -> Sequence[TensorType]:
    """X is [sequence, batch, input], or with layout 1 [batch, sequence, input]."""
    data, weight, recurrence = call.shape(0), call.shape(1), call.shape(2)
    if len(data) != 3 or len(weight) != 3 or len(recurrence) != 3:
        raise InvalidGraph("X, W and R must have 3 dimensions")
    directions, hidden = recurrence[0], recurrence[2]
    if data[2] != weight[2] or directions != (2 if call.attribute("direction") == "bidirectional" else 1):
        raise InvalidGraph(f"W {list(weight)} and R {list(recurrence)} do not fit X {list(data)}")
    if call.attribute("layout", 0):
        batch, length = data[:2]
        shapes = [(batch, length, directions, hidden), (batch, directions, hidden)]
    else:
        length, batch = data[:2]
        shapes = [(length, directions, batch, hidden), (directions, batch, hidden)]
    types = [TensorType(call.dtype(0), shape) for shape in shapes]
    return (*types, types[1])


@rule("com.microsoft.DynamicQuantizeLSTM")
def _dynamic_quantize_lstm(call: Call) -> Sequence[TensorType]:
    """W and R are stored in eight bits, transposed: [directions, input or hidden, 4 · hidden]."""
    data, weight, recurrence = call.shape(0), call.shape(1), call.shape(2)
    if len(data) != 3 or len(weight) != 3 or len(recurrence) != 3:
        raise InvalidGraph("X, W and R must have 3 dimensions")
    directions, hidden = recurrence[:2]
    if data[2] != weight[1] or directions != (2 if call.attribute("direction") == "bidirectional" else 1):
        raise InvalidGraph(f"W {list(weight)} and R {list(recurrence)} do not fit X {list(data)}")
    state = TensorType(call.dtype(0), (directions, data[1], hidden))
    return (TensorType(call.dtype(0), (data[0], directions, data[1], hidden)), state, state)
