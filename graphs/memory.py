"""Peak memory of an optimised graph, by imitating how onnxruntime's CPU provider lays out what it computes.

The runtime plans once: an output takes over the buffer of an input that nobody else needs, where the operator allows
it, or a buffer of the same size that has become free; the rest is packed, best fit, into one block that is allocated
when a run starts. Graph outputs are allocated apart, inputs belong to the caller, and what a kernel allocates and frees
while it runs is not counted. Sources: onnxruntime/core/framework/allocation_planner.cc and mem_pattern_planner.h; the
operators that may work in place are those whose kernels do so in the runtime's profile.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate, chain

from graphs.dtypes import BITS, nbytes
from graphs.ir import Dim, Graph, Node, TensorType
from graphs.packing import packed_bytes

#: Outputs that are the input itself under another shape.
_ALIASES = frozenset({"Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity"})

#: Inputs whose buffer the first output may take, by operator.
_IN_PLACE: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(
        ("Cast", "Celu", "Clip", "Elu", "HardSigmoid", "LeakyRelu", "LogSoftmax", "Relu", "ScatterElements", "Selu",
         "Shrink", "Sigmoid", "Softmax", "Softplus", "Softsign", "Tanh", "ThresholdedRelu", "Trilu"), (0,),
    ),
    "Conv": (3,), "FusedConv": (3,), "NhwcFusedConv": (3,),
}  # fmt: skip

#: Every buffer starts at a multiple of this.
_ALIGNMENT = 64


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Bytes that a loaded model holds and needs while it runs."""

    #: Constants as the graph has them.
    constants: int
    #: Copies of constants that kernels rearranged for themselves.
    packed: int
    #: The block in which everything computed lies, and the outputs.
    activations: int

    @property
    def total(self) -> int:
        return self.constants + self.packed + self.activations


def peak_memory(graph: Graph) -> int:
    """Bytes of constants, prepacked copies and live activations at the peak; ``graph`` is optimised and inferred."""
    return memory_use(graph).total


def memory_use(graph: Graph) -> MemoryUse:
    """The parts of `peak_memory`."""
    return _use(graph, _planned(graph))


def memory_over_time(graph: Graph) -> tuple[MemoryUse, list[int]]:
    """`memory_use`, and for each node the bytes of activations and outputs that are alive while it runs.

    What is alive may be less than the block that holds it: between buffers there are gaps.
    """
    plan = _planned(graph)
    change = [0] * (len(graph.nodes) + 1)
    for buffer in plan.finish():
        change[buffer.start] += buffer.size
        change[(buffer.end if buffer.end >= buffer.start else len(graph.nodes) - 1) + 1] -= buffer.size
    for step, node in enumerate(graph.nodes):
        change[step] += sum(_bytes(graph.types[name]) for name in node.outputs if name in plan.outputs)
    return _use(graph, plan), list(accumulate(change[:-1]))


def _planned(graph: Graph) -> _Plan:
    plan = _Plan(graph)
    for step, node in enumerate(graph.nodes):
        plan.execute(step, node)
    return plan


def constant_bytes(graph: Graph) -> int:
    """Bytes of the constants that nodes read, and of the copies that kernels rearrange for themselves."""
    read = {name for node in graph.nodes for name in node.inputs if name in graph.parameters}
    return sum(_bytes(graph.parameters[name].type) for name in read) + packed_bytes(graph)


def _use(graph: Graph, plan: _Plan) -> MemoryUse:
    constants = sum(_bytes(p.type) for name, p in graph.parameters.items() if name in plan.uses)
    outputs = sum(_bytes(graph.types[name]) for name in graph.outputs if name not in graph.parameters)
    return MemoryUse(constants, packed_bytes(graph), _pack(plan.finish()) + outputs)


@lru_cache(maxsize=100_000)
def _bytes(type_: TensorType) -> int:
    return nbytes(type_.dtype, type_.elements)


@dataclass(slots=True)
class _Buffer:
    """Memory that one tensor after another lives in; ``planned`` is false for what is not the planner's to place."""

    size: int
    shape: tuple[Dim, ...] = ()
    #: Bits of an element.
    width: int = 0
    uses: int = 0
    start: int = 0
    end: int = -1
    planned: bool = True


