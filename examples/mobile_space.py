"""A small search space of mobile networks, as a search job would have it: choices in, a graph in JSON form out.

Five stages of inverted residual blocks (Sandler et al., MobileNetV2, 2018). For each stage there is a choice of kernel
size, expansion and depth, and one of input resolution for the whole: 4 · (3 · 3 · 3)^5 architectures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log2
from typing import Any

RESOLUTIONS = (96, 128, 160, 192)
KERNELS = (3, 5, 7)
EXPANSIONS = (3, 4, 6)
DEPTHS = (1, 2, 3)

#: Output channels and stride of each stage.
STAGES = ((24, 2), (40, 2), (80, 2), (112, 1), (192, 2))

#: How many possibilities each gene has: the resolution, then kernel, expansion and depth of each stage.
GENES = (len(RESOLUTIONS), *(len(KERNELS), len(EXPANSIONS), len(DEPTHS)) * len(STAGES))


@dataclass(frozen=True)
class Architecture:
    """One point of the space: a position for each of `GENES`."""

    genes: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.genes) != len(GENES) or any(not 0 <= g < n for g, n in zip(self.genes, GENES, strict=True)):
            raise ValueError(f"{self.genes} is no architecture of this space: there are {GENES} possibilities")

    @property
    def resolution(self) -> int:
        return RESOLUTIONS[self.genes[0]]

    @property
    def stages(self) -> list[tuple[int, int, int]]:
        """Kernel size, expansion and depth of each stage."""
        triples = zip(self.genes[1::3], self.genes[2::3], self.genes[3::3], strict=True)
        return [(KERNELS[k], EXPANSIONS[e], DEPTHS[d]) for k, e, d in triples]

    def __str__(self) -> str:
        return f"{self.resolution} " + " ".join(f"k{k}e{e}d{d}" for k, e, d in self.stages)


def accuracy_proxy(architecture: Architecture) -> float:
    """Stands in for training, which this example cannot do: more of everything helps, and each time less.

    Put an estimate of your own here: a supernet, a zero-cost proxy, a predictor trained on finished runs.
    """
    capacity = sum(log2(1 + depth * expansion) + 0.3 * log2(kernel) for kernel, expansion, depth in architecture.stages)
    return capacity + 4.0 * log2(architecture.resolution / RESOLUTIONS[0])


def graph_of(architecture: Architecture) -> dict[str, Any]:
    """The architecture as a graph; weights are shapes."""
    graph = _Graph()
    tensor, channels = graph.conv("image", 3, 16, 3, 2, "HardSwish"), 16
    for (kernel, expansion, depth), (width, stride) in zip(architecture.stages, STAGES, strict=True):
        for block in range(depth):
            tensor = _inverted_residual(graph, tensor, channels, width, kernel, stride if block == 0 else 1, expansion)
            channels = width
    tensor = graph.conv(tensor, channels, 960, 1, 1, "HardSwish")
    tensor = graph.node("GlobalAveragePool", [tensor])
    tensor = graph.node("Flatten", [tensor], axis=1)
    tensor = graph.node("Gemm", [tensor, graph.weight(1000, 960), graph.weight(1000)], transB=1)
    shape = ["batch", 3, architecture.resolution, architecture.resolution]
    return {
        "name": str(architecture), "opset": {"": 17}, "nodes": graph.nodes, "parameters": graph.parameters,
        "inputs": [{"name": "image", "dtype": "float32", "shape": shape}], "outputs": [tensor],
    }  # fmt: skip


def _inverted_residual(
    graph: _Graph, tensor: str, channels: int, width: int, kernel: int, stride: int, expansion: int
) -> str:
    hidden = channels * expansion
    wide = graph.conv(tensor, channels, hidden, 1, 1, "Relu")
    deep = graph.conv(wide, hidden, hidden, kernel, stride, "Relu", group=hidden)
    narrow = graph.conv(deep, hidden, width, 1, 1)
    return graph.node("Add", [narrow, tensor]) if stride == 1 and channels == width else narrow


@dataclass
class _Graph:
    nodes: list[dict[str, Any]] = field(default_factory=list)
    parameters: list[dict[str, Any]] = field(default_factory=list)

    def weight(self, *shape: int) -> str:
        name = f"w{len(self.parameters)}"
        self.parameters.append({"name": name, "dtype": "float32", "shape": list(shape)})
        return name

    def node(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        name = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append({"op": op, "name": name, "inputs": list(inputs), "outputs": [name], "attributes": attributes})
        return name

    def conv(
        self, tensor: str, inner: int, outer: int, kernel: int, stride: int, activation: str = "", group: int = 1
    ) -> str:
        """A convolution with its bias (batch norm is folded in already) and perhaps an activation."""
        inputs = [tensor, self.weight(outer, inner // group, kernel, kernel), self.weight(outer)]
        pads, strides = [kernel // 2] * 4, [stride, stride]
        made = self.node("Conv", inputs, kernel_shape=[kernel, kernel], pads=pads, strides=strides, group=group)
        return self.node(activation, [made]) if activation else made
