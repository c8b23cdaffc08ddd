"""Relu and Clip that quantisation makes needless: its range cuts off as much.

After onnxruntime's ReluQuantFusion and ClipQuantFusion, and after what its selectors of quantised operators say about
a Clip between an operator and Q (core/optimizer/qdq_transformer, 1.31).
"""

from __future__ import annotations

import numpy as np

from graphs.ir import Node
from graphs.lowering.qdq_pairs import Q, parameters
from graphs.lowering.rewriter import Rewriter, merged_origin

_CLAMPS = ("Relu", "Clip")
_RANGES = {"uint8": (0, 255), "int8": (-128, 127)}
_WIDE_RANGES = _RANGES | {"uint16": (0, 65535), "int16": (-32768, 32767)}
_EPSILON = np.finfo(np.float32).eps


def drop_relu(r: Rewriter, node: Node) -> None:
    """Relu before a Q whose zero point is the lowest value."""
    q = _followed_by_q(r, node)
    if q is not None and _zero_is_lowest(r, q, _RANGES):
        _drop(r, node, q)


def drop_clip(r: Rewriter, node: Node) -> None:
    """A Clip that does not cut into the range of the Q behind it."""
    q = _followed_by_q(r, node)
    bounds = _bounds(r, node)
    if q is None or bounds is None or r.shape(q.inputs[1]) or r.shape(q.inputs[2]):
        return
    scale, zero = r.scalar(q.inputs[1]), r.scalar(q.inputs[2])
    limits = _RANGES.get(r.dtype(q.outputs[0]))
    if scale is None or zero is None or limits is None:
        return
    lower, upper = (np.float32(scale) * np.float32(limit - zero) for limit in limits)
    if bounds[0] - lower <= _EPSILON and upper - bounds[1] <= _EPSILON:
        _drop(r, node, q)


def clamp_behind(r: Rewriter, node: Node) -> Node | None:
    """The Relu or Clip that alone reads what ``node`` makes, and is read once itself."""
    users = [user for t in node.outputs if t for user in r.users(t)]
    if len(users) != 1 or users[0].op not in _CLAMPS or r.edges(users[0]) != 1 or r.gives_output(users[0]):
        return None
    return users[0]


def needless_clamp(r: Rewriter, node: Node) -> tuple[Node, Node] | None:
    """A Clip that cuts into the range of the Q behind it by less than half a step, with that Q; or such a Relu."""
    clamp = clamp_behind(r, node)
    q = r.sole_user(clamp) if clamp is not None else None
    if clamp is None or q is None or q.op != Q or r.gives_output(node):
        return None
    needless = _zero_is_lowest(r, q, _WIDE_RANGES) if clamp.op == "Relu" else _covers(r, clamp, q)
    return (clamp, q) if needless else None


def _covers(r: Rewriter, clip: Node, q: Node) -> bool:
    scale, zero = r.scalar(q.inputs[1]), _zero(r, q)
    limits, bounds = _WIDE_RANGES.get(r.dtype(q.outputs[0])), _bounds(r, clip)
    if not scale or zero is None or limits is None or bounds is None or r.shape(q.inputs[1]):
        return False
    lower, upper = (float(np.rint(np.float32(bound) / np.float32(scale))) + zero for bound in bounds)
    return lower <= limits[0] and upper >= limits[1]


def _followed_by_q(r: Rewriter, node: Node) -> Node | None:
    """The Q, with a zero point, that alone reads the output of ``node``."""
    q = r.sole_user(node)
    return q if q is not None and q.op == Q and not q.domain and parameters(q)[1] else None


def _zero(r: Rewriter, q: Node) -> float | None:
    zero = parameters(q)[1]
    return r.scalar(zero) if zero else 0.0


def _zero_is_lowest(r: Rewriter, q: Node, ranges: dict[str, tuple[int, int]]) -> bool:
    limits = ranges.get(r.dtype(q.outputs[0]))
    return limits is not None and _zero(r, q) == limits[0]


def _bounds(r: Rewriter, node: Node) -> tuple[float, float] | None:
    """Minimum and maximum of a Clip where they are known."""
    found = []
    for index, name, default in ((1, "min", float("-inf")), (2, "max", float("inf"))):
        given = node.attributes.get(name)
        tensor = node.inputs[index] if index < len(node.inputs) else ""
        value = r.scalar(tensor) if tensor else given if isinstance(given, float) else default
        if value is None:
            return None
        found.append(value)
    return found[0], found[1]


def _drop(r: Rewriter, node: Node, q: Node) -> None:
    q.origin = merged_origin(node, q)
    r.set_input(q, 0, node.inputs[0])
    r.remove(node)
