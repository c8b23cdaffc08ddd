"""The intermediate representation: ONNX operators, tensor types, no weights.

A `Graph` is plain data. Readers make it, `bind` and `infer` complete it (every tensor gets a static type), lowering
rewrites a copy of it, writers turn it back into ONNX or JSON.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Dim = int | str | None
"""A known size, a named symbolic size, or an unnamed symbolic one."""

Value = NDArray[np.generic]

_INT = {int}

Attribute: TypeAlias = (
    "int | float | str | bytes | tuple[int, ...] | tuple[float, ...] | tuple[str, ...] | Value | Graph"
)

#: Constants of up to this many elements are kept by value, since runtimes fuse by value.
MAX_VALUE_ELEMENTS = 256


class TensorType(NamedTuple):
    """Element type (see `graphs.dtypes`) and shape of a tensor. A tuple, because types are keys of many memories."""

    dtype: str
    shape: tuple[Dim, ...]

    @property
    def is_static(self) -> bool:
        return set(map(type, self.shape)) <= _INT

    @property
    def dims(self) -> tuple[int, ...]:
        """The shape, all of whose sizes must be known."""
        if not self.is_static:
            raise ValueError(f"shape {self.shape} is not static")
        return self.shape  # type: ignore[return-value]

    @property
    def elements(self) -> int:
        return prod(self.dims)


class Masking(NamedTuple):
    """Which shares of a mask's elements hide attention scores (see `graphs.masking`)."""

    #: So deep that a softmax makes zeros of them.
    vanishing: float = 0.0
    #: So little that a softmax makes subnormal numbers of them.
    subnormal: float = 0.0


@dataclass(slots=True)
class Parameter:
    """A constant: a weight, or a small value.

    ``value`` is there for up to `MAX_VALUE_ELEMENTS` elements. ``fill`` says that the constant is made by a
    ConstantOfShape node, thus that number all over; a small one has its value as well. A weight with neither is unknown
    and equals no other.
    """

    type: TensorType
    value: Value | None = None
    fill: float | None = None
    #: Of a large mask without ``value``, what it hides.
    masking: Masking | None = None


@dataclass(slots=True)
class Node:
    """One operator. An absent optional input or output is the empty string."""

    op: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Attribute] = field(default_factory=dict)
    domain: str = ""
    name: str = ""
    #: Names of the nodes of the submitted graph that this one stands for (filled by lowering).
    origin: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Domain-qualified operator: ``Conv``, ``com.microsoft.nchwc.Conv``."""
        return f"{self.domain}.{self.op}" if self.domain else self.op

    def int(self, name: str, default: builtins.int = 0) -> builtins.int:
        """An integer attribute."""
        value = self.attributes.get(name, default)
        return value if isinstance(value, builtins.int) else default

    def ints(self, name: str) -> tuple[builtins.int, ...] | None:
        """A list of integers, or None where the attribute is absent."""
        value = self.attributes.get(name)
        return tuple(builtins.int(v) for v in value) if isinstance(value, tuple) else None

    def text(self, name: str, default: str = "") -> str:
        """A string attribute."""
        value = self.attributes.get(name, default)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

    def copy(self) -> Node:
        """A copy whose lists and attributes can be changed freely."""
        return Node(
            self.op, list(self.inputs), list(self.outputs), dict(self.attributes), self.domain, self.name, self.origin
        )


@dataclass(slots=True)
class Graph:
    """An architecture: nodes in topological order (after validation), the tensors' types by name.

    ``inputs`` and ``outputs`` are tensor names in order; ``types`` holds the inputs' types after reading, and those
    of every tensor (parameters included) after `infer`. ``opset`` maps a domain to its version.
    """

    name: str = ""
    opset: dict[str, int] = field(default_factory=lambda: {"": 21})
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    parameters: dict[str, Parameter] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    types: dict[str, TensorType] = field(default_factory=dict)

    def copy(self) -> Graph:
        """A copy whose nodes and dictionaries can be changed freely; arrays and types are shared."""
        return Graph(
            self.name, dict(self.opset), list(self.inputs), list(self.outputs),
            dict(self.parameters), [n.copy() for n in self.nodes], dict(self.types),
        )  # fmt: skip

    def value(self, tensor: str) -> Value | None:
        """The value of a constant tensor where it is known, expanded from ``fill`` when small."""
        parameter = self.parameters.get(tensor)
        if parameter is None:
            return None
        return parameter.value

    def count_parameters(self) -> int:
        """Elements of all floating or quantised weights (constants of more than one dimension or element)."""
        return sum(p.type.elements for p in self.parameters.values())

    def node_names(self) -> Iterable[str]:
        return (node.name for node in self.nodes)
