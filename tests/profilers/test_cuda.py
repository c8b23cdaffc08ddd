"""The CUDA provider over a made-up GPU: what is timed, where it is copied, and what a real one would refuse."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.gpu import simulation
from benchmarks.gpu.simulation import CUPTI_VARIABLE, LAUNCH_US, simulate
from graphs import Graph, write_onnx
from profilers.errors import MeasurementFailed, RuntimeNotInstalled
from profilers.inputs import random_inputs
from profilers.runtimes import Loading, RunProfile, onnxruntime_cpu, onnxruntime_cuda
from profilers.runtimes._ort_profile import read_profile
from profilers.runtimes._waiting import CHAIN, WaitingProcess, chain
from profilers.runtimes.base import Event
from profilers.runtimes.onnxruntime_cuda import OnnxRuntimeCuda

ROOT = Path(__file__).parents[2]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    simulated = SimpleNamespace(**{**vars(onnxruntime), **simulate(onnxruntime)})
    for module in (onnxruntime_cpu, onnxruntime_cuda):
        monkeypatch.setattr(module, "ort", simulated)


def event(name: str, duration: int, kind: str = "Node", **arguments: object) -> str:
    return json.dumps({"cat": kind, "dur": duration, "name": name, "args": {"op_name": "Relu", **arguments}}) + ",\n"


def test_events_of_the_device_belong_to_the_node_before_them(tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    lines = []
    for run in range(2):
        lines += [
            event("a_kernel_time", 5), event("cudnn", 30 + run, "Kernel"), event("add", 3, "Kernel"),
            event("b_kernel_time", 7), event("c_kernel_time", 6), event("gemm", 11, "Kernel"),
            event("model_run", 100, "Session"), event("MemcpyDeviceToHost", 2, "Kernel"),
        ]  # fmt: skip
    file.write_text("[\n" + "".join(lines))
    profile = read_profile(file)
    assert [e.node for e in profile.events] == ["a", "b", "c"]
    assert profile.durations_us.tolist() == [[5, 7, 6]] * 2
    assert profile.device_us is not None and profile.device_us.tolist() == [[33, 0, 11], [34, 0, 11]]


def test_without_events_of_a_device_nothing_is_said_of_it(tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    file.write_text("[\n" + event("a_kernel_time", 5) + event("model_run", 9, "Session"))
    assert read_profile(file).device_us is None


@pytest.mark.usefixtures("gpu")
def test_a_node_adds_the_longer_of_launching_and_running(small_graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CUPTI_VARIABLE, "1")
    with OnnxRuntimeCuda().load(write_onnx(small_graph), Loading(profile=True)) as session:
        session.feed(random_inputs(small_graph))
        for _ in range(4):
            session.run()
        profile = session.finish_profile()
    ops = [e.op for e in profile.events]
    assert (ops[0], ops[-1]) == ("MemcpyFromHost", "MemcpyToHost")
    assert profile.durations_us.shape == (4, len(ops))
    assert (profile.durations_us[:, 1:-1] >= LAUNCH_US).all()
    assert (profile.durations_us[:, [0, -1]] > 0).all()
    assert profile.events[0].outputs == (("float32", (1, 16, 12, 12)),)


@pytest.mark.usefixtures("gpu")
def test_without_cupti_the_waiting_process_is_asked(small_graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Waiting(WaitingProcess):
        def profile(
            self, model: object, how: Loading, feed: object, runs: int, launch_us: float
        ) -> RunProfile:  # fmt: skip
            asked.append(runs)
            assert launch_us > 0 and how.profile
            return RunProfile(self.events, np.array([[100.0] * len(self.events), [200.0] * len(self.events)]))

        events: tuple[Event, ...] = ()

    runtime = OnnxRuntimeCuda()
    runtime.prepare(1)
    runtime.waiting = waiting = Waiting({})
    with runtime.load(write_onnx(small_graph), Loading(profile=True)) as session:
        session.feed(random_inputs(small_graph))
        for _ in range(5):
            session.run()
        names = [node for node in session.executed_graph().nodes if "copy of" not in node.name]
        waiting.events = tuple(Event(node.name, node.op, ()) for node in names)
        profile = session.finish_profile()
    assert asked == [5]
    assert profile.durations_us[:, 1].tolist() == [100, 200, 100, 200, 100]


def test_what_waiting_costs_is_taken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a made-up process that answers at once."""
    waiting = WaitingProcess({})
    told = RunProfile((), np.array([[20.0, 500.0]]))
    monkeypatch.setattr(waiting, "_ask", lambda work, *_: told if work.__name__ == "_profile" else 16.0)
    found = waiting.profile(b"", Loading(), {}, 1, launch_us=4.0)
    assert found.durations_us.tolist() == [[8.0, 488.0]]
    found = waiting.profile(b"", Loading(), {}, 1, launch_us=-10.0)
    assert found.durations_us.tolist() == [[3.0, 474.0]]  # a share is kept whatever waiting costs


def test_chains_do_as_they_say() -> None:
    graph = chain(CHAIN)
    assert len(graph.nodes) == CHAIN and {node.op for node in graph.nodes} == {"Sigmoid"}


@pytest.mark.usefixtures("gpu")
def test_options_reach_the_provider(small_graph: Graph) -> None:
    runtime = OnnxRuntimeCuda({"use_tf32": "0", "session.intra_op.allow_spinning": "0"})
    [(provider, options), rest] = runtime.session_providers()
    assert (provider, rest) == ("CUDAExecutionProvider", "CPUExecutionProvider")
    assert options == {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}
    assert runtime.session_entries() == {"session.intra_op.allow_spinning": "0"}
    runtime.load(write_onnx(small_graph), Loading()).close()
    with pytest.raises(MeasurementFailed, match="Unknown provider option"):
        OnnxRuntimeCuda({"use_tf23": "0"}).load(write_onnx(small_graph), Loading())
    with pytest.raises(MeasurementFailed, match="prefer_nhwc"):
        OnnxRuntimeCuda({"prefer_nhwc": "1"})


def test_a_library_without_cuda_is_refused() -> None:
    with pytest.raises(RuntimeNotInstalled, match="onnxruntime-gpu"):
        OnnxRuntimeCuda()


@pytest.mark.usefixtures("gpu")
def test_a_provider_that_does_not_start_is_a_failure(small_graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library falls back on the processor without a word."""
    session = onnxruntime_cuda.ort.InferenceSession
    monkeypatch.setattr(session, "get_providers", lambda _self: ["CPUExecutionProvider"])
    with pytest.raises(MeasurementFailed, match="could not start"):
        OnnxRuntimeCuda().load(write_onnx(small_graph), Loading())


def test_a_command_runs_on_a_made_up_gpu(light_models: Path, tmp_path: Path) -> None:
    """In processes of their own, without CUPTI: models are profiled once more in one that waits."""
    site = Path(simulation.__file__).parent / "site"
    path = os.pathsep.join((str(site), str(ROOT)))
    model = light_models / "light_squeezenet.onnx"
    command = ["measure", "--provider", "cuda", "--seconds", "0.2", "--meter", "none", "--json", str(model)]
    done = subprocess.run(
        [sys.executable, "-m", "archgauge", *command, "--data-dir", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path, CUPTI_VARIABLE: "0"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [measured] = json.loads(done.stdout)
    assert measured["target"].startswith("imaginary-gpu-onnxruntime-")
    assert measured["device_ms"] > 0 and measured["latency_ms"]["median"] > 0
    assert measured["kernels"] > 30
