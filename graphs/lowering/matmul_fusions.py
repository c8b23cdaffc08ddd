"""Matrix products take in biases, transposes, scales and activations.

After onnxruntime's MatMulAddFusion, GemmTransposeFusion, GemmSumFusion, MatmulBNFusion, MatmulTransposeFusion,
MatMulScaleFusion and GemmActivationFusion (core/optimizer, 1.31).
"""

from __future__ import annotations

from math import prod

from graphs.ir import Node, TensorType
from graphs.lowering.rewriter import Rewriter, merged_origin

_FLOATS = frozenset({"float32", "float16", "bfloat16"})

#: Activations of com.microsoft.FusedGemm on the CPU.
GEMM_ACTIVATIONS = frozenset(
    {"Elu", "HardSigmoid", "LeakyRelu", "Relu", "Selu", "Sigmoid", "Softplus", "Softsign", "Tanh", "ThresholdedRelu"}
)


def fuse_matmul_add_early(r: Rewriter, node: Node) -> None:
    """As `fuse_matmul_add`, but the products of a BERT attention block wait for the attention fusion."""
    add = r.sole_user(node)
    if add is not None and add.op == "Add" and len(r.shape(node.inputs[0])) != 2 and _in_attention_block(r, node, add):
        return
    fuse_matmul_add(r, node)


def _in_attention_block(r: Rewriter, matmul: Node, add: Node) -> bool:
    """Between a layer norm with three products and the sum of their outcome and the norm's own output."""
    norm = r.producer(matmul.inputs[0])
    if norm is not None and norm.op == "LayerNormalization" and _attention_sum(r, norm) is not None:
        return True
    for total in r.users(add.outputs[0]):
        for tensor in total.inputs:
            norm = r.producer(tensor)
            if norm is not None and norm.op == "LayerNormalization" and _attention_sum(r, norm) is add:
                return True
    return False


def _attention_sum(r: Rewriter, norm: Node) -> Node | None:
    """The Add (of a bias) that is added to the output of ``norm``, whose other users are three MatMuls."""
    users = r.users(norm.outputs[0])
    totals = [u for u in users if u.op == "Add"]
    if len(users) != 4 or len(totals) != 1 or sum(u.op == "MatMul" for u in users) != 3:
        return None
    first, second = totals[0].inputs
    before = r.producer(second if first == norm.outputs[0] else first)
    return before if before is not None and before.op == "Add" else None


def fuse_matmul_add(r: Rewriter, node: Node) -> None:
    """MatMul by a matrix, then Add of a bias: Gemm, between two Reshapes where the left is not a matrix."""
    add = r.sole_user(node)
    if add is None or add.op != "Add" or r.dtype(node.inputs[0]) not in _FLOATS:
        return
    a, b = r.shape(node.inputs[0]), r.shape(node.inputs[1])
    if len(b) != 2 or not a or node.inputs[0] in r.uncertain:
        return
    bias = add.inputs[1] if add.inputs[0] == node.outputs[0] else add.inputs[0]
    shape, matrix = r.shape(bias), len(a) == 2
    n = b[1]
    valid = shape == (n,) or (
        matrix and len(shape) == 2 and (shape == (1, n) or (shape[0] == a[0] and shape[1] in (1, n)))
    )
    if not valid:
        return
    if matrix:
        r.fuse([node, add], "Gemm", [*node.inputs, bias])
        return
    m, dtype = prod(a[:-1]), r.dtype(node.inputs[0])
    flat = r.tensor(TensorType(dtype, (m, b[0])), "gemm_input")
    product = r.tensor(TensorType(dtype, (m, n)), "gemm_output")
    left, right, output = node.inputs[0], node.inputs[1], add.outputs[0]
    origin = merged_origin(node, add)
    r.remove(node, add)
    flat_shape, product_shape = r.int_constant((m, b[0])), r.int_constant((*a[:-1], n))
    r.incomparable.update((flat_shape, product_shape))
    if r.is_constant(left):
        flat = r.constant(t=r.types[flat], hint="gemm_input")
    else:
        r.add(Node("Reshape", [left, flat_shape], [flat], {}, "", f"{node.name}_in", origin))
    r.add(Node("Gemm", [flat, right, bias], [product], {}, "", node.name, origin))
    r.add(Node("Reshape", [product, product_shape], [output], {}, "", f"{node.name}_out", origin))


def fuse_gemm_transposes(r: Rewriter, node: Node) -> None:
    """Transposes of matrices around a Gemm become its transA and transB."""
    for index, name in ((0, "transA"), (1, "transB")):
        before = r.producer(node.inputs[index])
        if before is None or before.op != "Transpose" or len(r.shape(before.inputs[0])) != 2 or r.gives_output(before):
            continue
        if any(u.op != "Gemm" for u in r.users(before.outputs[0])):
            continue
        r.set_input(node, index, before.inputs[0])
        node.attributes[name] = 1 - int(bool(node.attributes.get(name, 0)))
        node.origin = merged_origin(before, node)
        if not r.users(before.outputs[0]):
            r.remove(before)
    after = r.sole_user(node)
    if after is not None and after.op == "Transpose" and (len(node.inputs) < 3 or not node.inputs[2]):
        _swap_operands(r, node, after)


def _swap_operands(r: Rewriter, node: Node, transpose: Node) -> None:
    """(AB)ᵀ = BᵀAᵀ."""
    a, b = node.inputs[:2]
    trans_a, trans_b = (int(bool(node.attributes.get(k, 0))) for k in ("transA", "transB"))
    attributes = dict(node.attributes) | {"transA": 1 - trans_b, "transB": 1 - trans_a}
    r.fuse([node, transpose], "Gemm", [b, a], "", attributes)


