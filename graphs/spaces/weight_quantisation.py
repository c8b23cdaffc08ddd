"""Forms whose weights alone are quantised, to four or eight bits in blocks, as language models are distributed.

This follows what onnxruntime's ``MatMulNBitsQuantizer`` writes: every product with a constant matrix is a MatMulNBits.
"""

from __future__ import annotations

from graphs.ir import Attribute, Graph, Node, Parameter, TensorType
from graphs.spaces.draw import Draw


def quantise_weights(graph: Graph, draw: Draw) -> Graph:
    """A copy of ``graph`` (which keeps its names) with MatMulNBits for products with constant matrices."""
    bits: int = draw.choice((4, 8), (75, 25))
    block: int = draw.choice((16, 32, 64, 128), (5, 60, 10, 25))
    level: int = draw.choice((0, 4), (35, 65))
    zero_points = draw.chance(0.35)
    made = graph.copy()
    made.opset["com.microsoft"] = 1
    made.nodes = [_quantised(made, node, bits, block, level, zero_points) for node in made.nodes]
    used = {name for node in made.nodes for name in node.inputs} | set(made.outputs)
    made.parameters = {name: p for name, p in made.parameters.items() if name in used}
    return made


def _quantised(graph: Graph, node: Node, bits: int, block: int, level: int, zero_points: bool) -> Node:
    weight = graph.parameters.get(node.inputs[1]) if node.op == "MatMul" else None
    if weight is None or weight.type.dtype != "float32" or len(weight.type.shape) != 2:
        return node
    rows, columns = weight.type.dims
    blocks = -(-rows // block)
    kinds = [
        TensorType("uint8", (columns, blocks, block * bits // 8)), TensorType("float32", (columns * blocks,)),
        TensorType("uint8", (columns * -(-blocks * bits // 8),)),
    ]  # fmt: skip
    inputs = [node.inputs[0]]
    for role, kind in zip(("packed", "scales", "zero_points"), kinds[: 3 if zero_points else 2], strict=False):
        name = f"{node.inputs[1]}_{role}"
        graph.types[name] = kind
        graph.parameters[name] = Parameter(kind)
        inputs.append(name)
    attributes: dict[str, Attribute] = {"K": rows, "N": columns, "bits": bits, "block_size": block}
    if level:
        attributes["accuracy_level"] = level
    return Node("MatMulNBits", inputs, list(node.outputs), attributes, "com.microsoft", node.name)
