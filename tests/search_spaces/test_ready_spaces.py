"""The search spaces that come with ArchGauge contain the published networks."""

from __future__ import annotations

import random
from math import prod
from typing import Any

import pytest

from graphs import Graph, LoweringProfile, graph_hash, infer, lower, prepare, read_json, write_json
from graphs.search_spaces import READY, assemble, ready_space

DIMS = {"bert-supernet": {"sequence": 32}}


def every(space: str, **chosen: Any) -> dict[str, Any]:
    """Choices by the beginning of a layer's name."""
    return {
        layer.name: choice
        for layer in ready_space(space).layers
        for beginning, choice in chosen.items()
        if layer.name.startswith(beginning) and layer.name[len(beginning) :].strip("0123456789.-") == ""
    }


def macs(graph: Graph) -> int:
    """Multiplications of convolutions and products with constants."""
    total = 0
    for node in graph.nodes:
        if node.op in ("Conv", "MatMul", "Gemm") and node.inputs[1] in graph.parameters:
            weight = graph.types[node.inputs[1]].dims
            per_output = prod(weight[1:]) if node.op == "Conv" else weight[1 if node.int("transB") else 0]
            total += prod(graph.types[node.outputs[0]].dims) * per_output
    return total


def test_all_are_there() -> None:
    assert READY == (
        "autoformer-small", "bert-supernet", "fbnet", "nas-bench-201", "ofa-mobilenet-v3", "ofa-resnet-50",
        "proxylessnas",
    )  # fmt: skip


def learnt(graph: Graph) -> int:
    """Elements of weights; shapes and other settings have values."""
    return sum(p.type.elements for p in graph.parameters.values() if p.value is None)


def test_deit_small_is_in_autoformer_small() -> None:
    chosen = every("autoformer-small", hidden="384", depth="12", encoder="heads6-ratio40")
    assert learnt(assemble(ready_space("autoformer-small"), chosen)) == 22_050_664


def test_bert_base_is_in_the_bert_supernet() -> None:
    chosen = every("bert-supernet", hidden="768", depth="12", encoder="heads12-ratio4")
    graph = assemble(ready_space("bert-supernet"), chosen, dims={"sequence": 512})
    classifier, second_kind = 2 * 768 + 2, 768
    assert learnt(graph) == 109_482_240 - second_kind + classifier


def test_the_largest_cell_of_nas_bench_201() -> None:
    graph = assemble(ready_space("nas-bench-201"), every("nas-bench-201", edge="nor_conv_3x3"))
    weights = sum(graph.types[n.inputs[1]].elements for n in graph.nodes if n.op in ("Conv", "Gemm"))
    # 1.531546 M with batch normalisation, which has two numbers per channel; 220.12 M with its additions.
    assert weights / 1e6 == pytest.approx(1.5315, abs=0.01)
    assert macs(graph) / 1e6 == pytest.approx(220.12, rel=0.02)


def test_resnet_50d_is_in_ofa_resnet_50() -> None:
    chosen = every("ofa-resnet-50", width="100", width_stem="100", width_in="100", block="expand25", resolution="224")
    chosen |= {"stem_depth": "0", "depth1": "1", "depth2": "2", "depth3": "2", "depth4": "1"}
    graph = assemble(ready_space("ofa-resnet-50"), chosen)
    # 25.58 M parameters in ResNet-50-D, whose stem has one convolution more.
    assert graph.count_parameters() / 1e6 == pytest.approx(25.58, abs=0.1)


def test_mobilenet_v3_large_is_nearly_in_ofa_mobilenet_v3() -> None:
    """217 M multiplications; a block of the first stage is in none, and kernels and expansions are the nearest."""
    chosen = every(
        "ofa-mobilenet-v3", resolution="224", width="10", block1="kernel3-expand3", block2="kernel5-expand3",
        block3="kernel3-expand3", block4="kernel3-expand6", block5="kernel5-expand6",
    )  # fmt: skip
    chosen |= {"depth1": "2", "depth2": "3", "depth3": "4", "depth4": "2", "depth5": "3"}
    assert macs(assemble(ready_space("ofa-mobilenet-v3"), chosen)) / 1e6 == pytest.approx(217, rel=0.04)


@pytest.mark.parametrize("name", READY)
def test_architectures_are_whole_graphs(name: str) -> None:
    """Any architecture survives JSON and inference, and becomes kernels."""
    space = ready_space(name)
    generator = random.Random(name)
    rows = [tuple(generator.randrange(n) for n in space.choices) for _ in range(3)]
    for row in (*rows, (0,) * len(space.layers), tuple(n - 1 for n in space.choices)):
        graph = assemble(space, row, batch_size=2, dims=DIMS.get(name))
        again = prepare(read_json(write_json(graph)))
        assert graph_hash(again) == graph_hash(infer(graph))
        kernels = lower(graph, LoweringProfile())
        assert kernels == lower(again, LoweringProfile())
