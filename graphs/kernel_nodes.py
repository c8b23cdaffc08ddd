"""What `graphs.kernels_of` left out of canonical kernels, put back: inputs and attributes that a node must have to run.

Each function restores one family of operators; what it makes up (an epsilon, an axis that both shapes imply) does not
change the cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from graphs.errors import GraphError
from graphs.inference.conv_pool import window_size
from graphs.inference.elementwise import ELEMENT_TYPES
from graphs.ir import Attribute, Graph, Node, Parameter, TensorType, Value
from graphs.kernels import Kernel

Shape = tuple[int, ...]


class Draft:
    """A node under construction in a graph of its own."""

    def __init__(self, kernel: Kernel, graph: Graph, node: Node) -> None:
        self.kernel = kernel
        self.graph = graph
        self.node = node

    @property
    def attributes(self) -> dict[str, Attribute]:
        return self.node.attributes

    def shape(self, index: int) -> Shape:
        operand = self.kernel.inputs[index]
        return () if operand is None else operand.shape

    @property
    def output(self) -> Shape:
        return self.kernel.outputs[0].shape

    def ints(self, name: str) -> Shape:
        value = self.attributes.get(name, ())
        return tuple(int(v) for v in value) if isinstance(value, tuple) else ()

    def constant(self, index: int, value: Value) -> None:
        """Give the node a constant input, where the kernel has none."""
        inputs = self.node.inputs
        inputs.extend([""] * (index + 1 - len(inputs)))
        if not inputs[index]:
            inputs[index] = f"c{index}"
            self.graph.parameters[inputs[index]] = Parameter(TensorType(value.dtype.name, value.shape), value)
            self.graph.types[inputs[index]] = TensorType(value.dtype.name, value.shape)

    def integers(self, index: int, values: Sequence[int]) -> None:
        """A constant vector of int64."""
        self.constant(index, np.array(values, np.int64))


def restore(draft: Draft) -> None:
    """Complete a node that has the kernel's inputs and attributes."""
    function = _RESTORERS.get(draft.node.op)
    if function is not None:
        function(draft)
    for name in _FOREIGN.get(draft.node.kind, ()):
        draft.attributes.pop(name, None)
    activation = draft.attributes.get("activation")
    if isinstance(activation, str) and "activation_params" not in draft.attributes:
        parameters = _ACTIVATION_PARAMETERS.get(activation)
        if parameters and draft.node.op != "FusedGemm":
            draft.attributes["activation_params"] = parameters


#: Attributes that canonical kernels have for the operator's namesake in the other domain.
_FOREIGN: dict[str, tuple[str, ...]] = {
    "QLinearConv": ("channels_last",), "com.microsoft.Gelu": ("approximate",),
    "com.microsoft.QuantizeLinear": ("block_size",), "com.microsoft.DequantizeLinear": ("block_size",),
    **{f"com.ms.internal.nhwc.{op}": ("channels_last",) for op in ("MaxPool", "AveragePool", "GlobalAveragePool")},
}  # fmt: skip

_ACTIVATION_PARAMETERS = {"LeakyRelu": (0.01,), "Clip": (0.0, 6.0), "HardSigmoid": (0.2, 0.5)}


def _target_shape(draft: Draft) -> None:
    """Reshape and Expand."""
    draft.integers(1, draft.output)


def _flatten(draft: Draft) -> None:
    shape = draft.shape(0)
    for axis in range(len(shape) + 1):
        if (prod(shape[:axis]), prod(shape[axis:])) == draft.output:
            draft.attributes["axis"] = axis
            return
    raise GraphError(f"{shape} cannot be flattened to {draft.output}")


def _squeeze(draft: Draft) -> None:
    draft.integers(1, _extra_ones(draft.shape(0), draft.output))


def _unsqueeze(draft: Draft) -> None:
    draft.integers(1, _extra_ones(draft.output, draft.shape(0)))


def _extra_ones(longer: Shape, shorter: Shape) -> list[int]:
    """Positions of sizes 1 without which ``longer`` is ``shorter``."""
    extra, kept = [], 0
    for axis, size in enumerate(longer):
        if kept < len(shorter) and shorter[kept] == size:
            kept += 1
        else:
            extra.append(axis)
    return extra


def _split(draft: Draft) -> None:
    axis = draft.attributes.get("axis", 0)
    draft.integers(1, [o.shape[axis] for o in draft.kernel.outputs if isinstance(axis, int)])


def _slice(draft: Draft) -> None:
    axes, starts, steps = (draft.ints(n) for n in ("axes", "starts", "steps"))
    for name in ("axes", "starts", "steps"):
        draft.attributes.pop(name, None)
    ends = []
    for axis, start, step in zip(axes, starts, steps, strict=True):
        end = start + draft.output[axis] * step
        ends.append(end if end >= 0 else -(1 << 31))
    if not axes:
        axes, starts, steps, ends = (0,), (0,), (1,), [draft.shape(0)[0]]
    for index, values in enumerate((starts, ends, axes, steps), 1):
        draft.integers(index, values)


