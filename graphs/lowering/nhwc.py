"""Quantised convolutions run channels-last, and those of half precision where the processor computes in it.

After onnxruntime's NhwcTransformer (core/optimizer/nhwc_transformer.cc, 1.31): the nodes are wrapped in transposes, and
the transpose optimizer then cancels what it can. What is wrapped is what there is a kernel for.
"""

from __future__ import annotations

from functools import cache

from graphs.ir import Node, TensorType
from graphs.lowering.kernel_types import kernel_types
from graphs.lowering.profile import LoweringProfile
from graphs.lowering.rewriter import Rewriter
from graphs.lowering.transposes import move_transposes

_MICROSOFT, _INTERNAL = "com.microsoft", "com.ms.internal.nhwc"

_INTERNAL_OPSET = 12

#: Operators on float16 → domain and name of their channels-last form, and the operator set in which it is looked up.
_HALF = {
    "Conv": (_MICROSOFT, "NhwcFusedConv", 1), "com.microsoft.FusedConv": (_MICROSOFT, "NhwcFusedConv", 1),
    "MaxPool": (_INTERNAL, "MaxPool", 12), "AveragePool": (_INTERNAL, "AveragePool", 11),
    "GlobalAveragePool": (_INTERNAL, "GlobalAveragePool", 1),
}  # fmt: skip


def to_channels_last(r: Rewriter, profile: LoweringProfile) -> None:
    """Convert every QLinearConv of at least three dimensions, and what has a channels-last kernel for float16."""
    changed, half = False, _half_kinds(profile)
    for node in r.nodes:
        if node.kind == "QLinearConv" and len(r.shape(node.inputs[0])) > 2:
            node.domain = _MICROSOFT
            node.attributes["channels_last"] = 1
        elif node.kind in half and r.dtype(node.inputs[0]) == "float16" and _is_dense(node):
            node.domain, node.op, _ = _HALF[node.kind]
            if node.domain == _INTERNAL:
                node.attributes["channels_last"] = 1
                r.graph.opset[_INTERNAL] = _INTERNAL_OPSET
        else:
            continue
        _wrap(r, node)
        changed = True
    if changed:
        r.drop_unused()
        r.sort()
        move_transposes(r, assigned=True)


@cache
def _half_kinds(profile: LoweringProfile) -> frozenset[str]:
    """Those of `_HALF` that there is a kernel for."""
    table, half = kernel_types(profile), ("float16",)
    if table is None:
        return frozenset()
    found = {kind for kind, (domain, op, since) in _HALF.items() if table.has(f"{domain}.{op}", since, half, half)}
    return frozenset(found)


def _is_dense(node: Node) -> bool:
    """Not a convolution in groups, or with holes."""
    if "Conv" not in node.op:
        return True
    return node.int("group", 1) == 1 and all(d == 1 for d in node.ints("dilations") or ())


def _wrap(r: Rewriter, node: Node) -> None:
    rank = len(r.shape(node.inputs[0]))
    to_last, to_first = (0, *range(2, rank), 1), (0, rank - 1, *range(1, rank - 1))
    target, y = node.outputs[0], r.types[node.outputs[0]]
    moved = TensorType(y.dtype, tuple(y.dims[i] for i in to_last))
    after = r.tensor(moved, "nhwc")
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
