"""Weights stay at home: the wire-level pass against the onnx package."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from archgauge_client import NotAModel, strip_file, strip_weights
from archgauge_client._protobuf import encode_varint

NINE = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("*.onnx"))
SECRET = 1234.5678
SECRET_BYTES = struct.pack("<f", SECRET)


def secret_tensor(name: str, *shape: int, raw: bool = True) -> TensorProto:
    values = np.full(shape, SECRET, np.float32)
    if raw:
        return numpy_helper.from_array(values, name)
    return helper.make_tensor(name, TensorProto.FLOAT, shape, values.ravel().tolist())


def model(nodes: list[onnx.NodeProto], initializers: list[TensorProto] | None = None) -> onnx.ModelProto:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])
    graph = helper.make_graph(nodes, "g", [value], [value], initializers or [])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def stripped(before: onnx.ModelProto) -> tuple[onnx.ModelProto, bytes]:
    data = strip_weights(before.SerializeToString())
    return onnx.load_from_string(data), data


@pytest.mark.parametrize("raw", [True, False])
def test_large_initializers_keep_name_type_and_shape_only(raw: bool) -> None:
    after, data = stripped(model([], [secret_tensor("w", 16, 17, raw=raw)]))
    (tensor,) = after.graph.initializer
    assert (tensor.name, tensor.data_type, list(tensor.dims)) == ("w", TensorProto.FLOAT, [16, 17])
    assert not tensor.HasField("raw_data") and not tensor.float_data
    assert SECRET_BYTES not in data


@pytest.mark.parametrize(("elements", "kept"), [(1, True), (256, True), (257, False)])
def test_small_constants_keep_their_values(elements: int, kept: bool) -> None:
    after, data = stripped(model([], [secret_tensor("w", elements)]))
    assert (SECRET_BYTES in data) == kept
    assert list(after.graph.initializer[0].dims) == [elements]


def test_a_tensor_that_lies_about_its_shape_loses_its_data() -> None:
    tensor = secret_tensor("w", 5000)
    tensor.dims[:] = [1]
    _, data = stripped(model([], [tensor]))
    assert SECRET_BYTES not in data


@pytest.mark.parametrize(
    ("kind", "field", "values"),
    [
        (TensorProto.DOUBLE, "double_data", [SECRET] * 300),
        (TensorProto.INT64, "int64_data", [-77] * 300),
        (TensorProto.INT8, "int32_data", [77] * 300),
        (TensorProto.UINT64, "uint64_data", [77] * 300),
        (TensorProto.STRING, "string_data", [b"secret"] * 300),
    ],
)
def test_every_kind_of_data_is_dropped(kind: int, field: str, values: list[object]) -> None:
    tensor = TensorProto(name="w", data_type=kind, dims=[300])
    getattr(tensor, field).extend(values)
    after, _ = stripped(model([], [tensor]))
    assert after.graph.initializer[0] == TensorProto(name="w", data_type=kind, dims=[300])


def test_subgraphs_functions_and_sparse_tensors_are_reached() -> None:
    constant = helper.make_node("Constant", [], ["c"], value=secret_tensor("c", 300))
    branch = helper.make_graph([constant], "branch", [], [], [secret_tensor("inner", 300)])
    choose = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    outer = model([choose, constant])
    outer.graph.sparse_initializer.append(
        helper.make_sparse_tensor(
            secret_tensor("s", 300), helper.make_tensor("i", TensorProto.INT64, [300], list(range(300))), [1000]
        )
    )
    outer.functions.append(helper.make_function("local", "f", [], ["c"], [constant], [helper.make_opsetid("", 17)]))
    after, data = stripped(outer)
    assert SECRET_BYTES not in data
    assert list(after.graph.node[0].attribute[0].g.initializer[0].dims) == [300]
    assert list(after.functions[0].node[0].attribute[0].t.dims) == [300]
    assert list(after.graph.sparse_initializer[0].dims) == [1000]


def test_long_lists_in_attributes_are_weights_too() -> None:
    after, data = stripped(
        model(
            [
                helper.make_node("Constant", [], ["a"], value_floats=[SECRET] * 300),
                helper.make_node("Constant", [], ["b"], value_ints=[77] * 300),
                helper.make_node("Trees", [], ["c"], domain="ai.onnx.ml", nodes_values=[SECRET] * 300),
                helper.make_node("Engine", [], ["d"], domain="vendor", blob=SECRET_BYTES * 2000),
                helper.make_node("Resize", [], ["e"], scales=[1.0, 2.0], mode="linear"),
            ]
        )
    )
    floats, ints, trees, blob, resize = after.graph.node
    assert SECRET_BYTES not in data
    assert floats.attribute[0].name == "value" and list(floats.attribute[0].t.dims) == [300]
    assert ints.attribute[0].t.data_type == TensorProto.INT64
    assert list(trees.attribute[0].floats) == [0.0] * 300
    assert blob.attribute[0].s == b""
    assert resize == helper.make_node("Resize", [], ["e"], scales=[1.0, 2.0], mode="linear")


def test_texts_that_tell_about_the_user_stay_behind() -> None:
    before = model([helper.make_node("Relu", ["x"], ["y"], name="relu", doc_string="/mnt/alice/secret.py, line 7")])
    before.doc_string = before.graph.doc_string = "/mnt/alice"
    before.graph.input[0].doc_string = "/mnt/alice"
    onnx.helper.set_model_props(before, {"path": "/mnt/alice"})
    before.training_info.add().algorithm.initializer.append(secret_tensor("w", 300))
    after, data = stripped(before)
    assert b"alice" not in data and SECRET_BYTES not in data
    assert after.graph.node[0].name == "relu"


@pytest.mark.parametrize("file", NINE, ids=lambda file: file.stem)
def test_real_networks_keep_their_structure(file: Path) -> None:
    before, after = onnx.load(file), onnx.load_from_string(strip_file(file))
    for node in before.graph.node:
        node.ClearField("doc_string")
    assert after.graph.node == before.graph.node
    assert after.graph.input == before.graph.input
    assert after.opset_import == before.opset_import


def test_files_of_more_than_two_gigabytes(tmp_path: Path) -> None:
    """A sparse file: three gigabytes of zeros as one initializer, which are never read."""
    size = 3 << 30
    head = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[size // 4]).SerializeToString()
    tensor_size = len(head) + 1 + len(encode_varint(size)) + size
    graph_size = 1 + len(encode_varint(tensor_size)) + tensor_size
    start = (
        b"\x3a"
        + encode_varint(graph_size)
        + b"\x2a"
        + encode_varint(tensor_size)
        + head
        + b"\x4a"
        + encode_varint(size)
    )
    file = tmp_path / "large.onnx"
    with file.open("wb") as out:
        out.write(start)
        out.truncate(len(start) + size)
    after = onnx.load_from_string(strip_file(file))
    assert list(after.graph.initializer[0].dims) == [size // 4]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no graph"),
        (b"hello, world", "not an ONNX file"),
        (b"PK\x03\x04....", "PyTorch"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"\x20\x00\x00\x00ORTM....", "onnxruntime"),
        (b"\x3a\xff\xff\xff\xff\x0f", "truncated"),
    ],
)
def test_other_things_are_named(data: bytes, words: str) -> None:
    with pytest.raises(NotAModel, match=words):
        strip_weights(data)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.onnx").touch()
    with pytest.raises(NotAModel, match="is empty"):
        strip_file(tmp_path / "empty.onnx")


def test_endless_nesting_is_refused() -> None:
    graph = helper.make_graph([], "g", [], [])
    for _ in range(20):
        graph = helper.make_graph([helper.make_node("If", ["x"], ["y"], then_branch=graph)], "g", [], [])
    with pytest.raises(NotAModel, match="nested"):
        strip_weights(helper.make_model(graph).SerializeToString())


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_bytes_are_stripped_or_refused(data: bytes) -> None:
    with contextlib.suppress(NotAModel):
        strip_weights(b"\x3a" + bytes([len(data) & 0x7F]) + data)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_models_are_stripped_or_refused(data: st.DataObject) -> None:
    body = bytearray(model([helper.make_node("Relu", ["x"], ["y"])], [secret_tensor("w", 40)]).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(NotAModel):
        strip_weights(bytes(body))


@given(st.lists(st.integers(0, 40), max_size=3), st.sampled_from([np.float32, np.int8, np.float16, np.bool_]))
@settings(max_examples=60, deadline=None)
def test_shapes_survive_and_small_values_are_untouched(shape: list[int], dtype: type) -> None:
    tensor = numpy_helper.from_array(np.ones(shape, dtype), "w")
    after, _ = stripped(model([], [tensor]))
    if np.prod(shape) <= 256:
        assert after.graph.initializer[0] == tensor
    else:
        assert after.graph.initializer[0] == TensorProto(name="w", data_type=tensor.data_type, dims=shape)