def _pad(draft: Draft) -> None:
    pads = draft.ints("pads")
    draft.attributes.pop("pads", None)
    draft.integers(1, pads or (0,) * (2 * len(draft.output)))


def _clip(draft: Draft) -> None:
    dtype = draft.kernel.outputs[0].dtype
    lowest = 0 if dtype.startswith("u") else -6
    draft.constant(1, np.array(lowest, dtype))
    draft.constant(2, np.array(6, dtype))


def _cast(draft: Draft) -> None:
    draft.attributes["to"] = ELEMENT_TYPES.index(draft.kernel.outputs[0].dtype)


def _constant_of_shape(draft: Draft) -> None:
    draft.attributes["value"] = np.zeros(1, draft.kernel.outputs[0].dtype)
    draft.graph.parameters.clear()
    draft.graph.inputs.clear()
    draft.node.inputs = [""]
    draft.integers(0, draft.output)


def _reduce(draft: Draft) -> None:
    axes = draft.ints("axes")
    draft.attributes.pop("axes", None)
    if axes:
        draft.integers(1, axes)
    else:
        draft.attributes["noop_with_empty_axes"] = 1


def _resize(draft: Draft) -> None:
    draft.integers(3, draft.output)


def _scales(draft: Draft) -> list[float]:
    return [o / i for o, i in zip(draft.output, draft.shape(0), strict=True)]


def _upsample(draft: Draft) -> None:
    if draft.node.domain:
        draft.attributes["scales"] = tuple(int(s) for s in _scales(draft))
    else:
        draft.constant(1, np.array(_scales(draft), np.float32))


def _pool(draft: Draft) -> None:
    """Whether sizes were rounded up shows in the output."""
    last = draft.node.op == "NhwcMaxPool" or bool(draft.attributes.get("channels_last"))
    data, output = (s[1:-1] if last else s[2:] for s in (draft.shape(0), draft.output))
    kernel, strides, pads = draft.ints("kernel_shape"), draft.ints("strides"), draft.ints("pads")
    down = window_size(data, kernel, strides, draft.ints("dilations"), pads)
    if down != output:
        draft.attributes["ceil_mode"] = 1
    if draft.node.op in ("AveragePool", "QLinearAveragePool") and all(d == 1 for d in draft.ints("dilations")):
        draft.attributes.pop("dilations", None)


def _conv_transpose(draft: Draft) -> None:
    data, kernel, output = draft.shape(0)[2:], draft.shape(1)[2:], draft.output[2:]
    strides, dilations, pads = draft.ints("strides"), draft.ints("dilations"), draft.ints("pads")
    n = len(kernel)
    draft.attributes["output_padding"] = tuple(
        output[i] - (strides[i] * (data[i] - 1) + dilations[i] * (kernel[i] - 1) + 1 - pads[i] - pads[i + n])
        for i in range(n)
    )


def _reorder_output(draft: Draft) -> None:
    draft.attributes["channels"] = draft.output[-1 if draft.attributes.get("channels_last") else 1]


def _one_hot(draft: Draft) -> None:
    axis = draft.attributes.get("axis", -1)
    depth = draft.output[axis] if isinstance(axis, int) else 1
    name = draft.node.inputs[1]
    if name in draft.graph.parameters:
        value = np.full(draft.graph.types[name].dims, depth, draft.graph.types[name].dtype)
        draft.graph.parameters[name] = Parameter(draft.graph.types[name], value)


def _eye_like(draft: Draft) -> None:
    draft.attributes["dtype"] = ELEMENT_TYPES.index(draft.kernel.outputs[0].dtype)


def _softmax(draft: Draft) -> None:
    """Normalising all dimensions from ``axis`` on is what the operator did before opset 13."""
    if draft.attributes.pop("flatten", 0):
        draft.graph.opset[""] = 11


def _dropout(draft: Draft) -> None:
    """Before opset 10 the mask had the type of the data."""
    outputs = draft.kernel.outputs
    if len(outputs) > 1 and outputs[1].dtype != "bool":
        draft.graph.opset[""] = 9


def _quantized_softmax(draft: Draft) -> None:
    draft.attributes.setdefault("opset", 13)


_Restorer = Callable[[Draft], None]
_RESTORERS: dict[str, _Restorer] = {
    "Reshape": _target_shape, "Expand": _target_shape, "Flatten": _flatten, "Squeeze": _squeeze, "Split": _split,
    "Unsqueeze": _unsqueeze, "Slice": _slice, "Pad": _pad, "Clip": _clip, "Cast": _cast, "Resize": _resize,
    "ConstantOfShape": _constant_of_shape, "Upsample": _upsample, "ConvTranspose": _conv_transpose,
    "ReorderOutput": _reorder_output, "OneHot": _one_hot, "EyeLike": _eye_like, "Dropout": _dropout,
    "QLinearSoftmax": _quantized_softmax,
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), _softmax),
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool", "NhwcMaxPool", "QLinearAveragePool"), _pool),
    **dict.fromkeys(
        ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum",
         "ReduceLogSumExp", "ReduceSumSquare"), _reduce),
}  # fmt: skip