def fuse_gemm_sum(r: Rewriter, node: Node) -> None:
    """A Gemm without C, then Sum with one other tensor that can be its C."""
    user = r.sole_user(node)
    if user is None or user.op != "Sum" or len(user.inputs) != 2 or (len(node.inputs) > 2 and node.inputs[2]):
        return
    other = user.inputs[1] if user.inputs[0] == node.outputs[0] else user.inputs[0]
    shape, output = r.shape(other), r.shape(node.outputs[0])
    if (
        other != node.outputs[0]
        and len(shape) <= 2
        and all(s in (1, o) for s, o in zip(shape[::-1], output[::-1], strict=False))
    ):
        r.fuse([node, user], "Gemm", [*node.inputs[:2], other], "", dict(node.attributes))


def fold_matmul_batch_norm(r: Rewriter, node: Node) -> None:
    """MatMul by a constant (Reshapes and Transposes between) and BatchNormalization: one Gemm."""
    if len(r.shape(node.inputs[0])) != 2 or not r.is_constant(node.inputs[1]):
        return
    bn = r.sole_user(node)
    if bn is not None and bn.op == "BatchNormalization" and all(r.is_constant(t) for t in bn.inputs[1:5]):
        weight = r.types[node.inputs[1]]
        bias = r.constant(t=TensorType(weight.dtype, (weight.dims[1],)), hint="b")
        r.fuse([node, bn], "Gemm", [node.inputs[0], r.constant(t=weight, hint="w"), bias])


def fuse_gemm_activation(r: Rewriter, node: Node) -> None:
    """Gemm followed by one activation is one FusedGemm."""
    user = r.sole_user(node)
    if user is not None and user.op in GEMM_ACTIVATIONS and not user.domain and r.dtype(node.inputs[0]) == "float32":
        attributes = dict(node.attributes) | {"activation": user.op}
        r.fuse([node, user], "FusedGemm", node.inputs, "com.microsoft", attributes)


def fuse_matmul_transposes(r: Rewriter, node: Node) -> None:
    """Transposes of the last two dimensions become transA and transB of FusedMatMul."""
    if r.dtype(node.inputs[0]) not in ("float32", "float64"):
        return
    attributes = dict(node.attributes)
    inputs, found = list(node.inputs), []
    for index, name in ((0, "transA"), (1, "transB")):
        before = r.producer(node.inputs[index])
        if before is not None and before.op == "Cast":
            before = _exchanged(r, before)
        if before is not None and _swaps_last_two(r, before):
            inputs[index] = before.inputs[0]
            attributes[name] = 1 - int(bool(attributes.get(name, 0)))
            found.append(before)
    if not found:
        return
    new = r.fuse([node], "FusedMatMul", inputs, "com.microsoft", attributes)
    new.origin = merged_origin(*found, node)
    for before in found:
        if r.alive(before) and not r.users(before.outputs[0]):
            r.remove(before)


def _exchanged(r: Rewriter, cast: Node) -> Node | None:
    """Transpose then Cast, in the other order: the Transpose, which now gives what the Cast gave."""
    before = r.producer(cast.inputs[0])
    if before is None or r.sole_user(before) is not cast or r.sole_user(cast) is None or not _swaps_last_two(r, before):
        return None
    source, made = before.inputs[0], cast.outputs[0]
    t = TensorType(r.dtype(made), r.shape(source))
    r.remove(before, cast)
    inner = r.tensor(t, "cast")
    r.add(Node("Cast", [source], [inner], dict(cast.attributes), "", cast.name, cast.origin))
    return r.add(Node("Transpose", [inner], [made], dict(before.attributes), "", before.name, before.origin))


def _swaps_last_two(r: Rewriter, node: Node) -> bool:
    if node.op != "Transpose" or r.gives_output(node):
        return False
    perm, rank = node.attributes.get("perm"), len(r.shape(node.inputs[0]))
    if not isinstance(perm, tuple) or rank < 2:
        return False
    return perm == (*range(rank - 2), rank - 1, rank - 2)


def fuse_matmul_scale(r: Rewriter, node: Node) -> None:
    """Mul or Div by a scalar constant before or after a MatMul becomes its alpha."""
    if r.dtype(node.inputs[0]) not in ("float32", "float64"):
        return
    inputs, before = list(node.inputs), []
    for index in (0, 1):
        scale = r.producer(node.inputs[index])
        if scale is not None and (source := _scaled(r, scale)) is not None and r.shape(source):
            inputs[index] = source
            before.append(scale)
    after = r.sole_user(node)
    if after is not None and _scaled(r, after) != node.outputs[0]:
        after = None
    if not before and after is None:
        return
    nodes = [node] if after is None else [node, after]
    new = r.fuse(nodes, "FusedMatMul", inputs, "com.microsoft", dict(node.attributes))
    new.origin = merged_origin(*before, *nodes)
    for scale in before:
        if r.alive(scale) and not r.edges(scale) and not r.gives_output(scale):
            r.remove(scale)


def _scaled(r: Rewriter, node: Node) -> str | None:
    """What ``node`` multiplies or divides by a known scalar that does not broadcast it; None if it does not."""
    if node.op not in ("Mul", "Div") or node.domain:
        return None
    for index in (1,) if node.op == "Div" else (0, 1):
        other = node.inputs[1 - index]
        if r.scalar(node.inputs[index]) is not None and len(r.shape(node.inputs[index])) <= len(r.shape(other)):
            return other
    return None
