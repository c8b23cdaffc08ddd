"""Numbers for weights whose values nobody gave, so that a model runs as the real one would.

Runtimes merge equal constants, so no two stand-ins of one type and shape are equal while the element type allows it.
Arithmetic on denormals is slow and overflow turns into NaN, so weights are near 1/fan-in (a layer then averages its
inputs), scales and variances near 1, biases near 0.1: activations keep their magnitude through any depth.
"""

from __future__ import annotations

from collections import Counter
from math import prod

import numpy as np

from graphs.ir import Graph, Node, Parameter

_BIAS = 0.1
_UNIT = 1.0
#: Quantisation scales of activations and of weights.
_STEP, _FINE = 0.05, 0.01

#: What an input stands for, by operator (without domain) and input index, where that is not a matrix of weights.
_ROLES: dict[str, dict[int, float]] = {
    "BatchNormalization": {1: _UNIT, 2: _BIAS, 3: _BIAS, 4: _UNIT},
    "SkipLayerNormalization": {1: _BIAS, 2: _UNIT, 3: _BIAS, 4: _BIAS},
    "SkipSimplifiedLayerNormalization": {1: _BIAS, 2: _UNIT, 3: _BIAS},
    "EmbedLayerNormalization": {2: _BIAS, 3: _BIAS, 4: _BIAS, 5: _UNIT, 6: _BIAS},
    "Gather": {0: _BIAS}, "PRelu": {1: 0.25}, "Clip": {1: -6.0, 2: 6.0}, "Attention": {2: _BIAS},
    "LSTM": {3: _BIAS, 5: _BIAS, 6: _BIAS, 7: _BIAS}, "GRU": {3: _BIAS, 5: _BIAS}, "RNN": {3: _BIAS, 5: _BIAS},
    "QLinearConv": {1: _STEP, 4: _FINE, 6: _STEP}, "QLinearMatMul": {1: _STEP, 4: _FINE, 6: _STEP},
    "QGemm": {1: _STEP, 4: _FINE, 7: _STEP}, "MatMulIntegerToFloat": {2: _STEP, 3: _FINE, 6: _BIAS},
    "DynamicQuantizeMatMul": {2: _FINE, 4: _BIAS}, "MatMulNBits": {2: _FINE, 5: _BIAS},
    "DynamicQuantizeLSTM": {3: _BIAS, 5: _BIAS, 6: _BIAS, 7: _BIAS, 8: _FINE, 10: _FINE},
    "QLinearConcat": dict.fromkeys((0, *range(3, 300, 3)), _STEP),
} | {
    op: dict(roles)
    for ops, roles in (
        ("LayerNormalization InstanceNormalization GroupNormalization SimplifiedLayerNormalization RMSNormalization "
         "GroupNorm", {1: _UNIT, 2: _BIAS}),
        ("Add Sub Sum BiasGelu FastGelu BiasSoftmax", {0: _BIAS, 1: _BIAS}),
        ("Conv FusedConv NhwcFusedConv ConvTranspose Gemm FusedGemm", {2: _BIAS, 3: _BIAS}),
        ("QuantizeLinear DequantizeLinear", {1: _STEP}), ("QLinearAdd QLinearMul", {1: _STEP, 4: _STEP, 6: _STEP}),
        ("QLinearAveragePool QLinearGlobalAveragePool QLinearSoftmax QLinearSigmoid QLinearLeakyRelu",
         {1: _STEP, 3: _STEP}),
    )
    for op in ops.split()
}  # fmt: skip

#: Inputs that are zero points, whose natural value is the middle of the range.
_ZERO_POINTS: dict[str, tuple[int, ...]] = {
    "QuantizeLinear": (2,), "DequantizeLinear": (2,), "QLinearConv": (2, 5, 7), "QLinearMatMul": (2, 5, 7),
    "QGemm": (2, 5, 8), "QLinearAdd": (2, 5, 7), "QLinearMul": (2, 5, 7), "ConvInteger": (2, 3),
    "MatMulInteger": (2, 3), "MatMulIntegerToFloat": (4, 5), "QLinearConcat": (1, *range(4, 301, 3)),
    "QLinearSoftmax": (2, 4),
    "QLinearAveragePool": (2, 4), "QLinearGlobalAveragePool": (2, 4), "QLinearSigmoid": (2, 4),
    "QLinearLeakyRelu": (2, 4), "DynamicQuantizeMatMul": (3,), "MatMulNBits": (3,), "DynamicQuantizeLSTM": (9, 11),
}  # fmt: skip

#: Integer inputs that index the first input along an axis.
_INDICES = {
    "Gather": 1, "GatherElements": 1, "GatherND": 1, "ScatterElements": 1, "ScatterND": 1, "RotaryEmbedding": 1,
}  # fmt: skip

