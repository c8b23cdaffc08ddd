"""float16 forms: what converters such as onnxconverter-common make of a float32 network.

All numbers become float16 but those that an operator wants as float32: the scales and regions of Resize and Upsample.
What a processor has no float16 kernel for runs in float32 between casts, which lowering finds.
"""

from __future__ import annotations

import numpy as np

from graphs.ir import Attribute, Graph, Node, Parameter, TensorType

_SINGLE, _HALF = "float32", "float16"
#: TensorProto.DataType.
_NUMBERS: dict[int, int] = {1: 10}
#: Inputs that stay as they are.
_KEPT = {"Resize": (1, 2), "Upsample": (1,)}
_LARGEST = 65504.0


def to_half(graph: Graph) -> Graph:
    """A copy of ``graph`` in float16, inputs and outputs included."""
    result = graph.copy()
    kept = {name for node in graph.nodes for name in _kept_inputs(node)}
    result.parameters = {n: p if n in kept else _parameter(p) for n, p in graph.parameters.items()}
    result.types = {n: t if n in kept else _type(t) for n, t in graph.types.items()}
    for node in result.nodes:
        node.attributes = {name: _attribute(name, value) for name, value in node.attributes.items()}
    return result


def _kept_inputs(node: Node) -> list[str]:
    return [node.inputs[i] for i in _KEPT.get(node.op, ()) if i < len(node.inputs)]


def _type(t: TensorType) -> TensorType:
    return TensorType(_HALF, t.shape) if t.dtype == _SINGLE else t


def _parameter(parameter: Parameter) -> Parameter:
    if parameter.type.dtype != _SINGLE:
        return parameter
    value, fill = parameter.value, parameter.fill
    if value is not None:
        value = np.clip(value, -_LARGEST, _LARGEST).astype(np.float16)
    if fill is not None:
        fill = float(np.float16(np.clip(fill, -_LARGEST, _LARGEST)))
    return Parameter(_type(parameter.type), value, fill, parameter.masking)


def _attribute(name: str, value: Attribute) -> Attribute:
    if name in ("to", "dtype") and isinstance(value, int):
        return _NUMBERS.get(value, value)
    if isinstance(value, np.ndarray) and value.dtype == np.float32:
        return np.clip(value, -_LARGEST, _LARGEST).astype(np.float16)
    return value
