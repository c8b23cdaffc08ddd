"""Which element types the kernels of a runtime take: a table per release, written by `profilers.runtimes.kernel_types`.

Instruction sets for which a provider has more kernels say which in a table of their own (`…-neon_fp16.json`).

The rules of looking a kernel up are those of onnxruntime's registry (core/framework/kernel_registry.cc): the newest
version of the operator that the model's operator set has decides, and every type variable of the kernel must allow the
element types of all inputs and outputs that have that variable.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from graphs.ir import Graph, Node
from graphs.lowering.profile import LoweringProfile

_DATA = Path(__file__).parent / "data"


class KernelTypes:
    """The kernels of one provider of one release."""

    def __init__(self, table: dict[str, Any], more: dict[str, Any] | None = None) -> None:
        """``more`` holds under ``kernels`` further ones by operator, their element types spelled out."""
        self._more: dict[str, list[Any]] = (more or {}).get("kernels", {})
        self._sets = [frozenset(names) for names in table["sets"]]
        self._operators: dict[str, dict[str, Any]] = table["operators"]
        #: The newest operator set that the runtime loads.
        self.newest_opset: int = table["opset"]
        self._answers: dict[tuple[Any, ...], bool] = {}

    def knows(self, kind: str) -> bool:
        """Whether the runtime has heard of the operator at all."""
        return kind in self._operators

    def kernels(self, kind: str, opset: int) -> list[dict[str, frozenset[str]]]:
        """The kernels for an operator in an operator set, each as the element types by type variable."""
        schema = self._schema(kind, opset)
        if schema is None:
            return []
        found = [k for k in self._operators[kind]["kernels"] if _is_of_version(k, schema[0])]
        more = [k[2] for k in self._more.get(kind, ()) if _is_of_version(k, schema[0])]
        return [{variable: self._sets[index] for variable, index in k[2].items()} for k in found] + [
            {variable: frozenset(types) for variable, types in by_variable.items()} for by_variable in more
        ]

    def covers(self, graph: Graph, node: Node) -> bool:
        """Whether a kernel takes ``node`` with the types that its tensors have."""
        types = graph.types
        inputs = tuple([types[t].dtype if t else "" for t in node.inputs])
        outputs = tuple([types[t].dtype if t else "" for t in node.outputs])
        return self.has(node.kind, graph.opset.get(node.domain, 1), inputs, outputs)

    def has(self, kind: str, opset: int, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> bool:
        """Whether there is a kernel for these element types ('' for what is absent)."""
        key = (kind, opset, inputs, outputs)
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answers[key] = self._look_up(kind, opset, inputs, outputs)
        return answer

    def _look_up(self, kind: str, opset: int, inputs: Sequence[str], outputs: Sequence[str]) -> bool:
        schema = self._schema(kind, opset)
        if schema is None:
            return False
        _, ins, outs = schema
        given: dict[str, set[str]] = {}
        for variables, types in ((ins, inputs), (outs, outputs)):
            for index, dtype in enumerate(types):
                if dtype and variables:
                    given.setdefault(variables[min(index, len(variables) - 1)], set()).add(dtype)
        return any(
            all(given.get(variable, set()) <= types for variable, types in kernel.items())
            for kernel in self.kernels(kind, opset)
        )

    def _schema(self, kind: str, opset: int) -> Sequence[Any] | None:
        versions: Sequence[Sequence[Any]] = self._operators.get(kind, {}).get("schemas", ())
        return next((s for s in reversed(versions) if s[0] <= opset), None)


def _is_of_version(kernel: Sequence[Any], since: int) -> bool:
    first, last, _ = kernel
    return bool(first == since or (last is not None and first < since <= last))


def kernel_types(profile: LoweringProfile) -> KernelTypes | None:
    """The table for a profile: of its release, or else of the newest one that is known; None where there is none."""
    return _find(profile.runtime, profile.provider, profile.isa, profile.release)


@cache
def _find(runtime: str, provider: str, isa: str, release: tuple[int, int]) -> KernelTypes | None:
    table, more = (_read(runtime, name, release) for name in (provider, f"{provider}-{isa}"))
    return None if table is None else KernelTypes(table, more)


@cache
def _read(runtime: str, name: str, release: tuple[int, int]) -> dict[str, Any] | None:
    found = {_release(file): file for file in _DATA.glob(f"{runtime}-*-{name}.json")}
    if not found:
        return None
    table: dict[str, Any] = json.loads((found.get(release) or found[max(found)]).read_text())
    return table


def _release(file: Path) -> tuple[int, int]:
    major, minor = file.stem.split("-")[1].split(".")
    return int(major), int(minor)
