"""A graph under rewriting: who produces and who uses each tensor, kept up to date as nodes come and go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from operator import attrgetter

import numpy as np

from graphs.interruption import checkpoint
from graphs.ir import Attribute, Graph, Node, Parameter, TensorType, Value

_ORIGIN = attrgetter("origin")

#: Changes between two looks at whether anybody still wants the result (a power of two).
_CHECK_EVERY = 16


class Rewriter:
    """Mutable view of an inferred graph. ``nodes`` are in topological order whenever a pass starts.

    An edge is one use of an output by one input of one node; being an output of the graph is not an edge. ``owned``
    graphs, which nobody else will read, are rewritten themselves; others are copied.
    """

    def __init__(self, graph: Graph, *, owned: bool = False) -> None:
        self.graph = graph if owned else graph.copy()
        self.types = self.graph.types
        self.parameters = self.graph.parameters
        self.opset = graph.opset.get("", 21)
        self._outputs = set(graph.outputs)
        self._nodes: dict[int, Node] = {}
        self._producer: dict[str, Node] = {}
        self._users: dict[str, list[Node]] = {}
        #: Constants that the runtime keeps outside of the model and therefore never finds equal to others.
        self.incomparable: set[str] = set()
        #: Nodes by id that run although nobody may need what they make.
        self.lasting: dict[int, Node] = {}
        #: Nodes that belong to no provider yet (see `graphs.lowering.precision.hide`).
        self.hidden: list[Node] = []
        #: Tensors whose shapes the runtime does not know ahead of time (see `graphs.lowering.uncertain`).
        self.uncertain: frozenset[str] = frozenset()
        self._fresh = 0
        #: Whether the nodes are in topological order, as those of an inferred graph are.
        self._ordered = True
        #: How often anything was changed so far.
        self.changes = 0
        #: By pass, the number of changes at which it found nothing to do.
        self.idle_at: dict[int, int] = {}
        for node in self.graph.nodes:
            node.origin = node.origin or (node.name,)
            self._link(node)
        read = self._outputs.union(self._users)
        for node in self.graph.nodes:
            if read.isdisjoint(node.outputs):
                self.lasting[id(node)] = node

    # --- looking ---

    @property
    def nodes(self) -> list[Node]:
        """The nodes, in the order in which they were linked (topological after `sort`)."""
        return list(self._nodes.values())

    def alive(self, node: Node) -> bool:
        return id(node) in self._nodes

    def producer(self, tensor: str) -> Node | None:
        return self._producer.get(tensor)

    def users(self, tensor: str) -> list[Node]:
        """One entry per edge."""
        return self._users.get(tensor, [])

    def edges(self, node: Node) -> int:
        users, count = self._users, 0
        for tensor in node.outputs:
            if tensor in users:
                count += len(users[tensor])
        return count

    def is_output(self, tensor: str) -> bool:
        return tensor in self._outputs

    def gives_output(self, node: Node) -> bool:
        return not self._outputs.isdisjoint(node.outputs)

    def sole_user(self, node: Node) -> Node | None:
        """The only node that uses the only edge out of ``node``; None if the graph returns the tensor too."""
        sole, users = None, self._users
        for tensor in node.outputs:
            if tensor in self._outputs:
                return None
            for user in users.get(tensor, ()):
                if sole is not None:
                    return None
                sole = user
        return sole

    def is_constant(self, tensor: str) -> bool:
        return tensor in self.parameters

    def value(self, tensor: str) -> Value | None:
        parameter = self.parameters.get(tensor)
        return None if parameter is None else parameter.value

    def scalar(self, tensor: str) -> float | None:
        """The value of a known constant of one element."""
        value = self.value(tensor)
        return float(value.reshape(-1)[0]) if value is not None and value.size == 1 else None

    def ints(self, node: Node, index: int, attribute: str) -> tuple[int, ...] | None:
        """Integers that older opsets keep in an attribute and newer ones in a constant input; None if absent."""
        given = node.ints(attribute)
        if given is not None:
            return given
        if index < len(node.inputs) and node.inputs[index]:
            value = self.value(node.inputs[index])
            return None if value is None else tuple(int(v) for v in value.reshape(-1))
        return None

    def shape(self, tensor: str) -> tuple[int, ...]:
        return self.types[tensor].shape  # type: ignore[return-value]  # static, as all types of an inferred graph

    def dtype(self, tensor: str) -> str:
        return self.types[tensor].dtype

    # --- changing ---

    def add(self, node: Node, types: Sequence[TensorType] = ()) -> Node:
        """Link ``node``; ``types`` are those of its outputs where they are new."""
        for tensor, t in zip(node.outputs, types, strict=False):
            self.types[tensor] = t
        self._link(node)
        self._change()
        self._ordered = self._ordered and not any(map(self._users.get, node.outputs))
        return node

    def remove(self, *nodes: Node) -> None:
        users, producers = self._users, self._producer
        for node in nodes:
            del self._nodes[id(node)]
            for tensor in node.inputs:
                if tensor:
                    _take_out(users[tensor], node)
            for tensor in node.outputs:
                if producers.get(tensor) is node:
                    del producers[tensor]
            self._change()

    def fuse(
        self,
        nodes: Sequence[Node],
        op: str,
        inputs: Iterable[str],
        domain: str = "",
        attributes: dict[str, Attribute] | None = None,
    ) -> Node:
        """Replace ``nodes`` by one node that gives the outputs of the last of them."""
        new = Node(op, list(inputs), list(nodes[-1].outputs), attributes or {}, domain, nodes[0].name)
        new.origin = merged_origin(*nodes)
        return self.substitute(nodes, new)

    def substitute(self, nodes: Sequence[Node], new: Node) -> Node:
        """Put ``new`` in the place of ``nodes``; it lasts if the last of them does."""
        if id(nodes[-1]) in self.lasting:
            self.lasting[id(new)] = new
        self.remove(*nodes)
        return self.add(new)

    def set_input(self, node: Node, index: int, tensor: str) -> None:
        """Let an input of ``node`` read another tensor ('' removes it; missing inputs are filled up)."""
        while len(node.inputs) <= index:
            node.inputs.append("")
        old = node.inputs[index]
        if old:
            _take_out(self._users[old], node)
        node.inputs[index] = tensor
        if tensor:
            self._users.setdefault(tensor, []).append(node)
        self._change()
        self._ordered = self._ordered and tensor not in self._producer

    def set_output(self, node: Node, index: int, tensor: str, t: TensorType | None = None) -> None:
        old = node.outputs[index]
        if self._producer.get(old) is node:
            del self._producer[old]
        node.outputs[index] = tensor
        self._producer[tensor] = node
        if t is not None:
            self.types[tensor] = t
        self._change()
        self._ordered = False

    def absorb(self, node: Node, follower: Node) -> None:
        """Let ``node`` do what its only user did, and give the output of that."""
        output, ordered = follower.outputs[0], self._ordered
        node.origin = merged_origin(node, follower)
        self.remove(follower)
        self.set_output(node, 0, output)
        self._ordered = ordered  # who reads it came after the follower

    def bypass(self, node: Node, source: str | None = None) -> bool:
        """Remove a node that passes its input on; False (and no change) if the graph needs both names."""
        source = node.inputs[0] if source is None else source
        target = node.outputs[0]
        if target in self._outputs:
            before = self._producer.get(source)
            if before is None or source in self._outputs:
                return False
            self.remove(node)
            self.set_output(before, before.outputs.index(source), target)
            self._move_users(source, target)
            return True
        self.remove(node)
        self._move_users(target, source)
        return True

    def tensor(self, t: TensorType, hint: str = "t") -> str:
        """A new name for a tensor of type ``t``."""
        while (name := f"{hint}__{self._fresh}") in self.types:
            self._fresh += 1
        self._fresh += 1
        self.types[name] = t
        return name

    def constant(self, value: Value | None = None, t: TensorType | None = None, hint: str = "c") -> str:
        """A new constant: of a known small ``value``, or a weight of type ``t``."""
        if value is not None:
            t = TensorType(str(value.dtype), tuple(value.shape))
        assert t is not None
        name = self.tensor(t, hint)
        self.parameters[name] = Parameter(t, value)
        return name

    def int_constant(self, values: Iterable[int]) -> str:
        return self.constant(np.array(list(values), dtype=np.int64))

    def sort(self) -> None:
        """Restore topological order; among the ready, producers of earlier inputs and older nodes come first."""
        if self._ordered:
            return
        done: dict[int, Node] = {}
        producers = self._producer
        for root in self._nodes.values():
            stack = [root]
            while stack:
                node = stack[-1]
                if id(node) in done:
                    stack.pop()
                    continue
                ready = True
                for tensor in reversed(node.inputs):
                    maker = producers.get(tensor)
                    if maker is not None and id(maker) not in done:
                        stack.append(maker)
                        ready = False
                if ready:
                    done[id(node)] = node
                    stack.pop()
        self._nodes = done
        self._ordered = True

    def drop_unused(self) -> None:
        """Remove nodes whose outputs nobody needs."""
        outputs, users = self._outputs, self._users
        for node in reversed(self.nodes):
            needed = not outputs.isdisjoint(node.outputs) or any(map(users.get, node.outputs))
            if not needed and id(node) not in self.lasting:
                self.remove(node)

    def finish(self) -> Graph:
        """The rewritten graph."""
        self.sort()
        self.graph.nodes = self.nodes
        users, outputs = self._users, self._outputs
        self.graph.parameters = {n: p for n, p in self.parameters.items() if users.get(n) or n in outputs}
        return self.graph

    def _change(self) -> None:
        self.changes += 1
        if not self.changes % _CHECK_EVERY:
            checkpoint()

    def _link(self, node: Node) -> None:
        self._nodes[id(node)] = node
        users, producers = self._users, self._producer
        for tensor in node.inputs:
            if tensor:
                if tensor in users:
                    users[tensor].append(node)
                else:
                    users[tensor] = [node]
        for tensor in node.outputs:
            if tensor:
                producers[tensor] = node

    def _move_users(self, old: str, new: str) -> None:
        moved = self._users.pop(old, [])
        for node in moved:
            node.inputs = [new if t == old else t for t in node.inputs]
        self._users.setdefault(new, []).extend(moved)


def _take_out(users: list[Node], node: Node) -> None:
    """Remove one entry of ``node`` itself, not of one that equals it."""
    if len(users) == 1:
        users.clear()
        return
    for i, user in enumerate(users):
        if user is node:
            del users[i]
            return


def merged_origin(*nodes: Node) -> tuple[str, ...]:
    """The submitted nodes behind all of ``nodes``, each once, in order."""
    return tuple(dict.fromkeys(chain.from_iterable(map(_ORIGIN, nodes))))
