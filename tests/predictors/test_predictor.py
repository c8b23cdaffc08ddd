"""Predictions of graphs: their JSON, their sums, what is refused, and what must not depend on the way of asking."""

from __future__ import annotations

import itertools
import json
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from graphs import Graph, prepare
from graphs.spaces import sample
from predictors import Prediction, Predictor, TrainedPredictor, UnpriceableKernels


@pytest.fixture(scope="module")
def predictor(trained: TrainedPredictor) -> Predictor:
    return trained.predictor


def network(*extra: dict[str, Any], batch: int = 1, channels: int = 64, outputs: tuple[str, ...] = ("y",)) -> Graph:
    return prepare({
        "name": "net", "opset": {"": 17},
        "inputs": [{"name": "x", "dtype": "float32", "shape": [batch, channels, 32, 32]}],
        "parameters": [{"name": "w", "dtype": "float32", "shape": [64, channels, 3, 3]},
                       {"name": "v", "dtype": "float32", "shape": [10, 64]}],
        "nodes": [
            {"op": "Conv", "name": "conv", "inputs": ["x", "w"], "outputs": ["c"], "attributes": {"pads": [1] * 4}},
            {"op": "Relu", "name": "relu", "inputs": ["c"], "outputs": ["r"]},
            {"op": "GlobalAveragePool", "name": "pool", "inputs": ["r"], "outputs": ["p"]},
            {"op": "Flatten", "name": "flat", "inputs": ["p"], "outputs": ["f"]},
            {"op": "Gemm", "name": "gemm", "inputs": ["f", "v"], "outputs": ["y"], "attributes": {"transB": 1}},
            *extra,
        ],
        "outputs": list(outputs),
    })  # fmt: skip


def test_json_has_the_fields_of_an_answer(predictor: Predictor) -> None:
    data = predictor.predict(network(), detail="kernels").to_json()
    assert list(data) == [
        "target", "complete", "latency_ms", "overhead_ms", "throughput_per_s", "energy_mj", "peak_memory_bytes",
        "flops", "parameters", "confidence", "coverage", "out_of_distribution", "warnings", "provenance", "precision",
        "memory", "roofline", "kernels",
    ]  # fmt: skip
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert list(data["latency_ms"]) == ["value", "lower", "upper"]
    assert list(data["energy_mj"]) == ["value", "lower", "upper", "gross", "method", "scope"]
    assert list(data["coverage"]) == ["table", "regressor", "roofline", "unsupported"]
    assert list(data["provenance"]) == ["tables", "predictor", "runtime", "protocol", "origin"]
    assert data["provenance"]["runtime"] == "onnxruntime 1.31.1 cpu"
    assert list(data["kernels"][0]) == [
        "kind", "nodes", "latency_ms", "lower", "upper", "energy_mj", "source", "bound", "precision", "flops",
        "bytes", "live_bytes",
    ]  # fmt: skip
    assert data["parameters"] == 64 * 64 * 9 + 640 and data["peak_memory_bytes"] > 4 * data["parameters"]
    assert data["flops"] >= 2 * 64 * 64 * 9 * 32 * 32
    assert "kernels" not in predictor.predict(network()).to_json()


def test_kernels_and_overhead_sum_to_the_latency(predictor: Predictor) -> None:
    for graph in (network(), sample("mbconv", 3), sample("vit", 1)):
        p = predictor.predict(graph, detail="kernels")
        assert p.kernels is not None
        total = sum(k.latency_ms or 0.0 for k in p.kernels) + p.overhead_ms
        assert total == pytest.approx(p.latency_ms.value)
        assert p.overhead_ms >= 0 and all(k.latency_ms and k.latency_ms > 0 for k in p.kernels)
        assert sum(p.coverage.values()) == pytest.approx(1.0)
        assert p.energy_mj is not None and 0 < p.energy_mj.lower < p.energy_mj.value < p.energy_mj.upper
        upper = p.latency_ms.upper
        assert upper is not None and p.latency_ms.lower < p.latency_ms.value < upper
        assert all(k.lower < k.latency_ms < k.upper for k in p.kernels if k.lower and k.latency_ms and k.upper)


def test_nodes_are_those_that_were_submitted(predictor: Predictor) -> None:
    p = predictor.predict(network(), detail="kernels")
    assert p.kernels is not None
    assert ("conv", "relu") in [k.nodes for k in p.kernels]


