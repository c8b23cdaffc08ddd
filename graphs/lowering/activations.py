"""Activations that exporters spell out become one kernel.

After onnxruntime's GeluFusion, FastGeluFusion, QuickGeluFusion, BiasGeluFusion, DivMulFusion and NotWhereFusion
(core/optimizer, 1.31). They match by constants: x / 1.4142 makes a GELU, x / 1.5 does not.
"""

from __future__ import annotations

from math import isclose

from graphs.ir import Node
from graphs.lowering.rewriter import Rewriter

_MICROSOFT = "com.microsoft"


#: √2 as the runtime has it.
_ROOT_OF_TWO = 1.4142099618911743


def _is_near(r: Rewriter, tensor: str | None, expected: float) -> bool:
    """Whether a constant is the number, as exactly as the runtime wants it; in float16 as exactly as it can be."""
    value = r.scalar(tensor) if tensor else None
    if value is None or tensor is None:
        return False
    if r.dtype(tensor) == "float16":
        return isclose(value, expected, rel_tol=1e-3)
    return isclose(value, expected, rel_tol=1e-5, abs_tol=1e-8)


def _other(node: Node, tensor: str) -> str | None:
    """The other input of a binary node that reads ``tensor`` once."""
    if tensor not in node.inputs or len(node.inputs) != 2:
        return None
    return node.inputs[1 - node.inputs.index(tensor)]


def _constant_beside(r: Rewriter, node: Node, tensor: str) -> str | None:
    other = _other(node, tensor)
    return None if other is None or r.scalar(other) is None else other


def _step(r: Rewriter, node: Node | None, op: str, constant: float | None = None) -> Node | None:
    """The only user of ``node`` if it is ``op`` (with ``constant`` as its other input)."""
    if node is None:
        return None
    user = r.sole_user(node)
    if user is None or user.op != op or user.domain:
        return None
    if constant is not None and not _is_near(r, _constant_beside(r, user, node.outputs[0]), constant):
        return None
    return user


def fuse_standard_gelu(r: Rewriter, node: Node) -> None:
    """Early, where the opset of the graph has the operator (20)."""
    if r.opset >= 20:
        fuse_gelu(r, node, domain="")


def fuse_gelu(r: Rewriter, node: Node, domain: str = _MICROSOFT) -> None:
    """x·(1 + erf(x / √2))·0.5, the half on x or on the product (not on the sum); Div by √2 or Mul by its inverse."""
    x = node.inputs[0]
    if node.op == "Div":
        if not _is_near(r, node.inputs[1], _ROOT_OF_TWO):
            return
    else:
        x = next((t for t in node.inputs if not r.is_constant(t)), "")
        if not x or not _is_near(r, _constant_beside(r, node, x), 1 / _ROOT_OF_TWO):
            return
    erf = _step(r, node, "Erf")
    add = _step(r, erf, "Add", 1.0)
    product = _step(r, add, "Mul")
    if erf is None or add is None or product is None:
        return
    other = _other(product, add.outputs[0])
    before = r.producer(other) if other else None
    if other == x:
        if before is not None and before.op == "Mul":
            return  # the runtime takes it for the half, finds that it is not, and gives up
        half = _step(r, product, "Mul", 0.5)
        if half is not None:
            r.fuse([node, erf, add, product, half], "Gelu", [x], domain)
        return
    if (
        before is not None
        and before.op == "Mul"
        and x in before.inputs
        and _is_near(r, _constant_beside(r, before, x), 0.5)
    ) and r.sole_user(before) is product:
        r.fuse([node, erf, add, before, product], "Gelu", [x], domain)
        return


def fuse_single_gelu(r: Rewriter, node: Node) -> None:
    """`fuse_gelu` where the runtime leaves those of half precision apart, having kernels for each of their steps."""
    if r.dtype(node.outputs[0]) != "float16":
        fuse_gelu(r, node)


def fuse_fast_gelu(r: Rewriter, node: Node) -> None:
    """0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))), in the two spellings that exporters use; starts at Tanh."""
    scaled = r.producer(node.inputs[0])
    add = _step(r, node, "Add", 1.0)
    product = _step(r, add, "Mul")
    if scaled is None or scaled.op != "Mul" or r.sole_user(scaled) is not node or add is None or product is None:
        return
    inner = _cubic(r, scaled)
    if inner is None or r.gives_output(product):
        return
    x, nodes = inner
    half = r.producer(_other(product, add.outputs[0]) or "")
    if (
        half is None
        or half.op != "Mul"
        or not _is_near(r, _constant_beside(r, half, x), 0.5)
        or r.sole_user(half) is not product
    ):
        return
    r.fuse([*nodes, scaled, node, add, half, product], "FastGelu", [x], _MICROSOFT)


