"""Masks of attention scores, and the subnormal numbers that come of them.

A mask adds a large negative number to scores, or puts one in their place. The softmax of such a score is below the
smallest normal number (2⁻¹²⁶, from scores of -87.3 on), but not zero in onnxruntime, whose exponential function ends at
-88.4. Processors multiply subnormal numbers many times more slowly, so that the product after a masked softmax costs
more than one of equal shape elsewhere. How much of the scores is hidden decides by how much.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from graphs.ir import Graph, Node, Parameter, Value

#: Scores at or below this have a subnormal exponential in single precision.
HIDDEN = -87.0

#: Shares are rounded to multiples of one in so many: finer differences would only make equal kernels differ.
_STEPS = 8

#: Shares below this are single outliers.
_NOTHING = 0.004

_SOFTMAX = frozenset({"Softmax", "BiasSoftmax"})

#: Operators that hand on their first input, rearranged or scaled.
_PASSING = frozenset({
    "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Cast", "Expand", "Slice", "Dropout",
    "Max", "Mul", "Div",
})  # fmt: skip

#: Kernels that calculate with what they read, and so slow down.
_CALCULATING = frozenset({"Softmax", "BiasSoftmax", "MatMul", "FusedMatMul", "Gemm", "FusedGemm"})


def hidden_share(value: Value) -> float:
    """The share of a mask's elements that hide: False, or a number from which softmax makes a subnormal one.

    Rounded to eighths, at least one where any element to speak of hides, 0 for what is no mask.
    """
    if value.size == 0 or value.dtype.kind not in "fb":
        return 0.0
    hides = np.logical_not(value) if value.dtype.kind == "b" else np.less_equal(value, HIDDEN)
    return rounded(float(np.count_nonzero(hides)) / value.size)


def rounded(share: float) -> float:
    """A share in eighths."""
    return max(1, round(share * _STEPS)) / _STEPS if share > _NOTHING else 0.0


def pattern(shape: tuple[int, ...], dtype: str, share: float) -> NDArray[np.generic]:
    """A mask of this share: of every row another run of elements hides, and never the whole row."""
    columns = shape[-1] if shape else 1
    rows = int(np.prod(shape[:-1], dtype=np.int64))
    hidden = min(round(share * columns), columns - 1)
    place = (np.arange(columns)[None, :] - np.arange(rows)[:, None]) % columns
    hides = (place >= columns - hidden).reshape(shape)
    return ~hides if dtype == "bool" else np.where(hides, -100.0, 0.0).astype(dtype)


def folded_share(node: Node, parameters: Mapping[str, Parameter]) -> float:
    """The share that hides of what a node makes of large constants, whose values are not known."""
    found = [parameters[name] for name in node.inputs if name in parameters]
    if not any(parameter.masking for parameter in found):
        return 0.0
    if node.op == "Not":
        return 1.0 - found[0].masking
    if node.op == "Where":
        return _of_choice(parameters, node)
    handed_on = node.op in _PASSING or node.op in ("And", "Add", "Concat", "Min", "Tile", "Split")
    return max(map(_share_of, found)) if handed_on else 0.0


def subnormal_shares(graph: Graph) -> Mapping[str, float]:
    """Tensors that are in part subnormal, with the share of their elements that is: softmaxes of masked scores and
    what is rearranged from them.
    """
    softmaxes = [node for node in graph.nodes if node.op in _SOFTMAX]
    if not softmaxes:
        return {}
    makers = {name: node for node in graph.nodes for name in node.outputs}
    shares: dict[str, float] = {}
    for node in softmaxes:
        share = max((_share(graph, makers, name) for name in node.inputs), default=0.0)
        if share:
            shares[node.outputs[0]] = share
    if shares:
        for node in graph.nodes:
            if node.op in _PASSING or node.op == "Where":
                share = max((shares.get(name, 0.0) for name in node.inputs), default=0.0)
                if share:
                    shares.update(dict.fromkeys(node.outputs, share))
    return shares


def subnormal_share(node: Node, shares: Mapping[str, float]) -> float:
    """The share of subnormal numbers that slows ``node`` down, in what it reads or, of a softmax, makes."""
    if node.op not in _CALCULATING:
        return 0.0
    return max((shares.get(name, 0.0) for name in (*node.inputs, *node.outputs)), default=0.0)


def _share(graph: Graph, makers: Mapping[str, Node], scores: str, depth: int = 6) -> float:
    """The share of ``scores`` that a constant mask hides, looking back a few operators."""
    if scores in graph.parameters:
        parameter = graph.parameters[scores]
        return 0.0 if parameter.type.dtype == "bool" else _share_of(parameter)
    node = makers.get(scores)
    if node is None or depth == 0:
        return 0.0
    if node.op in ("Add", "Sum"):
        return max(_share(graph, makers, name, depth - 1) for name in node.inputs)
    if node.op == "Where":
        return _of_choice(graph.parameters, node)
    return _share(graph, makers, node.inputs[0], depth - 1) if node.op in _PASSING else 0.0


def _share_of(parameter: Parameter) -> float:
    return parameter.masking if parameter.value is None else hidden_share(parameter.value)


def _of_choice(parameters: Mapping[str, Parameter], node: Node) -> float:
    """Where, with a constant condition and a number that hides on one side."""
    condition = parameters.get(node.inputs[0])
    if condition is None:
        return 0.0
    no = _share_of(condition)
    for name, share in ((node.inputs[2], no), (node.inputs[1], 1.0 - no)):
        parameter = parameters.get(name)
        low = None if parameter is None else parameter.fill if parameter.value is None else parameter.value.min()
        if low is not None and low <= HIDDEN:
            return share
    return 0.0
