"""The JSON form from its text is what it is from dictionaries, whatever is in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from graphs import GraphError, read, read_json, write_json
from graphs.json_text import decode, read_text


def example() -> dict[str, Any]:
    return {
        "name": "n",
        "opset": {"": 17},
        "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 3, None, ""]}],
        "parameters": [
            {"name": "w", "dtype": "float32", "shape": [64, 3, 7, 7]},
            {"name": "s", "dtype": "int64", "shape": [2], "value": [1, -1]},
            {"name": "f", "dtype": "float32", "shape": [3], "fill": 0.5},
            {"name": "m", "dtype": "float32", "shape": [1, 512], "masking": {"vanishing": 0.3}},
        ],
        "nodes": [
            {"op": "Conv", "name": "c", "inputs": ["x", "w"], "outputs": ["c"],
             "attributes": {"strides": [2, 2], "auto_pad": "SAME_UPPER", "group": 1}},
            {"op": "LeakyRelu", "inputs": ["c"], "outputs": ["l"], "attributes": {"alpha": 1}},
            {"op": "Reshape", "inputs": ["l", "s", ""], "outputs": ["y"]},
        ],
        "outputs": ["y"],
    }  # fmt: skip


def test_real_networks_are_read_alike(light_models: dict[str, bytes]) -> None:
    for data in light_models.values():
        written = write_json(read(data))
        text = decode(json.dumps(written).encode())
        assert text is not None
        assert write_json(read_text(text)) == write_json(read_json(written)) == written


def test_everything_usual_is_recognised() -> None:
    text = decode(json.dumps(example()).encode())
    assert text is not None
    first, second = read_text(text), read_json(example())
    assert write_json(first) == write_json(second) and first.nodes == second.nodes and first.types == second.types
    assert first.nodes[1].attributes == {"alpha": 1.0} and isinstance(first.nodes[1].attributes["alpha"], float)


def changed(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """The example with another value in one place."""
    data = example()
    place: Any = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("nodes", 0, "attributes", "strides"), [2.0, 2.0]),
        (("nodes", 0, "attributes", "strides"), [True, 1]),
        (("nodes", 1, "attributes", "alpha"), "Infinity"),
        (("nodes", 1, "attributes", "alpha"), [1]),
        (("nodes", 0, "attributes", "t"), {"dtype": "float32", "shape": [1], "value": [1]}),
        (("nodes", 0, "attributes", "one"), None),
        (("nodes", 0, "domain"), None),
        (("nodes", 0, "outputs"), ["c", "c"]),
        (("nodes", 0, "inputs"), ["nothing", "w"]),
        (("nodes", 0, "kind"), "Conv"),
        (("inputs", 0, "shape"), [0, 3]),
        (("inputs", 0, "shape"), [1.0, 3]),
        (("inputs", 0, "name"), "w"),
        (("inputs", 0, "dtype"), "float31"),
        (("parameters", 0, "name"), ""),
        (("parameters", 0, "name"), "s"),
        (("parameters", 0, "shape"), [-1]),
        (("parameters", 1, "value"), [1]),
        (("parameters", 1, "value"), [[1], [2**70]]),
        (("parameters", 3, "masking"), {"vanishing": 2}),
        (("opset", ""), 8),
        (("outputs",), []),
        (("name",), 5),
    ],
)
def test_what_is_unusual_or_wrong_is_told_alike(path: tuple[str | int, ...], value: Any) -> None:
    data = changed(path, value)
    told = []
    for form in (data, json.dumps(data).encode()):
        try:
            told.append(write_json(read(form)))
        except GraphError as error:
            told.append({"error": f"{type(error).__name__}: {error}"})
    assert told[0] == told[1]
