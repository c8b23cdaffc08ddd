"""What a convolution takes in: batch norm, scale, bias, padding, activation.

After onnxruntime's ConvBNFusion, ConvMulFusion, ConvAddFusion, PadFusion, FuseReluClip, ConvActivationFusion and
ConvAddActivationFusion (core/optimizer, 1.31).
"""

from __future__ import annotations

from math import isclose

from graphs.ir import Node, TensorType
from graphs.lowering.rewriter import Rewriter, merged_origin
from graphs.windows import resolved_window

#: Activations that the CPU kernels of Conv apply to their output.
CONV_ACTIVATIONS = frozenset({"Relu", "Sigmoid", "Tanh", "LeakyRelu", "Clip", "HardSigmoid"})


def _folded_conv(r: Rewriter, node: Node, follower: Node) -> None:
    """Let ``follower`` vanish into the weights and the (now present) bias of ``node``."""
    weight = r.types[node.inputs[1]]
    channels = r.shape(node.outputs[0])[1]
    r.set_input(node, 1, r.constant(t=weight, hint="w"))
    r.set_input(node, 2, r.constant(t=TensorType(weight.dtype, (channels,)), hint="b"))
    r.absorb(node, follower)


def _follower(r: Rewriter, node: Node, op: str) -> Node | None:
    """The only user of a convolution whose weights (and bias) are constants, if it is an ``op``."""
    user = r.sole_user(node)
    if user is None or user.op != op or r.dtype(node.inputs[0]) not in ("float32", "float64", "float16"):
        return None
    return user if all(not t or r.is_constant(t) for t in node.inputs[1:]) else None


def fold_followers(r: Rewriter, node: Node) -> None:
    """Bias, scale and batch norm, one after the other."""
    user = r.sole_user(node)
    if user is not None and user.op in ("Add", "Mul", "BatchNormalization"):
        fold_bias(r, node)
        fold_scale(r, node)
        fold_batch_norm(r, node)


def fold_batch_norm(r: Rewriter, node: Node) -> None:
    """BatchNormalization with constant parameters."""
    bn = _follower(r, node, "BatchNormalization")
    if bn is None or bn.inputs[0] != node.outputs[0]:
        return
    if all(r.is_constant(t) for t in bn.inputs[1:5]) and len([t for t in bn.outputs if t and r.users(t)]) <= 1:
        _folded_conv(r, node, bn)


def fold_scale(r: Rewriter, node: Node) -> None:
    """Mul by a constant of one value per output channel (or one value)."""
    mul = _follower(r, node, "Mul")
    if mul is None or len(node.inputs) > 3:
        return
    constant = mul.inputs[1] if mul.inputs[0] == node.outputs[0] else mul.inputs[0]
    if r.is_constant(constant) and _per_channel(r, node, constant, allow_scalar=True):
        weight = r.types[node.inputs[1]]
        r.set_input(node, 1, r.constant(t=weight, hint="w"))
        if len(node.inputs) > 2 and node.inputs[2]:
            r.set_input(node, 2, r.constant(t=r.types[node.inputs[2]], hint="b"))
        r.absorb(node, mul)


def fold_bias(r: Rewriter, node: Node) -> None:
    """Add of a constant of one value per output channel."""
    add = _follower(r, node, "Add")
    if add is None or len(node.inputs) > 3:
        return
    constant = add.inputs[1] if add.inputs[0] == node.outputs[0] else add.inputs[0]
    if r.is_constant(constant) and _per_channel(r, node, constant, allow_scalar=False):
        _folded_conv(r, node, add)


def _per_channel(r: Rewriter, node: Node, constant: str, *, allow_scalar: bool) -> bool:
    """Whether the constant has the form [C, 1, …] (leading ones allowed) against the output [N, C, …]."""
    shape, output = r.shape(constant), r.shape(node.outputs[0])
    if r.dtype(constant) != r.dtype(node.inputs[1]):
        return False
    if not shape or all(d == 1 for d in shape):
        return allow_scalar and len(shape) <= len(output)
    spatial = len(output) - 2
    if len(shape) not in (spatial + 1, spatial + 2):
        return False
    axis = len(shape) - spatial - 1
    return shape[axis] == output[1] and all(d == 1 for i, d in enumerate(shape) if i != axis)


def fuse_pad(r: Rewriter, node: Node) -> None:
    """Zero padding before a convolution or pool becomes its own padding (of maxima too, though they pad by -∞)."""
    user = r.sole_user(node)
    if (
        user is None
        or user.op not in ("Conv", "MaxPool", "AveragePool", "ConvInteger")
        or user.inputs[0] != node.outputs[0]
    ):
        return
    mode = node.attributes.get("mode", "constant")
    pads = r.ints(node, 1, "pads")
    auto_pad = user.attributes.get("auto_pad", "NOTSET")
    if mode not in ("constant", b"constant") or pads is None or auto_pad not in ("NOTSET", b"NOTSET"):
        return
    if (len(node.inputs) > 3 and node.inputs[3]) or (len(node.inputs) > 2 and not node.inputs[2]):
        return
    given = node.attributes.get("value", 0.0)
    fill = given if isinstance(given, float) else None
    if len(node.inputs) > 2 and node.inputs[2]:
        fill = r.scalar(node.inputs[2])
    rank = len(pads) // 2
    if fill != 0.0 or any(p < 0 for p in pads) or any(pads[i] or pads[i + rank] for i in (0, 1)):
        return
    own = resolved_window(r.graph, user).pads
    if user.op == "AveragePool":
        if any(own) and not user.attributes.get("count_include_pad"):
            return
        user.attributes["count_include_pad"] = 1
    spatial = rank - 2
    begins = tuple(own[i] + pads[2 + i] for i in range(spatial))
    ends = tuple(own[spatial + i] + pads[rank + 2 + i] for i in range(spatial))
    user.attributes["pads"] = begins + ends
    user.origin = merged_origin(node, user)
    r.set_input(user, 0, node.inputs[0])
    r.remove(node)