_MIDDLE = {"uint8": 128, "uint16": 32768}
#: Largest integer used, so that sums of products stay far from the type's end.
_LARGEST = {"int8": 100, "uint8": 200, "int4": 7, "uint4": 15, "int2": 1, "uint2": 3}
#: Distinct numbers between 1 and 2 that an element type has.
_STEPS = {
    "float16": 1024, "bfloat16": 128, "float8e4m3fn": 8, "float8e4m3fnuz": 8, "float8e5m2": 4, "float8e5m2fnuz": 4,
}  # fmt: skip


class StandIns:
    """Chooses the fills of a graph's parameters, by what the nodes that read them do with them.

    ``given`` counts the numbers handed out per type and magnitude, which keeps them distinct; subgraphs share it.
    """

    def __init__(self, graph: Graph, given: Counter[object] | None = None) -> None:
        self.graph = graph
        self.given: Counter[object] = Counter() if given is None else given
        self._fills: dict[str, float] = {}
        self._makers = {name: node for node in graph.nodes for name in node.outputs}
        self._uses: dict[str, list[tuple[Node, int]]] = {}
        for node in graph.nodes:
            for index, name in enumerate(node.inputs):
                self._uses.setdefault(name, []).append((node, index))

    def fill(self, name: str) -> float:
        """The number that the parameter consists of."""
        if name not in self._fills:
            parameter = self.graph.parameters[name]
            known = parameter.fill
            self._fills[name] = self._choose(name, parameter) if known is None else known
        return self._fills[name]

    def _choose(self, name: str, parameter: Parameter) -> float:
        dtype = parameter.type.dtype
        node, index = self._uses.get(name, [(_NOWHERE, 0)])[0]
        if dtype == "bool":
            return 1.0
        if dtype.startswith(("float", "bfloat")):
            return self._scale_of_bias(node, index) or self._floating(parameter, _magnitude(parameter, node, index))
        if index in _ZERO_POINTS.get(node.op, ()):
            return float(_MIDDLE.get(dtype, 0))
        if _INDICES.get(node.op) == index:
            return float(self._index(parameter, node))
        return float(self._integer(parameter))

    def _next(self, *key: object) -> int:
        self.given[key] += 1
        return self.given[key] - 1

    def _floating(self, parameter: Parameter, magnitude: float) -> float:
        steps = _STEPS.get(parameter.type.dtype, 4096)
        return magnitude * (1 + self._next(parameter.type, magnitude) % steps / steps)

    def _integer(self, parameter: Parameter) -> int:
        """1, -1, 2, -2, … (1, 2, … where there is no sign)."""
        dtype = parameter.type.dtype
        largest = _LARGEST.get(dtype, 10000)
        count = self._next(parameter.type)
        if dtype.startswith("u"):
            return 1 + count % largest
        size = 1 + count // 2 % largest
        return size if count % 2 == 0 else -size

    def _index(self, parameter: Parameter, node: Node) -> int:
        data = self.graph.types[node.inputs[0]].dims
        axis = node.attributes.get("axis", 0)
        size = data[axis] if isinstance(axis, int) and -len(data) <= axis < len(data) else 1
        if node.op.endswith("ND"):
            size = min(data, default=1)
        return self._next(parameter.type, "index") % max(size, 1)

    def _scale_of_bias(self, node: Node, index: int) -> float | None:
        """A quantised bias has the product of the data's and the weights' scales; runtimes check it before fusing."""
        if (node.op, index) != ("DequantizeLinear", 1):
            return None
        for layer, position in self._uses.get(node.outputs[0], ()):
            sources = [self._makers.get(name) for name in layer.inputs[:2]]
            if position == 2 and all(s is not None and s.op == "DequantizeLinear" for s in sources):
                data, weights = (np.float32(self._scalar(s.inputs[1])) for s in sources if s is not None)
                return float(data * weights)
        return None

    def _scalar(self, name: str) -> float:
        parameter = self.graph.parameters.get(name)
        if parameter is None:
            return 1.0
        return self.fill(name) if parameter.value is None else float(parameter.value.reshape(-1)[0])


_NOWHERE = Node("", [], [])


def _magnitude(parameter: Parameter, node: Node, index: int) -> float:
    known = _ROLES.get(node.op, {}).get(index)
    if known is not None:
        return known
    return 1 / max(_fan_in(parameter, node, index), 1)


def _fan_in(parameter: Parameter, node: Node, index: int) -> int:
    """How many products one output of the layer sums up."""
    shape = parameter.type.dims
    if len(shape) < 2:
        return 1
    if node.op == "ConvTranspose":
        return prod(shape) // shape[1]
    if node.op.endswith("Conv"):
        return prod(shape[1:])
    if node.op in ("Gemm", "FusedGemm", "FusedMatMul"):
        flag = node.attributes.get("transB" if index else "transA", 0)
        return shape[-1 if bool(flag) == bool(index) else -2]
    if node.op in ("LSTM", "GRU", "RNN"):
        return shape[-1]
    if node.op in ("MatMul", "Attention", "Einsum"):
        return shape[-2] if index else shape[-1]
    return 1
