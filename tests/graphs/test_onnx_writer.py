"""Stand-in weights: distinct, harmless numbers that a runtime treats as it would the real ones."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from graphs import Graph, Node, Parameter, TensorType, infer, prepare, read_onnx, write_onnx

Run = Callable[..., dict[str, NDArray[Any]]]


def chain(depth: int, dtype: str = "float32", residual: bool = False) -> Graph:
    """Convolutions on a 1×1 map, the hardest place for magnitudes: only one tap of nine meets data."""
    graph = Graph(inputs=["x"], types={"x": TensorType(dtype, (1, 16, 1, 1))})
    source = "x"
    for index in range(depth):
        graph.parameters[f"w{index}"] = Parameter(TensorType(dtype, (16, 16, 3, 3)))
        graph.parameters[f"b{index}"] = Parameter(TensorType(dtype, (16,)))
        inputs = [source, f"w{index}", f"b{index}"]
        graph.nodes.append(Node("Conv", inputs, [f"c{index}"], {"pads": (1, 1, 1, 1)}))
        graph.nodes.append(Node("Relu", [f"c{index}"], [f"r{index}"]))
        if residual:
            graph.nodes.append(Node("Add", [source, f"r{index}"], [f"a{index}"]))
        source = f"{'a' if residual else 'r'}{index}"
    graph.outputs = [source]
    return infer(graph)


def test_deep_networks_neither_vanish_nor_explode(run: Run) -> None:
    for residual in (False, True):
        (value,) = run(chain(80, residual=residual)).values()
        assert np.isfinite(value).all()
        assert (np.abs(value) > 1e-3).all(), "far from denormal"


def fills(data: bytes) -> dict[str, Any]:
    model = onnx.load_from_string(data)
    return {
        node.output[0]: numpy_helper.to_array(node.attribute[0].t).item()
        for node in model.graph.node
        if node.op_type == "ConstantOfShape"
    }


def test_stand_ins_are_distinct() -> None:
    numbers = fills(write_onnx(chain(200)))
    assert len(numbers) == 400
    assert len({(name[0], np.float32(number)) for name, number in numbers.items()}) == 400


def test_the_runtime_merges_no_stand_ins() -> None:
    """Two layers of the same input with equal weights would become one."""
    graph = Graph(inputs=["x"], outputs=["z"], types={"x": TensorType("float32", (1, 16, 8, 8))})
    for name in ("a", "b"):
        graph.parameters[name] = Parameter(TensorType("float32", (16, 16, 3, 3)))
        graph.nodes.append(Node("Conv", ["x", name], [f"y{name}"]))
    graph.nodes.append(Node("Add", ["ya", "yb"], ["z"]))
    options = onnxruntime.SessionOptions()
    options.enable_profiling = False
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(write_onnx(infer(graph)), options)
    assert session.get_outputs()[0].shape == [1, 16, 6, 6]
    graph.parameters["b"] = graph.parameters["a"] = Parameter(TensorType("float32", (16, 16, 3, 3)), None, 0.25)
    assert len(set(fills(write_onnx(infer(graph))).values())) == 1, "what is known to be equal stays equal"


def test_small_values_are_kept_exactly() -> None:
    settings = {
        "f": np.array([0.1, np.inf, -0.0], np.float32), "i": np.array([[1, -2]], np.int64),
        "h": np.array(1.5, np.float16), "b": np.array([True, False]), "u": np.array([255], np.uint8),
    }  # fmt: skip
    graph = Graph(inputs=["x"], outputs=[f"y{n}" for n in settings], types={"x": TensorType("float32", (1,))})
    for name, value in settings.items():
        graph.parameters[name] = Parameter(TensorType(value.dtype.name, value.shape), value)
        graph.nodes.append(Node("CastLike", ["x", name], [f"y{name}"]))
    again = read_onnx(write_onnx(infer(graph)))
    for name, expected in settings.items():
        value = again.value(name)
        assert value is not None and value.dtype == expected.dtype and value.tobytes() == expected.tobytes()


def test_indices_stay_inside_what_they_index(run: Run) -> None:
    graph = Graph(inputs=["x"], outputs=["y"], types={"x": TensorType("float32", (3, 4))})
    graph.parameters["i"] = Parameter(TensorType("int64", (1000,)))
    graph.nodes = [Node("Gather", ["x", "i"], ["y"])]
    assert run(infer(graph))["y"].shape == (1000, 4)


def test_quantised_networks_run_with_integers(run: Run) -> None:
    """Scales of more channels than are kept by value: a bias's must be the product of the other two to be fused."""
    channels = 300
    graph = Graph(inputs=["x"], outputs=["y"], types={"x": TensorType("float32", (1, 8, 6, 6))})
    graph.parameters = {
        "s": Parameter(TensorType("float32", ()), np.array(0.05, np.float32)),
        "z": Parameter(TensorType("uint8", ()), np.array(128, np.uint8)),
        "w": Parameter(TensorType("int8", (channels, 8, 3, 3))), "ws": Parameter(TensorType("float32", (channels,))),
        "wz": Parameter(TensorType("int8", (channels,))), "b": Parameter(TensorType("int32", (channels,))),
        "bs": Parameter(TensorType("float32", (channels,))), "bz": Parameter(TensorType("int32", (channels,))),
    }  # fmt: skip
    graph.nodes = [
        Node("QuantizeLinear", ["x", "s", "z"], ["q"]), Node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        Node("DequantizeLinear", ["w", "ws", "wz"], ["dw"], {"axis": 0}),
        Node("DequantizeLinear", ["b", "bs", "bz"], ["db"], {"axis": 0}), Node("Conv", ["d", "dw", "db"], ["c"]),
        Node("QuantizeLinear", ["c", "s", "z"], ["qc"]), Node("DequantizeLinear", ["qc", "s", "z"], ["y"]),
    ]  # fmt: skip
    inferred = infer(graph)
    assert [n.op for n in inferred.nodes].count("DequantizeLinear") == 4, "these are not folded"
    assert np.isfinite(run(inferred, optimise=True)["y"]).all()
    numbers = fills(write_onnx(inferred))
    assert np.float32(numbers["bs"]) == np.float32(0.05) * np.float32(numbers["ws"])
    assert numbers["wz"] == numbers["bz"] == 0


