"""The structure of graphs: who reads what, in which order, and how large a tensor may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from math import prod

from graphs.dtypes import BITS
from graphs.errors import InvalidGraph
from graphs.ir import Graph, Node, TensorType

#: No tensor may be larger than this; a model that says so is broken or hostile.
MAX_TENSOR_BYTES = 1 << 40

MAX_RANK = 32


def walk(nodes: Iterable[Node]) -> Iterator[Node]:
    """These nodes and those of their subgraphs."""
    for node in nodes:
        yield node
        for attribute in node.attributes.values():
            if isinstance(attribute, Graph):
                yield from walk(attribute.nodes)


def reads(node: Node) -> Sequence[str]:
    """Every tensor that a node needs: its inputs, and what its subgraphs take from outside."""
    names: Sequence[str] = node.inputs if "" not in node.inputs else [name for name in node.inputs if name]
    for attribute in node.attributes.values():
        if isinstance(attribute, Graph):
            names = [*names, *_taken(attribute)]
    return names


def _taken(body: Graph) -> Iterator[str]:
    """What a body reads from around it."""
    inner = {*body.inputs, *body.parameters}
    for child in body.nodes:
        yield from (name for name in reads(child) if name not in inner)
        inner.update(child.outputs)
    yield from (name for name in body.outputs if name not in inner)


def bodies_read(nodes: Iterable[Node]) -> Iterator[str]:
    """The tensors that bodies of control flow take from around them."""
    for node in nodes:
        for attribute in node.attributes.values():
            if isinstance(attribute, Graph):
                yield from set(reads(node)).difference(node.inputs)


@lru_cache(maxsize=100_000)
def _is_plain(type_: TensorType) -> bool:
    """Whether `check_size` has nothing to say about a static type. (1.0 equals 1 here: whatever is no integer is not
    plain.)
    """
    if not type_.is_static or type_.dtype not in BITS:
        return False
    dims, bits = type_.dims, BITS[type_.dtype]
    return len(dims) <= MAX_RANK and min(dims, default=0) >= 0 and bits * prod(dims) <= 8 * MAX_TENSOR_BYTES


def check_size(name: str, type_: TensorType) -> None:
    """Raises InvalidGraph for a type that no real tensor has."""
    if _is_plain(type_):
        return
    if type_.dtype not in BITS:
        raise InvalidGraph(f"tensor {name!r}: {type_.dtype!r} is no element type")
    bits = BITS[type_.dtype]
    for dim in type_.shape:
        if isinstance(dim, int):
            if dim < 0:
                raise InvalidGraph(f"tensor {name!r} has a negative dimension: {list(type_.shape)}")
            bits *= dim
    if len(type_.shape) > MAX_RANK or bits > 8 * MAX_TENSOR_BYTES:
        raise InvalidGraph(f"tensor {name!r} is absurdly large: {type_.dtype} {list(type_.shape)}")


def sort(nodes: list[Node], defined: set[str]) -> list[Node]:
    """The nodes in an order in which everything is made before it is read; ``defined`` grows by what they make."""
    waiting: list[Node] = []
    for number, node in enumerate(nodes):
        if not defined.issuperset(reads(node)):
            waiting = nodes[number:]
            break
        _define(node, defined)
    if not waiting:
        return nodes
    result = nodes[: len(nodes) - len(waiting)]
    made = {name for node in waiting for name in node.outputs}
    blocked = {id(n): {name for name in reads(n) if name not in defined} for n in waiting}
    undefined = {name for names in blocked.values() for name in names if name not in made}
    if undefined:
        raise InvalidGraph(f"tensors that nothing defines: {some(undefined)}")
    return result + _kahn(waiting, blocked, defined)


def _kahn(nodes: list[Node], blocked: dict[int, set[str]], defined: set[str]) -> list[Node]:
    readers: dict[str, list[Node]] = {}
    for node in nodes:
        for name in blocked[id(node)]:
            readers.setdefault(name, []).append(node)
    ready = [n for n in reversed(nodes) if not blocked[id(n)]]
    result = []
    while ready:
        node = ready.pop()
        result.append(node)
        _define(node, defined)
        for name in node.outputs:
            for reader in reversed(readers.get(name, ())):
                blocked[id(reader)].discard(name)
                if not blocked[id(reader)]:
                    ready.append(reader)
    if len(result) < len(nodes):
        done = set(map(id, result))
        stuck = [n.name or n.op for n in nodes if id(n) not in done]
        raise InvalidGraph(f"the graph has a cycle through {some(stuck)}")
    return result


def _define(node: Node, defined: set[str]) -> None:
    for name in node.outputs:
        if name in defined:
            raise InvalidGraph(f"tensor {name!r} is defined twice")
        if name:
            defined.add(name)


def some(names: Iterable[str]) -> str:
    """A few names for a message."""
    listed = sorted(set(names))
    more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
    return ", ".join(map(repr, listed[:5])) + more
