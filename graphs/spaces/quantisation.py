"""Eight-bit forms: a graph with QuantizeLinear and DequantizeLinear around what a static quantiser quantises.

This follows what onnxruntime's ``quantize_static`` writes: activations are quantised once per tensor and all their
consumers read the dequantised copy, weights and biases are stored quantised, Relu and Clip disappear into the range of
unsigned activations, and operators that only move data keep the scale of their input.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from graphs.ir import MAX_VALUE_ELEMENTS, Graph, Node, Parameter, TensorType
from graphs.spaces.draw import Draw

_COMPUTE = frozenset({"Conv", "Gemm", "MatMul"})
_MOVING = frozenset({"MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Resize", "Split", "Gather"})
_OTHERS = frozenset({
    "Add", "Mul", "Concat", "AveragePool", "GlobalAveragePool", "Sigmoid", "LeakyRelu", "Softmax", "ConvTranspose",
    "LayerNormalization", "BatchNormalization", "InstanceNormalization",
})  # fmt: skip
_CLAMPS = frozenset({"Relu", "Clip"})


_WEIGHT_SCALE = 0.001


@dataclass(frozen=True, slots=True)
class _Scheme:
    """The quantiser's settings for one graph."""

    activations: str
    per_channel: bool
    operators: frozenset[str]

    @property
    def absorbs_clamps(self) -> bool:
        """An unsigned range starts where Relu does."""
        return self.activations == "uint8"


def quantise(graph: Graph, draw: Draw) -> Graph:
    """A copy of ``graph`` (which keeps its names) in QDQ form; opset 13 or later."""
    scope = draw.choice(("all", "compute"), (75, 25))
    scheme = _Scheme(
        draw.choice(("uint8", "int8"), (85, 15)),
        draw.chance(0.75),
        _COMPUTE | _MOVING | _OTHERS | _CLAMPS if scope == "all" else _COMPUTE | {"Add"},
    )
    return _Quantiser(graph.copy(), scheme).run()


