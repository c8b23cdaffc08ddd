"""Eight-bit forms whose activations are quantised while the network runs, as is common for language models.

This follows what onnxruntime's ``quantize_dynamic`` writes: products with constants, convolutions and LSTMs are
quantised; Gemm is a product and a sum first; what several layers read is quantised once; the product of both scales
brings the result back to float32.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from graphs.ir import MAX_VALUE_ELEMENTS, Attribute, Graph, Node, Parameter, TensorType
from graphs.spaces.draw import Draw

_FLOAT = 1
_WEIGHT_SCALE = 0.001


def quantise_dynamically(graph: Graph, draw: Draw) -> Graph:
    """A copy of ``graph`` (which keeps its names) with integer products; opset 11 or later."""
    weights = draw.choice(("int8", "uint8"), (75, 25))
    return _Quantiser(graph.copy(), weights, draw.chance(0.3)).run()


@dataclass(slots=True)
class _Quantiser:
    graph: Graph
    weights: str
    per_channel: bool
    nodes: list[Node] = field(default_factory=list)
    #: What DynamicQuantizeLinear makes of a tensor: data, scale, zero point.
    coded: dict[str, list[str]] = field(default_factory=dict)

    def run(self) -> Graph:
        graph = self.graph
        for node in graph.nodes:
            if node.op in ("MatMul", "Gemm") and self._is_matrix(node):
                self._product(node)
            elif node.op == "Conv" and self._is_weight(node.inputs[1]):
                self._convolution(node)
            elif node.op == "LSTM" and all(self._is_weight(name) for name in node.inputs[1:3]):
                self._lstm(node)
            else:
                self.nodes.append(node)
        graph.nodes = self.nodes
        if any(node.domain for node in graph.nodes):
            graph.opset["com.microsoft"] = 1
        used = {name for node in graph.nodes for name in node.inputs} | set(graph.outputs)
        graph.parameters = {name: p for name, p in graph.parameters.items() if name in used}
        return graph

    def _is_weight(self, name: str) -> bool:
        parameter = self.graph.parameters.get(name)
        return parameter is not None and parameter.type.dtype == "float32"

    def _is_matrix(self, node: Node) -> bool:
        if not self._is_weight(node.inputs[1]) or node.attributes.get("transA"):
            return False
        return len(self.graph.types[node.inputs[1]].shape) == 2

    def _name(self, stem: str, kind: TensorType) -> str:
        name = f"{stem}_{len(self.graph.types)}"
        self.graph.types[name] = kind
        return name

    def _constant(self, stem: str, kind: TensorType, number: float | None = None) -> str:
        """A weight of its own, or a constant that is ``number`` all over."""
        name = self._name(stem, kind)
        small = number is not None and kind.elements <= MAX_VALUE_ELEMENTS
        value = np.full(kind.dims, number, kind.dtype) if small else None
        self.graph.parameters[name] = Parameter(kind, value=value, fill=None if small else number)
        return name

    def _emit(
        self,
        op: str,
        inputs: list[str],
        kinds: list[TensorType],
        attributes: dict[str, Attribute] | None = None,
        outputs: list[str] | None = None,
    ) -> list[str]:
        made = outputs or [self._name(op, kind) for kind in kinds]
        self.nodes.append(Node(op, inputs, made, attributes or {}, name=f"{op}_of_{made[0]}"))
        return made

    def _quantised(self, name: str) -> list[str]:
        if name not in self.coded:
            shape = self.graph.types[name].shape
            kinds = [TensorType("uint8", shape), TensorType("float32", ()), TensorType("uint8", ())]
            self.coded[name] = self._emit("DynamicQuantizeLinear", [name], kinds)
        return self.coded[name]

    def _limits(self, shape: tuple[int, ...]) -> list[str]:
        """Scale and zero point of weights, of this shape."""
        zero = TensorType(self.weights, shape)
        middle = 128 if self.weights == "uint8" else 0
        return [self._scale(shape), self._constant("zero_point", zero, middle)]

    def _scale(self, shape: tuple[int, ...]) -> str:
        """No two weights have the same."""
        number = _WEIGHT_SCALE * (1 + len(self.graph.types) / 8192)
        return self._constant("scale", TensorType("float32", shape), float(np.float32(number)))

    def _integers(
        self, op: str, node: Node, weight: tuple[int, ...], channels: int, shape: tuple[int, ...], output: str
    ) -> None:
        """The product of integers and its way back to float32, as ``output`` of this shape.

        Runtimes have no kernels for convolutions with a scale per channel.
        """
        data, scale, zero = self._quantised(node.inputs[0])
        per_channel = self.per_channel and op != "ConvInteger"
        limits = (channels,) if per_channel else ()
        weight_scale, weight_zero = self._limits(limits)
        stored = self._constant("stored", TensorType(self.weights, weight))
        attributes = node.attributes if op == "ConvInteger" else {}
        (product,) = self._emit(op, [data, stored, zero, weight_zero], [TensorType("int32", shape)], dict(attributes))
        (real,) = self._emit("Cast", [product], [TensorType("float32", shape)], {"to": _FLOAT})
        (both,) = self._emit("Mul", [scale, weight_scale], [TensorType("float32", limits)])
        self._emit("Mul", [real, both], [], outputs=[output])

    def _sum(self, output: str, bias: str, shape: tuple[int, ...]) -> str:
        """The name that the product gets, to which ``bias`` is added to give ``output``."""
        return self._name(f"{output}_without_bias", TensorType("float32", shape)) if bias else output

    def _product(self, node: Node) -> None:
        rows, columns = self.graph.types[node.inputs[1]].dims
        if node.attributes.get("transB"):
            rows, columns = columns, rows
        shape = self.graph.types[node.outputs[0]].dims
        bias = node.inputs[2] if len(node.inputs) > 2 else ""
        output = self._sum(node.outputs[0], bias, shape)
        self._integers("MatMulInteger", node, (rows, columns), columns, shape, output)
        if bias:
            self._emit("Add", [output, bias], [], outputs=node.outputs)

    def _convolution(self, node: Node) -> None:
        weight, shape = self.graph.types[node.inputs[1]].dims, self.graph.types[node.outputs[0]].dims
        bias = node.inputs[2] if len(node.inputs) > 2 else ""
        output = self._sum(node.outputs[0], bias, shape)
        self._integers("ConvInteger", node, weight, weight[0], shape, output)
        if bias:
            column = self._constant("bias", TensorType("float32", (1, weight[0], *[1] * (len(shape) - 2))))
            self._emit("Add", [output, column], [], outputs=node.outputs)

    def _lstm(self, node: Node) -> None:
        ways, gates, features = self.graph.types[node.inputs[1]].dims
        hidden = self.graph.types[node.inputs[2]].dims[2]
        stored = [
            self._constant("stored", TensorType(self.weights, (ways, size, gates))) for size in (features, hidden)
        ]
        limits = []
        for _ in stored:
            shape = (ways, gates) if self.per_channel else (ways,)
            limits.append(self._scale(shape))
            limits.append(self._constant("zero_point", TensorType(self.weights, shape), 0))
        rest = [*node.inputs[3:], *[""] * 5][:5]
        inputs = [node.inputs[0], *stored, *rest, *limits]
        name = f"{node.name}_dynamic"
        self.nodes.append(
            Node("DynamicQuantizeLSTM", inputs, node.outputs, dict(node.attributes), "com.microsoft", name)
        )
