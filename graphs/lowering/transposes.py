"""Transposes move down through other nodes where that cancels some of them.

After onnxruntime's transpose optimizer (core/optimizer/transpose_optimization, 1.31): nodes are visited in topological
order; a Transpose above a node is pushed below it if the number of transposed non-trivial dimensions strictly falls,
counting a transpose below the node as free where it may meet another one. Runs at level 1 for every operator, and again
at level 2, where the CPU provider adds its own operators and Resize.
"""

from __future__ import annotations

from graphs.ir import Node, TensorType
from graphs.lowering import transpose_handlers as handlers
from graphs.lowering.precision import hide, reveal
from graphs.lowering.qdq_pairs import repair_units
from graphs.lowering.rewriter import Rewriter

Perm = tuple[int, ...]


def move_transposes(r: Rewriter, *, assigned: bool) -> None:
    """``assigned``: nodes belong to the CPU provider already (level 2 and later)."""
    if any(node.op == "Transpose" for node in r.nodes):
        unassigned = reveal(r)
        _Mover(r, assigned, frozenset(map(id, unassigned))).run()
        hide(r, unassigned)
    if any(node.op == "DequantizeLinear" for node in r.nodes):
        r.sort()
        repair_units(r)


class _Mover:
    def __init__(self, r: Rewriter, assigned: bool, but: frozenset[int]) -> None:
        """``but`` are the ids of nodes that belong to nobody although the others are assigned."""
        self.r = r
        self.assigned = assigned
        self.but = but
        self.leading: set[str] = set()
        self.reachable: dict[str, frozenset[Perm]] = {}
        self._find_leading()

    def run(self) -> None:
        for node in self.r.nodes:
            if not self.r.alive(node):
                continue
            for index, tensor in enumerate(list(node.inputs)):
                above = self.r.producer(tensor) if tensor else None
                perm = handlers.perm_of(above) if above is not None else None
                if above is not None and perm is not None and self._process(above, node, perm, index):
                    break

    def _handler(self, node: Node) -> handlers.Handler | None:
        return handlers.find(node, self.assigned and id(node) not in self.but)

    def _find_leading(self) -> None:
        """Find where a transpose could go down to meet another one: by a single path any, else only its inverse."""
        for node in reversed(self.r.nodes):
            for tensor in node.outputs:
                users = self.r.users(tensor) if tensor else []
                perms = frozenset().union(*(self._perms_below(u, tensor) for u in users))
                if perms:
                    self.reachable[tensor] = perms
                if len(users) == 1 and not self.r.is_output(tensor) and perms:
                    self.leading.add(tensor)

    def _perms_below(self, user: Node, tensor: str) -> frozenset[Perm]:
        perm = handlers.perm_of(user)
        if perm is not None:
            return frozenset({perm})
        handler = handlers.find(user, self.assigned)
        if (
            handler is None
            or not handler.transposes_outputs
            or not any(user.inputs[i] == tensor for i in handler.inputs(self.r, user))
        ):
            return frozenset()
        return frozenset().union(*(self.reachable.get(t, frozenset()) for t in user.outputs))

    def _leads(self, tensor: str, perm: Perm) -> bool:
        return tensor in self.leading or handlers.invert(perm) in self.reachable.get(tensor, ())

    def _process(self, above: Node, node: Node, perm: Perm, index: int) -> bool:
        handler = self._handler(node)
        if handler is None:
            return False
        inputs = handler.inputs(self.r, node)
        if index not in inputs:
            return False
        if not self._forced(node) and self._cost(node, perm, inputs, handler) >= 0:
            return False
        return handler.push(Push(self, above, node, perm, inputs))

    def _forced(self, node: Node) -> bool:
        """Whether the node takes a Transpose at any cost: the CPU's kernels prefer the channels last."""
        if node.op == "Transpose" or (self.assigned and node.op == "MaxPool"):
            return True
        x = self.r.types[node.inputs[0]]
        return (
            self.assigned and node.op == "Resize" and node.text("mode") == "linear" and len(x.shape) == 4
            and x.dtype in ("uint8", "int8")
        )  # fmt: skip

    def _cost(self, node: Node, perm: Perm, inputs: list[int], handler: handlers.Handler) -> int:
        cost = sum(self._input_cost(node.inputs[i], perm) for i in inputs)
        if cost < 0 and handler.transposes_outputs and not any(self._leads(t, perm) for t in node.outputs):
            cost += max((self._rank(t) for t in node.outputs if t), default=0)
        return cost

    def _input_cost(self, tensor: str, perm: Perm) -> int:
        r = self.r
        if not tensor or r.is_constant(tensor) or handlers.constant_behind_dq(r, tensor) is not None:
            return 0
        producer = r.producer(tensor)
        if producer is not None and producer.op == "DequantizeLinear":
            producer = r.producer(producer.inputs[0]) or producer
        own = handlers.perm_of(producer) if producer is not None else None
        if own is not None:
            return -self._rank(tensor) if own == perm and self._likely_removable(producer) else 0
        return self._rank(tensor)

    def _likely_removable(self, transpose: Node | None) -> bool:
        assert transpose is not None
        if self.r.gives_output(transpose):
            return False
        return all(handlers.find(u, self.assigned) is not None for u in self.r.users(transpose.outputs[0]))

    def _rank(self, tensor: str) -> int:
        return sum(d != 1 for d in self.r.shape(tensor))


