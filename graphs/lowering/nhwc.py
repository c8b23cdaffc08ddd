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
        r.drop_unused()
        r.sort()
        move_transposes(r, assigned=True)


def _wrap(r: Rewriter, node: Node) -> None:
    rank = len(r.shape(node.inputs[0]))
    to_last, to_first = (0, *range(2, rank), 1), (0, rank - 1, *range(1, rank - 1))
    target, y = node.outputs[0], r.types[node.outputs[0]]
    moved = TensorType(y.dtype, tuple(y.dims[i] for i in to_last))
    after = r.tensor(moved, "nhwc")
    node.domain = "com.microsoft"
    node.attributes["channels_last"] = 1
    r.set_input(node, 0, _transposed(r, node, to_last, to_first))
    r.set_output(node, 0, after, moved)
    r.add(Node("Transpose", [after], [target], {"perm": to_first}, "", f"{node.name}_nchw", node.origin))


def _transposed(r: Rewriter, node: Node, perm: tuple[int, ...], inverse: tuple[int, ...]) -> str:
    """The input of ``node`` with the channels last: from before a Transpose, from one that there is, or a new one."""
    source = node.inputs[0]
    before = r.producer(source)
    if before is not None and before.op == "Transpose" and before.ints("perm") == inverse:
        return before.inputs[0]
    for user in r.users(source):
        if user.op == "Transpose" and user.ints("perm") == perm:
            return user.outputs[0]
    x = r.types[source]
    made = r.tensor(TensorType(x.dtype, tuple(x.dims[i] for i in perm)), "nhwc")
    r.add(Node("Transpose", [source], [made], {"perm": perm}, "", f"{node.name}_nhwc", node.origin))
    return made
