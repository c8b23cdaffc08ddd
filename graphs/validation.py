"""What must hold of any graph before its shapes are known; sorts the nodes topologically on the way."""

from __future__ import annotations

from collections.abc import Iterable

from graphs.errors import InvalidGraph, UnsupportedOperator
from graphs.inference import RULES
from graphs.ir import Graph, Node
from graphs.structure import check_size, some, sort, walk

#: The range of versions of the default operator set that is read natively.
OLDEST_OPSET, NEWEST_OPSET = 9, 28


def validate(graph: Graph) -> None:
    """Check names, operators, operator set version and stated sizes; bring the nodes into topological order.

    Raises InvalidGraph (cycles, undefined or twice-defined tensors, absurd sizes, no outputs) or UnsupportedOperator.
    """
    check_opset(graph)
    check_operators(graph)
    for name in graph.inputs:
        check_size(name, graph.types[name])
    for name, parameter in graph.parameters.items():
        check_size(name, parameter.type)
    if not graph.outputs:
        raise InvalidGraph("the graph has no outputs")
    defined = {*graph.parameters, *graph.inputs}
    if len(defined) != len(graph.parameters) + len(graph.inputs):
        raise InvalidGraph(f"tensors are defined twice: {some(_twice([*graph.parameters, *graph.inputs]))}")
    graph.nodes = sort(graph.nodes, defined)
    missing = [name for name in graph.outputs if name not in defined]
    if missing:
        raise InvalidGraph(f"outputs that nothing makes: {some(missing)}")


def check_opset(graph: Graph) -> None:
    """Raises InvalidGraph for a version of the default operator set outside the supported range."""
    version = graph.opset.get("", NEWEST_OPSET)
    if not OLDEST_OPSET <= version <= NEWEST_OPSET:
        raise InvalidGraph(
            f"operator set {version} is not supported ({OLDEST_OPSET} to {NEWEST_OPSET} are); convert the model"
        )


def check_operators(graph: Graph) -> None:
    """Raises UnsupportedOperator with all operators that nobody knows, those in subgraphs included."""
    unknown: set[str] = set()
    for node in walk(graph.nodes):
        kind = node.kind
        if kind not in RULES and kind not in unknown and not _in_standard(node, graph.opset):
            unknown.add(kind)
    if unknown:
        raise UnsupportedOperator(sorted(unknown), f"operators that are not known: {', '.join(sorted(unknown))}")


def _in_standard(node: Node, opset: dict[str, int]) -> bool:
    from onnx import defs

    return bool(defs.has(node.op, opset.get(node.domain, 1), node.domain))


def _twice(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return [n for n in names if n in seen or seen.add(n)]  # type: ignore[func-returns-value]
