"""Networks that are put together from known blocks are what they become as a whole."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from graphs import Graph, GraphError, LoweringProfile, bind, optimise, prepare, read
from graphs.kernels_of import kernels_of
from graphs.lowering.blocks import BlockMemory, FromBlocks
from graphs.memory import peak_memory
from graphs.spaces import sample

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

from mobile_space import GENES, Architecture, graph_of

PROFILES = [
    LoweringProfile(), LoweringProfile(isa="avx2", nchwc_block=8), LoweringProfile(isa="neon", nchwc_block=0),
]  # fmt: skip

#: Families that hold chains of convolutions, and one with nothing of the kind.
FAMILIES = ("mobilenet", "mbconv", "fused-mbconv", "lcnet", "vgg-whole", "resnet", "darknet-whole", "vit")


class Chain:
    """Builds networks of convolutions and what goes with them."""

    def __init__(self, size: int, channels: int = 3) -> None:
        self.channels = channels
        self.last = "x"
        self.inputs = [{"name": "x", "dtype": "float32", "shape": [1, channels, size, size]}]
        self.parameters: list[dict[str, Any]] = []
        self.nodes: list[dict[str, Any]] = []

    def weight(self, *shape: int, **more: Any) -> str:
        self.parameters.append({"name": f"w{len(self.parameters)}", "dtype": "float32", "shape": list(shape), **more})
        return str(self.parameters[-1]["name"])

    def add(self, op: str, *others: str, **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append({"op": op, "inputs": [self.last, *others], "outputs": [name], "attributes": attributes})
        self.last = name
        return name

    def conv(self, channels: int, kernel: int = 1, group: int = 1, stride: int = 1) -> str:
        weight = self.weight(channels, self.channels // group, kernel, kernel)
        self.channels = channels
        return self.add("Conv", weight, self.weight(channels), group=group, strides=[stride] * 2,
                        pads=[kernel // 2] * 4)  # fmt: skip

    def norm(self) -> str:
        return self.add("BatchNormalization", *(self.weight(self.channels) for _ in range(4)))

    def data(self) -> dict[str, Any]:
        return {"opset": {"": 17}, "inputs": self.inputs, "parameters": self.parameters, "nodes": self.nodes,
                "outputs": [self.last]}  # fmt: skip

    def graph(self) -> Graph:
        return prepare(self.data())


def mobile(rng: random.Random) -> Graph:
    """A small mobile network with odd widths and missing pieces, of few different parts in all possible orders."""
    net = Chain(8, 16)
    for _ in range(2):
        before, width = net.last, net.channels
        if rng.random() < 0.1:
            net.add("MaxPool", kernel_shape=[3, 3], pads=[1] * 4)
        if rng.random() < 0.8:
            net.conv(40)
            _ = rng.random() < 0.1 and net.norm()
            _ = rng.random() < 0.7 and net.add(rng.choice(("Relu", "HardSwish")))
        if rng.random() < 0.8:
            net.conv(net.channels, 3, group=net.channels)
            _ = rng.random() < 0.5 and net.add("Clip")
        net.conv(rng.choice((width, 16, 20)) if rng.random() < 0.9 else 10)
        if net.channels == width and rng.random() < 0.9:
            net.add("Add", before)
            _ = rng.random() < 0.2 and net.add("Relu")
    net.conv(16)
    net.add("GlobalAveragePool")
    net.add("Flatten")
    net.add("Gemm", net.weight(10, net.channels), transB=1)
    return net.graph()


def convolutions(*widths: int, activation: str = "Relu") -> Chain:
    net = Chain(32)
    for width in widths:
        net.conv(width, 3)
        net.add(activation)
    net.conv(16)
    return net


def whole(graph: Graph, profile: LoweringProfile, memory: BlockMemory) -> FromBlocks:
    """What becomes of the graph as a whole, which the memory sees."""
    optimised = optimise(graph, profile)
    kernels = kernels_of(optimised, named=False)
    memory.learn(graph, optimised, kernels)
    return FromBlocks(kernels, peak_memory(optimised), graph.count_parameters())


def check(memory: BlockMemory, graphs: Iterable[Graph], profile: LoweringProfile) -> int:
    """How many networks were recalled, which must be what they are as a whole."""
    recalled = 0
    for graph in graphs:
        found = memory.recall(graph)
        assert found in (None, whole(graph, profile, memory))
        again = memory.recall(graph)
        assert again in (None, whole(graph, profile, memory))
        recalled += found is not None
    return recalled


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.isa)
def test_mobile_networks(profile: LoweringProfile) -> None:
    rng = random.Random(7)
    assert check(BlockMemory(), [mobile(rng) for _ in range(120)], profile) >= 10


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.isa)
def test_candidates_of_a_search(profile: LoweringProfile) -> None:
    rng = random.Random(1)
    drawn = [Architecture(tuple(rng.randrange(min(n, 2)) for n in GENES)) for _ in range(40)]
    assert check(BlockMemory(), [prepare(graph_of(one)) for one in drawn], profile) >= 5


@pytest.mark.parametrize("family", FAMILIES)
def test_families(family: str) -> None:
    check(BlockMemory(), [sample(family, seed) for seed in range(3)], PROFILES[0])


def test_what_is_known_needs_no_types() -> None:
    memory, net = BlockMemory(), convolutions(16, 32, 48)
    bound = bind(read(net.data()))
    assert memory.recall(bound) is None
    known = whole(net.graph(), PROFILES[0], memory)
    assert memory.recall(bound) == known
    assert set(bound.types) == {"x"}
    net.inputs[0]["shape"] = [1, 3, 64, 64]
    assert memory.recall(bind(read(net.data()))) is None, "another size is another part"


@pytest.mark.parametrize(
    "broken",
    [
        {"inputs": ["t1"]}, {"inputs": ["t1", ""]}, {"attributes": {"group": [2, 2]}}, {"outputs": [""]},
        {"attributes": {"group": {"dtype": "int64", "shape": [2], "value": [1, 1]}}}, {"attributes": {"group": 1.5}},
    ],
)  # fmt: skip
def test_what_was_not_looked_at_yet_may_be_wrong(broken: dict[str, Any]) -> None:
    data = convolutions(16, 32, 48).data()
    data["nodes"][2].update(broken)
    try:
        graph = bind(read(data))
    except GraphError:
        return
    assert BlockMemory().recall(graph) is None


def test_equal_blocks_of_other_networks_are_known() -> None:
    memory = BlockMemory()
    for widths in ((16, 32, 48), (24, 32, 64)):
        whole(convolutions(*widths).graph(), PROFILES[0], memory)
    for widths in ((16, 32, 64), (24, 32, 48)):
        graph = convolutions(*widths).graph()
        assert memory.recall(graph) == whole(graph, PROFILES[0], BlockMemory())
    other = convolutions(16, 32, 48, activation="Clip").graph()
    assert memory.recall(other) is None, "another operator is another block"


def test_a_part_that_turned_out_different_is_not_used() -> None:
    memory, graph = BlockMemory(), convolutions(16, 32, 48).graph()
    known = whole(graph, PROFILES[0], memory)
    assert memory.recall(graph) == known
    optimised = optimise(graph, PROFILES[0])
    memory.learn(graph, optimised, known.kernels[::-1])
    assert memory.recall(graph) is None


def test_what_is_shared_belongs_to_the_whole() -> None:
    graph, memory = convolutions(32, 32, 32).graph(), BlockMemory()
    graph.nodes[2].inputs[1:] = graph.nodes[4].inputs[1:]
    whole(graph, PROFILES[0], memory)
    assert memory.recall(graph) is None


def test_branches_belong_to_the_whole() -> None:
    net, memory = Chain(16, 32), BlockMemory()
    first = net.conv(32, 3)
    second = net.conv(32, 3)
    net.last = first
    net.conv(32, 3)
    net.add("Add", second)
    net.conv(16)
    whole(net.graph(), PROFILES[0], memory)
    assert memory.recall(net.graph()) is None


@pytest.mark.parametrize("width", [10, 12])
def test_layouts_that_do_not_hold_the_width(width: int) -> None:
    """Beside a convolution that reads no blocks, an addition may still read them."""
    memory = BlockMemory()
    for channels in (16, 32):
        net = Chain(16, channels)
        net.conv(width, 3)
        for _ in range(2):
            before = net.last
            net.conv(32)
            net.conv(width)
            net.add("Add", before)
        net.conv(16)
        check(memory, [net.graph()], PROFILES[0])
