from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import prod

import numpy as np
import pytest

from graphs import Graph, Node, TensorType, graph_hash, infer, kernels_of, lower, write_onnx
from graphs.spaces import sample
from lookup_tables import Measurement, PlanItem, Target
from profilers import local_target, protocol
from profilers.bench import Attempt, Bench
from profilers.errors import MeasurementFailed
from profilers.failures import common_record
from profilers.inputs import random_inputs
from profilers.isolated import copies, measure_alone
from profilers.items import kernels_inside, measure_item
from profilers.matching import executed_kernels
from profilers.network import measure_network, peak_memory, runs_to_profile
from profilers.perturbation import Perturbation
from profilers.runtimes import Event, Loading, RunProfile, Session

COMMON = common_record(PlanItem("small", 0, split="holdout"), 1, "s")


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench(local_target(1), "s")
    yield bench
    bench.close()


def test_kernels_and_whole_from_one_session(bench: Bench, small_graph: Graph) -> None:
    records = measure_network(bench, small_graph, COMMON, kernels=True, whole=True)
    *kernels, whole = records
    assert [r.kernel.key for r in kernels if r.kernel] == [
        k.key for k in lower(small_graph, bench.target.lowering)
    ]  # fmt: skip
    assert whole.kernels == len(kernels)
    for r in records:
        assert r.ok
        assert (r.model, r.split, r.session, r.repetition) == (graph_hash(small_graph), "holdout", "s", 1)
        assert r.sentinel_us is not None
        assert r.p10_us is not None and r.p90_us is not None and r.p10_us <= r.p90_us
    assert all(r.mode == "in_network" and len(r.blocks_us) == protocol.PROFILED_BLOCKS for r in kernels)
    assert all(protocol.PROFILED_MIN_RUNS <= r.runs <= protocol.PROFILED_MAX_RUNS for r in kernels)
    assert (whole.mode, whole.position) == ("whole_model", None)


def test_peak_memory_holds_weights_and_activations(bench: Bench, small_graph: Graph) -> None:
    [*_, whole] = measure_network(bench, small_graph, COMMON, kernels=True, whole=True)
    weights = 4 * (16 * 16 * 9 + 16 * 16 + 16 * 10)
    assert whole.peak_memory_bytes is not None
    assert weights + 4 * 16 * 12 * 12 <= whole.peak_memory_bytes < 10 * weights


def test_constants_of_nobody_take_no_memory(small_graph: Graph) -> None:
    used = peak_memory(small_graph, 1000)
    assert used == 1000 + sum(4 * p.type.elements for p in small_graph.parameters.values())
    without = replace(small_graph, nodes=small_graph.nodes[:-1])
    assert peak_memory(without, 1000) == used - 4 * 16 * 10
    assert peak_memory(small_graph, None) is None


def test_isolated_kernels_are_those_of_the_network(bench: Bench, small_graph: Graph) -> None:
    kernels = kernels_inside(bench, small_graph)
    records = measure_alone(bench, [*kernels, *kernels], COMMON)
    assert [r.kernel.key for r in records if r.kernel] == list(dict.fromkeys(k.key for k in kernels))
    assert all(r.ok and r.mode == "isolated" for r in records), [r.detail for r in records]


def test_masks_are_known_in_what_the_runtime_made(bench: Bench) -> None:
    """Masks lie among the weights, which are not read otherwise."""
    graph = sample("swin", 0)
    records = measure_network(bench, graph, COMMON, kernels=True, whole=False)
    measured = [record.kernel for record in records if record.kernel is not None]
    assert Counter(k.key for k in measured) == Counter(k.key for k in lower(graph, bench.target.lowering))
    masked = {k.kind for k in measured if k.attribute("subnormal")}
    assert masked == {"Softmax", "MatMul"}
    assert measure_alone(bench, [k for k in measured if k.attribute("subnormal")], COMMON) == []


def test_copies_run_side_by_side() -> None:
    x = TensorType("float32", (2, 3))
    one = infer(Graph("one", {"": 17}, ["x", "z"], ["y"], {}, [Node("Add", ["x", "z"], ["y"])], {"x": x, "z": x}))
    many = copies(one, 4)
    assert [node.inputs for node in many.nodes] == [["x", "z"]] * 4
    assert len({node.outputs[0] for node in many.nodes}) == 4
    assert many.nodes[-1].outputs == many.outputs == ["y"]
    assert len(one.nodes) == 1
    assert [k.key for k in kernels_of(many)] == [kernels_of(one)[0].key] * 4


