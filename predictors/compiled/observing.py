"""The kernels of an architecture, block by block: what a runtime makes of each block where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from graphs.dtypes import nbytes
from graphs.ir import Graph
from graphs.kernels import Kernel
from graphs.kernels_of import kernels_of
from graphs.lowering import LoweringProfile, optimise
from graphs.lowering.nchwc import blocked_tensors
from graphs.memory import memory_over_time
from graphs.packing import packed_bytes
from graphs.search_spaces import Walker, assemble_row
from graphs.search_spaces.assembly import SEPARATOR
from graphs.search_spaces.pieces import Piece
from predictors.context import contexts_of

#: Kernels at the end of a block that tell how its output is laid out.
_ENDS = 2

#: How long ago a kernel's largest and oldest inputs were touched, as contexts have it.
Surroundings = tuple[int, int]


@dataclass
class BlockKernels:
    """The part of one block in an architecture."""

    kernels: list[Kernel] = field(default_factory=list)
    surroundings: list[Surroundings] = field(default_factory=list)
    #: Whether the kernels' outputs are in the blocked layout.
    blocked: list[bool] = field(default_factory=list)
    #: Bytes of its constants, copies that kernels rearranged for themselves included.
    constants: int = 0
    #: The most bytes of activations that are alive while one of its kernels runs.
    live: int = 0

    @property
    def ends(self) -> tuple[tuple[str, int, bool], ...]:
        """Kinds, numbers of inputs and layouts of its last kernels: what they can still be fused with."""
        last = zip(self.kernels[-_ENDS:], self.blocked[-_ENDS:], strict=True)
        return tuple((kernel.kind, len(kernel.inputs), blocked) for kernel, blocked in last)


@dataclass
class Observed:
    """An architecture: its blocks in order (those that are skipped left out)."""

    pieces: list[Piece]
    blocks: list[BlockKernels]
    #: Bytes of the block of memory for activations, outputs included.
    activations: int


def observe(walker: Walker, row: Sequence[int], profile: LoweringProfile) -> Observed:
    """Lower an architecture and divide what comes of it among its blocks."""
    graph = assemble_row(walker, row)
    lowered = optimise(graph, profile)
    places = _places(graph, lowered)
    pieces = [step.piece for step in walker.walk(row) if step.piece is not None and step.piece.graph.nodes]
    blocks = [BlockKernels() for _ in pieces]
    kernels = kernels_of(lowered)
    blocked = blocked_tensors(lowered)
    contexts = contexts_of(kernels, 0.0)
    memory, live = memory_over_time(lowered)
    for i, (place, kernel) in enumerate(zip(places, kernels, strict=True)):
        block = blocks[place]
        block.kernels.append(kernel)
        block.blocked.append(lowered.nodes[i].outputs[0] in blocked)
        block.surroundings.append(contexts[i][:2])
        block.live = max(block.live, live[i])
    _add_constants(lowered, places, blocks)
    return Observed(pieces, blocks, memory.activations)


def _layer_of(name: str) -> str:
    return name.partition(SEPARATOR)[0]


def _places(graph: Graph, lowered: Graph) -> list[int]:
    """The block of each node of the lowered graph.

    A node that stands for several counts where the one with most weights is, or else the first; one that stands for
    none counts with the node before it. A reorder counts with who needs it, since nobody before knows; at the end of
    the network that is the last block.
    """
    layers: dict[str, int] = {}
    origin: dict[str, tuple[int, int]] = {}
    for node in graph.nodes:
        place = layers.setdefault(_layer_of(node.name), len(layers))
        weights = sum(graph.parameters[name].type.elements for name in node.inputs if name in graph.parameters)
        origin[node.name] = (weights, -place)
    places, last = [], 0
    for node in lowered.nodes:
        found = [origin[name] for name in (node.origin or (node.name,)) if name in origin]
        last = -max(found)[1] if found else last
        places.append(last)
    readers: dict[str, int] = {}
    for index in reversed(range(len(places))):
        node = lowered.nodes[index]
        if node.op == "ReorderOutput":
            places[index] = readers.get(node.outputs[0], len(layers) - 1)
        readers.update(dict.fromkeys(node.inputs, places[index]))
    return places


def _add_constants(lowered: Graph, places: Sequence[int], blocks: Sequence[BlockKernels]) -> None:
    """Every constant counts once, in the first block that reads it."""
    seen: set[str] = set()
    for place, block in enumerate(blocks):
        nodes = [node for node, where in zip(lowered.nodes, places, strict=True) if where == place]
        fresh = {name for node in nodes for name in node.inputs if name in lowered.parameters} - seen
        seen |= fresh
        part = replace(lowered, nodes=nodes, parameters={name: lowered.parameters[name] for name in fresh})
        block.constants = packed_bytes(part) + sum(_nbytes(lowered, name) for name in fresh)


def _nbytes(graph: Graph, name: str) -> int:
    type_ = graph.parameters[name].type
    return nbytes(type_.dtype, type_.elements)