def fuse_relu_clip(r: Rewriter, node: Node) -> None:
    """Relu before a Clip whose minimum is not below zero (or can be raised to it) vanishes."""
    clip = r.sole_user(node)
    if clip is None or clip.op != "Clip" or clip.inputs[0] != node.outputs[0]:
        return
    if all(not t or r.is_constant(t) for t in clip.inputs[1:2]):
        clip.origin = merged_origin(node, clip)
        r.set_input(clip, 0, node.inputs[0])
        r.remove(node)


def fuse_activation(r: Rewriter, node: Node) -> None:
    """Conv followed by one activation is one FusedConv."""
    _fuse_activation(r, node, "float32")


def fuse_half_activation(r: Rewriter, node: Node) -> None:
    """The same where kernels of convolutions compute in half precision."""
    _fuse_activation(r, node, "float16")


def _fuse_activation(r: Rewriter, node: Node, dtype: str) -> None:
    user = r.sole_user(node)
    if user is None or user.op not in CONV_ACTIVATIONS or r.dtype(node.inputs[0]) != dtype:
        return
    if not _constant_bounds(r, user):
        return
    attributes = dict(node.attributes) | {"activation": user.op}
    r.fuse([node, user], "FusedConv", node.inputs, "com.microsoft", attributes)


def fuse_hard_swish(r: Rewriter, node: Node) -> None:
    """Conv followed by x · HardSigmoid(x) with the slope 1/6 is one FusedConv, unless the graph returns the product."""
    made = node.outputs[0]
    users = r.users(made)
    if len(users) != 2 or r.is_output(made) or r.dtype(made) != "float32":
        return
    gate, product = users if users[0].op == "HardSigmoid" else users[::-1]
    if gate.op != "HardSigmoid" or product.op != "Mul" or r.sole_user(gate) is not product or r.gives_output(product):
        return
    slope, offset = (gate.attributes.get(name, default) for name, default in (("alpha", 0.2), ("beta", 0.5)))
    if not isinstance(slope, float) or not isclose(slope, 1 / 6, rel_tol=1e-5) or offset != 0.5:
        return
    attributes = dict(node.attributes) | {"activation": "HardSwish"}
    r.fuse([node, gate, product], "FusedConv", node.inputs, "com.microsoft", attributes)


def fuse_residual(r: Rewriter, node: Node) -> None:
    """Conv with a bias + Add of an equal shape (+ activation) outside of the blocked layout: one FusedConv."""
    _fuse_residual(r, node, "float32")


def fuse_half_residual(r: Rewriter, node: Node) -> None:
    """The same where kernels of convolutions compute in half precision, most of them with the channels last."""
    _fuse_residual(r, node, "float16")


def _fuse_residual(r: Rewriter, node: Node, dtype: str) -> None:
    add = r.sole_user(node)
    if add is None or add.op != "Add" or r.dtype(node.inputs[0]) != dtype:
        return
    first, second = add.inputs
    if first == second or len(r.shape(first)) != 4 or r.shape(first) != r.shape(second):
        return
    makers = [p for t in add.inputs if (p := r.producer(t)) is not None and _takes_residual(r, p)]
    if not makers:
        return
    # The runtime looks first at what it made first. It turns the branches of a network round from the last one on.
    conv = makers[-1 if makers[0].op == "NhwcFusedConv" else 0]
    other = second if first == conv.outputs[0] else first
    attributes = dict(conv.attributes)
    nodes = [conv, add]
    user = r.sole_user(add)
    if user is not None and user.op in CONV_ACTIVATIONS and _constant_bounds(r, user):
        nodes.append(user)
        attributes["activation"] = user.op
    fused = "FusedConv" if conv.op == "Conv" else conv.op
    r.fuse(nodes, fused, [*conv.inputs, other], "com.microsoft", attributes)


def _takes_residual(r: Rewriter, node: Node) -> bool:
    return (
        node.kind in ("Conv", "com.microsoft.NhwcFusedConv")
        and "activation" not in node.attributes
        and len(node.inputs) == 3
        and bool(node.inputs[2])
        and r.edges(node) == 1
    )


def _constant_bounds(r: Rewriter, node: Node) -> bool:
    return not node.domain and (node.op != "Clip" or all(not t or r.is_constant(t) for t in node.inputs[1:]))
