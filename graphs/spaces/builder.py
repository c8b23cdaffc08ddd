"""Builds a graph operator by operator and keeps the shape of every tensor while doing so.

Methods take and return names of tensors. They say things as the network's opset wants them: axes as attributes or as
inputs, Upsample or Resize, and so on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, prod

import numpy as np

from graphs.ir import MAX_VALUE_ELEMENTS, Attribute, Graph, Node, Parameter, TensorType
from graphs.masking import masking
from graphs.spaces.style import ExportStyle

Sizes = int | Sequence[int]

#: What moving one element between memory and registers is worth in floating-point operations, roughly.
WORK_PER_ELEMENT = 12


class TooLarge(Exception):
    """The network under construction has outgrown its allowance; draw another."""


class GraphBuilder:
    """Operators that decide nothing by themselves; `graphs.spaces.layers` and its neighbours make layers of them.

    ``work`` is a crude estimate of what a run costs, in floating-point operations; beyond ``max_work``, or with more
    than ``max_weights`` elements of weights, `TooLarge` is raised.
    """

    def __init__(
        self, name: str, style: ExportStyle, *, max_work: float = 1e11, max_weights: int = 200_000_000
    ) -> None:
        self.style = style
        self.graph = Graph(name=name, opset={"": style.opset})
        self.work = 0.0
        self.weights = 0
        self.max_work = max_work
        self.max_weights = max_weights

    # Tensors

    def shape(self, tensor: str) -> tuple[int, ...]:
        return self.graph.types[tensor].dims

    def dtype(self, tensor: str) -> str:
        return self.graph.types[tensor].dtype

    def channels(self, tensor: str) -> int:
        return self.shape(tensor)[1]

    def input(self, shape: Sequence[int], dtype: str = "float32", name: str = "input") -> str:
        self.graph.inputs.append(name)
        self.graph.types[name] = TensorType(dtype, tuple(shape))
        return name

    def weight(self, *shape: int, dtype: str = "float32", fill: float | None = None) -> str:
        """A constant whose numbers nobody needs; it is distinct from all others, unless it is ``fill`` all over."""
        self.weights += prod(shape)
        self._check_allowance()
        name = f"weight_{len(self.graph.parameters)}"
        kind = TensorType(dtype, tuple(shape))
        if fill is not None and kind.elements <= MAX_VALUE_ELEMENTS:
            self.graph.parameters[name] = Parameter(kind, value=np.full(shape, fill, dtype=dtype))
        else:
            self.graph.parameters[name] = Parameter(kind, fill=fill)
        self.graph.types[name] = kind
        return name

    def mask(self, *shape: int, share: float, dtype: str = "float32", faint: bool = False) -> str:
        """A constant that hides this share of attention scores (to eighths): by the lowest number, by -100 if it is
        ``faint``, or by False.
        """
        name = self.weight(*shape, dtype=dtype)
        hides = masking(0.0, share) if faint else masking(share, 0.0)
        self.graph.parameters[name] = Parameter(TensorType(dtype, tuple(shape)), masking=hides)
        return name

    def constant(self, value: float | Sequence[int] | Sequence[float], dtype: str = "float32") -> str:
        """A constant whose value matters: an axis, a shape, a divisor."""
        array = np.asarray(value, dtype=dtype)
        name = f"constant_{len(self.graph.parameters)}"
        kind = TensorType(dtype, array.shape)
        self.graph.parameters[name] = Parameter(kind, value=array)
        self.graph.types[name] = kind
        return name

    # Nodes

    def node(
        self, op: str, inputs: Sequence[str], shape: Sequence[int], *, dtype: str | None = None, **attributes: Attribute
    ) -> str:
        """One operator with one output of the given shape (and the dtype of its first input)."""
        return self.nodes(op, inputs, [shape], attributes, dtype=dtype)[0]

    def nodes(
        self,
        op: str,
        inputs: Sequence[str],
        shapes: Sequence[Sequence[int]],
        attributes: Mapping[str, Attribute],
        *,
        dtype: str | None = None,
    ) -> list[str]:
        """One operator with as many outputs as there are shapes."""
        stem = f"{op}_{len(self.graph.nodes)}"
        outputs = [f"{stem}_out{i}" for i in range(len(shapes))]
        for output, shape in zip(outputs, shapes, strict=True):
            self.graph.types[output] = TensorType(dtype or self.dtype(inputs[0]), tuple(shape))
        self.graph.nodes.append(Node(op, list(inputs), outputs, dict(attributes), name=stem))
        moved = [i for i in inputs if i and i not in self.graph.parameters] + outputs
        self.spend(WORK_PER_ELEMENT * sum(prod(self.shape(t)) for t in moved))
        return list(outputs)

    def spend(self, work: float) -> None:
        self.work += work
        self._check_allowance()

    def _check_allowance(self) -> None:
        if self.work > self.max_work or self.weights > self.max_weights:
            raise TooLarge(f"{self.graph.name} costs too much: {self.work:.2g} operations, {self.weights} weights")

    def finish(self, *outputs: str) -> Graph:
        """The graph, with ``outputs`` as its outputs."""
        self.graph.outputs = list(outputs)
        return self.graph

    # Elementwise

    def unary(self, op: str, x: str, *more: str, **attributes: Attribute) -> str:
        return self.nodes(op, [x, *more], [self.shape(x)], attributes)[0]

    def binary(self, op: str, a: str, b: str, dtype: str | None = None) -> str:
        """An elementwise operator of two tensors that broadcast."""
        return self.node(op, [a, b], np.broadcast_shapes(self.shape(a), self.shape(b)), dtype=dtype or self.dtype(a))

    def add(self, *terms: str) -> str:
        """A residual sum: Add, or Caffe2's Sum of any number of terms of one shape."""
        if self.style.residual == "Sum" and len({self.shape(t) for t in terms}) == 1:
            return self.node("Sum", terms, self.shape(terms[0]))
        total = terms[0]
        for term in terms[1:]:
            total = self.binary("Add", total, term)
        return total

    def mul(self, a: str, b: str) -> str:
        return self.binary("Mul", a, b)

    def scalar(self, op: str, x: str, value: float, *, first: bool = False) -> str:
        """``x op value``, or ``value op x``."""
        constant = self.constant(value, self.dtype(x))
        return self.binary(op, constant, x) if first else self.binary(op, x, constant)

    def clip(self, x: str, low: float, high: float) -> str:
        if self.style.opset < 11:
            return self.unary("Clip", x, min=low, max=high)
        return self.unary("Clip", x, self.constant(low), self.constant(high))

    # Shapes and layouts

    def reshape(self, x: str, *shape: int) -> str:
        """``shape`` may contain one -1."""
        sizes = list(shape)
        if -1 in sizes:
            sizes[sizes.index(-1)] = prod(self.shape(x)) // -prod(sizes)
        return self.node("Reshape", [x, self.constant(sizes, "int64")], sizes)

    def transpose(self, x: str, *perm: int) -> str:
        return self.node("Transpose", [x], [self.shape(x)[p] for p in perm], perm=tuple(perm))

    def flatten(self, x: str) -> str:
        """All but the batch in one dimension."""
        n, *rest = self.shape(x)
        if self.style.flatten == "Reshape":
            return self.reshape(x, n, prod(rest))
        return self.node("Flatten", [x], (n, prod(rest)), axis=1)

    def _with_axes(self, op: str, x: str, axes: Sequence[int], shape: Sequence[int]) -> str:
        if self.style.opset < 13:
            return self.node(op, [x], shape, axes=tuple(axes))
        return self.node(op, [x, self.constant(axes, "int64")], shape)

    def squeeze(self, x: str, *axes: int) -> str:
        rank = len(self.shape(x))
        gone = {a % rank for a in axes}
        return self._with_axes("Squeeze", x, axes, [d for i, d in enumerate(self.shape(x)) if i not in gone])

    def unsqueeze(self, x: str, axis: int) -> str:
        shape = list(self.shape(x))
        shape.insert(axis, 1)
        return self._with_axes("Unsqueeze", x, (axis,), shape)

    def expand(self, x: str, *shape: int) -> str:
        return self.node("Expand", [x, self.constant(shape, "int64")], shape)

    def concat(self, parts: Sequence[str], axis: int = 1) -> str:
        shape = list(self.shape(parts[0]))
        shape[axis] = sum(self.shape(p)[axis] for p in parts)
        return self.node("Concat", parts, shape, axis=axis)

    def split(self, x: str, sizes: Sequence[int], axis: int = 1) -> list[str]:
        shape = self.shape(x)
        axis %= len(shape)
        shapes = [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]
        if self.style.opset < 13:
            return self.nodes("Split", [x], shapes, {"axis": axis, "split": tuple(sizes)})
        if self.style.opset >= 18 and len(set(sizes)) == 1:
            return self.nodes("Split", [x], shapes, {"axis": axis, "num_outputs": len(sizes)})
        return self.nodes("Split", [x, self.constant(sizes, "int64")], shapes, {"axis": axis})

    def slice(self, x: str, start: int, end: int, axis: int, step: int = 1) -> str:
        """``x[..., start:end:step, ...]`` with nonnegative bounds."""
        shape = list(self.shape(x))
        shape[axis] = ceil((min(end, shape[axis]) - start) / step)
        if self.style.opset < 10:
            return self.node("Slice", [x], shape, starts=(start,), ends=(end,), axes=(axis,))
        bounds = [self.constant([value], "int64") for value in (start, end, axis, step)]
        return self.node("Slice", [x, *bounds], shape)

    def pad(self, x: str, begins: Sequence[int], ends: Sequence[int], mode: str = "constant") -> str:
        shape = [d + b + e for d, b, e in zip(self.shape(x), begins, ends, strict=True)]
        pads = (*begins, *ends)
        if self.style.opset < 11:
            return self.node("Pad", [x], shape, pads=pads, mode=mode)
        return self.node("Pad", [x, self.constant(pads, "int64")], shape, mode=mode)

    def gather(self, x: str, indices: str, axis: int = 0) -> str:
        shape = self.shape(x)
        return self.node("Gather", [x, indices], (*shape[:axis], *self.shape(indices), *shape[axis + 1 :]), axis=axis)

    def upsample(self, x: str, scale: int, mode: str = "nearest") -> str:
        """Twice (or ``scale`` times) the size in all spatial dimensions; ``mode`` is nearest or linear."""
        n, c, *space = self.shape(x)
        scales = self.constant([1.0, 1.0, *[float(scale)] * len(space)])
        shape = (n, c, *[d * scale for d in space])
        if self.style.opset < 10:
            return self.node("Upsample", [x, scales], shape, mode=mode)
        if self.style.opset < 11:
            return self.node("Resize", [x, scales], shape, mode=mode)
        return self.resize(x, mode, shape, ["", scales])

    def resize(self, x: str, mode: str, shape: Sequence[int], sizes: Sequence[str] = ()) -> str:
        """Resize to ``shape``, said by its sizes unless the inputs that say it are given; opset 11 or later."""
        said = list(sizes) or ["", "", self.constant(shape, "int64")]
        if self.style.opset < 13:
            # The region of interest and the scales may be empty, but not absent.
            said = [tensor or self.constant([]) for tensor in said]
        attributes: dict[str, Attribute] = {"mode": mode, "coordinate_transformation_mode": "half_pixel"}
        if mode == "nearest":
            attributes |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.nodes("Resize", [x, *said], [shape], attributes)[0]
