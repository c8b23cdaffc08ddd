"""Sampled networks: deterministic, valid, varied, none of the references, and they run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from graphs import Graph, graph_hash, prepare, write_onnx
from graphs.spaces import FAMILIES, INT8, WHOLE, sample
from graphs.spaces import registry as registry_module
from graphs.spaces.draw import Draw
from graphs.spaces.references import is_reference, references

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
PLAIN = sorted(name for name, family in FAMILIES.items() if not family.whole and family.precision == "fp32")
QUANTISED = sorted(name for name, family in FAMILIES.items() if family.precision == "int8" and not family.whole)


def run(graph: Graph) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(write_onnx(graph), options, providers=["CPUExecutionProvider"])
    feeds = {}
    for name in graph.inputs:
        kind = graph.types[name]
        feeds[name] = np.full(kind.dims, 0.5 if kind.dtype == "float32" else 3, dtype=kind.dtype)
    results: list[np.ndarray] = session.run(None, feeds)
    return results


@pytest.mark.parametrize("name", PLAIN + QUANTISED)
def test_a_network_of_every_family_runs_as_its_types_say(name: str) -> None:
    graph = sample(name, 3)
    onnx.checker.check_model(onnx.load_from_string(write_onnx(graph)))
    for output, result in zip(graph.outputs, run(graph), strict=True):
        assert result.shape == graph.types[output].dims
        assert str(result.dtype) == graph.types[output].dtype


@pytest.mark.parametrize("name", ["mbconv-whole", "bert-whole-int8", "densenet-whole"])
def test_whole_networks_run(name: str) -> None:
    graph = sample(name, 1)
    assert all(np.isfinite(result).all() for result in run(graph))


@pytest.mark.parametrize("name", PLAIN)
def test_the_builder_and_inference_agree_on_every_shape(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Graph] = []
    check = registry_module._checked

    def keep(graph: Graph) -> Graph:
        built.append(graph)
        return check(graph)

    monkeypatch.setattr(registry_module, "_checked", keep)
    for seed in (11, 12):
        inferred = FAMILIES[name].sample(seed)
        known = built[-1].types
        assert {t: k for t, k in inferred.types.items() if t in known and known[t] != k} == {}


def test_a_seed_names_one_network_for_ever() -> None:
    hashes = {name: graph_hash(sample(name, 7)) for name in ("resnet", "vit", "mbconv-int8", "layouts")}
    assert hashes == {name: graph_hash(sample(name, 7)) for name in hashes}
    assert sample("resnet", 7).name == "resnet:7"


def test_seeds_differ() -> None:
    assert len({graph_hash(sample("mbconv", seed)) for seed in range(20)}) == 20


def test_draws_are_those_of_every_other_machine() -> None:
    draw = Draw("resnet:7:0")
    assert [draw.size(1, 1000) for _ in range(6)] == [2, 11, 490, 3, 160, 831]


def test_unknown_family() -> None:
    with pytest.raises(KeyError, match="no family of networks is called 'alexnets'"):
        sample("alexnets", 0)


def test_batches_sizes_and_channels_are_varied() -> None:
    inputs = [sample(name, seed) for name in ("mobilenet", "regnet", "resnet") for seed in range(40)]
    shapes = [graph.types[graph.inputs[0]].dims for graph in inputs]
    assert {shape[0] for shape in shapes} >= {1, 2, 4}
    assert sum(shape[0] == 1 for shape in shapes) > 0.7 * len(shapes)
    sides = {max(shape[1:]) for shape in shapes}
    assert len(sides) > 15 and 224 in sides
    widths = [p.type.dims[0] for g in inputs for p in g.parameters.values() if len(p.type.dims) == 4]
    odd = sum(width % 8 != 0 for width in widths) / len(widths)
    assert 0.05 < odd < 0.5


def test_exporters_differ_in_opset_and_operators() -> None:
    graphs = [sample(name, seed) for name in ("inception", "resnet", "mbconv", "bert") for seed in range(25)]
    assert {graph.opset[""] for graph in graphs} >= {9, 11, 13, 17, 18}
    operators = {node.op for graph in graphs for node in graph.nodes}
    assert {"LRN", "Sum", "BatchNormalization", "HardSwish", "Sigmoid", "Clip", "Erf"} <= operators


def test_whole_networks_are_deeper() -> None:
    for name in ("resnet", "vit", "mbconv"):
        short = np.mean([len(sample(name, seed).nodes) for seed in range(6)])
        assert np.mean([len(sample(name + WHOLE, seed).nodes) for seed in range(6)]) > 1.5 * short


def test_quantised_networks_keep_their_weights_as_integers() -> None:
    for seed in range(6):
        graph = sample("mbconv" + INT8, seed)
        makers = {output: node for node in graph.nodes for output in node.outputs}
        convolutions = [node for node in graph.nodes if node.op == "Conv"]
        assert convolutions
        for node in convolutions:
            assert [makers[name].op for name in node.inputs] == ["DequantizeLinear"] * len(node.inputs)
        stored = {makers[node.inputs[1]].inputs[0] for node in convolutions}
        assert {graph.types[name].dtype for name in stored} == {"int8"}


def test_unsigned_quantisation_absorbs_relu() -> None:
    absorbed = [s for s in range(12) if "Relu" not in {node.op for node in sample("squeezenet" + INT8, s).nodes}]
    assert 0 < len(absorbed) < 12


@pytest.mark.parametrize("file", sorted(LIGHT.glob("light_*.onnx")), ids=lambda file: file.stem)
def test_the_light_models_are_references(file: Path) -> None:
    graph = prepare(file.read_bytes(), batch_size=1)
    assert references()[file.stem] == (len(graph.nodes), graph_hash(graph, weights=False))
    assert is_reference(graph)


def test_no_sampled_network_is_a_reference() -> None:
    for name in ("alexnet", "squeezenet-whole", "resnet-whole"):
        for seed in range(10):
            assert not is_reference(sample(name, seed))


def test_a_reference_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = sample("resnet", 4)
    refused = graph_hash(first)
    monkeypatch.setattr(registry_module, "is_reference", lambda graph: graph_hash(graph) == refused)
    assert graph_hash(sample("resnet", 4)) != refused
