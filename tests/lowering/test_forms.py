"""Forms that exporters write seldom or that the runtime treats in ways of its own."""

import pytest

NCHWC = "com.microsoft.nchwc."
MS = "com.microsoft."
IMAGE = "(float[1,16,9,9] x)"
MATRIX = "(float[2,5,8] x)"
PADS = "<int64[8] p = {0,0,1,1,0,0,2,2}>"

NORM = (
    "m = ReduceMean<axes=[-1]>(s) d = Sub(s, m) q = Pow(d, two) v = ReduceMean<axes=[-1]>(q) e = Add(v, eps) "
    "r = Sqrt(e) n = Div(d, r) k = Mul(n, g) y = Add(k, h)"
)

CASES = {
    "zeros around a maximum pool": (
        13, f"{IMAGE} => (float[a,b,c,d] y) {PADS} {{ a = Pad(x, p) y = MaxPool<kernel_shape=[3,3]>(a) }}", {},
        [NCHWC + "ReorderInput", NCHWC + "MaxPool", NCHWC + "ReorderOutput"],
    ),
    "zeros around an average pool": (
        13, f"{IMAGE} => (float[a,b,c,d] y) {PADS} {{ a = Pad(x, p) y = AveragePool<kernel_shape=[3,3]>(a) }}", {},
        [NCHWC + "ReorderInput", NCHWC + "AveragePool", NCHWC + "ReorderOutput"],
    ),
    "other numbers around a pool": (
        13,
        f"{IMAGE} => (float[a,b,c,d] y) <int64[8] p = {{0,0,1,1,0,0,1,1}}, float z = {{-9.0}}> "
        "{ a = Pad(x, p, z) y = MaxPool<kernel_shape=[3,3]>(a) }", {},
        ["Pad", NCHWC + "ReorderInput", NCHWC + "MaxPool", NCHWC + "ReorderOutput"],
    ),
    "linear upsampling of old": (
        9,
        f"{IMAGE} => (float[a,b,c,d] y) <float[4] s = {{1.0,1.0,2.0,2.0}}> "
        '{ a = Conv(x, w) y = Upsample<mode="linear">(a, s) }',
        {"w": (16, 16, 1, 1)},
        [NCHWC + "ReorderInput", NCHWC + "Conv", NCHWC + "Upsample", NCHWC + "ReorderOutput"],
    ),
    "no transpose passes a vector of indices": (
        18,
        "(float[1,12,9,7] x) => (float[a,b,c,d] y) <int64[2] i = {0,2}> "
        "{ t = Transpose<perm=[0,2,1,3]>(x) g = Gather<axis=1>(t, i) y = Transpose<perm=[0,2,1,3]>(g) }",
        {},
        ["Transpose", "Gather", "Transpose"],
    ),
    "a transpose passes one index": (
        18,
        "(float[1,12,9,7] x) => (float[a,b,c] y) <int64 i = {2}> "
        "{ t = Transpose<perm=[0,2,1,3]>(x) g = Gather<axis=1>(t, i) y = Transpose<perm=[0,2,1]>(g) }",
        {},
        ["Gather", "Transpose"],
    ),
    "sampling at a grid": (
        17, "(float[1,3,8,8] x, float[1,4,4,2] g) => (float[a,b,c,d] y) { y = GridSample(x, g) }", {}, ["GridSample"],
    ),
    "what the graph returns stays": (
        17,
        "(float[2,8] x) => (float[2,8] y, float[2,8] z) <float one = {1.0}> "
        "{ a = Relu(x) y = Mul(a, one) z = Dropout(a) }",
        {},
        ["Relu", "Mul", "Dropout"],
    ),
    "an Identity of what others read too": (
        17, "(float[2,8] x) => (float[2,8] y, float[2,8] z) { a = Relu(x) z = Exp(a) y = Identity(a) }", {},
        ["Relu", "Exp", "Identity"],
    ),
    "what nobody reads runs all the same": (
        17, "(float[2,8] x) => (float[2,8] y) { a = Exp(x) b = Neg(a) y = Relu(x) }", {}, ["Exp", "Neg", "Relu"],
    ),
    "but not what only shapes were asked of": (
        17, "(float[2,8] x) => (float[2,8] y) { a = Exp(x) s = Shape(a) y = Reshape(x, s) }", {}, ["Reshape"],
    ),
    "scalars go in as scalars": (17, "(float x) => (float y) { y = Exp(x) }", {}, ["Exp"]),
    "Size is counted in every run": (
        17, "(float[2,8] x) => (float[2,8] y, int64 z) { y = Relu(x) z = Size(y) }", {}, ["Relu", "Size"],
    ),
    "contrib operators of constants are not folded": (
        17, "(float[4,4] x) => (float[4,4] y) { a = com.microsoft.Trilu(w) y = Add(x, a) }", {"w": (4, 4)},
        [MS + "Trilu", "Add"],
    ),
    "comparisons of old are not folded, and leave shapes unknown": (
        14,
        "(bool[2,1,4,4] x) => (bool[2,1,4,4] z) <int64[4] s = {2,1,4,4}, int64[1,1,1,4] i = {0,1,2,3}, int64 o = {0}> "
        "{ g = GreaterOrEqual(i, o) a = And(x, g) b = Expand(a, s) z = Not(b) }",
        {},
        ["GreaterOrEqual", "And", "Expand", "Not"],
    ),
    "a product of unknown width is no Gemm; its bias joins the norm": (
        14,
        "(float[2,5,8] x, float[2,5,8] t) => (float[2,5,8] y) "
        "<int64[1,1,8] i = {0,1,2,3,4,5,6,7}, int64 o = {0}, int64[3] z = {2,5,-1}, float two = {2.0}, "
        "float eps = {0.00001}, float zero = {0.0}> "
        "{ c = GreaterOrEqual(i, o) w0 = Where(c, x, zero) f = Reshape(w0, z) p = MatMul(f, w) j = Add(b, p) "
        f"s = Add(j, t) {NORM} }}",
        {"w": (8, 8), "b": (8,), "g": (8,), "h": (8,)},
        ["GreaterOrEqual", "Where", "Reshape", "MatMul", MS + "SkipLayerNormalization"],
    ),
    "sums of unknown shape do not join the norm": (
        14,
        "(float[2,5,8] x, float[2,5,8] t) => (float[2,5,8] y) "
        "<int64[1,1,8] i = {0,1,2,3,4,5,6,7}, int64 o = {0}, int64[3] z = {2,-1,8}, float two = {2.0}, "
        "float eps = {0.00001}, float zero = {0.0}> "
        "{ c = GreaterOrEqual(i, o) w0 = Where(c, x, zero) f = Reshape(w0, z) p = MatMul(f, w) j = Add(b, p) "
        f"s = Add(j, t) {NORM} }}",
        {"w": (8, 8), "b": (8,), "g": (8,), "h": (8,)},
        ["GreaterOrEqual", "Where", "Reshape", "MatMul", "Add", "Add", "LayerNormalization"],
    ),
    "norms with a computed factor, and whatever exponent": (
        14,
        "(float[2,5,8] s, float[8] f) => (float[2,5,8] y) <float two = {3.0}, float eps = {0.00001}> "
        f"{{ g = Relu(f) {NORM} }}",
        {"h": (8,)},
        ["Relu", "LayerNormalization"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_kernels_are_those_of_the_runtime(case, model, check_kernels) -> None:
    opset, text, weights, expected = CASES[case]
    check_kernels(model(opset, text, weights), expected)
