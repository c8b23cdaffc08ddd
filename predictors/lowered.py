"""What a predictor keeps of a graph between lowering it and pricing it: the kernels, not the graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphs.ir import Graph
from graphs.kernels import Kernel
from predictors.details import Details


@dataclass(frozen=True, slots=True)
class Lowered:
    """A prepared graph as the runtime of a target would execute it."""

    #: In order of execution.
    kernels: Sequence[Kernel]
    #: The first dimension that all inputs share; 1 where they share none.
    batch: int
    parameters: int
    peak_memory_bytes: int | None
    #: None where only the sums will be asked for.
    details: Details | None = None


def batch_of(graph: Graph) -> int:
    """The first dimension that all inputs of a static graph share; 1 where they share none."""
    leading = {graph.types[name].shape[0] if graph.types[name].shape else 1 for name in graph.inputs}
    only = leading.pop() if len(leading) == 1 else 1
    return only if isinstance(only, int) and only > 0 else 1
