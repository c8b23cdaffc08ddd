"""Features of element-by-element operators, with the form of their broadcasting."""

from __future__ import annotations

from math import prod

import numpy as np

from graphs.kernels import Kernel, Operand
from predictors.features._columns import FeatureGroup, Floats, bits, elements, log2, utilisation

OPERATORS = frozenset({
    "Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "BitShift", "BitwiseAnd", "BitwiseNot",
    "BitwiseOr", "BitwiseXor", "Cast", "CastLike", "Ceil", "Celu", "Clip", "Cos", "Cosh", "DequantizeLinear", "Div",
    "Dropout", "DynamicQuantizeLinear", "Elu", "Equal", "Erf", "Exp", "Floor", "Gelu", "Greater", "GreaterOrEqual",
    "HardSigmoid", "HardSwish", "IsInf", "IsNaN", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max", "Mean", "Min",
    "Mish", "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "QuantizeLinear", "Reciprocal", "Relu", "Round",
    "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Swish",
    "Tan", "Tanh", "ThresholdedRelu", "Where", "Xor", "BatchNormalization", "BiasAdd", "BiasGelu", "FastGelu",
    "QuickGelu", "BiasSplitGelu", "QLinearAdd", "QLinearMul", "QLinearSigmoid", "QLinearLeakyRelu", "QLinearWhere",
    "RotaryEmbedding", "Bernoulli", "RandomNormalLike", "RandomUniformLike", "RandomNormal", "RandomUniform",
    "Identity", "ParametricSoftplus", "ScaledTanh", "Affine", "ImageScaler", "BiasDropout", "Inverse", "EyeLike",
    "Trilu",
})  # fmt: skip

_COLUMNS = (
    "log_elements", "log_largest_in", "log_second_in", "operands", "scalars", "log_run", "log_repeats", "broadcast",
    "fill_run", "bits_in", "bits_out", "constants", "per_axis", "rank",
)  # fmt: skip


def broadcast_run(operand: Operand, shape: tuple[int, ...]) -> tuple[int, int]:
    """How ``operand`` is spread over ``shape``: elements of the longest trailing block of ``shape`` that is either a
    contiguous piece of the operand or one element of it repeated, and 0 (equal), 1 (scalar), 2 (block) or 3 (repeated).
    """
    total = prod(shape)
    if operand.elements == total:
        return total, 0
    if operand.elements <= 1:
        return total, 1
    padded = (1,) * (len(shape) - len(operand.shape)) + operand.shape
    run, repeated = 1, None
    for have, want in zip(reversed(padded), reversed(shape), strict=False):
        if want == 1:
            continue
        if repeated is None:
            repeated = have != want
        if (have != want) != repeated:
            break
        run *= want
    return run, 3 if repeated else 2


def _raw(kernel: Kernel) -> tuple[float, ...]:
    out = kernel.outputs[0]
    operands = [o for o in kernel.inputs if o is not None]
    sizes = [*sorted((o.elements for o in operands), reverse=True), 0, 0]
    run, form = out.elements, 0
    for operand in operands[:3]:
        length, kind = broadcast_run(operand, out.shape)
        if kind > 1 and length < run:
            run, form = length, kind
    scale = operands[1] if len(operands) > 1 and kernel.kind.endswith("quantizeLinear") else None
    return (
        out.elements, sizes[0], sizes[1], len(operands), sum(o.elements == 1 for o in operands), run, form,
        bits(operands[0]) if operands else 0, bits(out), sum(o.constant for o in operands), elements(scale) > 1,
        len(out.shape),
    )  # fmt: skip


def _derive(raw: Floats) -> Floats:
    total, run = np.maximum(raw[:, 0], 1.0), np.maximum(raw[:, 5], 1.0)
    columns = (
        log2(total), log2(raw[:, 1]), log2(raw[:, 2]), raw[:, 3], raw[:, 4], log2(run), log2(total / run), raw[:, 6],
        utilisation(run, 16), *raw[:, 7:].T,
    )  # fmt: skip
    return np.stack(columns, axis=1)


GROUP = FeatureGroup("pointwise", _COLUMNS, _raw, _derive)
