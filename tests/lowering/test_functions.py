"""Operators of the standard without a kernel of their own: the runtime executes their bodies, unfolded."""

import pytest

NCHWC = "com.microsoft.nchwc."
MS = "com.microsoft."
IMAGE = "(float[1,16,8,8] x) => (float[1,16,8,8] y)"

CASES = {
    "HardSwish": (17, f"{IMAGE} {{ a = Relu(x) y = HardSwish(a) }}", {}, ["Relu", "HardSigmoid", "Mul"]),
    "HardSwish behind a convolution joins it": (
        17,
        f"{IMAGE} {{ a = Conv<pads=[1,1,1,1]>(x, w) b = HardSwish(a) y = Exp(b) }}",
        {"w": (16, 16, 3, 3)},
        [NCHWC + "ReorderInput", NCHWC + "Conv", NCHWC + "ReorderOutput", "Exp"],
    ),
    "as does one that is spelled out": (
        17,
        f"{IMAGE} {{ a = Conv<pads=[1,1,1,1]>(x, w) g = HardSigmoid<alpha=0.16666667>(a) b = Mul(g, a) y = Exp(b) }}",
        {"w": (16, 16, 3, 3)},
        [NCHWC + "ReorderInput", NCHWC + "Conv", NCHWC + "ReorderOutput", "Exp"],
    ),
    "but not where the graph returns it": (
        17,
        f"{IMAGE} {{ a = Conv<pads=[1,1,1,1]>(x, w) y = HardSwish(a) }}",
        {"w": (16, 16, 3, 3)},
        [NCHWC + "ReorderInput", NCHWC + "Conv", NCHWC + "ReorderOutput", "HardSigmoid", "Mul"],
    ),
    "Mish": (18, f"{IMAGE} {{ a = Relu(x) y = Mish(a) }}", {}, ["Relu", "Softplus", "Tanh", "Mul"]),
    "Swish casts its factor in every run": (
        24, f"{IMAGE} {{ a = Relu(x) y = Swish(a) }}", {}, ["Relu", "Cast", "Mul", "Sigmoid", "Mul"],
    ),
    "CastLike": (17, "(float[2,8] x, float16[1] z) => (float16[2,8] y) { y = CastLike(x, z) }", {}, ["Cast"]),
    "GroupNormalization computes its shapes in every run": (
        21,
        f"{IMAGE} {{ a = Relu(x) y = GroupNormalization<num_groups=4>(a, s, b) }}",
        {"s": (16,), "b": (16,)},
        ["Relu", *["Cast"] * 5, *["Reshape"] * 7, *["Shape"] * 4, "Concat", *["ReduceMean"] * 2, *["Sub"] * 2,
         *["Mul"] * 3, *["Div"] * 2, *["Add"] * 2, "Sqrt"],
    ),
    "CenterCropPad": (
        18,
        "(float[1,16,8,8] x) => (float[1,16,4,4] y) <int64[2] s = {4,4}> "
        "{ a = Relu(x) y = CenterCropPad<axes=[2,3]>(a, s) }",
        {},
        ["Relu", "Shape", "Gather", "Max", "Sub", "Div", "Sub", "Concat", "Pad", "Shape", "Gather", "Sub", "Div", "Add",
         "Slice"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_kernels_are_those_of_the_runtime(case, model, check_kernels) -> None:
    opset, text, weights, expected = CASES[case]
    check_kernels(model(opset, text, weights), expected)
