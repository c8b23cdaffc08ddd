"""float16: what runs in float32 between casts, and which of the casts remain."""

import pytest

from graphs import UnsupportedOperator, lower, prepare
from profilers import MeasurementFailed, local_target, observe_lowering

NCHWC = "com.microsoft.nchwc."
MS = "com.microsoft."
HALF = "float16"

CASES = {
    "a blocked convolution with its activation between two casts": (
        17,
        "(float16[1,16,8,8] x) => (float16[1,16,8,8] y) { a = Conv<pads=[1,1,1,1]>(x, w, b) y = Relu(a) }",
        {"w": (HALF, 16, 16, 3, 3), "b": (HALF, 16)},
        ["Cast", NCHWC + "ReorderInput", NCHWC + "Conv", NCHWC + "ReorderOutput", "Cast"],
    ),
    "operators with a kernel for float16 stay": (
        17,
        "(float16[2,5,8] x) => (float16[2,5,8] y) { n = LayerNormalization(x, g, b) y = Clip(n) }",
        {"g": (HALF, 8), "b": (HALF, 8)},
        ["LayerNormalization", "Clip"],
    ),
    "one of them alone among others goes along": (
        17,
        "(float16[2,5,8] x) => (float16[2,8,5] y) { a = Relu(x) t = Transpose<perm=[0,2,1]>(a) y = Relu(t) }",
        {},
        ["Cast", "Relu", "Transpose", "Relu", "Cast"],
    ),
    "two of them do not": (
        17,
        "(float16[2,5,8] x) => (float16[2,40] y) <int64[2] s = {2,40}> "
        "{ a = Relu(x) t = Transpose<perm=[0,2,1]>(a) r = Reshape(t, s) y = Relu(r) }",
        {},
        ["Cast", "Relu", "Cast", "Transpose", "Reshape", "Cast", "Relu", "Cast"],
    ),
    "a constant is converted ahead of time for one reader, in every run for two": (
        17,
        "(float16[2,16] x) => (float16[2,16] y) { a = Add(x, once) b = Mul(a, twice) y = Sub(b, twice) }",
        {"once": (HALF, 16), "twice": (HALF, 16)},
        ["Cast", "Cast", "Add", "Mul", "Sub", "Cast"],
    ),
    "constants are folded only by kernels that there are": (
        17,
        "(float16[2,16] x) => (float16[2,16] y) { p = Mul(g, h) y = Add(x, p) }",
        {"g": (HALF, 16), "h": (HALF, 16)},
        ["Cast", "Mul", "Add", "Cast"],
    ),
    "a function without a kernel for float16 runs as its body": (
        17,
        "(float16[2,16] x) => (float16[2,16] y) { y = Softmax<axis=-1>(x) }",
        {},
        ["Cast", "ReduceMax", "Sub", "Exp", "ReduceSum", "Div", "Cast"],
    ),
    "a body holds for the operator sets in which its operators are the same": (
        18,
        "(float16[2,16] x) => (float16[2,16] y) { y = Relu(x) }",
        {},
        ["Cast", "Max"],
    ),
    "and not for later ones": (
        21,
        "(float16[2,16] x) => (float16[2,16] y) { y = Relu(x) }",
        {},
        ["Cast", "Relu", "Cast"],
    ),
    "float16's root of two is too coarse for a GELU": (
        17,
        "(float16[2,16] x) => (float16[2,16] y) <float p = {1.4142135}, float q = {1.0}, float s = {0.5}> "
        "{ r = Cast<to=10>(p) o = Cast<to=10>(q) h = Cast<to=10>(s) "
        "d = Div(x, r) e = Erf(d) f = Add(e, o) m = Mul(x, f) y = Mul(m, h) }",
        {},
        ["Cast", "Div", "Erf", "Add", "Mul", "Mul", "Cast"],
    ),
    "small constants that are equal are one": (
        17,
        "(float16[2,16] x) => (float16[2,16] y) { d = Div(x, r) e = Erf(d) y = Add(e, s) }",
        {"r": (HALF, 1), "s": (HALF, 1)},
        ["Cast", "Cast", "Div", "Erf", "Add", "Cast"],
    ),
    "contrib operators that are functions": (
        17,
        "(float16[2,16] x) => (float16[2,16] y) { y = com.microsoft.Gelu(x) }",
        {},
        ["Cast", "Mul", "Erf", "Add", "Mul", "Mul", "Cast"],
    ),
    "casts in a row": (
        17,
        "(float16[2,16] x) => (float[2,16] y) "
        "{ a = Cast<to=1>(x) b = Cast<to=11>(a) c = Cast<to=1>(b) y = Sqrt(c) }",
        {},
        ["Cast", "Sqrt"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_kernels_are_those_of_the_runtime(case, model, check_kernels) -> None:
    opset, text, weights, expected = CASES[case]
    check_kernels(model(opset, text, weights), expected)


@pytest.mark.parametrize(
    ("opset", "text", "weights"),
    [
        (22, "(bfloat16[1,3,8,8] x) => (bfloat16[1,4,6,6] y) { y = Conv(x, w) }", {"w": ("bfloat16", 4, 3, 3, 3)}),
        (17, "(double[1,3,8,8] x) => (double[1,4,6,6] y) { y = Conv(x, w) }", {"w": ("float64", 4, 3, 3, 3)}),
        (17, "(int8[2,8] x) => (int8[2,8] y) { y = Sqrt(x) }", {}),
    ],
    ids=["bfloat16", "float64", "int8"],
)
def test_what_has_no_kernel_is_refused_by_name(opset, text, weights, model) -> None:
    data = model(opset, text, weights)
    with pytest.raises(UnsupportedOperator, match="has no kernel in its CPUExecutionProvider") as refused:
        lower(prepare(data), local_target().lowering)
    assert refused.value.operators == (text.split(" = ")[1].split("(")[0],)
    with pytest.raises(MeasurementFailed):
        observe_lowering(data)
