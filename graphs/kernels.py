"""Kernels: what a runtime executes after its optimisations, and the key that identifies their cost."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

from graphs.dtypes import nbytes

KernelAttribute = int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]


class Operand(NamedTuple):
    """A tensor that a kernel reads or writes. ``value`` is kept where it decides the cost (axes, starts, sizes)."""

    dtype: str
    shape: tuple[int, ...]
    constant: bool = False
    value: tuple[int | float, ...] | None = None

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        return nbytes(self.dtype, prod(self.shape))


@dataclass(frozen=True)
class Kernel:
    """A runtime's own operator with everything that decides its cost.

    ``kind`` is the domain-qualified operator of the runtime (``com.microsoft.nchwc.Conv``). ``attributes`` are in
    canonical form and sorted by name: defaults filled in, auto_pad resolved, what does not change the cost dropped.
    ``nodes`` are the submitted nodes that it stands for; they are not part of its identity.
    """

    kind: str
    inputs: tuple[Operand | None, ...]
    outputs: tuple[Operand, ...]
    attributes: tuple[tuple[str, KernelAttribute], ...] = ()
    nodes: tuple[str, ...] = field(default=(), compare=False)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Found once: predicting looks the same kernel up several times."""
        return hash((self.kind, self.inputs, self.outputs, self.attributes))

    def __getstate__(self) -> dict[str, Any]:
        """Texts have other hashes in other processes."""
        return {name: value for name, value in self.__dict__.items() if name != "_hash"}

    def attribute(self, name: str, default: Any = None) -> Any:
        for key, value in self.attributes:
            if key == name:
                return value
        return default

    def standing_for(self, nodes: tuple[str, ...]) -> Kernel:
        """The same kernel, executed for other nodes; what was found out about it is kept."""
        kernel = object.__new__(Kernel)
        kernel.__dict__.update(self.__dict__, _hash=self._hash, key=self.key, nodes=nodes)
        return kernel

    @cached_property
    def key(self) -> str:
        """32 hex digits, equal exactly when all cost-relevant fields are equal."""
        text = json.dumps(to_json(self), separators=(",", ":"), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def to_json(kernel: Kernel) -> dict[str, Any]:
    """The cost-relevant fields as JSON data (``nodes`` are left out)."""
    return {
        "kind": kernel.kind,
        "inputs": [None if o is None else _operand_to_json(o) for o in kernel.inputs],
        "outputs": [_operand_to_json(o) for o in kernel.outputs],
        "attributes": {k: list(v) if isinstance(v, tuple) else v for k, v in kernel.attributes},
    }


def from_json(data: dict[str, Any]) -> Kernel:
    """The inverse of `to_json`."""
    return Kernel(
        kind=data["kind"],
        inputs=tuple(None if o is None else _operand_from_json(o) for o in data["inputs"]),
        outputs=tuple(_operand_from_json(o) for o in data["outputs"]),
        attributes=tuple(sorted((k, tuple(v) if isinstance(v, list) else v) for k, v in data["attributes"].items())),
    )


def _operand_to_json(operand: Operand) -> list[Any]:
    data: list[Any] = [operand.dtype, list(operand.shape)]
    if operand.constant:
        data.append("constant")
    if operand.value is not None:
        data.append(list(operand.value))
    return data


def _operand_from_json(data: list[Any]) -> Operand:
    constant = len(data) > 2
    value = tuple(data[3]) if len(data) > 3 else None
    return Operand(data[0], tuple(data[1]), constant, value)
