"""Long work on graphs can be stopped from outside, wherever it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graphs import Graph, LoweringProfile, infer, optimise, prepare
from graphs.interruption import checkpoint, interruptible


class Enough(Exception):
    pass


def after(number: int) -> Callable[[], None]:
    """A check that raises when it is called for so many times."""
    left = number

    def check() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Enough

    return check


def chain(nodes: int) -> Graph:
    """Convolutions and batch norms in turn."""
    parameters: list[dict[str, Any]] = [{"name": "w", "dtype": "float32", "shape": [8, 8, 1, 1]}]
    parameters += [{"name": n, "dtype": "float32", "shape": [8]} for n in ("s", "b", "m", "v")]
    made: list[dict[str, Any]] = []
    for i in range(0, nodes, 2):
        made.append({"op": "Conv", "inputs": [f"t{i}", "w"], "outputs": [f"t{i + 1}"]})
        inputs = [f"t{i + 1}", "s", "b", "m", "v"]
        made.append({"op": "BatchNormalization", "inputs": inputs, "outputs": [f"t{i + 2}"]})
    inputs = [{"name": "t0", "dtype": "float32", "shape": [1, 8, 4, 4]}]
    return prepare({"opset": {"": 17}, "inputs": inputs, "parameters": parameters, "nodes": made,
                    "outputs": [f"t{nodes}"]})  # fmt: skip


@pytest.mark.parametrize("work", [infer, lambda graph: optimise(graph, LoweringProfile())], ids=["infer", "optimise"])
def test_it_stops_where_it_is(work: Callable[[Graph], Graph]) -> None:
    graph = chain(400)
    with interruptible(after(1_000_000)):
        expected = work(graph)
    for calls in (0, 7, 30):
        with pytest.raises(Enough), interruptible(after(calls)):
            work(graph)
    assert len(work(graph).nodes) == len(expected.nodes)


def test_blocks_nest_and_end() -> None:
    checkpoint()
    with interruptible(after(0)):
        with interruptible(after(1)):
            checkpoint()
        with pytest.raises(Enough):
            checkpoint()
    checkpoint()
