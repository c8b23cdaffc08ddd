"""Masks of attention scores, and what hidden scores cost.

A mask adds a large negative number to scores, or puts one in their place. onnxruntime's exponential function is slow
for all that lies so low, and from -87.3 down to about -104 it makes subnormal numbers of it, which processors multiply
many times more slowly: a product after such a softmax takes up to ninety times as long, and the softmax twelve times.
Lower scores vanish altogether: the softmax still takes seven times as long, the product after it no longer than
elsewhere. Exporters write -100 (windows of Swin) as well as -1e4, -3.4e38 and minus infinity. (Seen with
onnxruntime 1.31 and AVX-512; scores of ordinary size beside the mask do not change which of the two it is.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from graphs.ir import Graph, Masking, Node, Parameter, Value

#: Scores at or below this have a subnormal exponential in single precision, …
HIDDEN = -87.0

#: … and below this none at all.
VANISHED = -104.0

#: Attributes of a kernel that say which share of its data slows it down.
SLOWING = ("subnormal", "vanishing")

#: Some of `SLOWING`, with their shares.
Slowness: TypeAlias = tuple[tuple[str, float], ...]

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

#: … or all of them, joined or added.
_JOINING = frozenset({"And", "Add", "Concat", "Min", "Tile", "Split"})

#: Kernels that calculate with what they read, and so slow down.
_CALCULATING = frozenset({"MatMul", "FusedMatMul", "Gemm", "FusedGemm"})


def hidden(value: Value) -> Masking | None:
    """What a mask hides by False or by a low number; None for what is no mask."""
    if value.size == 0 or value.dtype.kind not in "fb":
        return None
    if value.dtype.kind == "b":
        return masking(1.0 - float(np.count_nonzero(value)) / value.size, 0.0)
    vanishing = float(np.count_nonzero(np.less(value, VANISHED))) / value.size
    return masking(vanishing, float(np.count_nonzero(np.less_equal(value, HIDDEN))) / value.size - vanishing)


def masking(vanishing: float, subnormal: float) -> Masking | None:
    """Both shares in eighths, at least one where any element to speak of hides; None where none does."""
    found = Masking(_rounded(vanishing), _rounded(subnormal))
    return found if any(found) else None


def _rounded(share: float) -> float:
    return max(1, round(share * _STEPS)) / _STEPS if share > _NOTHING else 0.0


def pattern(shape: tuple[int, ...], dtype: str, hides: Masking) -> NDArray[np.generic]:
    """A mask that hides so much: of every row another run of elements, and never the whole row."""
    columns = shape[-1] if shape else 1
    rows = int(np.prod(shape[:-1], dtype=np.int64))
    place = (np.arange(columns)[None, :] - np.arange(rows)[:, None]) % columns
    faint = min(round(hides.subnormal * columns), columns - 1)
    deep = min(round(hides.vanishing * columns), columns - 1 - faint)
    if dtype == "bool":
        return (place < columns - deep).reshape(shape)
    mask = np.zeros((rows, columns), dtype)
    mask[place >= columns - faint - deep] = -100.0
    mask[place >= columns - deep] = np.finfo(dtype).min
    return mask.reshape(shape)


def folded_masking(node: Node, parameters: Mapping[str, Parameter]) -> Masking | None:
    """What a node's output hides that is made of large constants, whose values are not known."""
    found = [parameters[name] for name in node.inputs if name in parameters]
    if not any(parameter.masking for parameter in found):
        return None
    if node.op == "Not":
        return None if found[0].masking is None else masking(1.0 - found[0].masking.vanishing, 0.0)
    if node.op == "Where":
        return _of_choice(parameters, node)
    return _most(map(_of, found)) if node.op in _PASSING or node.op in _JOINING else None


def slow_tensors(graph: Graph) -> Mapping[str, Masking]:
    """Softmaxes of masked scores and what is rearranged from them, with the shares that were hidden."""
    softmaxes = [node for node in graph.nodes if node.op in _SOFTMAX]
    if not softmaxes:
        return {}
    makers = {name: node for node in graph.nodes for name in node.outputs}
    found: dict[str, Masking] = {}
    for node in softmaxes:
        hides = _most(_of_scores(graph, makers, name) for name in node.inputs)
        if hides:
            found[node.outputs[0]] = hides
    if found:
        for node in graph.nodes:
            if node.op in _PASSING or node.op == "Where":
                hides = _most(found.get(name) for name in node.inputs)
                if hides:
                    found.update(dict.fromkeys(node.outputs, hides))
    return found


def slowed_by(node: Node, slow: Mapping[str, Masking]) -> Slowness:
    """What of its data slows ``node`` down: a softmax all that was hidden, a product what is subnormal."""
    if node.op in _SOFTMAX:
        made = slow.get(node.outputs[0])
        return () if made is None else _named(made)
    if node.op in _CALCULATING:
        read = _most(slow.get(name) for name in node.inputs)
        return () if read is None else _named(Masking(subnormal=read.subnormal))
    return ()


def _named(hides: Masking) -> Slowness:
    shares = (("subnormal", hides.subnormal), ("vanishing", hides.vanishing))
    return tuple(pair for pair in shares if pair[1])


def _most(found: Iterable[Masking | None]) -> Masking | None:
    return max((one for one in found if one is not None), key=sum, default=None)


def _of_scores(graph: Graph, makers: Mapping[str, Node], scores: str, depth: int = 6) -> Masking | None:
    """What a constant mask hides of ``scores``, looking back a few operators."""
    if scores in graph.parameters:
        parameter = graph.parameters[scores]
        return None if parameter.type.dtype == "bool" else _of(parameter)
    node = makers.get(scores)
    if node is None or depth == 0:
        return None
    if node.op in ("Add", "Sum"):
        return _most(_of_scores(graph, makers, name, depth - 1) for name in node.inputs)
    if node.op == "Where":
        return _of_choice(graph.parameters, node)
    return _of_scores(graph, makers, node.inputs[0], depth - 1) if node.op in _PASSING else None


def _of(parameter: Parameter) -> Masking | None:
    return parameter.masking if parameter.value is None else hidden(parameter.value)


def _of_choice(parameters: Mapping[str, Parameter], node: Node) -> Masking | None:
    """Where, with a constant condition and a number that hides on one side."""
    condition = parameters.get(node.inputs[0])
    if condition is None:
        return None
    told = _of(condition)
    no = 0.0 if told is None else told.vanishing
    for name, share in ((node.inputs[2], no), (node.inputs[1], 1.0 - no)):
        parameter = parameters.get(name)
        low = None if parameter is None else parameter.fill if parameter.value is None else parameter.value.min()
        if low is not None and low <= HIDDEN:
            return masking(share, 0.0) if low < VANISHED else masking(0.0, share)
    return None
