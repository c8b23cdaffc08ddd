"""Types of If, Loop and Scan: those of their bodies, as long as the data does not decide any shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphs.errors import InvalidGraph, UnsupportedOperator
from graphs.inference.call import Call, axis_in
from graphs.ir import Graph, TensorType

#: Output types of a body, given those of its inputs.
InferBody = Callable[[Graph, Sequence[TensorType]], Sequence[TensorType]]


def infer_control(call: Call, infer_body: InferBody) -> Sequence[TensorType]:
    """Output types of an If, Loop or Scan node."""
    return {"If": _if, "Loop": _loop, "Scan": _scan}[call.node.op](call, infer_body)


def _body(call: Call, name: str) -> Graph:
    body = call.attribute(name)
    if not isinstance(body, Graph):
        raise InvalidGraph(f"attribute {name!r} must be a graph")
    return body


def _depends(call: Call, index: int, why: str) -> UnsupportedOperator:
    name = call.node.outputs[index] if index < len(call.node.outputs) else f"output {index}"
    return UnsupportedOperator([call.node.kind], f"the shape of {name!r} depends on the data: {why}")


def _if(call: Call, infer_body: InferBody) -> Sequence[TensorType]:
    """Both branches must agree; which one is taken is not known."""
    then, other = (infer_body(_body(call, f"{which}_branch"), ()) for which in ("then", "else"))
    for index, (a, b) in enumerate(zip(then, other, strict=True)):
        if a != b:
            raise _depends(call, index, f"the branches give {a.dtype} {list(a.shape)} and {b.dtype} {list(b.shape)}")
    return then


def _loop(call: Call, infer_body: InferBody) -> Sequence[TensorType]:
    """States keep their types; what is collected per iteration is as long as the known number of trips."""
    body = _body(call, "body")
    states = [call.type(i) for i in range(2, len(call.inputs))]
    made = infer_body(body, (TensorType("int64", ()), TensorType("bool", ()), *states))[1:]
    _check_states(call, states, made)
    collected = made[len(states) :]
    if not collected:
        return states
    trips, condition = call.value(0), call.value(1)
    endless = not call.has(1) or (condition is not None and bool(condition.reshape(-1)[0]))
    if trips is None or not endless or not _passes_on(body):
        raise _depends(call, len(states), "the number of iterations is not constant")
    count = int(trips.reshape(-1)[0])
    return (*states, *(TensorType(t.dtype, (count, *t.dims)) for t in collected))


def _passes_on(body: Graph) -> bool:
    """Whether a loop's body leaves its condition as it is."""
    source, condition = body.outputs[0], body.inputs[1]
    for node in reversed(body.nodes):
        if source in node.outputs and node.op == "Identity":
            source = node.inputs[0]
    value = body.parameters[source].value if source in body.parameters else None
    return source == condition or (value is not None and bool(value.reshape(-1)[0]))


def _scan(call: Call, infer_body: InferBody) -> Sequence[TensorType]:
    """Slices of the last inputs go in one after the other; what comes out beside the states is stacked."""
    body, count = _body(call, "body"), call.attribute("num_scan_inputs", 0)
    first = len(call.inputs) - count
    states = [call.type(i) for i in range(first)]
    axes = call.attribute("scan_input_axes") or (0,) * count
    slices, length = [], 0
    for index, axis in zip(range(first, len(call.inputs)), axes, strict=True):
        shape = call.shape(index)
        axis = axis_in(axis, len(shape))
        length = shape[axis]
        slices.append(TensorType(call.dtype(index), shape[:axis] + shape[axis + 1 :]))
    made = infer_body(body, (*states, *slices))
    _check_states(call, states, made)
    collected = made[first:]
    axes = call.attribute("scan_output_axes") or (0,) * len(collected)
    result = list(states)
    for type_, axis in zip(collected, axes, strict=True):
        axis = axis_in(axis, len(type_.shape) + 1)
        result.append(TensorType(type_.dtype, (*type_.dims[:axis], length, *type_.dims[axis:])))
    return result


def _check_states(call: Call, states: Sequence[TensorType], made: Sequence[TensorType]) -> None:
    for index, (before, after) in enumerate(zip(states, made, strict=False)):
        if before != after:
            raise _depends(call, index, f"it is {list(before.shape)} before an iteration, {list(after.shape)} after")
