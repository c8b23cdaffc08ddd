"""What the client leaves of a model is enough for the service: stripped and whole models are the same graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archgauge_client import strip_file, strip_weights
from graphs import GraphError, MissingValue, infer, read, write_json

NINE = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("*.onnx"))


@pytest.mark.parametrize("file", NINE, ids=lambda file: file.stem)
def test_real_networks(file: Path) -> None:
    assert write_json(read(strip_file(file))) == write_json(read(file.read_bytes()))


def add_constant(**value: object) -> bytes:
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 300])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    nodes = [helper.make_node("Constant", [], ["c"], **value), helper.make_node("Add", ["x", "c"], ["y"])]
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()


@pytest.mark.parametrize(
    "value",
    [
        {"value": numpy_helper.from_array(np.ones(300, np.float32))},
        {"value": helper.make_tensor("t", TensorProto.FLOAT, [300], [1.0] * 300)},
        {"value_floats": [1.0] * 300},
        {"value": numpy_helper.from_array(np.ones((2, 1), np.float32))},
        {"value_float": 1.0},
    ],
)
def test_constant_nodes(value: dict[str, object]) -> None:
    whole, stripped = (infer(read(model)) for model in (add_constant(**value), strip_weights(add_constant(**value))))
    assert stripped.types == whole.types
    assert (stripped.parameters["c"].value is None) == (whole.parameters["c"].value is None)


def test_a_stripped_tensor_that_is_needed_is_named() -> None:
    model = onnx.load_from_string(add_constant(value_float=1.0))
    weights = numpy_helper.from_array(np.ones(300, np.float32))
    model.graph.node.append(helper.make_node("ConstantOfShape", ["x"], ["z"], value=weights))
    with pytest.raises(MissingValue, match="'value'"):
        read(strip_weights(model.SerializeToString()))


def test_names_that_are_no_text_are_refused() -> None:
    model = add_constant(value_float=1.0)
    with pytest.raises(GraphError, match="UTF-8"):
        read(model.replace(b"\x03Add", b"\x03\xff\xffd"))
