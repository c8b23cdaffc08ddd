"""Requests are the same whether or not their graph goes through dictionaries."""

from __future__ import annotations

import json
from typing import Any

import pytest

from archgauge_client.wire import BatchRequest, PredictionRequest
from graphs import read, write_json
from service.errors import InvalidRequest
from service.requests import DecodedGraph, parse_request

GRAPH = {
    "inputs": [{"name": "x", "dtype": "float32", "shape": ["N", 8]}],
    "nodes": [{"op": "Relu", "inputs": ["x"], "outputs": ["y"]}],
    "outputs": ["y"],
}


def body(**fields: Any) -> bytes:
    return json.dumps({"architecture": {"format": "graph", "graph": GRAPH}, **fields}).encode()


def test_a_usual_graph_is_no_dictionary() -> None:
    given = {"name": "n", "targets": ["a"], "batch_size": 2, "dims": {"N": 2}, "detail": "kernels", "store": False}
    request = parse_request(body(**given), BatchRequest)
    assert isinstance(request.architecture, DecodedGraph)
    assert write_json(read(request.architecture.text)) == write_json(read(GRAPH))
    others = request.model_dump(exclude={"architecture"}, exclude_unset=True)
    assert others == given and BatchRequest.model_validate_json(body(**given)).model_dump(
        exclude={"architecture"}, exclude_unset=True
    ) == given  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        {"confidence": 2}, {"batch_size": 0}, {"unknown": 1}, {"targets": "a"}, {"dims": {"N": -1}}, {"detail": "all"},
        {"batch_sizes": [1]}, {"architecture": {"format": "graph"}}, {"architecture": {"format": "graph", "graph": 1}},
        {"architecture": {"format": "graph", "graph": GRAPH, "more": 1}}, {"architecture": None},
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(body(**fields), PredictionRequest)
    assert any(location.startswith(next(iter(fields))) for location, _ in caught.value.errors)


def test_a_graph_that_is_wrong_inside_is_still_a_request() -> None:
    request = parse_request(json.dumps({"architecture": {"format": "graph", "graph": {"nodes": 5}}}).encode())
    assert not isinstance(request.architecture, DecodedGraph)