class Push:
    """One Transpose above one node, and the moves that handlers make with them."""

    def __init__(self, mover: _Mover, above: Node, node: Node, perm: Perm, inputs: list[int]) -> None:
        self.r = mover.r
        self.above = above
        self.node = node
        self.perm = perm
        self.inverse = handlers.invert(perm)
        self.inputs = inputs
        self.assigned = mover.assigned

    def transpose_inputs(self) -> None:
        for index in self.inputs:
            self.transpose_input(index)

    def transpose_input(self, index: int) -> None:
        """Let an input of the node be transposed by the inverse of the permutation, by the cheapest means."""
        r, node, perm = self.r, self.node, self.inverse
        tensor = node.inputs[index]
        if not tensor:
            return
        if r.is_constant(tensor):
            self._transpose_constant(node, index, perm)
            return
        dq = handlers.constant_behind_dq(r, tensor)
        if dq is not None:
            self._transpose_constant(dq, 0, perm)
            self._retype_dq(dq, perm)
            return
        producer = r.producer(tensor)
        own = handlers.perm_of(producer) if producer is not None else None
        if producer is not None and own is not None:
            if own == self.perm:
                r.set_input(node, index, producer.inputs[0])
            else:
                r.set_input(node, index, self._new_transpose(producer.inputs[0], handlers.compose(own, perm), node))
            self._drop_if_unused(producer)
            return
        if producer is not None and producer.op == "DequantizeLinear" and self._past_dq(producer, perm):
            return
        for user in r.users(tensor):
            if handlers.perm_of(user) == perm:
                r.set_input(node, index, user.outputs[0])
                return
        r.set_input(node, index, self._new_transpose(tensor, perm, node))

    def transpose_outputs(self, perm: Perm | None = None) -> None:
        """The node now gives transposed outputs; Transposes behind it restore them."""
        perm = self.perm if perm is None else perm
        if perm == tuple(range(len(perm))):
            return
        r, inverse = self.r, handlers.invert(perm)
        for index, tensor in enumerate(self.node.outputs):
            if not tensor:
                continue
            t = r.types[tensor]
            moved = TensorType(t.dtype, tuple(t.dims[i] for i in inverse))
            name = r.tensor(moved, "transposed")
            r.set_output(self.node, index, name, moved)
            r.add(
                Node("Transpose", [name], [tensor], {"perm": perm}, "", f"{self.node.name}_transpose", self.node.origin)
            )

    def drop_above(self) -> None:
        self._drop_if_unused(self.above)

    def _drop_if_unused(self, node: Node) -> None:
        if self.r.alive(node) and not self.r.edges(node) and not self.r.gives_output(node):
            self.r.remove(node)

    def _transpose_constant(self, node: Node, index: int, perm: Perm) -> None:
        """A constant is transposed once, ahead of time; one that others use too is copied."""
        r = self.r
        tensor = node.inputs[index]
        parameter = r.parameters[tensor]
        if parameter.type.elements == 1 and len(parameter.type.shape) <= 1:
            return
        value = parameter.value.transpose(perm) if parameter.value is not None else None
        t = TensorType(parameter.type.dtype, tuple(parameter.type.dims[i] for i in perm))
        r.set_input(node, index, r.constant(value, t))

    def _retype_dq(self, dq: Node, perm: Perm) -> None:
        t = self.r.types[dq.outputs[0]]
        self.r.types[dq.outputs[0]] = TensorType(t.dtype, tuple(t.dims[i] for i in perm))
        if self.r.types[dq.inputs[1]].shape not in ((), (1,)):
            axis = dq.int("axis", 1) % len(perm)
            dq.attributes["axis"] = perm.index(axis)

    def _past_dq(self, dq: Node, perm: Perm) -> bool:
        """A Transpose above a DequantizeLinear cancels as if the latter were not there."""
        before = self.r.producer(dq.inputs[0])
        if before is None or handlers.perm_of(before) != self.perm or self.r.edges(dq) != 1:
            return False
        self.r.set_input(dq, 0, before.inputs[0])
        self._retype_dq(dq, perm)
        self._drop_if_unused(before)
        return True

    def _new_transpose(self, tensor: str, perm: Perm, near: Node) -> str:
        t = self.r.types[tensor]
        moved = TensorType(t.dtype, tuple(t.dims[i] for i in perm))
        name = self.r.tensor(moved, "transposed")
        self.r.add(Node("Transpose", [tensor], [name], {"perm": perm}, "", f"{near.name}_transpose", near.origin))
        return name