def test_all_copies_are_executed(bench: Bench) -> None:
    x = TensorType("float32", (2, 3))
    one = infer(Graph("one", {"": 17}, ["x"], ["y"], {}, [Node("Tanh", ["x"], ["y"])], {"x": x}))
    many = copies(one, 5)
    how = Loading(optimise=False, profile=True)
    with bench.runtime.load(write_onnx(many, initializers=True), how) as session:
        session.feed(random_inputs(many))
        session.run()
        assert [event.op for event in session.finish_profile().events] == ["Tanh"] * 5


@pytest.mark.parametrize("mode", ["in_network", "whole_model", "network+whole", "isolated"])
def test_items_give_records_of_their_mode(
    fake_target: Callable[..., Target], mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "ISOLATED_SECONDS", 0.002)
    bench = Bench(fake_target(), "s")
    records = measure_item(bench, PlanItem("keywords", 5, mode), 0)  # type: ignore[arg-type]
    assert {r.mode for r in records} == ({"in_network", "whole_model"} if mode == "network+whole" else {mode})
    assert all(r.ok and r.context == "keywords:5" for r in records)


def test_runs_fill_the_time_within_bounds() -> None:
    assert runs_to_profile(10.0) == protocol.PROFILED_MIN_RUNS
    assert runs_to_profile(1e-6) == protocol.PROFILED_MAX_RUNS
    assert runs_to_profile(0.01, seconds=0.2) == 20


class _Script(Session):
    """Claims to have executed whatever it is told."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def executed_graph(self) -> Graph:
        return self._graph

    def feed(self, values: object) -> None: ...
    def run(self) -> None: ...
    def close(self) -> None: ...
    def finish_profile(self) -> RunProfile:
        raise NotImplementedError


def _events(graph: Graph) -> list[Event]:
    return [
        Event(n.name, n.op, tuple((graph.types[o].dtype, graph.types[o].dims) for o in n.outputs)) for n in graph.nodes
    ]


def test_events_and_nodes_must_correspond(small_graph: Graph) -> None:
    session, events = _Script(small_graph), _events(small_graph)
    durations = np.ones((1, len(events)))
    assert all(e.problem is None for e in executed_kernels(session, RunProfile(tuple(events), durations)))
    with pytest.raises(MeasurementFailed, match="executed 6 kernels of a graph of 7"):
        executed_kernels(session, RunProfile(tuple(events[1:]), durations))
    with pytest.raises(MeasurementFailed, match="where its graph has"):
        executed_kernels(session, RunProfile(tuple(reversed(events)), durations))


def test_shapes_that_were_not_inferred_are_noticed(small_graph: Graph) -> None:
    events = _events(small_graph)
    events[1] = replace(events[1], outputs=(("float32", (1, 16, 12, 13)),))
    found = executed_kernels(_Script(small_graph), RunProfile(tuple(events), np.ones((1, len(events)))))
    assert found[1].problem == "inferred float32[1, 16, 12, 12], executed float32[1, 16, 12, 13]"
    assert prod(found[1].kernel.outputs[0].shape) == 16 * 144


def test_a_disturbed_attempt_is_repeated_once(fake_target: Callable[..., Target]) -> None:
    bench = Bench(fake_target(), "s")
    calm = Perturbation(1.0, 0.0, 0, None, None, None)
    attempts = [
        Attempt("first", replace(calm, lost=0.5), 1000.0, 0.0, 0.03),
        Attempt("second", replace(calm, lost=0.2), 1000.0, 0.0, 0.03),
        Attempt("third", calm, 1000.0, 0.0, 0.03),
    ]
    bench._once = lambda measure: attempts.pop(0)  # type: ignore[method-assign, assignment, return-value]
    assert bench.attempt(lambda: None).result == "second"
    assert bench.attempt(lambda: None).result == "third"


def test_disturbances_are_described() -> None:
    quiet = Perturbation(1.0, 0.0, 1, 0.0, 0.02, 1.0)
    assert quiet.describe() is None
    loud = Perturbation(1.0, 0.25, 500, 0.04, 1.0, 0.8)
    text = loud.describe()
    assert (
        text == "lost 25.0% of the processor; preempted 500 times; steal 4.0%; other load 100%; clock changed by -20%"
    )
    assert Attempt(None, quiet, 1000.0, 0.2, 0.03).describe() == "sentinel changed by 20.0%"
    assert Measurement("isolated", latency_us=1.0, perturbation=text).ok
