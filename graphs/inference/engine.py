"""Static types of all tensors, and everything that is constant folded away."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from graphs.errors import GraphError, InvalidGraph, MissingValue, UnboundDimension, UnsupportedOperator
from graphs.inference import conditions
from graphs.inference.call import RULES, Call
from graphs.inference.control import infer_control
from graphs.inference.fallback import infer_by_schema
from graphs.inference.nchwc import block_size
from graphs.inference.values import compute_outputs
from graphs.interruption import checkpoint
from graphs.ir import MAX_VALUE_ELEMENTS, Graph, Node, Parameter, TensorType, Value
from graphs.masking import folded_masking, hidden
from graphs.structure import bodies_read, check_size, reads

#: Values of up to this many elements are computed on the way, since a small one may come of them again.
MAX_COMPUTED_ELEMENTS = 1 << 16

#: Constants of these (and of contrib operators) are not folded: onnxruntime keeps them, or they are no functions.
NOT_FOLDED = frozenset({
    "QuantizeLinear", "DequantizeLinear",
    "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli",
    "If", "Loop", "Scan",
})  # fmt: skip

#: Operators that onnxruntime's processor kernels cannot do at all; it runs their bodies, also those of constants.
WITHOUT_KERNEL = frozenset({
    "Bernoulli", "CastLike", "CausalConvWithState", "CenterCropPad", "GroupNormalization", "HardSwish",
    "LinearAttention", "Mish", "NegativeLogLikelihoodLoss", "SequenceMap", "SoftmaxCrossEntropyLoss", "SwiGLU", "Swish",
})  # fmt: skip

#: Operators on float16 that onnxruntime's processor kernels can do, and which it therefore folds; others it runs.
HALF_FOLDED = frozenset({
    "Attention", "BitCast", "Cast", "Clip", "Compress", "Concat", "ConstantOfShape", "Expand", "Flatten", "Gather",
    "GatherElements", "GatherND", "Identity", "IsInf", "IsNaN", "LayerNormalization", "Max", "Min", "Mod",
    "RMSNormalization", "Reshape", "ReverseSequence", "RotaryEmbedding", "Round", "ScatterElements", "ScatterND",
    "Shape", "Shrink", "Sign", "Slice", "Split", "Squeeze", "TensorScatter", "Transpose", "Unsqueeze",
})  # fmt: skip

_REARRANGING = frozenset({
    "Expand", "Flatten", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
})  # fmt: skip


def infer(graph: Graph, *, fold: bool = True) -> Graph:
    """A graph with the static types of all tensors, in which only what depends on the inputs is computed.

    Input types must be static (see `bind`). A node all of whose inputs are constants becomes a parameter, and so
    does the shape of anything; what is needed no more then disappears. Without ``fold`` all nodes stay: what a runtime
    has not folded, it computes in every run.

    Raises InvalidGraph where shapes do not fit, MissingValue where the value of a constant decides a shape but is not
    known, UnsupportedOperator.
    """
    inference = _Inference(graph, fold=fold)
    for name in graph.inputs:
        if not graph.types[name].is_static:
            shape = list(graph.types[name].shape)
            raise UnboundDimension(name, f"input {name!r} is not static: {shape}; bind the graph first")
        inference.types[name] = graph.types[name]
    for node in graph.nodes:
        checkpoint()
        inference.visit(node)
    return inference.result()


class _Inference:
    """What is known of a graph on the way through it; a body sees what is known of the graph around it."""

    def __init__(self, graph: Graph, outer: _Inference | None = None, *, fold: bool = True) -> None:
        self.graph = graph
        self.fold = fold
        #: Constants that nodes make which were not folded.
        self.made: set[str] = set()
        self.opset: dict[str, int] = graph.opset if outer is None else outer.opset
        self.block = block_size(graph)
        self.parameters: dict[str, Parameter] = {**(outer.parameters if outer else {}), **graph.parameters}
        self.types: dict[str, TensorType] = {} if outer is None else dict(outer.types)
        self.nodes: list[Node] = []
        self.renamed: dict[str, str] = {}
        #: Names that must stay: outputs, and what bodies read.
        self.fixed = {*graph.outputs, *bodies_read(graph.nodes)}
        for name, parameter in graph.parameters.items():
            self.types[name] = parameter.type

    def visit(self, node: Node) -> None:
        """Infer one node; keep it, or turn its outputs into parameters."""
        if self.renamed and not self.renamed.keys().isdisjoint(node.inputs):
            node = node.copy()
            node.inputs = [self.renamed.get(n, n) for n in node.inputs]
        if node.op == "Identity" and not node.domain and self.fold and self._alias(node):
            return
        if node.op == "If" and not node.domain and self.fold:
            body = conditions.known_branch(node, self.parameters)
            if body is not None:
                self._inline(node, body)
                return
        types = self._types(node)
        for name, type_ in zip(node.outputs, types, strict=False):
            if name:
                check_size(name, type_)
                self.types[name] = type_
        if not self._fold(node, types):
            self.nodes.append(node)

    def _alias(self, node: Node) -> bool:
        """Let readers of a constant's Identity read the constant itself."""
        source, name = node.inputs[0], node.outputs[0]
        if source not in self.parameters or name in self.fixed:
            return False
        self.renamed[name] = source
        return True

    def _inline(self, node: Node, body: Graph) -> None:
        nodes, parameters = conditions.inline(node, body, self.renamed, self.types)
        for name, parameter in parameters.items():
            self.parameters[name] = parameter
            self.types[name] = parameter.type
        for child in nodes:
            self.visit(child)

    def _call(self, node: Node) -> Call:
        types = self.types
        inputs = [types[name] if name else None for name in node.inputs]
        return Call(node, inputs, self.opset.get(node.domain, 1), self.parameters, self.block)

    def _types(self, node: Node) -> Sequence[TensorType]:
        call = self._call(node)
        function = RULES.get(node.kind)
        try:
            if function is not None:
                types = function(call)
            elif node.op in ("If", "Loop", "Scan"):
                types = infer_control(call, self._body)
            else:
                types = infer_by_schema(call)
        except (InvalidGraph, MissingValue, UnsupportedOperator) as error:
            raise _located(error, node) from error
        except (ValueError, TypeError, IndexError, ArithmeticError) as error:
            raise InvalidGraph(f"{node.op} {node.name!r}: malformed ({error})") from error
        if len(types) < len(node.outputs) and any(node.outputs[len(types) :]):
            raise InvalidGraph(f"{node.op} {node.name!r}: {len(node.outputs)} outputs, but it has only {len(types)}")
        return types

    def _body(self, body: Graph, inputs: Sequence[TensorType]) -> Sequence[TensorType]:
        """The types of a body's outputs."""
        inner = _Inference(body, self, fold=self.fold)
        inner.types.update(zip(body.inputs, inputs, strict=True))
        for name in body.inputs:
            inner.parameters.pop(name, None)
        for node in body.nodes:
            inner.visit(node)
        return [inner.types[inner.renamed.get(name, name)] for name in body.outputs]

    def _fold(self, node: Node, types: Sequence[TensorType]) -> bool:
        """Turn the outputs of a node of constants into parameters. True if that was done."""
        kind = node.kind
        parameters = self.parameters
        if kind not in ("Shape", "Size"):
            for name in node.inputs:
                if name and name not in parameters:
                    return False
            if kind in NOT_FOLDED or node.domain:
                return False
        values: Sequence[Value | None] | None = None
        if max(prod(t.dims) for t in types) <= MAX_COMPUTED_ELEMENTS:
            try:
                values = compute_outputs(self._call(node), types)
            except IndexError as error:
                raise InvalidGraph(f"{node.op} {node.name!r}: {error}") from error
        for index, name in enumerate(node.outputs):
            if name:
                value = values[index] if values is not None and index < len(values) else None
                parameters[name] = Parameter(types[index], value, self._fill(node), folded_masking(node, parameters))
        folded = self.fold and not self._is_left(node)
        if not folded:
            self.made.update(filter(None, node.outputs))
        return folded

    def _is_left(self, node: Node) -> bool:
        """Whether onnxruntime leaves a node of constants in the graph, though its value is known."""
        if node.op == "Shape":
            return False
        if node.op == "Size" and node.inputs[0] not in self.parameters:
            return True
        if node.op in ("GreaterOrEqual", "LessOrEqual") and self.opset.get("", 21) < 16:
            return True
        if node.op in WITHOUT_KERNEL or not self.made.isdisjoint(node.inputs):
            return True
        return node.op not in HALF_FOLDED and any(self.types[n].dtype == "float16" for n in node.inputs if n)

    def _fill(self, node: Node) -> float | None:
        """The number that a constant consists of: of ConstantOfShape, or of something filled that was rearranged."""
        if node.kind == "ConstantOfShape":
            value = node.attributes.get("value")
            return float(value.reshape(-1)[0]) if isinstance(value, np.ndarray) else 0.0
        return self.parameters[node.inputs[0]].fill if node.kind in _REARRANGING else None

    def result(self) -> Graph:
        """The finished graph without what is needed no more."""
        needed = {*self.graph.outputs, *self._ends()}
        kept = []
        for node in reversed(self.nodes):
            if not (self.fold and needed.isdisjoint(node.outputs)):
                kept.append(node)
                needed.update(reads(node))
        kept.reverse()
        parameters = {n: _small(p) for n, p in self.parameters.items() if n in needed and n not in self.made}
        wanted = needed.union(self.graph.inputs, *[n.outputs for n in kept])
        types = {name: t for name, t in self.types.items() if name in wanted}
        graph = self.graph
        return Graph(graph.name, dict(graph.opset), list(graph.inputs), list(graph.outputs), parameters, kept, types)

    def _ends(self) -> list[str]:
        """Outputs that nothing in the graph as it was given reads: runtimes compute them all the same."""
        nodes = self.graph.nodes
        read = self.fixed.union(*[node.inputs for node in nodes])
        return [n.outputs[0] for n in nodes if n.outputs and read.isdisjoint(n.outputs)]


def _small(parameter: Parameter) -> Parameter:
    if parameter.value is None or parameter.value.size <= MAX_VALUE_ELEMENTS:
        return parameter
    return Parameter(parameter.type, None, parameter.fill, hidden(parameter.value))


def _located(error: GraphError, node: Node) -> GraphError:
    """The same error, saying at which node it arose."""
    message = f"{node.op} {node.name!r}: {error}"
    if isinstance(error, MissingValue):
        return MissingValue(error.tensor, message)
    if isinstance(error, UnsupportedOperator):
        return UnsupportedOperator(error.operators, message)
    return InvalidGraph(message)
