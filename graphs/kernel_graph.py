"""`Kernel` → a graph of one node that runs exactly this kernel when the runtime's optimisations are off."""

from __future__ import annotations

import numpy as np

from graphs.canonical import AVERAGE_POOL_WITH_DILATIONS
from graphs.errors import UnsupportedOperator
from graphs.inference import RULES, Call
from graphs.ir import Attribute, Graph, Node, Parameter, TensorType
from graphs.kernel_nodes import Draft, restore
from graphs.kernels import Kernel, Operand
from graphs.masking import SLOWING

_OPSET = 21
#: Operators that are newer, or gone since.
_OPSETS = {
    "Attention": 23, "RMSNormalization": 23, "RotaryEmbedding": 23, "Swish": 24, "TensorScatter": 24, "Upsample": 9,
}  # fmt: skip


def kernel_graph(kernel: Kernel) -> Graph:
    """One node over inputs ``x0, x1, …``; constant operands are parameters, their values only where they are known.

    Write it with ``write_onnx(graph, initializers=True)``: ConstantOfShape nodes would run as kernels of their own.
    What a kernel knows of its data (`SLOWING`) is not in the graph: its inputs are given from outside.
    Raises UnsupportedOperator for operators with subgraphs, whose bodies a kernel does not hold.
    """
    domain, _, op = kernel.kind.rpartition(".")
    if op in ("If", "Loop", "Scan"):
        raise UnsupportedOperator([op], f"{op} cannot be run alone: a kernel does not hold its subgraphs")
    opset = {"": _OPSETS.get(op, _OPSET) if not domain else _OPSET}
    if kernel.kind == "AveragePool" and not kernel.attribute("since_version"):
        opset[""] = AVERAGE_POOL_WITH_DILATIONS - 1
    if domain:
        opset[domain] = 1
    graph = Graph(op, opset)
    attributes: dict[str, Attribute] = {
        name: value for name, value in kernel.attributes if name not in ("since_version", *SLOWING)
    }
    node = Node(op, [], [], attributes, domain, op)
    for index, operand in enumerate(kernel.inputs):
        node.inputs.append(_add_input(graph, f"x{index}", operand) if operand is not None else "")
    restore(Draft(kernel, graph, node))
    node.outputs = _outputs(kernel, graph, node)
    for name, operand in zip(filter(None, node.outputs), kernel.outputs, strict=True):
        graph.types[name] = TensorType(operand.dtype, operand.shape)
        graph.outputs.append(name)
    graph.nodes.append(node)
    return graph


def _add_input(graph: Graph, name: str, operand: Operand) -> str:
    graph.types[name] = TensorType(operand.dtype, operand.shape)
    if not operand.constant:
        graph.inputs.append(name)
        return name
    value = None if operand.value is None else np.array(operand.value, operand.dtype).reshape(operand.shape)
    graph.parameters[name] = Parameter(graph.types[name], value)
    return name


def _outputs(kernel: Kernel, graph: Graph, node: Node) -> list[str]:
    """Names for the outputs; a kernel holds only those in use, so that one in between may be missing."""
    count = len(kernel.outputs)
    names = [f"y{i}" for i in range(count)]
    if node.kind not in RULES or node.op in ("Split", "BatchNormalization", "Resize"):
        return names
    trial = Node(node.op, node.inputs, ["y"] * 4, node.attributes, node.domain)
    inputs = [graph.types[n] if n else None for n in node.inputs]
    possible = RULES[node.kind](Call(trial, inputs, graph.opset.get(node.domain, 1), graph.parameters))
    result: list[str] = []
    for type_ in possible:
        wanted = kernel.outputs[len(result) - result.count("")] if len(result) - result.count("") < count else None
        if wanted is None:
            break
        found = (wanted.dtype, wanted.shape) == (type_.dtype, type_.shape)
        result.append(f"y{len(result)}" if found else "")
    return result if len(result) - result.count("") == count else names
