"""Copies of constants that onnxruntime's CPU kernels rearrange for themselves when a model is loaded.

Sizes follow the kernels' PrePack functions and the packing of the matrix library (onnxruntime/core/mlas), and are
confirmed by the runtime's profile, which shows what its allocator holds before the first kernel runs.
"""

from __future__ import annotations

from math import prod

from graphs.dtypes import nbytes
from graphs.ir import Graph, Node

#: Columns of a matrix are packed in groups, rows of 8-bit ones in groups of four, with a sum per column.
_COLUMNS, _ROWS, _SUM_BYTES = 16, 4, 4

#: Position of the matrix that a kernel packs.
_MATRICES = {
    "MatMul": 1, "Gemm": 1, "FusedMatMul": 1, "FusedGemm": 1, "QLinearMatMul": 3, "QGemm": 3, "MatMulInteger": 1,
    "MatMulIntegerToFloat": 1, "DynamicQuantizeMatMul": 1,
}  # fmt: skip

#: Constants that are packed into as many bytes as they had.
_REORDERED: dict[str, tuple[int, ...]] = {
    "QLinearConv": (3,), "ConvTranspose": (1,), "LSTM": (1, 2), "GRU": (1, 2), "com.microsoft.Attention": (1,),
    "com.microsoft.QLinearConv": (3,), "com.microsoft.MatMulNBits": (1,),
}  # fmt: skip


def packed_bytes(graph: Graph) -> int:
    """Bytes of all packed copies; kernels that share a constant share its copy."""
    sizes: dict[tuple[str, object], int] = {}
    for node in graph.nodes:
        for index in _REORDERED.get(node.kind, ()):
            name = node.inputs[index]
            if name in graph.parameters:
                sizes[name, 0] = nbytes(graph.types[name].dtype, graph.types[name].elements)
        index = _MATRICES.get(node.op, -1)
        if 0 < index < len(node.inputs) and node.inputs[index] in graph.parameters:
            sizes[node.inputs[index], bool(node.attributes.get("transB"))] = _matrix(graph, node, index)
    return sum(sizes.values())


def _matrix(graph: Graph, node: Node, index: int) -> int:
    """A packed matrix of K rows and N columns; stacks of matrices are not packed."""
    type_ = graph.types[node.inputs[index]]
    if len(type_.shape) != 2 or prod(type_.dims) == 0:
        return 0
    rows, columns = type_.dims
    if node.attributes.get("transB"):
        rows, columns = columns, rows
    columns = -(-columns // _COLUMNS) * _COLUMNS
    if type_.dtype == "float32":
        return columns * rows * 4
    if type_.dtype in ("int8", "uint8"):
        return columns * (-(-rows // _ROWS) * _ROWS + _SUM_BYTES)
    return 0
