"""The blocked layout of x86: convolutions and pools work on channels in blocks, with reorders at the borders.

After onnxruntime's NchwcTransformer (core/optimizer/nchwc_transformer.cc, 1.31). A blocked tensor keeps its shape as
[N, C rounded up to the block, H, W].
"""

from __future__ import annotations

from dataclasses import dataclass

from graphs.ir import Attribute, Graph, Node, TensorType
from graphs.lowering.rewriter import Rewriter, merged_origin

_DOMAIN = "com.microsoft.nchwc"

#: Channel counts need this alignment before they are padded to a whole block (limit of the reorder kernels).
_ALIGNMENT = 4

#: Elementwise operators that work on any layout; the first three can also vanish into a convolution.
_FUSIBLE = frozenset({"Relu", "Sigmoid", "Tanh"})
_ACTIVATIONS = _FUSIBLE | {"Gelu", "com.microsoft.Gelu", "com.microsoft.QuickGelu"}


@dataclass(slots=True)
class _Blocked:
    """A tensor that now exists in blocked form: made by ``node`` under the name ``tensor``."""

    node: Node
    tensor: str
    uses: int
    channels: int


def to_blocked_layout(r: Rewriter, block: int) -> None:
    """Convert everything that the runtime converts; ``block`` is 16 with AVX-512 and 8 without."""
    _Layout(r, block).run()


def blocked_tensors(lowered: Graph) -> set[str]:
    """Tensors of a lowered graph in the blocked layout: operators that work on single elements pass it on."""
    blocked: set[str] = set()
    for node in lowered.nodes:
        made = node.op != "ReorderOutput" if node.domain == _DOMAIN else not blocked.isdisjoint(node.inputs)
        if made:
            blocked.update(node.outputs)
    return blocked


