"""Any accepted form of an architecture → `Graph`, and all the way to static types."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from graphs.binding import bind
from graphs.errors import InvalidGraph
from graphs.inference import infer
from graphs.ir import Graph
from graphs.json_form import read_json
from graphs.json_text import GraphText, decode, read_text


def read(data: bytes | Mapping[str, Any] | GraphText, name: str = "") -> Graph:
    """Read ONNX bytes, JSON bytes or JSON data. Raises a GraphError."""
    if isinstance(data, GraphText):
        graph = read_text(data)
    elif isinstance(data, Mapping):
        graph = read_json(data)
    elif data.lstrip()[:1] == b"{":
        text = decode(data)
        graph = read_json(_parse(data)) if text is None else read_text(text)
    else:
        from graphs.onnx_reader import read_onnx

        return read_onnx(data, name)
    graph.name = name or graph.name
    return graph


def _parse(data: bytes) -> Mapping[str, Any]:
    try:
        parsed: Mapping[str, Any] = json.loads(data)
    except ValueError as error:
        raise InvalidGraph(f"not a JSON document: {error}") from error
    return parsed


def prepare(
    data: bytes | Mapping[str, Any] | GraphText | Graph,
    *,
    batch_size: int | None = None,
    dims: Mapping[str, int] | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
) -> Graph:
    """Read, `bind` and `infer`: a graph of static types, as lowering takes it. Raises a GraphError."""
    graph = data if isinstance(data, Graph) else read(data)
    return infer(bind(graph, batch_size=batch_size, dims=dims, input_shapes=input_shapes))