def test_a_higher_confidence_is_wider(predictor: Predictor) -> None:
    uppers = [predictor.predict(network(), confidence=c).latency_ms.upper for c in (0.5, 0.8, 0.9, 0.99, 0.999)]
    assert all(a is not None and b is not None and a < b for a, b in itertools.pairwise(uppers))
    with pytest.raises(ValueError, match=r"between 0\.5 and 0\.999"):
        predictor.predict(network(), confidence=0.2)


def test_more_work_takes_longer(predictor: Predictor) -> None:
    times = [predictor.predict(network(channels=c)).latency_ms.value for c in (16, 64, 256)]
    assert times[0] < times[1] < times[2]
    one, eight = (predictor.predict(network(batch=b)) for b in (1, 8))
    assert eight.latency_ms.value > 2 * one.latency_ms.value
    assert eight.throughput_per_s == pytest.approx(8e3 / eight.latency_ms.value)


def test_asking_for_many_changes_nothing(trained: TrainedPredictor, predictor: Predictor) -> None:
    graphs = [network(), sample("resnet", 2), network(channels=32), network()]
    together = predictor.predict_many(graphs, detail="kernels")
    assert [p.to_json() for p in together] == [predictor.predict(g, detail="kernels").to_json() for g in graphs]
    assert predictor.predict_many([]) == []


def test_threads_agree(predictor: Predictor) -> None:
    graphs = [sample("mbconv", seed) for seed in range(6)]
    expected = [predictor.predict(g).to_json() for g in graphs]
    predictor.forget()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda g: predictor.predict(g).to_json(), graphs * 4))
    assert answers == expected * 4


def test_kinds_never_measured_are_priced_by_the_roofline(predictor: Predictor) -> None:
    extra = {"op": "Erf", "name": "soft", "inputs": ["y"], "outputs": ["z"], "attributes": {}}
    p = predictor.predict(network(extra, outputs=("z",)), detail="kernels")
    assert p.kernels is not None
    soft = next(k for k in p.kernels if k.kind == "Erf")
    assert soft.source == "roofline" and soft.latency_ms and soft.upper and soft.upper > 2 * soft.latency_ms
    assert p.coverage["roofline"] > 0 and any("Erf" in text for text in p.warnings)


def test_what_nobody_can_price_is_refused_by_name(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predictors.estimates.is_priceable", lambda kind: kind != "Erf")
    extra = {"op": "Erf", "name": "soft", "inputs": ["y"], "outputs": ["z"], "attributes": {}}
    graph = network(extra, outputs=("z",))
    predictor.forget()
    with pytest.raises(UnpriceableKernels, match="Erf") as caught:
        predictor.predict(graph)
    assert caught.value.operators == ("Erf",)
    p = predictor.predict(graph, strict=False, detail="kernels")
    assert not p.complete and p.latency_ms.upper is None and p.coverage["unsupported"] > 0
    assert p.latency_ms.value > 0 and any("Erf" in text for text in p.warnings)
    assert p.kernels is not None
    refused = [k for k in p.kernels if k.source == "unsupported"]
    assert [k.latency_ms for k in refused] == [None]
    predictor.forget()


def test_odd_shapes_are_flagged(predictor: Predictor) -> None:
    usual, odd = (predictor.predict(graph, detail="kernels") for graph in (network(), network(batch=64, channels=1024)))
    assert odd.out_of_distribution and any("unlike those measured" in text for text in odd.warnings)
    # The convolution is the odd one.
    assert reach(odd) > 1.2 * reach(usual)


def reach(prediction: Prediction) -> float:
    """How wide the interval of the convolution is, as a log."""
    convolution = next(kernel for kernel in prediction.kernels or () if kernel.kind.endswith("Conv"))
    assert convolution.latency_ms is not None and convolution.upper is not None
    return math.log(convolution.upper / convolution.latency_ms)


def test_an_empty_run_costs_only_overhead(predictor: Predictor) -> None:
    graph = prepare({
        "name": "nothing", "opset": {"": 17}, "inputs": [{"name": "x", "dtype": "float32", "shape": [1, 4]}],
        "nodes": [{"op": "Identity", "name": "i", "inputs": ["x"], "outputs": ["y"]}], "outputs": ["y"],
    })  # fmt: skip
    p: Prediction = predictor.predict(graph, detail="kernels")
    assert p.complete and p.latency_ms.value >= 0 and sum(p.coverage.values()) <= 1.0
