"""Types and values by our rules against onnx's own test cases for every operator of the standard."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, defs, numpy_helper

from graphs import GraphError, InvalidGraph, UnsupportedOperator, prepare, read_onnx
from graphs.inference.elementwise import dtype_of
from graphs.validation import NEWEST_OPSET, OLDEST_OPSET

#: Their outputs have as many elements as the data decides, or are no tensors.
DATA_DEPENDENT = {
    "NonMaxSuppression", "NonZero", "Unique", "StringSplit", "StringNormalizer", "ImageDecoder", "RegexFullMatch",
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    name: str
    model: ModelProto
    inputs: dict[str, Any]
    outputs: dict[str, Any]

    @property
    def usable(self) -> bool:
        """Tensors only, and no empty inputs: a declared size of 0 is read as an unknown one."""
        inputs, outputs = list(self.inputs.values()), list(self.outputs.values())
        return all(isinstance(v, (np.ndarray, np.generic)) for v in inputs + outputs) and all(v.size for v in inputs)

    def with_constants(self, names: list[str]) -> bytes:
        """The model with the data of these inputs in the file."""
        model = ModelProto.FromString(self.model.SerializeToString())
        for index in reversed(range(len(model.graph.input))):
            if model.graph.input[index].name in names:
                del model.graph.input[index]
        model.graph.initializer.extend(numpy_helper.from_array(np.asarray(self.inputs[n]), n) for n in names)
        return model.SerializeToString()


def _array(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else value


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        collected = collect_testcases(None)
    result = []
    for case in collected:
        assert case.model is not None and case.data_sets is not None
        imported = case.model.opset_import[0]
        if imported.domain in ("", "ai.onnx") and imported.version < OLDEST_OPSET:
            continue
        inputs, outputs = next(iter(case.data_sets))
        names = [i.name for i in case.model.graph.input], [o.name for o in case.model.graph.output]
        values = [dict(zip(n, map(_array, v), strict=False)) for n, v in zip(names, (inputs, outputs), strict=True)]
        result.append(Case(case.name, case.model, *values))
    return [case for case in result if case.usable]


def _variants(case: Case) -> Iterator[bytes]:
    """Nothing, then the inputs that may decide shapes, then everything constant."""
    yield case.model.SerializeToString()
    names = list(case.inputs)
    yield case.with_constants([n for n in names[1:] if case.inputs[n].dtype.kind in "biu" or case.inputs[n].ndim < 2])
    yield case.with_constants(names)


def test_types_are_those_of_the_reference_outputs(cases: list[Case]) -> None:
    """A shape that depends on an input's data is known when that input is a constant."""
    problems, refused, agreed = [], set(), 0
    for case in cases:
        for data in _variants(case):
            try:
                graph = prepare(data)
            except GraphError as error:
                refusal = str(error)
                continue
            agreed += 1
            for name, value in case.outputs.items():
                found = graph.types[name]
                if (found.dtype, found.shape) != (dtype_of(np.asarray(value)), np.shape(value)):
                    problems.append(f"{case.name}: {name} is {found}, should be {np.shape(value)} {value.dtype}")
            break
        else:
            refused.add((case.name, refusal))
    assert not problems
    assert agreed > 1500
    hopeless = [r for r in refused if not any(f"{op} " in r[1] for op in (*DATA_DEPENDENT, "Scan", "Loop", "Sequence"))]
    assert not [r for r in hopeless if "sequence" not in r[1] and "optional" not in r[1]]


def test_values_are_those_of_the_reference_outputs(cases: list[Case]) -> None:
    problems, compared = [], 0
    for case in cases:
        try:
            graph = prepare(case.with_constants(list(case.inputs)))
        except GraphError:
            continue
        for name, expected in case.outputs.items():
            value = graph.value(name)
            if value is None or np.asarray(expected).dtype.kind not in "fiub":
                continue
            compared += 1
            wanted, got = np.asarray(expected, np.float64), value.astype(np.float64)
            if value.dtype != np.asarray(expected).dtype or not np.allclose(got, wanted, 1e-3, 1e-6, equal_nan=True):
                problems.append(f"{case.name}: {name} is {value!r}, should be {expected!r}")
    assert not problems
    assert compared > 1000


def _newest_schemas() -> list[defs.OpSchema]:
    return [s for s in defs.get_all_schemas() if s.domain in ("", "ai.onnx.ml")]


@pytest.mark.parametrize("schema", _newest_schemas(), ids=lambda s: f"{s.domain or 'onnx'}-{s.name}")
def test_every_operator_is_inferred_or_refused_by_name(schema: defs.OpSchema) -> None:
    """Also with inputs and attributes that make no sense: nothing but our own errors, which name the operator."""
    inputs = [f"x{i}" for i in range(max(schema.min_input, 1 if schema.max_input else 0))]
    node = onnx.helper.make_node(schema.name, inputs, ["y"], domain=schema.domain, name="it")
    infos = [onnx.helper.make_tensor_value_info(n, TensorProto.FLOAT, [2, 3, 4, 4]) for n in inputs]
    graph = onnx.helper.make_graph([node], "g", infos, [onnx.helper.make_empty_tensor_value_info("y")])
    opsets = [onnx.helper.make_opsetid("", NEWEST_OPSET), onnx.helper.make_opsetid("ai.onnx.ml", 5)]
    data = onnx.helper.make_model(graph, opset_imports=opsets).SerializeToString()
    try:
        prepared = prepare(data)
    except GraphError as error:
        assert schema.name in str(error)
    else:
        assert prepared.types["y"].is_static


def test_the_newest_opset_is_one_that_onnx_knows() -> None:
    assert defs.onnx_opset_version() >= NEWEST_OPSET


def test_unknown_operators_are_all_listed() -> None:
    nodes = [
        onnx.helper.make_node("Frobnicate", ["x"], ["a"]),
        onnx.helper.make_node("Relu", ["a"], ["b"], domain="my.domain"),
        onnx.helper.make_node("Relu", ["b"], ["y"]),
    ]
    info = onnx.helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph(nodes, "g", [info], [onnx.helper.make_empty_tensor_value_info("y")])
    opsets = [onnx.helper.make_opsetid("", 21), onnx.helper.make_opsetid("my.domain", 1)]
    with pytest.raises(UnsupportedOperator, match="Frobnicate") as caught:
        read_onnx(onnx.helper.make_model(graph, opset_imports=opsets).SerializeToString())
    assert caught.value.operators == ("Frobnicate", "my.domain.Relu")


@pytest.mark.parametrize("version", [OLDEST_OPSET - 1, NEWEST_OPSET + 1])
def test_other_opsets_are_refused(version: int) -> None:
    info = onnx.helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [info], [onnx.helper.make_empty_tensor_value_info("y")]
    )
    data = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", version)]).SerializeToString()
    with pytest.raises(InvalidGraph, match=f"operator set {version}"):
        read_onnx(data)
