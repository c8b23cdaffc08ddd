"""Quantised convolutions and pools run channels-last.

After onnxruntime's NhwcTransformer (core/optimizer/nhwc_transformer.cc, 1.31): the nodes are wrapped in transposes, and
the transpose optimizer then cancels what it can.
"""

from __future__ import annotations

from graphs.ir import Node, TensorType
from graphs.lowering.rewriter import Rewriter
from graphs.lowering.transposes import move_transposes

_EIGHT_BITS = frozenset({"uint8", "int8"})


def to_channels_last(r: Rewriter) -> None:
    """Convert every QLinearConv (and 8-bit MaxPool behind a transpose) of at least three dimensions."""
    changed = False
    for node in r.nodes:
        if node.op == "QLinearConv" and not node.domain and len(r.shape(node.inputs[0])) > 2:
            _wrap(r, node)
            changed = True
    if changed:
        r.sort()
        move_transposes(r, assigned=True)


def _wrap(r: Rewriter, node: Node) -> None:
    rank = len(r.shape(node.inputs[0]))
    to_last, to_first = (0, *range(2, rank), 1), (0, rank - 1, *range(1, rank - 1))
    x, y = r.types[node.inputs[0]], r.types[node.outputs[0]]
    moved_x = TensorType(x.dtype, tuple(x.dims[i] for i in to_last))
    moved_y = TensorType(y.dtype, tuple(y.dims[i] for i in to_last))
    before, after = r.tensor(moved_x, "nhwc"), r.tensor(moved_y, "nhwc")
    source, target = node.inputs[0], node.outputs[0]
    node.domain = "com.microsoft"
    node.attributes["channels_last"] = 1
    r.add(Node("Transpose", [source], [before], {"perm": to_last}, "", f"{node.name}_nhwc", node.origin))
    r.set_input(node, 0, before)
    r.set_output(node, 0, after, moved_y)
    r.add(Node("Transpose", [after], [target], {"perm": to_first}, "", f"{node.name}_nchw", node.origin))
