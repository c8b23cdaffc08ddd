"""Giving the symbolic dimensions of a graph's inputs their sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from graphs.errors import InvalidGraph, UnboundDimension
from graphs.ir import Dim, Graph, TensorType
from graphs.structure import check_size

#: Names of a leading dimension that the batch size binds; one without a name does as well.
BATCH_NAMES = frozenset({"batch", "batch_size", "N"})


def bind(
    graph: Graph,
    *,
    batch_size: int | None = None,
    dims: Mapping[str, int] | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
) -> Graph:
    """The graph with static inputs (its nodes and parameters are shared with the result).

    ``input_shapes`` gives whole shapes by input, ``dims`` sizes by dimension name; ``batch_size`` (1 where nothing
    is said) binds leading symbolic dimensions that are called batch, batch_size or N, or have no name.
    Raises UnboundDimension for any other dimension left over, InvalidGraph for contradictions, such as an explicit
    batch size that no input carries.
    """
    sizes: dict[str, int] = {}
    _check_sizes({**(dims or {}), **({} if batch_size is None else {"batch_size": batch_size})})
    shapes = _apply_shapes(graph, input_shapes or {}, sizes)
    _apply_names(graph, dims or {}, sizes)
    _apply_batch(shapes, batch_size, sizes)
    result = replace(graph, types=dict(graph.types))
    for name, shape in shapes.items():
        bound = tuple(_resolve(name, i, d, sizes) for i, d in enumerate(shape))
        result.types[name] = TensorType(graph.types[name].dtype, bound)
        check_size(name, result.types[name])
    if batch_size is not None:
        _check_batch(result, batch_size)
    return result


def _check_sizes(sizes: Mapping[str, int]) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise InvalidGraph(f"{name} must be at least 1, not {size}")


def _apply_shapes(
    graph: Graph, given: Mapping[str, Sequence[int]], sizes: dict[str, int]
) -> dict[str, tuple[Dim, ...]]:
    for name in given:
        if name not in graph.inputs:
            raise InvalidGraph(f"there is no input {name!r}; inputs: {', '.join(graph.inputs)}")
    result = {}
    for name in graph.inputs:
        declared = graph.types[name].shape
        wanted = given.get(name)
        result[name] = declared if wanted is None else tuple(wanted)
        if wanted is None:
            continue
        if len(wanted) != len(declared):
            raise InvalidGraph(f"input {name!r} has {len(declared)} dimensions, not {len(wanted)}")
        for have, want in zip(declared, wanted, strict=True):
            if want < 1 or (isinstance(have, int) and have != want):
                raise InvalidGraph(f"input {name!r} is declared as {list(declared)}, which {list(wanted)} contradicts")
            if isinstance(have, str):
                _set(sizes, have, want)
    return result


def _apply_names(graph: Graph, dims: Mapping[str, int], sizes: dict[str, int]) -> None:
    known = {d for name in graph.inputs for d in graph.types[name].shape if isinstance(d, str)}
    for name, size in dims.items():
        if name not in known:
            raise InvalidGraph(f"no input has a dimension {name!r}; there are: {', '.join(sorted(known)) or 'none'}")
        _set(sizes, name, size)


def _apply_batch(shapes: dict[str, tuple[Dim, ...]], batch_size: int | None, sizes: dict[str, int]) -> None:
    for name, shape in shapes.items():
        if not shape:
            continue
        first = shape[0]
        if first is None:
            shapes[name] = (1 if batch_size is None else batch_size, *shape[1:])
        elif first in BATCH_NAMES and isinstance(first, str):
            if batch_size is not None:
                _set(sizes, first, batch_size)
            else:
                sizes.setdefault(first, 1)


def _set(sizes: dict[str, int], name: str, size: int) -> None:
    if sizes.setdefault(name, size) != size:
        raise InvalidGraph(f"dimension {name!r} is bound to {sizes[name]} and to {size}")


def _resolve(name: str, index: int, dim: Dim, sizes: Mapping[str, int]) -> int:
    if isinstance(dim, int):
        return dim
    if dim is not None and dim in sizes:
        return sizes[dim]
    label = dim or f"{name}[{index}]"
    how = f"give dims {dim}=…" if dim else f"give the input_shapes of {name!r}"
    raise UnboundDimension(label, f"dimension {index} of input {name!r} ({dim or 'unnamed'}) has no size; {how}")


def _check_batch(graph: Graph, batch_size: int) -> None:
    """An explicit batch size must be the first dimension of at least one input."""
    firsts = {shape[0] for name in graph.inputs if (shape := graph.types[name].shape)}
    if batch_size not in firsts:
        raise InvalidGraph(
            f"the model's first dimensions are fixed ({', '.join(map(str, sorted(map(str, firsts))))}); "
            f"it cannot run with batch size {batch_size}"
        )
