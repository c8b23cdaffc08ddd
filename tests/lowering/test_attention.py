"""Attention that is spelled out: what the runtime makes one operator of, and what it leaves."""

import pytest

MS = "com.microsoft."
WEIGHTS = {"packed": (64, 192), "w": (64, 64), "b": (64,)}
CONSTANTS = (
    "<int64[3] flat = {1,64,16}, int64[5] five = {1,16,3,4,16}, int64[3] rows = {1,16,64}, int64[3] ones = {1,1,1}, "
    "int64[1] zero = {0}, int64[1] two = {2}, float s = {0.25}>"
)
HEADS = (
    "q0, k0, v0 = Split<axis=2>(r, ones) q1 = Transpose<perm=[2,0,3,1,4]>(q0) q = Squeeze(q1, zero) "
    "k = Squeeze(k0, two) v1 = Transpose<perm=[2,0,3,1,4]>(v0) v = Squeeze(v1, zero) "
    "qs = Mul(q, s) kt = Transpose<perm=[0,2,3,1]>(k) a = MatMul(qs, kt) "
)


def attention(softmax: str = "Softmax<axis=-1>", heads: str = HEADS) -> str:
    return (
        f"(float[1,64,4,4] x) => (float[1,16,64] y) {CONSTANTS} "
        "{ f = Reshape(x, flat) t = Transpose<perm=[0,2,1]>(f) m = MatMul(t, packed) r = Reshape(m, five) "
        f"{heads} p = {softmax}(a) o = MatMul(p, v) u = Transpose<perm=[0,2,1,3]>(o) j = Reshape(u, rows) "
        "g = MatMul(j, w) h = Add(g, b) y = Relu(h) }"
    )


FUSED = [
    "Reshape",
    MS + "FusedMatMul",
    "Split",
    MS + "MultiHeadAttention",
    "Reshape",
    "Gemm",
    "Reshape",
    "Reshape",
    "Relu",
]


@pytest.mark.parametrize("opset", [14, 17, 18])
def test_mobile_clip(opset, model, check_kernels) -> None:
    check_kernels(model(opset, attention(), WEIGHTS), FUSED)


def test_other_spellings_stay(model, check_kernels) -> None:
    spelled = [
        "Reshape", MS + "FusedMatMul", "Reshape", "Split", "Transpose", "Squeeze", "Squeeze", "Transpose", "Squeeze",
        "Transpose", MS + "FusedMatMul", "Softmax", "MatMul", "Transpose", "Reshape", "Gemm", "Reshape", "Relu",
    ]  # fmt: skip
    check_kernels(model(17, attention(softmax="Softmax<axis=3>"), WEIGHTS), spelled)