class _Layout:
    def __init__(self, r: Rewriter, block: int) -> None:
        self.r = r
        self.block = block
        self.blocked: dict[str, _Blocked] = {}
        self.reordered: dict[str, str] = {}
        self.transposes: list[Node] = []
        self.packed: dict[tuple[str, tuple[int, ...]], str] = {}

    def run(self) -> None:
        for node in self.r.nodes:
            if self.r.alive(node):
                self._convert(node)
        for tensor, b in self.blocked.items():
            if self.r.users(tensor) or self.r.is_output(tensor):
                attributes = {"channels": b.channels}
                self.r.add(
                    Node("ReorderOutput", [b.tensor], [tensor], dict(attributes), _DOMAIN, b.node.name, b.node.origin)
                )
        for node in self.transposes:
            if self.r.alive(node) and not self.r.edges(node) and not self.r.gives_output(node):
                self.r.remove(node)

    def _convert(self, node: Node) -> None:
        op = node.op
        if (op == "Conv" and not node.domain) or op == "FusedConv":
            self._conv(node)
        elif op in ("MaxPool", "AveragePool") and not node.domain:
            self._pool(node)
        elif not self.blocked.keys().isdisjoint(node.inputs) and self._all_blocked(node):
            self._follow(node, op)

    def _follow(self, node: Node, op: str) -> None:
        """Nodes that go along only where all that feeds them is blocked already."""
        if op in ("Add", "Sum"):
            self._binary(node, fusible=True)
        elif op == "Mul":
            self._binary(node, fusible=False)
            if self.r.alive(node) and node.inputs[0] in self.blocked:
                self._scale(node)
        elif op == "Concat":
            self._concat(node)
        elif node.kind in _ACTIVATIONS:
            self._activation(node)
        elif op == "BatchNormalization":
            self._batch_norm(node)
        elif op == "Transpose":
            self._transpose(node)
        elif op in ("Upsample", "Resize"):
            self._resize(node)
        elif op in ("GlobalMaxPool", "GlobalAveragePool"):
            self._pool(node)

    def _all_blocked(self, node: Node) -> bool:
        return all(t in self.blocked or self.r.producer(t) is None for t in node.inputs if t)

    def _padded(self, channels: int) -> int:
        return -(-channels // self.block) * self.block

    def _blocked_type(self, tensor: str, channels: int) -> TensorType:
        dtype, shape = self.r.types[tensor]
        return TensorType(dtype, (shape[0], self._padded(channels), *shape[2:]))

    def _publish(self, node: Node, tensor: str, channels: int) -> None:
        """``node`` made ``tensor``, and now makes its blocked form instead."""
        uses = len(self.r.users(tensor)) + self.r.is_output(tensor)
        t = self._blocked_type(tensor, channels)
        name = self.r.tensor(t, "nchwc")
        self.r.set_output(node, 0, name, t)
        self.blocked[tensor] = _Blocked(node, name, uses, channels)

    def _replace(self, node: Node, op: str, inputs: list[str], attributes: dict[str, Attribute], channels: int) -> None:
        """Put a blocked ``op`` that makes the blocked form of the same tensor in the place of ``node``."""
        r, tensor = self.r, node.outputs[0]
        uses = len(r.users(tensor)) + r.is_output(tensor)
        name = r.tensor(self._blocked_type(tensor, channels), "nchwc")
        new = r.substitute([node], Node(op, inputs, [name], attributes, _DOMAIN, node.name, node.origin))
        self.blocked[tensor] = _Blocked(new, name, uses, channels)

    def _merge(self, node: Node, into: _Blocked) -> None:
        """``node`` vanishes into the node that made ``into``; its output is the same blocked tensor."""
        output = node.outputs[0]
        uses = len(self.r.users(output)) + self.r.is_output(output)
        into.node.origin = merged_origin(into.node, node)
        if id(node) in self.r.lasting:
            self.r.lasting[id(into.node)] = into.node
        self.r.remove(node)
        self.blocked[output] = _Blocked(into.node, into.tensor, uses, into.channels)

    def _reorder_input(self, tensor: str, channels: int, origin: tuple[str, ...]) -> str:
        """The blocked form of a plain tensor; a transpose from channels-last before it is part of the reorder."""
        if tensor not in self.reordered:
            t = self._blocked_type(tensor, channels)
            name = self.r.tensor(t, "nchwc")
            above = self.r.producer(tensor)
            only = above is not None and self.r.sole_user(above) is not None
            if above is not None and only and above.op == "Transpose" and above.attributes.get("perm") == (0, 3, 1, 2):
                source, attributes = above.inputs[0], {"channels_last": 1}
                self.transposes.append(above)
            else:
                source, attributes = tensor, {}
            self.r.add(Node("ReorderInput", [source], [name], dict(attributes), _DOMAIN, origin[0], origin), [t])
            self.reordered[tensor] = name
        return self.reordered[tensor]

    def _pack(self, weight: str, shape: tuple[int, ...]) -> str:
        """The reordered copy of a weight; convolutions that share the weight share it."""
        if (weight, shape) not in self.packed:
            self.packed[weight, shape] = self.r.constant(t=TensorType("float32", shape), hint="w")
        return self.packed[weight, shape]

    def _conv(self, node: Node) -> None:
        r = self.r
        dtype, shape = r.types[node.inputs[1]]
        if dtype != "float32" or len(shape) != 4 or (len(node.inputs) > 3 and node.inputs[3]):
            return
        for constant in node.inputs[1:3]:
            if constant and constant not in r.parameters:
                return
        outputs, inputs, kh, kw = r.shape(node.inputs[1])
        group = node.int("group", 1)
        depthwise = group > 1 and inputs == 1 and outputs == group
        reorder, filters = True, inputs
        if depthwise:
            if outputs % _ALIGNMENT:
                return
        elif group > 1:
            if inputs % self.block or outputs % group or (outputs // group) % self.block or outputs % self.block:
                return
        elif inputs < self.block:
            reorder = False
        elif inputs % _ALIGNMENT:
            return
        else:
            filters = self._padded(inputs)
        padded = self._padded(outputs)
        inputs_list = [node.inputs[0], self._pack(node.inputs[1], (padded, filters, kh, kw))]
        if len(node.inputs) > 2 and node.inputs[2]:
            inputs_list.append(self._pack(node.inputs[2], (padded,)))
        attributes = dict(node.attributes)
        attributes["group"] = padded if depthwise else group
        if reorder:
            b = self.blocked.get(node.inputs[0])
            x_channels = r.shape(node.inputs[0])[1]
            inputs_list[0] = b.tensor if b else self._reorder_input(node.inputs[0], x_channels, node.origin)
        self._replace(node, "Conv", inputs_list, attributes, outputs)

    def _pool(self, node: Node) -> None:
        r = self.r
        x = r.types[node.inputs[0]]
        if (len(node.outputs) > 1 and node.outputs[1]) or x.dtype != "float32" or len(x.shape) != 4:
            return
        channels = x.dims[1]
        if channels % self.block:
            return
        b = self.blocked.get(node.inputs[0])
        source = b.tensor if b else self._reorder_input(node.inputs[0], channels, node.origin)
        self._replace(node, node.op, [source], dict(node.attributes), channels)

    def _binary(self, node: Node, *, fusible: bool) -> None:
        r = self.r
        found = [self.blocked.get(t) for t in node.inputs]
        if any(b is None for b in found) or len({r.shape(t) for t in node.inputs}) != 1:
            return
        parts = [b for b in found if b is not None]
        for index, b in enumerate(parts):
            r.set_input(node, index, b.tensor)
        if fusible and len(parts) == 2:
            for index, b in enumerate(parts):
                conv = b.node
                if (
                    conv.op == "Conv"
                    and conv.domain == _DOMAIN
                    and b.uses == 1
                    and len(conv.inputs) < 4
                    and "activation" not in conv.attributes
                ):
                    other = parts[1 - index].tensor
                    self._merge(node, b)
                    r.set_input(conv, 3, other)
                    return
        self._publish(node, node.outputs[0], parts[0].channels)

    def _scale(self, node: Node) -> None:
        """Mul by a constant of one value per channel is a depthwise 1×1 convolution without bias."""
        r = self.r
        b = self.blocked[node.inputs[0]]
        x, c = r.shape(node.inputs[0]), r.shape(node.inputs[1])
        if not r.is_constant(node.inputs[1]) or c not in ((x[1], 1, 1), (1, x[1], 1, 1)):
            return
        self._depthwise(node, b, with_bias=False)

    def _depthwise(self, node: Node, b: _Blocked, *, with_bias: bool) -> None:
        r, padded = self.r, self._padded(b.channels)
        inputs = [b.tensor, r.constant(t=TensorType("float32", (padded, 1, 1, 1)), hint="w")]
        if with_bias:
            inputs.append(r.constant(t=TensorType("float32", (padded,)), hint="b"))
        self._replace(node, "Conv", inputs, {"group": padded}, b.channels)

    def _concat(self, node: Node) -> None:
        r = self.r
        axis = node.int("axis", 0)
        parts = [self.blocked.get(t) for t in node.inputs]
        if axis % len(r.shape(node.outputs[0])) != 1 or any(b is None or b.channels % self.block for b in parts):
            return
        for index, b in enumerate(parts):
            assert b is not None
            r.set_input(node, index, b.tensor)
        self._publish(node, node.outputs[0], sum(b.channels for b in parts if b is not None))

    def _activation(self, node: Node) -> None:
        b = self.blocked[node.inputs[0]]
        self.r.set_input(node, 0, b.tensor)
        fusible = node.kind in _FUSIBLE and b.node.op == "Conv" and b.uses == 1
        if fusible and "activation" not in b.node.attributes:
            b.node.attributes["activation"] = node.op
            self._merge(node, b)
        else:
            self._publish(node, node.outputs[0], b.channels)

    def _batch_norm(self, node: Node) -> None:
        """A batch norm that no convolution took in becomes a depthwise 1×1 convolution."""
        r = self.r
        b = self.blocked[node.inputs[0]]
        if len([t for t in node.outputs if t]) > 1 or any(not r.is_constant(t) for t in node.inputs[1:5]):
            return
        self._depthwise(node, b, with_bias=True)

    def _transpose(self, node: Node) -> None:
        """To channels-last: one reorder does both."""
        b = self.blocked[node.inputs[0]]
        if node.attributes.get("perm") != (0, 2, 3, 1):
            return
        output = node.outputs[0]
        self.r.remove(node)
        attributes = {"channels": b.channels, "channels_last": 1}
        self.r.add(Node("ReorderOutput", [b.tensor], [output], dict(attributes), _DOMAIN, node.name, node.origin))

    def _resize(self, node: Node) -> None:
        """Whole-number scales of the spatial dimensions, nearest (floor of asymmetric coordinates) or linear."""
        r = self.r
        b = self.blocked[node.inputs[0]]
        before, after = r.shape(node.inputs[0]), r.shape(node.outputs[0])
        mode = node.text("mode", "nearest")
        if node.op == "Resize" and r.opset >= 11:
            coordinates = node.text("coordinate_transformation_mode", "half_pixel")
            if mode == "nearest" and (
                coordinates != "asymmetric" or node.text("nearest_mode", "round_prefer_floor") != "floor"
            ):
                return
            if mode == "linear" and coordinates not in ("asymmetric", "align_corners", "half_pixel"):
                return
        if mode not in ("nearest", "linear") or len(before) != 4 or before[:2] != after[:2]:
            return
        if any(a % s for s, a in zip(before, after, strict=True)):
            return
        scales = tuple(a // s for s, a in zip(before, after, strict=True))
        attributes: dict[str, Attribute] = {"scales": scales, "mode": mode}
        if mode == "linear":
            default = "half_pixel" if node.op == "Resize" and r.opset >= 11 else "asymmetric"
            attributes["coordinate_transformation_mode"] = node.text("coordinate_transformation_mode", default)
        self._replace(node, "Upsample", [b.tensor], attributes, b.channels)
