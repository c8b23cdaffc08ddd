"""The JSON form: examples, what is kept, and errors that say where."""

import json
from typing import Any

import numpy as np
import pytest

from graphs import Graph, InvalidGraph, Node, Parameter, TensorType, read, read_json, write_json
from graphs.json_form import FLOAT_ATTRIBUTES


def example() -> dict[str, Any]:
    return {
        "name": "n",
        "opset": {"": 17},
        "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 3, 224, 224]}],
        "parameters": [
            {"name": "w", "dtype": "float32", "shape": [64, 3, 7, 7]},
            {"name": "s", "dtype": "int64", "shape": [2], "value": [1, -1]},
        ],
        "nodes": [
            {"op": "Conv", "domain": "", "name": "c1", "inputs": ["x", "w"], "outputs": ["c"],
             "attributes": {"strides": [2, 2], "pads": [3, 3, 3, 3]}},
            {"op": "Reshape", "inputs": ["c", "s"], "outputs": ["y"]},
        ],
        "outputs": ["y"],
    }  # fmt: skip


def test_the_documented_example() -> None:
    graph = read_json(example())
    assert graph.inputs == ["x"] and graph.types["x"] == TensorType("float32", ("batch", 3, 224, 224))
    assert graph.nodes[0].attributes == {"strides": (2, 2), "pads": (3, 3, 3, 3)}
    assert graph.nodes[1].name == "Reshape_1"
    value = graph.value("s")
    assert value is not None and value.tolist() == [1, -1] and value.dtype == np.int64
    assert graph.value("w") is None
    assert read(json.dumps(example()).encode()).nodes == graph.nodes


def test_what_is_written_is_read_again(light_models: dict[str, bytes]) -> None:
    for data in light_models.values():
        graph = read(data)
        written = write_json(graph)
        again = read_json(json.loads(json.dumps(written, allow_nan=False)))
        assert write_json(again) == written
        assert again.nodes == graph.nodes


@pytest.mark.parametrize("value", [[1.5, float("inf"), float("-inf"), float("nan")], [0.1, 1e-45, 3.4e38, -0.0]])
def test_numbers_that_json_cannot_say(value: list[float]) -> None:
    array = np.array(value, np.float32)
    graph = Graph(
        inputs=["x"], outputs=["y"], nodes=[Node("Add", ["x", "p"], ["y"])],
        parameters={"p": Parameter(TensorType("float32", (4,)), array)}, types={"x": TensorType("float32", (4,))},
    )  # fmt: skip
    again = read_json(json.loads(json.dumps(write_json(graph), allow_nan=False))).value("p")
    assert again is not None and again.tobytes() == array.tobytes()


def test_attributes_of_every_kind_are_kept() -> None:
    body = Graph("then", {}, outputs=["t"], nodes=[Node("Identity", ["x"], ["t"], name="i")])
    attributes = {
        "int": 3, "alpha": 1.0, "text": "SAME_UPPER", "ints": (1, 2), "floats": (1.0, 2.5), "texts": ("a", "b"),
        "tensor": np.array([[1.0, 2.0]], np.float32), "branch": body, "none": (),
    }  # fmt: skip
    graph = Graph(
        inputs=["x"], outputs=["y"], nodes=[Node("Relu", ["x"], ["y"], dict(attributes), name="n")],  # type: ignore[arg-type]
        types={"x": TensorType("float32", (4,))},
    )  # fmt: skip
    again = read_json(json.loads(json.dumps(write_json(graph)))).nodes[0].attributes
    assert np.array_equal(again.pop("tensor"), attributes.pop("tensor"))  # type: ignore[arg-type]
    assert again == attributes
    assert type(again["alpha"]) is float


def test_whole_numbers_mean_floats_where_the_attribute_is_one() -> None:
    data = example()
    data["nodes"].append({"op": "LeakyRelu", "inputs": ["y"], "outputs": ["z"], "attributes": {"alpha": 0}})
    alpha = read_json(data).nodes[-1].attributes["alpha"]
    assert type(alpha) is float


def test_the_float_attributes_are_those_of_the_standard() -> None:
    from onnx import defs

    floating, whole = set(), set()
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.since_version >= 9:
            for name, attribute in schema.attributes.items():
                kind = attribute.type.name
                (floating if kind.startswith("FLOAT") else whole if kind.startswith("INT") else set()).add(name)
    assert floating - FLOAT_ATTRIBUTES == {"seed"}, "a float for random operators, an integer for Dropout"
    assert whole & FLOAT_ATTRIBUTES == set()


def change(path: str, value: Any) -> dict[str, Any]:
    data: Any = example()
    place, keys = data, [int(k) if k.isdigit() else k for k in path.split(".")]
    for key in keys[:-1]:
        place = place[key]
    if value is None:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    result: dict[str, Any] = data
    return result


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("nodes.1.inputs.0", 3, r"nodes\[1\]\.inputs\[0\]: expected a string, found 3"),
        ("nodes.0.op", None, r"nodes\[0\]\.op: required, but missing"),
        ("nodes.0.attribute", {}, r"nodes\[0\]\.attribute: no such field; there are op"),
        ("nodes.0.attributes.strides", [1, {}], r"nodes\[0\]\.attributes\.strides\[1\]: expected a number"),
        ("nodes", {}, r"nodes: expected a list, found \{\}"),
        ("inputs.0.dtype", "float", r"inputs\[0\]\.dtype: 'float' is no element type; there are float32"),
        ("inputs.0.shape", [0], r"inputs\[0\]\.shape\[0\]: a size must be at least 1, not 0"),
        ("inputs.0.shape", [1.5], r"inputs\[0\]\.shape\[0\]: expected an integer, found 1.5"),
        ("inputs.0.name", "", r"inputs\[0\]\.name: empty"),
        ("parameters.1.name", "w", r"parameters\[1\]\.name: 'w' is defined twice"),
        ("parameters.1.value", [1, 2, 3], r"parameters\[1\]\.value: 3 values for the shape \[2\]"),
        ("parameters.1.value", [1, 1 << 70], r"parameters\[1\]\.value: values that int64 cannot hold"),
        ("parameters.1.value", ["a", "b"], r"parameters\[1\]\.value\[0\]: expected a number, found 'a'"),
        ("parameters.1.shape", [-2], r"parameters\[1\]\.shape: negative"),
        ("opset", {"": "17"}, r"opset\.: expected an integer, found '17'"),
        ("outputs", ["z"], "outputs that nothing makes: 'z'"),
        ("weights", [], "weights: no such field"),
    ],
)
def test_errors_say_where(path: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidGraph, match=message):
        read_json(change(path, value))


def test_values_may_be_nested_and_fills_stand_for_many() -> None:
    data = example()
    data["parameters"] += [
        {"name": "m", "dtype": "float16", "shape": [2, 2], "value": [[1, 2], [3, 4]]},
        {"name": "big", "dtype": "float32", "shape": [1000], "fill": 0.5},
        {"name": "small", "dtype": "int64", "shape": [3], "fill": 7},
        {"name": "scalar", "dtype": "bool", "shape": [], "value": True},
    ]
    parameters = read_json(data).parameters
    assert parameters["m"].value is not None and parameters["m"].value.tolist() == [[1, 2], [3, 4]]
    assert parameters["big"].value is None and parameters["big"].fill == 0.5
    assert parameters["small"].value is not None and parameters["small"].value.tolist() == [7, 7, 7]
    assert parameters["scalar"].value is not None and parameters["scalar"].value.item() is True