@dataclass
class _Plan:
    """Which buffer every tensor gets, node by node."""

    graph: Graph
    outputs: frozenset[str] = field(init=False)
    buffers: dict[str, _Buffer] = field(init=False)
    made: list[_Buffer] = field(default_factory=list)
    free: list[_Buffer] = field(default_factory=list)
    uses: Counter[str] = field(init=False)

    def __post_init__(self) -> None:
        graph = self.graph
        self.outputs = frozenset(graph.outputs)
        self.uses = Counter(chain(graph.outputs, *[node.inputs for node in graph.nodes]))
        others = _Buffer(0, uses=1 << 60, planned=False)  # of inputs and constants, which are never released
        self.buffers = dict.fromkeys((*graph.inputs, *graph.parameters), others)

    def execute(self, step: int, node: Node) -> None:
        """Place the outputs of a node, then release what is needed no more."""
        for index, name in enumerate(node.outputs):
            if name:
                self._place(step, node, index, name)
        for name in node.inputs:
            if name:
                self._release(self.buffers[name], step)
        for name in node.outputs:
            if name and not self.uses.get(name):
                self.buffers[name].uses += 1
                self._release(self.buffers[name], step)

    def _place(self, step: int, node: Node, index: int, name: str) -> None:
        type_ = self.graph.types[name]
        uses = self.uses.get(name, 0)
        if name in self.outputs:
            self.buffers[name] = _Buffer(0, uses=uses + 1, planned=False)
            return
        width = BITS[type_.dtype]
        buffer = self._take_over(node, type_, width) if index == 0 else None
        if buffer is None:
            buffer = self._reuse(type_.shape, width)
        if buffer is None:
            buffer = _Buffer(_bytes(type_), type_.shape, width, 0, step)
            self.made.append(buffer)
        buffer.uses += uses
        self.buffers[name] = buffer

    def _take_over(self, node: Node, type_: TensorType, width: int) -> _Buffer | None:
        if node.op in _ALIASES:
            return self.buffers[node.inputs[0]]
        for index in _IN_PLACE.get(node.op, ()):
            if index < len(node.inputs) and node.inputs[index]:
                name = node.inputs[index]
                buffer, have = self.buffers[name], self.graph.types[name]
                if buffer.uses == 1 and have.shape == type_.shape and BITS[have.dtype] == width:
                    return buffer
        return None

    def _reuse(self, shape: tuple[Dim, ...], width: int) -> _Buffer | None:
        for position, buffer in enumerate(self.free):
            if buffer.shape == shape and buffer.width == width:
                return self.free.pop(position)
        return None

    def _release(self, buffer: _Buffer, step: int) -> None:
        buffer.uses -= 1
        if buffer.uses == 0 and buffer.planned:
            buffer.end = step
            self.free.insert(0, buffer)

    def finish(self) -> list[_Buffer]:
        """All planned buffers in the order in which they are first needed."""
        return self.made


def _pack(buffers: list[_Buffer]) -> int:
    """Bytes of the block that holds all buffers, each placed best fit among those alive when it is first needed."""
    live: list[tuple[int, int, _Buffer]] = []
    total = 0
    for buffer in buffers:
        live = [entry for entry in live if entry[2].end >= buffer.start]
        size = -(-buffer.size // _ALIGNMENT) * _ALIGNMENT
        offset = _best_fit(live, size, total)
        total = max(total, offset + size)
        live.append((offset, size, buffer))
        live.sort(key=lambda entry: entry[0])
    return total


def _best_fit(live: list[tuple[int, int, _Buffer]], size: int, total: int) -> int:
    """The start of the smallest gap that is large enough; the end of what lives where there is none."""
    current, best, waste = 0, -1, 1 << 62
    for offset, length, _ in [*live, (total, 0, None)]:
        gap = offset - current
        if size <= gap < size + waste:
            best, waste = current, gap - size
        current = max(current, offset + length)
    if best >= 0:
        return best
    return max((offset + length for offset, length, _ in live), default=0)
