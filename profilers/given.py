"""Graphs that somebody else sent to be measured: data to be distrusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphs.dtypes import nbytes
from graphs.errors import UnsupportedOperator
from graphs.inference.call import RULES
from graphs.ir import Graph
from graphs.reading import prepare
from profilers.errors import MeasurementFailed

MAX_NODES = 20_000
MAX_CONSTANT_BYTES = 4 * 2**30
#: Whose operators are executed at all.
_DOMAINS = ("", "com.microsoft")


def read_given(data: Mapping[str, Any]) -> Graph:
    """A graph in the JSON form, static, of operators that we know, and of a size that can be meant.

    Raises:
        GraphError: it is no such graph.
        MeasurementFailed: it is too large.
    """
    graph = prepare(data)
    strange = sorted({n.kind for n in graph.nodes if n.domain not in _DOMAINS or n.kind not in RULES})
    if strange:
        raise UnsupportedOperator(strange, f"operators that are not executed for others: {', '.join(strange)}")
    constants = sum(nbytes(p.type.dtype, p.type.elements) for p in graph.parameters.values())
    if len(graph.nodes) > MAX_NODES or constants > MAX_CONSTANT_BYTES:
        raise MeasurementFailed("oom", f"{len(graph.nodes):,} nodes with {constants:,} bytes of constants are too many")
    return graph
