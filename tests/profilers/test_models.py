from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from graphs import Graph, InvalidGraph, UnboundDimension, lower, prepare
from profilers import MeasurementFailed, ModelMeter, local_target, measure_model, measure_peaks, observe_lowering
from profilers.peaks import Peaks
from profilers.runnable import Binding, make_runnable


@pytest.fixture
def symbolic() -> onnx.ModelProto:
    """A layer with its own weights, of symbolic batch and length."""
    weight = numpy_helper.from_array(np.full((8, 4), 0.5, dtype=np.float32), "w")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", "length", 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", "length", 4])
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])]
    graph = helper.make_graph(nodes, "layer", [x], [y], [weight])
    graph.value_info.append(helper.make_tensor_value_info("h", TensorProto.FLOAT, ["N", "length", 4]))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_a_static_file_runs_as_it_is(light_models: Path) -> None:
    file = light_models / "light_squeezenet.onnx"
    runnable = make_runnable(file, Binding())
    assert runnable.source == file
    assert not runnable.stand_in


def test_sizes_are_written_into_symbolic_models(symbolic: onnx.ModelProto) -> None:
    runnable = make_runnable(symbolic.SerializeToString(), Binding(batch_size=2, dims={"length": 5}))
    assert isinstance(runnable.source, bytes)
    bound = onnx.ModelProto.FromString(runnable.source)
    assert [d.dim_value for d in bound.graph.input[0].type.tensor_type.shape.dim] == [2, 5, 8]
    assert bound.graph.initializer == symbolic.graph.initializer  # its own weights
    assert runnable.graph.types["x"].shape == (2, 5, 8)
    assert not runnable.stand_in


def test_what_cannot_be_bound_is_refused(symbolic: onnx.ModelProto) -> None:
    with pytest.raises(UnboundDimension, match="length"):
        make_runnable(symbolic.SerializeToString(), Binding(batch_size=2))
    with pytest.raises(InvalidGraph):
        make_runnable(b"nonsense", Binding())


@pytest.mark.parametrize("location", ["weights.bin", "../weights.bin", "/etc/hostname"])
def test_external_weights_are_used_only_from_beside_the_model(
    symbolic: onnx.ModelProto, tmp_path: Path, location: str
) -> None:
    (tmp_path / "model").mkdir()
    data = np.full((8, 4), 0.5, dtype=np.float32).tobytes()
    (tmp_path / "weights.bin").write_bytes(data)
    (tmp_path / "model/weights.bin").write_bytes(data)
    tensor = symbolic.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    file = tmp_path / "model/model.onnx"
    file.write_bytes(symbolic.SerializeToString())
    binding = Binding(dims={"length": 5})
    assert make_runnable(file, binding).stand_in == (location != "weights.bin")
    assert make_runnable(file.read_bytes(), binding).stand_in
    assert [k.kind for k in observe_lowering(file, dims={"length": 5})] == ["MatMul", "Relu"]


def test_predicting_and_measuring_bind_alike(symbolic: onnx.ModelProto) -> None:
    data = symbolic.SerializeToString()
    ours = lower(prepare(data, batch_size=3, dims={"length": 7}), local_target(1).lowering)
    theirs = observe_lowering(data, batch_size=3, dims={"length": 7})
    assert [k.key for k in ours] == [k.key for k in theirs]


@pytest.mark.parametrize("form", ["file", "bytes", "graph"])
def test_lowering_is_observed_for_every_form(light_models: Path, form: str) -> None:
    file = light_models / "light_squeezenet.onnx"
    model: Path | bytes | Graph = file
    if form != "file":
        model = file.read_bytes() if form == "bytes" else prepare(file.read_bytes())
    kernels = observe_lowering(model)
    assert len(kernels) == 40
    assert sum(k.kind == "com.microsoft.nchwc.Conv" for k in kernels) in (0, 26)


def test_models_are_measured(light_models: Path, symbolic: onnx.ModelProto) -> None:
    with ModelMeter(threads=1, reference_us=1000.0) as meter:
        found = meter.measure(light_models / "light_squeezenet.onnx", seconds=0.1)
        small = meter.measure(symbolic.SerializeToString(), dims={"length": 4}, seconds=0.05)
        with pytest.raises(MeasurementFailed, match="length") as caught:
            meter.measure(symbolic.SerializeToString(), seconds=0.05)
        assert caught.value.kind == "unsupported"
        again = meter.measure(prepare((light_models / "light_squeezenet.onnx").read_bytes()), seconds=0.05)
    assert found.p10_ms <= found.median_ms <= found.p90_ms
    assert found.drift == pytest.approx(found.sentinel_us / 1000.0, rel=0.5)
    assert (found.kernels, small.kernels) == (40, 2)
    assert found.peak_memory_bytes is not None
    assert found.peak_memory_bytes > 4 * 1_235_496 > small.peak_memory_bytes  # type: ignore[operator]
    assert (found.stand_in_weights, small.stand_in_weights, again.stand_in_weights) == (False, False, True)
    data = found.to_json()
    assert set(data["latency_ms"]) == {"median", "p10", "p90", "mad", "runs"}
    assert data["energy_mj"] is None
    assert data["target"] == meter.target.id


def test_one_model_is_measured_in_one_call(symbolic: onnx.ModelProto) -> None:
    found = measure_model(symbolic.SerializeToString(), dims={"length": 4}, seconds=0.02)
    assert found.runs > 0
    assert found.median_ms > 0


def test_peaks_are_plausible_and_survive_json() -> None:
    peaks = measure_peaks(1)
    assert 1e8 < peaks.flops_per_s["float32"] < 1e14
    assert 1e8 < peaks.bytes_per_s < 1e13
    assert Peaks.from_json(peaks.to_json()) == peaks