def _cubic(r: Rewriter, scaled: Node) -> tuple[str, list[Node]] | None:
    """x and the nodes of (x + 0.044715·x³), or of x·(1 + 0.044715·x·x) with √(2/π) inside."""
    root = 0.7978845608
    source = next((t for t in scaled.inputs if not r.is_constant(t)), None)
    if _is_near(r, _constant_beside(r, scaled, source or ""), root):
        total = r.producer(source or "")
        return _sum_of_powers(r, total) if total is not None and r.sole_user(total) is scaled else None
    for outer, factor in (scaled.inputs, scaled.inputs[::-1]):
        linear, one_plus = r.producer(outer), r.producer(factor)
        if linear is None or one_plus is None or linear.op != "Mul" or one_plus.op != "Add":
            continue
        x = next((t for t in linear.inputs if not r.is_constant(t)), "")
        if not _is_near(r, _constant_beside(r, linear, x), root):
            continue
        square = r.producer(next((t for t in one_plus.inputs if not r.is_constant(t)), ""))
        if (
            square is None
            or square.op != "Mul"
            or not _is_near(r, _constant_beside(r, one_plus, square.outputs[0]), 1.0)
        ):
            continue
        coefficient = r.producer(_other(square, x) or "")
        if (
            coefficient is not None
            and coefficient.op == "Mul"
            and _is_near(r, _constant_beside(r, coefficient, x), 0.044715)
        ):
            return x, [coefficient, square, one_plus, linear]
    return None


def _sum_of_powers(r: Rewriter, total: Node) -> tuple[str, list[Node]] | None:
    if total.op != "Add":
        return None
    for x, cubic in (total.inputs, total.inputs[::-1]):
        scale = r.producer(cubic)
        if scale is None or scale.op != "Mul" or r.sole_user(scale) is not total:
            continue
        power = r.producer(next((t for t in scale.inputs if not r.is_constant(t)), ""))
        if power is None or not _is_near(r, _constant_beside(r, scale, power.outputs[0]), 0.044715):
            continue
        if (
            power.op == "Pow"
            and power.inputs[0] == x
            and _is_near(r, power.inputs[1], 3.0)
            and r.sole_user(power) is scale
        ):
            return x, [power, scale, total]
    return None


def fuse_quick_gelu(r: Rewriter, node: Node) -> None:
    """x·sigmoid(αx); starts at Sigmoid."""
    x, nodes = node.inputs[0], [node]
    before = r.producer(x)
    product = r.sole_user(node)
    if product is None or product.op != "Mul":
        return
    other = _other(product, node.outputs[0])
    if other != x:
        if before is None or before.op != "Mul" or r.sole_user(before) is not node:
            return
        if other not in before.inputs or _constant_beside(r, before, other) is None:
            return
        x, nodes = other, [before, node]
    if r.dtype(x) in ("float32", "float64", "float16", "bfloat16"):
        r.fuse([*nodes, product], "QuickGelu", [x], _MICROSOFT)


def fuse_bias_gelu(r: Rewriter, node: Node) -> None:
    """Add of a vector along the last dimension, then a GELU, the standard one too; starts at Add."""
    user = r.sole_user(node)
    if user is None or user.op not in ("Gelu", "FastGelu") or len(user.inputs) != 1:
        return
    for x, bias in (node.inputs, node.inputs[::-1]):
        shape, biased = r.shape(x), r.shape(bias)
        if len(biased) == 1 and shape and shape[-1] == biased[0] and len(shape) > 1 and r.dtype(x) == "float32":
            exact = user.op == "Gelu" and user.text("approximate", "none") == "none"
            op = "BiasGelu" if exact else "FastGelu"
            r.fuse([node, user], op, [x, bias], _MICROSOFT)
            return


def fuse_div_mul(r: Rewriter, node: Node) -> None:
    """(1 / x)·y is y / x."""
    user = r.sole_user(node)
    if (
        user is None
        or user.op != "Mul"
        or r.scalar(node.inputs[0]) != 1.0
        or r.dtype(node.outputs[0]) not in ("float32", "float64", "float16")
    ):
        return
    other = _other(user, node.outputs[0])
    if other is not None and other != node.outputs[0] and len(r.shape(node.inputs[0])) <= len(r.shape(node.inputs[1])):
        r.fuse([node, user], "Div", [other, node.inputs[1]])


def fuse_not_where(r: Rewriter, node: Node) -> None:
    """Where(Not(c), a, b) is Where(c, b, a)."""
    users = r.users(node.outputs[0])
    if not users or r.gives_output(node) or any(u.op != "Where" or u.inputs[0] != node.outputs[0] for u in users):
        return
    for user in list(users):
        condition, yes, no = node.inputs[0], user.inputs[2], user.inputs[1]
        r.set_input(user, 0, condition)
        r.set_input(user, 1, yes)
        r.set_input(user, 2, no)
    r.remove(node)