@dataclass(slots=True)
class _Quantiser:
    graph: Graph
    scheme: _Scheme
    nodes: list[Node] = field(default_factory=list)
    #: What consumers read instead of a tensor.
    replaced: dict[str, str] = field(default_factory=dict)
    #: Scale and zero point of quantised tensors, as names of constants.
    ranges: dict[str, tuple[str, str]] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)
    #: Activations that are quantised.
    wanted: set[str] = field(default_factory=set)

    def run(self) -> Graph:
        graph = self.graph
        original = self._absorb_clamps(graph.nodes)
        self._find_wanted(original)
        for name in graph.inputs:
            if name in self.wanted:
                self._insert(name, "")
        for node in original:
            quantised = self._is_quantised(node)
            inputs = [self.replaced.get(name, name) for name in node.inputs]
            if quantised:
                inputs = self._quantise_constants(node, inputs)
            self.nodes.append(Node(node.op, inputs, list(node.outputs), dict(node.attributes), node.domain, node.name))
            source = node.inputs[0] if quantised and node.op in _MOVING else ""
            for name in node.outputs:
                if name in self.wanted:
                    self._insert(name, source)
        graph.nodes = self.nodes
        graph.outputs = [self.replaced.get(name, name) for name in graph.outputs]
        used = {name for node in graph.nodes for name in node.inputs} | set(graph.outputs)
        graph.parameters = {name: p for name, p in graph.parameters.items() if name in used}
        return graph

    def _is_float(self, name: str) -> bool:
        return bool(name) and self.graph.types[name].dtype == "float32"

    def _is_quantised(self, node: Node) -> bool:
        """Data movers only where what they move is quantised anyway."""
        if node.op not in self.scheme.operators or not self._is_float(node.outputs[0]):
            return False
        return node.op not in _MOVING | _CLAMPS or node.inputs[0] in self.wanted

    def _absorb_clamps(self, nodes: list[Node]) -> list[Node]:
        """Without the Relu and Clip that follow a product or a sum: its range says the same."""
        if not self.scheme.absorbs_clamps:
            return nodes
        uses: dict[str, int] = {}
        for node in nodes:
            for name in node.inputs:
                uses[name] = uses.get(name, 0) + 1
        makers = {name: node for node in nodes for name in node.outputs}
        kept = []
        for node in nodes:
            maker = makers.get(node.inputs[0]) if node.op in _CLAMPS else None
            if maker and maker.op in self.scheme.operators & (_COMPUTE | {"Add"}) and uses[node.inputs[0]] == 1:
                maker.outputs[0] = node.outputs[0]
                makers[node.outputs[0]] = maker
            else:
                kept.append(node)
        return kept

    def _find_wanted(self, nodes: list[Node]) -> None:
        """What quantised operators read and write."""
        for node in nodes:
            if self._is_quantised(node):
                self.wanted.update(n for n in node.inputs if self._is_float(n) and n not in self.graph.parameters)
                self.wanted.update(node.outputs)

    def _constant(self, stem: str, dtype: str, shape: tuple[int, ...], number: float) -> str:
        """A constant that is ``number`` all over."""
        name = f"{stem}_{len(self.graph.parameters)}"
        kind = TensorType(dtype, shape)
        small = kind.elements <= MAX_VALUE_ELEMENTS
        value = np.full(shape, number, dtype=dtype) if small else None
        self.graph.parameters[name] = Parameter(kind, value=value, fill=None if small else float(number))
        self.graph.types[name] = kind
        return name

    def _emit(self, op: str, inputs: list[str], output: str, kind: TensorType, axis: int | None = None) -> str:
        self.graph.types[output] = kind
        self.nodes.append(Node(op, inputs, [output], {} if axis is None else {"axis": axis}, name=output))
        return output

    def _insert(self, name: str, source: str) -> None:
        """Quantise and dequantise ``name`` after it was made; with the range of ``source``, if that has one."""
        if name not in self.ranges:
            self.ranges[name] = self.ranges.get(source) or (
                self._constant("scale", "float32", (), 0.02 + 1e-5 * len(self.ranges)),
                self._constant("zero_point", self.scheme.activations, (), 128 if self.scheme.absorbs_clamps else 0),
            )
        limits, kind = list(self.ranges[name]), self.graph.types[name]
        coded = TensorType(self.scheme.activations, kind.shape)
        quantised = self._emit("QuantizeLinear", [name, *limits], f"{name}_quantised", coded)
        self.replaced[name] = self._emit("DequantizeLinear", [quantised, *limits], f"{name}_dequantised", kind)

    def _quantise_constants(self, node: Node, inputs: list[str]) -> list[str]:
        """The inputs with weights and biases replaced by their dequantised forms."""
        done = list(inputs)
        for index, name in enumerate(inputs):
            parameter = self.graph.parameters.get(name)
            if parameter is None or parameter.type.dtype != "float32" or node.op in _MOVING:
                continue
            bias = index == 2 and node.op in ("Conv", "Gemm")
            scale = self._bias_scale(node) if bias else _WEIGHT_SCALE
            done[index] = self._stored(name, parameter.type, *self._coding(node, index, parameter.type, bias), scale)
        return done

    def _bias_scale(self, node: Node) -> float:
        """Runtimes take a bias in only at the scale of the products that it is added to."""
        limits = self.ranges.get(node.inputs[0])
        value = self.graph.parameters[limits[0]].value if limits else None
        return float(np.float32(value) * np.float32(_WEIGHT_SCALE)) if value is not None else _WEIGHT_SCALE

    def _coding(self, node: Node, index: int, kind: TensorType, bias: bool) -> tuple[str, int | None]:
        """The stored dtype of a constant, and the axis along which its scale varies."""
        if bias:
            # The bias has the scale of the products it is added to.
            return "int32", 0 if self.scheme.per_channel else None
        if node.op not in _COMPUTE or index != 1:
            return self.scheme.activations, None
        if not self.scheme.per_channel or len(kind.shape) < 2 or (node.op == "MatMul" and len(kind.shape) > 2):
            return "int8", None
        if node.op == "Conv":
            return "int8", 0
        return "int8", 0 if node.attributes.get("transB") else len(kind.shape) - 1

    def _stored(self, name: str, kind: TensorType, dtype: str, axis: int | None, scale: float) -> str:
        """The dequantised form of the constant ``name``, made once."""
        if name not in self.weights:
            shape = () if axis is None else (kind.dims[axis],)
            limits = [
                self._constant("scale", "float32", shape, scale), self._constant("zero_point", dtype, shape, 0),
            ]  # fmt: skip
            coded = f"{name}_stored"
            self.graph.types[coded] = TensorType(dtype, kind.shape)
            self.graph.parameters[coded] = Parameter(self.graph.types[coded])
            output = f"{name}_dequantised"
            self.weights[name] = self._emit("DequantizeLinear", [coded, *limits], output, kind, axis)
        return self.weights[name]
