"""What became of parts of networks, to be put together again: candidates of a search share most of their blocks.

What becomes of a part of a chain (`chains`) depends on the part, on the type and the layout of what comes in, and on
how many read what goes on. It is taken from the first network that was lowered with it. Networks that are no chains are
left alone, and so are those whose kernels could run in several orders, since which of them it is depends on the whole.
A part that turned out different in two networks all the same is not used again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from graphs.ir import Graph, Node, TensorType
from graphs.kernels import Kernel
from graphs.lowering.chains import Key, Part, divide, forms_of
from graphs.lowering.nchwc import blocked_tensors
from graphs.memory import constant_bytes, peak_memory

#: Parts that are remembered.
_REMEMBERED = 5_000


class FromBlocks(NamedTuple):
    """A network as `BlockMemory` puts it together."""

    #: As `graphs.lowering.lower` gives them, but that they do not say for which nodes they stand.
    kernels: list[Kernel]
    peak_memory_bytes: int
    #: As `Graph.count_parameters` of the inferred graph.
    parameters: int


@dataclass(frozen=True, slots=True)
class _Lowered:
    """What became of a part. Its tensors are numbers: 0 is what comes in, the last one what goes on."""

    kernels: tuple[Kernel, ...]
    #: By kernel, the operator and the tensors that it reads (None for constants); it makes the next number.
    steps: tuple[tuple[str, tuple[int | None, ...]], ...]
    types: tuple[TensorType, ...]
    #: What goes on as the graph has it, and whether it is in the blocked layout.
    exit: TensorType
    blocked: bool
    parameters: int
    #: Bytes of constants, and of the copies that kernels make of them.
    constants: int


class BlockMemory:
    """Parts of networks on one target of the processor; thread-safe."""

    def __init__(self) -> None:
        self._known: dict[Key, _Lowered | None] = {}

    def recall(self, graph: Graph) -> FromBlocks | None:
        """A graph all of whose parts are known. It may be inferred, or bound only: what comes in decides all types."""
        parts = divide(graph)
        forms = forms_of(graph, parts)
        if forms is None:
            return None
        known, found = self._known, []
        entry, blocked, opset = graph.types[graph.inputs[0]], False, tuple(graph.opset.items())
        for part, form in zip(parts, forms, strict=True):
            lowered = known.get((entry, form, part.first == 0, part.readers, blocked, opset))
            if lowered is None:
                return None
            found.append(lowered)
            entry, blocked = lowered.exit, lowered.blocked
        kernels = [kernel for lowered in found for kernel in lowered.kernels]
        return FromBlocks(kernels, _peak_memory(found), sum([lowered.parameters for lowered in found]))

    def learn(self, graph: Graph, optimised: Graph, kernels: Sequence[Kernel]) -> None:
        """Remember what became of the parts of an inferred graph; ``kernels`` are those of the ``optimised`` one."""
        parts = divide(graph)
        forms = forms_of(graph, parts) if len(parts) <= _REMEMBERED else None
        became = None if forms is None else _slices(graph, parts, optimised, kernels)
        if forms is None or became is None:
            return
        if len(self._known) + len(parts) > _REMEMBERED:
            self._known = {}
        known, blocked, opset = self._known, False, tuple(graph.opset.items())
        for part, form, lowered in zip(parts, forms, became, strict=True):
            key = (graph.types[part.entry], form, part.first == 0, part.readers, blocked, opset)
            if known.setdefault(key, lowered) != lowered:
                known[key] = None
            blocked = lowered.blocked


def _slices(graph: Graph, parts: Sequence[Part], optimised: Graph, kernels: Sequence[Kernel]) -> list[_Lowered] | None:
    """What became of each part; None where that cannot be told apart, or could run in another order."""
    owner = {node.name: number for number, part in enumerate(parts) for node in graph.nodes[part.first : part.end]}
    if len(owner) < len(graph.nodes):
        return None  # names that mean several nodes
    places: list[list[int]] = [[] for _ in parts]
    before, last = graph.inputs[0], 0
    for place, node in enumerate(optimised.nodes):
        owners = {owner.get(name, -1) for name in node.origin}
        if owners not in ({last}, {last + 1}) or len(node.outputs) != 1 or before not in node.inputs:
            return None
        (last,) = owners
        places[last].append(place)
        before = node.outputs[0]
    blocked = blocked_tensors(optimised)
    slices, entry = [], graph.inputs[0]
    for part, mine in zip(parts, places, strict=True):
        nodes = [optimised.nodes[place] for place in mine]
        if not nodes or not _reads_only(optimised, nodes, entry) or (part.readers and nodes[-1].op == "ReorderOutput"):
            return None  # what is reordered for one of its readers comes in both layouts
        slices.append(_slice(graph, part, optimised, nodes, [kernels[i] for i in mine], entry, blocked))
        entry = nodes[-1].outputs[0]
    return slices


def _reads_only(optimised: Graph, nodes: Sequence[Node], entry: str) -> bool:
    """Whether nodes read nothing but constants, what they make, and ``entry``."""
    made = {"", entry, *(node.outputs[0] for node in nodes)}
    return all(name in made or name in optimised.parameters for node in nodes for name in node.inputs)


def _slice(
    graph: Graph, part: Part, optimised: Graph, nodes: list[Node], kernels: list[Kernel], entry: str, blocked: set[str]
) -> _Lowered:
    numbers = {name: number for number, name in enumerate([entry, *(node.outputs[0] for node in nodes)])}
    given = graph.nodes[part.first : part.end]
    constants = {name for node in given for name in node.inputs if name in graph.parameters}
    return _Lowered(
        tuple(kernels),
        tuple([(node.op, tuple([numbers.get(name) for name in node.inputs])) for node in nodes]),
        tuple([optimised.types[name] for name in numbers]),
        graph.types[given[-1].outputs[0]],
        nodes[-1].outputs[0] in blocked,
        sum([graph.parameters[name].type.elements for name in constants]),
        constant_bytes(Graph("", graph.opset, [], [], optimised.parameters, nodes, optimised.types)),
    )


def _peak_memory(parts: Sequence[_Lowered]) -> int:
    graph = Graph(inputs=["0"], types={"0": parts[0].types[0]})
    entry = made = 0
    for part in parts:
        for op, reads in part.steps:
            made += 1
            name = str(made)
            graph.nodes.append(Node(op, ["" if i is None else str(entry + i) for i in reads], [name]))
            graph.types[name] = part.types[made - entry]
        entry = made
    graph.outputs = [str(made)]
    return peak_memory(graph) + sum([part.constants for part in parts])
