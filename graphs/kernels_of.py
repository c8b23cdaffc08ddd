"""From an optimised graph to kernels: every node in canonical form, so that equal costs get equal keys.

What does not change the cost is dropped (epsilon, constants' values, names); what has several spellings gets one:
operators that changed between opsets are written in their modern form (axes as inputs), axes count from the front,
auto_pad becomes pads, sizes that the output shape already says are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from graphs.canonical import (
    AVERAGE_POOL_WITH_DILATIONS,
    CONTRIB_DEFAULTS,
    DEFAULTS,
    FREE,
    REDUCTIONS,
    VALUE_INPUTS,
    WINDOWED,
)
from graphs.ir import Attribute, Graph, Node, TensorType
from graphs.kernels import Kernel, KernelAttribute, Operand
from graphs.masking import Slowness, slow_tensors, slowed_by
from graphs.windows import resolved_window

Attributes = dict[str, KernelAttribute]
_Inputs = list["Operand | None"]


def kernels_of(graph: Graph, *, named: bool = True) -> list[Kernel]:
    """One kernel per node of an optimised graph, in the same order.

    ``graph`` is inferred (every tensor has a static type): ours from `optimise`, or the runtime's own after `infer`.
    Where nobody will ask for `Kernel.nodes`, they need not be ``named``: equal kernels are then one object.
    """
    slow = slow_tensors(graph)
    return [kernel_of(graph, node, slowed_by(node, slow) if slow else (), named) for node in graph.nodes]


def kernel_of(graph: Graph, node: Node, slowness: Slowness = (), named: bool = True) -> Kernel:
    """The kernel that ``node`` executes, with what of its data slows it down.

    Networks repeat themselves, and candidates of a search each other: kernels that no value decides are remembered.
    """
    if node.op in VALUE_INPUTS or node.op in REDUCTIONS:
        return _kernel_of(graph, node, slowness)
    form = _form(graph, node), slowness
    try:
        known = _KNOWN.get(form)
    except TypeError:  # attributes that are tensors or graphs
        return _kernel_of(graph, node, slowness)
    if known is None:
        if len(_KNOWN) >= _REMEMBERED:
            _KNOWN.clear()
        known = _KNOWN[form] = _kernel_of(graph, node, slowness)
    return known.standing_for(node.origin or (node.name,)) if named else known


#: Kernels by all that decides them, as many as this at most.
_REMEMBERED = 20_000
_KNOWN: dict[tuple[Any, ...], Kernel] = {}


def _form(graph: Graph, node: Node) -> tuple[Any, ...]:
    """What decides the kernel of a node where no value does."""
    types, parameters = graph.types, graph.parameters
    return (
        node.op, node.domain, graph.opset.get("", 21),
        tuple([(types[t], t in parameters) if t else None for t in node.inputs]),
        tuple([types[t] for t in node.outputs if t]), attributes_form(node),
    )  # fmt: skip


def attributes_form(node: Node) -> tuple[Any, ...]:
    """The attributes of a node as a key; unhashable where they are tensors. Types are in it: 1 equals 1.0 and True."""
    return tuple([(k, v, type(v[0]) if type(v) is tuple and v else type(v)) for k, v in node.attributes.items()])


def _kernel_of(graph: Graph, node: Node, slowness: Slowness) -> Kernel:
    inputs = [_operand(graph, node, i) for i in range(len(node.inputs))]
    outputs = tuple(_plain(graph.types[t]) for t in node.outputs if t)
    attributes = _attributes(node)
    rule = _RULES.get(node.op)
    if rule is not None:
        rule(graph, node, inputs, outputs, attributes)
    attributes.update(slowness)
    while inputs and inputs[-1] is None:
        inputs.pop()
    return Kernel(node.kind, tuple(inputs), outputs, tuple(sorted(attributes.items())), node.origin or (node.name,))


def _plain(t: TensorType) -> Operand:
    return Operand(t.dtype, t.dims)


def _operand(graph: Graph, node: Node, index: int) -> Operand | None:
    tensor = node.inputs[index]
    if not tensor:
        return None
    t = graph.types[tensor]
    parameter = graph.parameters.get(tensor)
    if parameter is None:
        return Operand(t.dtype, t.dims)
    value = None
    if index in VALUE_INPUTS.get(node.op, ()) and parameter.value is not None:
        value = tuple(np.ravel(parameter.value).tolist())
    return Operand(t.dtype, t.dims, True, value)


def _attributes(node: Node) -> Attributes:
    """Defaults are filled in where `DEFAULTS` names them; others of the standard are left out."""
    filled = DEFAULTS.get(node.op, {})
    attributes: Attributes = dict(filled)
    spelled_out: Attributes = {}
    if node.domain == "com.ms.internal.nhwc":
        attributes["channels_last"] = 1
    if node.domain.startswith("com.microsoft"):
        spelled_out = CONTRIB_DEFAULTS.get(node.op, {})
    elif node.attributes:
        spelled_out = _standard_defaults(node.op, node.domain)
    for name, value in node.attributes.items():
        if name in FREE:
            continue
        canonical = _canonical(value)
        if canonical is not None and (name in filled or spelled_out.get(name) != canonical):
            attributes[name] = canonical
    return attributes


@cache
def _standard_defaults(op: str, domain: str) -> Attributes:
    """The default values that the newest ONNX standard gives the attributes of ``op``."""
    from onnx import defs, helper

    if not defs.has(op, domain):
        return {}
    defaults = {name: a.default_value for name, a in defs.get_schema(op, domain).attributes.items()}
    values = {name: helper.get_attribute_value(default) for name, default in defaults.items() if default.name}
    return {name: tuple(v) if isinstance(v, list) else _decoded(v) for name, v in values.items()}


def _decoded(value: KernelAttribute | bytes) -> KernelAttribute:
    return value.decode() if isinstance(value, bytes) else value


def _canonical(value: Attribute) -> KernelAttribute | None:
    if isinstance(value, Graph | np.ndarray):
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value


def _positive_axis(graph: Graph, node: Node, attributes: Attributes, name: str = "axis") -> None:
    axis = attributes.get(name)
    if isinstance(axis, int) and axis < 0:
        attributes[name] = axis + len(graph.types[node.inputs[0]].shape)


def _with_axis(graph: Graph, node: Node, inputs: _Inputs, outputs: tuple[Operand, ...], attributes: Attributes) -> None:
    if attributes.get("axis", 0) == -1 and node.op == "OneHot":
        attributes["axis"] = len(outputs[0].shape) - 1
    _positive_axis(graph, node, attributes)


def _softmax(graph: Graph, node: Node, inputs: _Inputs, outputs: tuple[Operand, ...], attributes: Attributes) -> None:
    """Before opset 13 the default axis was 1, and all axes from there on were normalised together."""
    rank = len(outputs[0].shape)
    if graph.opset.get("", 21) < 13 and node.domain == "":
        axis = node.int("axis", 1)
        attributes["axis"] = axis % rank
        if attributes["axis"] != rank - 1:
            attributes["flatten"] = 1
    _positive_axis(graph, node, attributes)


def _window(graph: Graph, node: Node, inputs: _Inputs, outputs: tuple[Operand, ...], attributes: Attributes) -> None:
    window = resolved_window(graph, node)
    attributes["strides"], attributes["pads"], attributes["dilations"] = window.strides, window.pads, window.dilations
    if node.op.endswith("Pool"):
        attributes["kernel_shape"] = window.kernel
        if not any(window.pads):
            attributes.pop("count_include_pad", None)
        if node.kind == "AveragePool" and graph.opset.get("", 21) >= AVERAGE_POOL_WITH_DILATIONS:
            attributes["since_version"] = AVERAGE_POOL_WITH_DILATIONS
        if node.domain.endswith("nchwc"):
            for name in ("ceil_mode", "storage_order"):
                attributes.pop(name, None)
    else:
        attributes.setdefault("group", 1)
    attributes.pop("output_padding", None)
    attributes.pop("output_shape", None)


def _reduction(graph: Graph, node: Node, inputs: _Inputs, outputs: tuple[Operand, ...], attributes: Attributes) -> None:
    rank = len(graph.types[node.inputs[0]].shape)
    axes = _given_ints(graph, node, 1, "axes")
    if axes is None:
        axes = tuple(range(rank)) if not node.attributes.get("noop_with_empty_axes") else ()
    del inputs[1:]
    attributes["axes"] = tuple(sorted(a % rank if rank else a for a in axes))
    attributes["keepdims"] = node.int("keepdims", 1)


def _axes_input(
    graph: Graph, node: Node, inputs: _Inputs, outputs: tuple[Operand, ...], attributes: Attributes
) -> None:
    """Squeeze and Unsqueeze only rename dimensions: both shapes say all there is to say."""
    del inputs[1:]
    attributes.clear()


def _split(graph: Graph, node: Node, inputs: _Inputs, outputs: tuple[Operand, ...], attributes: Attributes) -> None:
    del inputs[1:]
    attributes.pop("split", None)
    _positive_axis(graph, node, attributes)


def _slice(graph: Graph, node: Node, inputs: _Inputs, outputs: tuple[Operand, ...], attributes: Attributes) -> None:
    """Starts, axes and steps of the sliced dimensions only; the ends follow from the output shape."""
    shape = graph.types[node.inputs[0]].dims
    starts = _given_ints(graph, node, 1, "starts")
    axes = _given_ints(graph, node, 3, "axes") or tuple(range(len(starts or ())))
    steps = _given_ints(graph, node, 4, "steps") or (1,) * len(starts or ())
    del inputs[1:]
    for name in ("starts", "ends", "axes", "steps"):
        attributes.pop(name, None)
    if starts is None:
        return
    cut = sorted((a % len(shape), s, t) for a, s, t in zip(axes, starts, steps, strict=False))
    cut = [(a, s, t) for a, s, t in cut if outputs[0].shape[a] != shape[a] or t != 1]
    attributes["axes"] = tuple(a for a, _, _ in cut)
    attributes["starts"] = tuple(min(max(s + shape[a] if s < 0 else s, 0), shape[a]) for a, s, _ in cut)
    attributes["steps"] = tuple(t for _, _, t in cut)


def _pad(graph: Graph, node: Node, inputs: _Inputs, outputs: tuple[Operand, ...], attributes: Attributes) -> None:
    rank = len(graph.types[node.inputs[0]].shape)
    pads = _given_ints(graph, node, 1, "pads") or ()
    axes = _given_ints(graph, node, 3, "axes")
    del inputs[1:]
    if axes is not None and len(axes) * 2 == len(pads):
        full = [0] * (2 * rank)
        for i, axis in enumerate(axes):
            full[axis % rank], full[axis % rank + rank] = pads[i], pads[i + len(axes)]
        pads = tuple(full)
    attributes["pads"] = pads


def _first_input(
    graph: Graph, node: Node, inputs: _Inputs, outputs: tuple[Operand, ...], attributes: Attributes
) -> None:
    """Reshape, Expand, Clip and the like: the other inputs are said by the output shape or change no cost."""
    del inputs[1:]
    if node.op == "Flatten":
        attributes.clear()


def _resize(graph: Graph, node: Node, inputs: _Inputs, outputs: tuple[Operand, ...], attributes: Attributes) -> None:
    del inputs[1:]
    for name in ("axes", "keep_aspect_ratio_policy", "scales", "height_scale", "width_scale"):
        attributes.pop(name, None)
    if attributes.get("mode") != "nearest":
        attributes.pop("nearest_mode", None)
    elif node.domain:
        attributes.pop("coordinate_transformation_mode", None)
    if node.op == "Resize" and graph.opset.get("", 21) < 11:
        attributes["coordinate_transformation_mode"], attributes["nearest_mode"] = "asymmetric", "floor"


def _quantize(graph: Graph, node: Node, inputs: _Inputs, outputs: tuple[Operand, ...], attributes: Attributes) -> None:
    """The axis matters only with one scale per channel."""
    scale = inputs[1]
    if scale is None or len(scale.shape) == 0 or scale.elements == 1:
        attributes.pop("axis", None)
        if scale is not None and scale.shape:
            inputs[1] = Operand(scale.dtype, (), scale.constant)
            if len(inputs) > 2 and inputs[2] is not None:
                inputs[2] = Operand(inputs[2].dtype, (), inputs[2].constant)
    _positive_axis(graph, node, attributes)


def _grid_sample(
    graph: Graph, node: Node, inputs: _Inputs, outputs: tuple[Operand, ...], attributes: Attributes
) -> None:
    """Before opset 20, linear and cubic were called bilinear and bicubic; linear is the default."""
    if node.domain:
        return
    mode = str(attributes.pop("mode", "linear")).removeprefix("bi")
    if mode != "linear":
        attributes["mode"] = mode


def _transpose(graph: Graph, node: Node, inputs: _Inputs, outputs: tuple[Operand, ...], attributes: Attributes) -> None:
    rank = len(outputs[0].shape)
    attributes.setdefault("perm", tuple(range(rank - 1, -1, -1)))


def _gemm(graph: Graph, node: Node, inputs: _Inputs, outputs: tuple[Operand, ...], attributes: Attributes) -> None:
    for name in ("transA", "transB"):
        attributes[name] = int(bool(attributes[name]))


def _given_ints(graph: Graph, node: Node, index: int, attribute: str) -> tuple[int, ...] | None:
    """Integers from an attribute (older opsets) or from a constant input (newer ones)."""
    given = node.ints(attribute)
    if given is not None:
        return given
    if index < len(node.inputs) and node.inputs[index]:
        value = graph.value(node.inputs[index])
        return None if value is None else tuple(int(v) for v in np.ravel(value))
    return None


_Rule = Callable[[Graph, Node, _Inputs, tuple[Operand, ...], Attributes], None]
_RULES: dict[str, _Rule] = {
    **dict.fromkeys(WINDOWED, _window), **dict.fromkeys(REDUCTIONS, _reduction),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), _softmax),
    **dict.fromkeys(("Concat", "LayerNormalization", "SimplifiedLayerNormalization", "RMSNormalization", "Gather",
                     "GatherElements", "ScatterElements", "TopK", "ArgMax", "ArgMin", "OneHot", "QLinearConcat",
                     "QLinearSoftmax"), _with_axis),
    **dict.fromkeys(("Reshape", "Flatten", "Expand", "Clip", "Dropout", "ConstantOfShape", "Cast"), _first_input),
    **dict.fromkeys(("Squeeze", "Unsqueeze"), _axes_input), "Split": _split, "Slice": _slice, "Pad": _pad,
    "Resize": _resize, "Upsample": _resize, "QuantizeLinear": _quantize, "DequantizeLinear": _quantize,
    "Transpose": _transpose, "GridSample": _grid_sample, "Gemm": _gemm, "FusedGemm": _gemm,
}  # fmt: skip