def test_subgraphs_are_written(run: Run) -> None:
    body = Graph("body", {}, ["i", "go", "s"], ["go_on", "t"], {"w": Parameter(TensorType("float32", (400, 400)))})
    body.types = {"i": TensorType("int64", ()), "go": TensorType("bool", ()), "s": TensorType("float32", (1, 400))}
    body.nodes = [Node("Identity", ["go"], ["go_on"]), Node("MatMul", ["s", "w"], ["t"])]
    graph = Graph(inputs=["x", "n"], outputs=["y"], nodes=[Node("Loop", ["n", "", "x"], ["y"], {"body": body})])
    graph.types = {"x": TensorType("float32", (1, 400)), "n": TensorType("int64", ())}
    inferred = infer(graph)
    assert inferred.types["y"].shape == (1, 400)
    assert run(inferred)["y"].shape == (1, 400)
    assert prepare(write_onnx(inferred)).nodes[0].attributes.keys() == {"body"}


def test_weights_can_be_written_out() -> None:
    """Without optimisations ConstantOfShape nodes would run as kernels."""
    model = onnx.load_from_string(write_onnx(chain(2), initializers=True))
    assert [n.op_type for n in model.graph.node] == ["Conv", "Relu"] * 2
    assert {i.name for i in model.graph.initializer} == {"w0", "w1", "b0", "b1"}


def test_attributes_are_written_in_the_type_of_the_schema() -> None:
    graph = Graph(inputs=["x"], outputs=["y"], types={"x": TensorType("float32", (2,))})
    graph.nodes = [Node("LeakyRelu", ["x"], ["y"], {"alpha": 1})]
    attribute = onnx.load_from_string(write_onnx(infer(graph))).graph.node[0].attribute[0]
    assert (attribute.type, attribute.f) == (onnx.AttributeProto.FLOAT, 1.0)


def test_element_types_that_constant_of_shape_lacks() -> None:
    graph = Graph("four bits", {"": 21}, ["x"], ["y"], types={"x": TensorType("float32", (1,))})
    graph.parameters = {
        "w": Parameter(TensorType("int4", (30, 20))), "s": Parameter(TensorType("float32", (1, 20))),
        "b": Parameter(TensorType("bfloat16", (600,))),
    }  # fmt: skip
    graph.nodes = [
        Node("DequantizeLinear", ["w", "s"], ["d"], {"axis": 0, "block_size": 30}),
        Node("Cast", ["b"], ["c"], {"to": 1}), Node("Concat", ["x", "c"], ["y"], {"axis": 0}),
    ]  # fmt: skip
    again = prepare(write_onnx(infer(graph)))
    assert again.types["y"].shape == (601,)


def test_models_with_functions_are_inlined() -> None:
    body = [helper.make_node("Relu", ["a"], ["r"]), helper.make_node("Neg", ["r"], ["b"])]
    function = helper.make_function("own", "ReluNeg", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    info = helper.make_tensor_value_info("x", 1, [2, 3])
    graph = helper.make_graph(
        [helper.make_node("ReluNeg", ["x"], ["y"], domain="own")], "g", [info],
        [helper.make_tensor_value_info("y", 1, [2, 3])],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, opset_imports=opsets, functions=[function])
    assert [n.op for n in prepare(model.SerializeToString()).nodes] == ["Relu", "Neg"]
