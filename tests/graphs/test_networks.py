"""Whole networks: our types against onnx's strict inference, and what we write runs in onnxruntime."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, shape_inference

from graphs import bind, infer, prepare, read, write_onnx
from graphs.dtypes import BITS
from graphs.inference.elementwise import element_type

NAMES = [
    "bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet", "squeezenet", "vgg19",
    "zfnet512",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_types_are_those_that_onnx_infers(name: str, light_models: dict[str, bytes]) -> None:
    data = light_models[name]
    graph = prepare(data)
    model = shape_inference.infer_shapes(onnx.load_from_string(data), strict_mode=True, data_prop=True)
    compared = 0
    for info in (*model.graph.value_info, *model.graph.output):
        tensor = info.type.tensor_type
        if info.name in graph.types:
            found = graph.types[info.name]
            expected = tuple(d.dim_value for d in tensor.shape.dim)
            assert (found.dtype, found.shape) == (element_type(tensor.elem_type), expected), info.name
            compared += 1
    assert compared >= len(graph.nodes)


@pytest.mark.parametrize("name", NAMES)
def test_reading_what_was_written_gives_the_same_graph(name: str, light_models: dict[str, bytes]) -> None:
    graph = prepare(light_models[name])
    again = prepare(write_onnx(graph))
    assert [n.kind for n in again.nodes] == [n.kind for n in graph.nodes]
    assert again.types == graph.types
    assert again.count_parameters() == graph.count_parameters()


@pytest.mark.parametrize("name", ["squeezenet", "shufflenet"])
def test_written_networks_run(
    name: str, light_models: dict[str, bytes], run: Callable[..., dict[str, NDArray[Any]]]
) -> None:
    graph = prepare(light_models[name])
    for tensor, value in run(graph, optimise=True).items():
        assert value.shape == graph.types[tensor].shape
        assert np.isfinite(value).all()


def test_a_model_takes_a_few_kilobytes(light_models: dict[str, bytes]) -> None:
    graph = prepare(light_models["vgg19"])
    assert sum(p.type.elements for p in graph.parameters.values()) > 100_000_000
    assert len(write_onnx(graph)) < 50_000


def test_names_of_element_types_are_all_known() -> None:
    for number in onnx.TensorProto.DataType.values():
        if number:
            assert element_type(number) in BITS


def test_shape_arithmetic_folds_once_the_batch_is_bound() -> None:
    """The flattening that exporters write: Shape, Gather, Concat, Reshape."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
        helper.make_node("Unsqueeze", ["n", "zeros"], ["n1"]),
        helper.make_node("Concat", ["n1", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
    ]
    constants = {"zero": np.array(0), "zeros": np.array([0]), "rest": np.array([-1])}
    graph = helper.make_graph(
        nodes, "flatten",
        [helper.make_tensor_value_info("x", 1, ["batch", 8, 4, 4])], [helper.make_tensor_value_info("y", 1, None)],
        [onnx.numpy_helper.from_array(v, n) for n, v in constants.items()],
    )  # fmt: skip
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()
    prepared = prepare(data, batch_size=5)
    assert [n.op for n in prepared.nodes] == ["Reshape"]
    assert prepared.types["y"].shape == (5, 128)
    value = prepared.value("target")
    assert value is not None and value.tolist() == [5, -1]
    assert "s" not in prepared.types, "what only folded nodes need is gone"


def test_preparing_is_reading_binding_and_inferring(light_models: dict[str, bytes]) -> None:
    data = light_models["squeezenet"]
    assert prepare(data).types == infer(bind(read(data))).types
