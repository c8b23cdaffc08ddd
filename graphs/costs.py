"""Work and traffic of kernels, by definition of their operators: what a roofline and features start from.

A multiply-add is 2 FLOPs, as everywhere in this project. Any other arithmetic operation on an element is 1, and so is a
transcendental function; comparisons, roundings and conversions of types count as arithmetic, moving data does not.
Integer arithmetic counts alike. Formulas follow the operators' definitions (https://onnx.ai/onnx/operators), those of
recurrent layers and attention summed over gates and heads. Bytes are those of an ideal cache: everything that is needed
is read once, and what is made is written once. Views (Reshape and the like) move nothing, since runtimes alias them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, log2, prod

from graphs.kernels import Kernel, Operand

#: Operations per output element. Composite ones are counted term by term: x·σ(αx) is ·, −, exp, +, ÷, ·.
_PER_ELEMENT = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean", "And", "Or", "Xor", "Mod", "Pow", "Equal",
                     "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "BitShift", "BitwiseAnd", "BitwiseOr",
                     "BitwiseXor"), 1),
    **dict.fromkeys(("Abs", "Neg", "Ceil", "Floor", "Round", "Sign", "Not", "BitwiseNot", "Relu", "Reciprocal", "Sqrt",
                     "Exp", "Log", "Erf", "Sin", "Cos", "Tan", "Tanh", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh",
                     "Acosh", "Atanh", "IsNaN", "IsInf", "Where", "Cast", "CastLike", "CumSum", "CumProd", "Trilu"), 1),
    **dict.fromkeys(("Clip", "LeakyRelu", "PRelu", "ThresholdedRelu", "DequantizeLinear", "BatchNormalization"), 2),
    "HardSigmoid": 4, "HardSwish": 5, "Sigmoid": 4, "Softplus": 3, "Softsign": 3, "Elu": 4, "Selu": 5, "Celu": 5,
    "Shrink": 3, "Mish": 5, "Swish": 6, "QuickGelu": 6, "Gelu": 5, "BiasGelu": 6, "FastGelu": 9, "QuantizeLinear": 4,
    "Softmax": 5, "LogSoftmax": 6, "Hardmax": 2, "BiasSoftmax": 6, "QLinearSoftmax": 9, "QLinearSigmoid": 10,
    "QLinearLeakyRelu": 8, "QLinearAdd": 9, "QLinearMul": 9, "LayerNormalization": 8, "SkipLayerNormalization": 10,
    "SimplifiedLayerNormalization": 5, "SkipSimplifiedLayerNormalization": 6, "RMSNormalization": 5,
    "InstanceNormalization": 8, "GroupNormalization": 8, "GroupNorm": 8, "MeanVarianceNormalization": 6,
    "LpNormalization": 4, "EmbedLayerNormalization": 10, "RotaryEmbedding": 3, "DynamicQuantizeLinear": 6, "Dropout": 0,
}  # fmt: skip

#: Operators that only rename dimensions.
VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"})

#: Operators that only move data.
_MOVES = VIEWS | {
    "Transpose", "Concat", "Split", "Slice", "Gather", "GatherElements", "GatherND", "ScatterElements", "ScatterND",
    "Expand", "Tile", "Pad", "DepthToSpace", "SpaceToDepth", "ReorderInput", "ReorderOutput", "ConstantOfShape",
    "Shape", "Size", "EyeLike", "OneHot", "Compress", "ReverseSequence", "TensorScatter", "Scatter", "CenterCropPad",
}  # fmt: skip

#: Of these, only as much of the first input is read as comes out.
_PICKING = frozenset({
    "Gather", "GatherElements", "GatherND", "Slice", "Split", "EmbedLayerNormalization", "Compress",
    "GatherBlockQuantized",
})  # fmt: skip

#: Quantised operators: positions of the two factors.
_FACTORS = {"QLinearMatMul": 3, "QGemm": 3, "QLinearConv": 3}


def flops(kernel: Kernel) -> int:
    """Floating-point (or integer) operations of one execution; 0 for what only moves data."""
    op = kernel.kind.rpartition(".")[2]
    counted = _FORMULAS.get(op)
    if counted is not None:
        return counted(kernel) + _fused(kernel)
    if op in _MOVES:
        return 0
    if op.startswith(("Reduce", "Arg", "Global")):
        return _first(kernel).elements * (2 if op in ("ReduceL2", "ReduceSumSquare", "ReduceLogSumExp") else 1)
    per_element = _PER_ELEMENT.get(op, 1)
    if op in ("Sum", "Mean", "Max", "Min"):
        per_element = max(len(kernel.inputs) - 1, 1)
    return kernel.outputs[0].elements * per_element


def bytes_read(kernel: Kernel) -> int:
    """Bytes of the inputs that the kernel needs."""
    op = kernel.kind.rpartition(".")[2]
    if op in VIEWS or op in ("Shape", "Size", "ConstantOfShape"):
        return 0
    inputs = [o for o in kernel.inputs if o is not None]
    if op in _PICKING and inputs:
        made = bytes_written(kernel)
        return min(inputs[0].nbytes, made) + sum(min(o.nbytes, made) for o in inputs[1:])
    if op in ("Resize", "Upsample") and inputs and kernel.attribute("mode") == "nearest":
        return min(inputs[0].nbytes, bytes_written(kernel))
    return sum(o.nbytes for o in inputs)


def bytes_written(kernel: Kernel) -> int:
    """Bytes of the outputs; 0 for views."""
    if kernel.kind.rpartition(".")[2] in VIEWS:
        return 0
    return sum(o.nbytes for o in kernel.outputs)


def _first(kernel: Kernel) -> Operand:
    return _input(kernel, 0)


def _input(kernel: Kernel, index: int) -> Operand:
    operand = kernel.inputs[index]
    if operand is None:
        raise ValueError(f"{kernel.kind} has no input {index}")
    return operand


def _has(kernel: Kernel, index: int) -> bool:
    return index < len(kernel.inputs) and kernel.inputs[index] is not None


def _fused(kernel: Kernel) -> int:
    """What an activation fused into the kernel adds."""
    activation = kernel.attribute("activation")
    return kernel.outputs[0].elements * _PER_ELEMENT.get(activation, 1) if isinstance(activation, str) else 0


def _conv(kernel: Kernel) -> int:
    """2·N·spatial·O·(C/groups)·window, and one for a bias and for a residual input each."""
    quantised = kernel.kind.endswith("QLinearConv")
    weight, made = _input(kernel, 3 if quantised else 1), kernel.outputs[0].elements
    extra = (8,) if quantised else (2, 3)
    work = 2 * (made // max(weight.shape[0], 1)) * weight.elements
    return work + made * sum(_has(kernel, i) for i in extra) + (4 * made if quantised else 0)


def _conv_transpose(kernel: Kernel) -> int:
    """Every input element meets the whole window of every output channel of its group."""
    data, weight = _first(kernel), _input(kernel, 1)
    bias = kernel.outputs[0].elements if _has(kernel, 2) else 0
    return 2 * (data.elements // max(data.shape[1], 1)) * weight.elements + bias


def _deform_conv(kernel: Kernel) -> int:
    """As Conv, with four taps of bilinear sampling for every weight."""
    weight = _input(kernel, 1)
    return (2 + 8) * (kernel.outputs[0].elements // max(weight.shape[0], 1)) * weight.elements


def _matmul(kernel: Kernel) -> int:
    """2·rows·columns·inner, batched; quantised forms scale and round every result."""
    op = kernel.kind.rpartition(".")[2]
    left, made = _first(kernel).shape, kernel.outputs[0].elements
    inner = left[-1] if left else 1
    if kernel.attribute("transA", 0) and len(left) > 1:
        inner = left[-2]
    per_result = {"QLinearMatMul": 4, "QGemm": 5, "MatMulIntegerToFloat": 2, "DynamicQuantizeMatMul": 6}.get(op, 0)
    bias = 1 if op in ("Gemm", "FusedGemm") and _has(kernel, 2) else 0
    return made * (2 * inner + per_result + bias)


def _pool(kernel: Kernel) -> int:
    """One operation per element of every window."""
    window: tuple[int, ...] = kernel.attribute("kernel_shape", (1,))
    return kernel.outputs[0].elements * prod(window)


def _recurrent(kernel: Kernel) -> int:
    """Per step and direction: both matrix products over all gates, and about ten operations per unit and gate."""
    data, weight, recurrence = _first(kernel).shape, _input(kernel, 1), _input(kernel, 2)
    steps = data[0] * data[1]
    return steps * (2 * (weight.elements + recurrence.elements) + 10 * weight.shape[0] * weight.shape[1])


def _dynamic_recurrent(kernel: Kernel) -> int:
    """As `_recurrent` where the gates are the last dimension of the weights, and quantising the data."""
    data, weight, recurrence = _first(kernel).shape, _input(kernel, 1), _input(kernel, 2)
    units = weight.shape[0] * weight.shape[2]
    return data[0] * data[1] * (2 * (weight.elements + recurrence.elements) + 10 * units + 6 * data[2])


def _heads(query: int, keys: int, heads: int, head: int, value: int) -> int:
    """QKᵀ, softmax and the product with V for one sequence: 2·q·k·d + 5·q·k + 2·q·k·d_v per head."""
    return heads * query * keys * (2 * head + 5 + 2 * value)


#: Position of the keys so far, by operator.
_PAST = {"MultiHeadAttention": 6, "GroupQueryAttention": 3, "Attention": 4}


def _attention(kernel: Kernel) -> int:
    """ONNX Attention, and com.microsoft's MultiHeadAttention and GroupQueryAttention.

    Packed queries hold keys and values as well; the total length that GroupQueryAttention is told is that of the keys.
    """
    query = _first(kernel).shape
    made = kernel.outputs[0].shape
    given = kernel.attribute("num_heads") or kernel.attribute("q_num_heads")
    heads: int = given or (query[1] if len(query) == 4 else 1)
    value = made[3] if len(made) == 4 else made[2] // heads
    sequence, head = (query[2], query[3]) if len(query) == 4 else (query[1], query[2] // heads)
    if not _has(kernel, 1):
        head = value
    keys = _input(kernel, 1).shape if _has(kernel, 1) else query
    length = keys[2] if len(keys) == 4 else keys[1]
    past = _PAST[kernel.kind.rpartition(".")[2]]
    if _has(kernel, past):
        length += _input(kernel, past).shape[2]
    if kernel.kind.endswith("GroupQueryAttention") and _has(kernel, 6):
        told = _input(kernel, 6).value
        length = int(told[0]) if told else length
    return query[0] * _heads(sequence, length, heads, head, value)


def _packed_attention(kernel: Kernel) -> int:
    """com.microsoft.Attention: the projection to Q, K and V as well."""
    data, weight = _first(kernel).shape, _input(kernel, 1)
    heads = kernel.attribute("num_heads", 1)
    value = kernel.outputs[0].shape[-1] // heads
    head = (weight.shape[1] - heads * value) // (2 * heads)
    return data[0] * (2 * data[1] * weight.elements + _heads(data[1], data[1], heads, head, value))


def _einsum(kernel: Kernel) -> int:
    """A multiply-add for every combination of all indices."""
    equation = str(kernel.attribute("equation", "")).replace(" ", "")
    sizes: dict[str, int] = {}
    ellipsis = 1
    for term, operand in zip(equation.partition("->")[0].split(","), kernel.inputs, strict=False):
        shape = operand.shape if operand is not None else ()
        before, _, after = term.partition("...")
        end = len(shape) - len(after)
        sizes.update(zip(before + after, shape[: len(before)] + shape[end:], strict=False))
        ellipsis = max(ellipsis, prod(shape[len(before) : end]))
    return 2 * ellipsis * prod(sizes.values())


def _resize(kernel: Kernel) -> int:
    """Nearest moves data; linear weighs 2 neighbours, cubic 4, along every dimension that changes."""
    taps = {"linear": 2, "cubic": 4}.get(str(kernel.attribute("mode", "nearest")), 0)
    changed = sum(a != b for a, b in zip(_first(kernel).shape, kernel.outputs[0].shape, strict=True))
    return 2 * taps**changed * kernel.outputs[0].elements if taps and changed else 0


def _sort(kernel: Kernel) -> int:
    """About n·log₂ k comparisons."""
    k = kernel.outputs[0].shape[kernel.attribute("axis", -1)] if kernel.outputs[0].shape else 1
    return _first(kernel).elements * max(1, ceil(log2(max(k, 2))))


def _local_response(kernel: Kernel) -> int:
    """Squares, a sum over ``size`` channels, a power and a division."""
    return kernel.outputs[0].elements * (int(kernel.attribute("size", 5)) + 5)


def _quantised_concat(kernel: Kernel) -> int:
    """Inputs whose scale differs from the output's are looked up in a table, one operation each."""
    return kernel.outputs[0].elements


_FORMULAS: dict[str, Callable[[Kernel], int]] = {
    **dict.fromkeys(("Conv", "FusedConv", "NhwcFusedConv", "QLinearConv", "ConvInteger"), _conv),
    "ConvTranspose": _conv_transpose, "DeformConv": _deform_conv,
    **dict.fromkeys(("MatMul", "Gemm", "FusedMatMul", "FusedGemm", "MatMulInteger", "QLinearMatMul", "QGemm",
                     "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "MatMulNBits", "MatMulBnb4", "TransposeMatMul"),
                    _matmul),
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool", "NhwcMaxPool", "QLinearAveragePool"), _pool),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent), "DynamicQuantizeLSTM": _dynamic_recurrent,
    "Einsum": _einsum, "TopK": _sort, "LRN": _local_response,
    **dict.fromkeys(("Resize", "Upsample"), _resize), "QLinearConcat": _quantised_concat,
    **dict.fromkeys(("MultiHeadAttention", "GroupQueryAttention"), _attention),
    "QAttention": _packed_attention,
    "Attention": lambda k: _packed_attention(k) if k.kind.startswith("com.microsoft") else _attention(k),
}  # fmt: skip
