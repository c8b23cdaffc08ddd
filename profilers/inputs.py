"""Inputs to measure with: random numbers of the right type, and integers that index what they index.

Times hardly depend on values, with two exceptions that are avoided here: denormal numbers and NaN are slow, and indices
must lie inside the tables that they point into (token ids, positions).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphs.ir import Graph
from graphs.onnx_protos import array_type

#: Nodes that pass integers on unchanged.
_PASSING = frozenset({
    "Cast", "Reshape", "Flatten", "Unsqueeze", "Squeeze", "Identity", "Expand", "Transpose", "Slice", "Concat",
    "Split", "Dropout",
})  # fmt: skip

_INDEXED = {"Gather": 0, "GatherElements": 0, "ATen": 0, "EmbedLayerNormalization": 2}


def random_inputs(graph: Graph, seed: int = 0) -> dict[str, NDArray[Any]]:
    """One array per input of a bound graph: floats in [0, 1), images of bytes, valid indices, masks of ones.

    Raises:
        ValueError: an input's shape is not static.
    """
    rng = np.random.default_rng(seed)
    limits = _index_limits(graph)
    feeds = {}
    for name in graph.inputs:
        kind = graph.types[name]
        feeds[name] = _array(rng, kind.dtype, kind.dims, limits.get(name))
    return feeds


def _array(rng: np.random.Generator, dtype: str, shape: tuple[int, ...], limit: int | None) -> NDArray[Any]:
    if dtype in ("float16", "float32", "float64"):
        return rng.random(shape, dtype=np.float32).astype(dtype)
    if dtype == "bool":
        return np.ones(shape, dtype=bool)
    if limit is not None:
        return rng.integers(0, max(limit, 1), shape).astype(dtype)
    if dtype in ("int8", "uint8"):
        return rng.integers(0, 127, shape).astype(dtype)
    if dtype == "string":
        return np.full(shape, "word", dtype=object)
    if dtype == "bfloat16":
        return rng.random(shape, dtype=np.float32).astype(array_type(dtype))
    return np.ones(shape, dtype=array_type(dtype))


def _index_limits(graph: Graph) -> Mapping[str, int]:
    """For integer inputs that end up as indices: the smallest size of what they index."""
    sources: dict[str, set[str]] = {
        name: {name} for name in graph.inputs if graph.types[name].dtype in ("int32", "int64")
    }
    limits: dict[str, int] = {}
    for node in graph.nodes:
        if node.op in _PASSING:
            found = set().union(*(sources.get(t, set()) for t in node.inputs))
            if found:
                for output in node.outputs:
                    sources.setdefault(output, set()).update(found)
        elif node.op in _INDEXED:
            size = _indexed_size(graph, node.inputs[_INDEXED[node.op]], node.attributes.get("axis", 0))
            for tensor in node.inputs:
                for name in sources.get(tensor, ()):
                    limits[name] = min(size, limits.get(name, size))
    return limits


def _indexed_size(graph: Graph, table: str, axis: object) -> int:
    kind = graph.parameters[table].type if table in graph.parameters else graph.types.get(table)
    if kind is None or not kind.is_static or not kind.shape or not isinstance(axis, int):
        return 1
    return kind.dims[axis % len(kind.shape)]
