"""Kernels that were made before are the same, and only where all that decides them is."""

from __future__ import annotations

from typing import Any

import pytest

from graphs import Kernel, kernels_of, prepare
from graphs.kernels_of import _KNOWN

NODE: dict[str, Any] = {
    "op": "Conv", "name": "c", "inputs": ["x", "w"], "outputs": ["y"], "attributes": {"pads": [1, 1, 1, 1], "group": 1},
}  # fmt: skip


def kernel(shape: tuple[int, ...] = (1, 8, 9, 9), constant: bool = True, **changes: Any) -> Kernel:
    tensor = {"name": "w", "dtype": "float32", "shape": [8, 8, 3, 3]}
    inputs = [{"name": "x", "dtype": "float32", "shape": list(shape)}, *([] if constant else [tensor])]
    graph = {"opset": {"": 17}, "inputs": inputs, "parameters": [tensor] if constant else [],
             "nodes": [{**NODE, **changes}], "outputs": ["y"]}  # fmt: skip
    (made,) = kernels_of(prepare(graph))
    return made


def test_a_remembered_kernel_stands_for_its_own_nodes() -> None:
    _KNOWN.clear()
    first, second = kernel(), kernel(name="another")
    assert len(_KNOWN) == 1
    assert first == second and hash(first) == hash(second) and first.key == second.key
    assert (first.nodes, second.nodes) == (("c",), ("another",))
    _KNOWN.clear()
    assert kernel() == first and kernel().key == first.key


@pytest.mark.parametrize(
    "other",
    [
        {"shape": (2, 8, 9, 9)},
        {"constant": False},
        {"attributes": {"pads": [0, 0, 0, 0], "group": 1}},
        {"attributes": {"pads": [1, 1, 1, 1], "group": 1, "strides": [2, 2]}},
    ],
)
def test_another_one_is_not_taken_for_it(other: dict[str, Any]) -> None:
    assert kernel(**other) != kernel() and kernel(**other).key != kernel().key


def test_values_that_decide_are_not_forgotten() -> None:
    def sliced(start: int) -> Kernel:
        parameters = [
            {"name": n, "dtype": "int64", "shape": [1], "value": [v]}
            for n, v in (("s", start), ("e", start + 2), ("a", 1))
        ]
        graph = {"opset": {"": 17}, "inputs": [{"name": "x", "dtype": "float32", "shape": [4, 8]}],
                 "parameters": parameters, "outputs": ["y"],
                 "nodes": [{"op": "Slice", "inputs": ["x", "s", "e", "a"], "outputs": ["y"]}]}  # fmt: skip
        (made,) = kernels_of(prepare(graph))
        return made

    assert sliced(0) != sliced(1)
