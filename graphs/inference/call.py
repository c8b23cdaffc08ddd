"""What an inference rule sees of a node, and the registry of the rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphs.errors import InvalidGraph, MissingValue
from graphs.ir import Node, Parameter, TensorType, Value

Shape = tuple[int, ...]
Rule = Callable[["Call"], Sequence[TensorType]]

#: Type rules by `Node.kind`; a rule covers every opset version from 9 on (``call.opset`` tells which).
RULES: dict[str, Rule] = {}


def rule(*kinds: str) -> Callable[[Rule], Rule]:
    """Register a function as the type rule of these operators."""

    def register(function: Rule) -> Rule:
        for kind in kinds:
            if kind in RULES:
                raise ValueError(f"two rules for {kind}")
            RULES[kind] = function
        return function

    return register


class Call:
    """One node with the types of its inputs, all of them static, and the values of the constant ones.

    ``block`` is the number of channels in a block of onnxruntime's blocked layout.
    """

    __slots__ = ("block", "inputs", "node", "opset", "parameters")

    def __init__(
        self,
        node: Node,
        inputs: Sequence[TensorType | None],
        opset: int,
        parameters: Mapping[str, Parameter],
        block: int = 16,
    ) -> None:
        self.node = node
        self.inputs = inputs
        self.opset = opset
        self.parameters = parameters
        self.block = block

    def has(self, index: int) -> bool:
        """Whether the optional input is there."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def type(self, index: int) -> TensorType:
        found = self.inputs[index] if index < len(self.inputs) else None
        if found is None:
            raise InvalidGraph(f"input {index} is required")
        return found

    def shape(self, index: int) -> Shape:
        return self.type(index).shape  # type: ignore[return-value]  # static: bound before inference

    def dtype(self, index: int) -> str:
        return self.type(index).dtype

    def present(self) -> list[TensorType]:
        """The types of the inputs that are there."""
        return [t for t in self.inputs if t is not None]

    def attribute(self, name: str, default: Any = None) -> Any:
        return self.node.attributes.get(name, default)

    def value(self, index: int) -> Value | None:
        """The value of a constant input; None where it is absent, computed, or known by shape only."""
        if index >= len(self.inputs) or self.inputs[index] is None:
            return None
        parameter = self.parameters.get(self.node.inputs[index])
        return None if parameter is None else parameter.value

    def need(self, index: int) -> Value:
        """The value of an input that decides an output's shape."""
        value = self.value(index)
        if value is not None:
            return value
        self.type(index)
        name = self.node.inputs[index]
        if name in self.parameters:
            raise MissingValue(name, f"the value of {name!r} decides a shape, but only its shape is known; keep it")
        raise InvalidGraph(
            f"the shape of the output depends on the data in {name!r}, which is computed at run time; "
            "shapes must be static: make that input a constant"
        )

    def need_ints(self, index: int) -> list[int]:
        return [int(v) for v in self.need(index).reshape(-1).tolist()]


def broadcast(*shapes: Shape) -> Shape:
    """The common shape by numpy's rules."""
    result = shapes[0]
    for shape in shapes[1:]:
        if shape != result and shape:
            result = _broadcast_two(result, shape)
    return result


def _broadcast_two(a: Shape, b: Shape) -> Shape:
    if len(a) < len(b):
        a, b = b, a
    if not b:
        return a
    offset = len(a) - len(b)
    dims = list(a)
    for i, size in enumerate(b):
        here = dims[offset + i]
        if here == size or size == 1:
            continue
        if here != 1:
            raise InvalidGraph(f"shapes {list(a)} and {list(b)} do not broadcast")
        dims[offset + i] = size
    return tuple(dims)


def axis_in(axis: int, rank: int) -> int:
    """A non-negative axis, checked."""
    if not -rank <= axis < max(rank, 1):
        raise InvalidGraph(f"axis {axis} is outside a tensor of {rank} dimensions")
    return axis + rank if axis < 0 else axis
