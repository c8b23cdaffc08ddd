"""What every runtime must do, see the duties in `profilers.runtimes.base`."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.gpu.simulation import CUPTI_VARIABLE, simulate
from graphs import Graph, kernels_of, write_onnx
from graphs.lowering.copies import is_outer
from profilers import protocol, runtimes
from profilers.errors import MeasurementFailed, UnknownRuntime
from profilers.inputs import random_inputs
from profilers.runtimes import Loading, Runtime, make_runtime


def simulate_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """For this process; its profiles have events of the device."""
    import onnxruntime

    from profilers.runtimes import onnxruntime_cpu, onnxruntime_cuda

    simulated = SimpleNamespace(**{**vars(onnxruntime), **simulate(onnxruntime)})
    monkeypatch.setenv(CUPTI_VARIABLE, "1")
    for module in (onnxruntime_cpu, onnxruntime_cuda):
        monkeypatch.setattr(module, "ort", simulated)


RUNTIMES = [
    ("onnxruntime", "CPUExecutionProvider"), ("onnxruntime", "CUDAExecutionProvider"), ("fake", "FakeProvider"),
]  # fmt: skip


@pytest.fixture(params=RUNTIMES, ids=lambda p: p[1])
def runtime(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """Each runtime that comes with the package; the GPU is made up (see `benchmarks.gpu.simulation`)."""
    name, provider = request.param
    if provider == "CUDAExecutionProvider":
        simulate_gpu(monkeypatch)
    return make_runtime(name, provider)


def test_says_who_it_is(runtime: Runtime) -> None:
    profile = runtime.lowering_profile()
    assert (profile.runtime, profile.provider) == (runtime.name, runtime.provider)
    assert runtime.version.startswith(profile.version)


def test_loads_feeds_and_runs(runtime: Runtime, small_graph: Graph) -> None:
    with runtime.load(write_onnx(small_graph), Loading()) as session:
        assert [(i.name, i.dtype, i.shape) for i in session.inputs] == [("x", "float32", (1, 16, 12, 12))]
        session.feed(random_inputs(small_graph))
        session.run()
        session.run()


def test_profile_and_executed_graph_agree(runtime: Runtime, small_graph: Graph) -> None:
    with runtime.load(write_onnx(small_graph), Loading(profile=True)) as session:
        session.feed(random_inputs(small_graph))
        for _ in range(5):
            session.run()
        profile = session.finish_profile()
        kernels = kernels_of(session.executed_graph())
        session.run()
    assert profile.durations_us.shape == (5, len(kernels))
    assert np.all(profile.durations_us >= 0)
    assert [event.op for event in profile.events] == [kernel.kind.rpartition(".")[2] for kernel in kernels]
    for event, kernel in zip(profile.events, kernels, strict=True):
        assert list(event.outputs) == [(o.dtype, o.shape) for o in kernel.outputs]
    assert profile.activation_bytes is None or profile.activation_bytes > 0


def test_profiling_must_be_asked_for(runtime: Runtime, small_graph: Graph) -> None:
    with runtime.load(write_onnx(small_graph), Loading()) as session:
        with pytest.raises(ValueError, match="without a profiler"):
            session.finish_profile()
        with pytest.raises(ValueError, match="without a profiler"):
            session.executed_graph()


def test_nothing_is_done_to_a_graph_unless_asked(runtime: Runtime, small_graph: Graph) -> None:
    model = write_onnx(small_graph, initializers=True)
    with runtime.load(model, Loading(optimise=False, profile=True)) as session:
        session.feed(random_inputs(small_graph))
        session.run()
        executed = session.executed_graph()
    ours = [node.op for node in executed.nodes if not is_outer(executed, node)]
    assert sorted(ours) == sorted(node.op for node in small_graph.nodes)


def test_resident_runs_do_the_same(runtime: Runtime, small_graph: Graph) -> None:
    with runtime.load(write_onnx(small_graph), Loading()) as session:
        session.feed(random_inputs(small_graph))
        again = session.resident
        again()
        again()
        assert (session.resident == session.run) == runtime.computes_here
        session.feed({})
        with pytest.raises(MeasurementFailed):
            session.resident()


def test_it_warms_up_and_tells_clocks_or_none(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "SETTLE_SECONDS", 0.05)
    runs = iter(range(10**9))
    assert runtime.warm_up(lambda: next(runs)) in (True, False)
    assert next(runs) > 0
    assert runtime.clock_mhz() is None or (runtime.clock_mhz() or 0.0) > 0
    assert runtime.slowed() is None or runtime.slowed()


def test_nonsense_is_refused(runtime: Runtime) -> None:
    with pytest.raises(MeasurementFailed) as caught:
        runtime.load(b"nonsense", Loading())
    assert caught.value.kind == "unsupported"


def test_missing_inputs_are_a_failure(runtime: Runtime, small_graph: Graph) -> None:
    with runtime.load(write_onnx(small_graph), Loading()) as session:
        session.feed({})
        with pytest.raises(MeasurementFailed) as caught:
            session.run()
    assert caught.value.kind == "unsupported"


def test_closing_twice_is_allowed(runtime: Runtime, small_graph: Graph) -> None:
    session = runtime.load(write_onnx(small_graph), Loading(profile=True))
    session.close()
    session.close()


def test_other_distributions_add_runtimes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an installed one does: a module, and an entry point in its metadata."""
    (tmp_path / "other_works.py").write_text(
        "from profilers.runtimes.fake import FakeRuntime\n\n\nclass OtherRuntime(FakeRuntime):\n    name = 'other'\n"
    )
    metadata = tmp_path / "other_works-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: other-works\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{runtimes.ENTRY_POINTS}]\nother = other_works:OtherRuntime\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    made = make_runtime("other", "Whatever", {"crash": "net:1"})
    assert (type(made).__name__, made.name) == ("OtherRuntime", "other")
    assert made.options == {"crash": "net:1"}
    with pytest.raises(UnknownRuntime, match="other"):
        make_runtime("another", "Whatever")


def test_unknown_runtimes_are_named() -> None:
    with pytest.raises(UnknownRuntime, match=r"onnxruntime with CPUExecutionProvider"):
        make_runtime("tensorworks", "NPU")
