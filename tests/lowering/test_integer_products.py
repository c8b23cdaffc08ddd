"""Dynamic quantisation and quantised weights alone, against the runtime, on graphs that differ in one thing."""

from collections.abc import Callable

import pytest

MS = "com.microsoft."
QUANTISE, PRODUCT, DYNAMIC = "DynamicQuantizeLinear", MS + "MatMulIntegerToFloat", MS + "DynamicQuantizeMatMul"
NBITS = MS + "MatMulNBits"

HEAD = "q, s, z = DynamicQuantizeLinear(x) m = MatMulInteger(q, w, z, o) c = Cast<to=1>(m) k = Mul(s, u) "
DATA = "float[4,8,16] x"
LIMITS = "<float u = {0.01}, int8 o = {0}, uint8 e = {3}>"
SHAPES: dict[str, tuple[int | str, ...]] = {
    "w": ("int8", 16, 10), "v": ("int8", 16, 10), "b": (10,), "row": (1, 10), "scales": (10,), "one": (1,),
    "wide": ("int8", 16, 16), "tall": ("int8", 10, 16), "plain": ("uint8", 16, 10),
}  # fmt: skip

CASES: dict[str, tuple[str, str, list[str]]] = {
    "a dynamic product": (DATA, HEAD + "y = Mul(c, k)", [DYNAMIC]),
    "a dynamic product with a bias": (DATA, HEAD + "d = Mul(c, k) y = Add(d, b)", [DYNAMIC]),
    "the bias may be the first term, and a row": (DATA, HEAD + "d = Mul(c, k) y = Add(row, d)", [DYNAMIC]),
    "a bias of one number stays": (DATA, HEAD + "d = Mul(c, k) y = Add(d, one)", [DYNAMIC, "Add"]),
    "what is added may be computed": (
        DATA + ", float[4,8,10] r", HEAD + "d = Mul(c, k) y = Add(d, r)", [DYNAMIC, "Add"],
    ),
    "weights that are computed": (
        DATA + ", int8[16,10] t", HEAD.replace("(q, w,", "(q, t,") + "y = Mul(c, k)", [DYNAMIC],
    ),
    "scales the other way round": (DATA, HEAD.replace("Mul(s, u)", "Mul(u, s)") + "y = Mul(c, k)", [QUANTISE, PRODUCT]),
    "without zero points": (DATA, HEAD.replace(", z, o)", ")") + "y = Mul(c, k)", [QUANTISE, PRODUCT]),
    "two products of the same data": (
        DATA, HEAD + "d = Mul(c, k) f = MatMulInteger(q, v, z, o) g = Cast<to=1>(f) h = Mul(s, u) i = Mul(g, h) "
        "y = Sub(d, i)", [QUANTISE, "Mul", *["MatMulInteger", "Cast", "Mul"] * 2, "Sub"],
    ),
    "two products of the same data with scales of their own": (
        DATA, HEAD + "d = Mul(c, k) f = MatMulInteger(q, v, z, o) g = Cast<to=1>(f) h = Mul(s, scales) i = Mul(g, h) "
        "y = Sub(d, i)", [QUANTISE, PRODUCT, PRODUCT, "Sub"],
    ),
    "a product that is not scaled back by a product of scales": (
        DATA, HEAD.partition(" k =")[0] + " y = Mul(c, s)", [QUANTISE, "MatMulInteger", "Cast", "Mul"],
    ),
    "a dynamic convolution": (
        "float[1,16,8,8] x", "q, s, z = DynamicQuantizeLinear(x) f = Reshape(wide, kernel) m = ConvInteger(q, f, z, o) "
        "c = Cast<to=1>(m) k = Mul(s, u) y = Mul(c, k)", [QUANTISE, "ConvInteger", "Cast", "Mul", "Mul"],
    ),
    "weights alone": (DATA, "d = DequantizeLinear(w, u, o) y = MatMul(x, d)", [NBITS]),
    "weights alone, unsigned": (DATA, "d = DequantizeLinear(plain, u, e) y = MatMul(x, d)", [NBITS]),
    "weights alone, a scale per column": (DATA, "d = DequantizeLinear<axis=1>(w, scales) y = MatMul(x, d)", [NBITS]),
    "weights alone, a scale per row": (
        "float[4,16] x", "d = DequantizeLinear<axis=0>(wide, rows) y = MatMul(x, d)", ["DequantizeLinear", "MatMul"],
    ),
    "weights alone with a bias": (
        DATA, "d = DequantizeLinear(w, u, o) m = MatMul(x, d) y = Add(m, b)", ["Reshape", NBITS, "Reshape"],
    ),
    "weights alone before a rectifier": (
        DATA, "d = DequantizeLinear(w, u, o) m = MatMul(x, d) r = Relu(m) y = Exp(r)",
        ["DequantizeLinear", "MatMul", "Relu", "Exp"],
    ),
    "weights alone, transposed": (
        "float[4,16] x", "d = DequantizeLinear(tall, u, o) y = Gemm<transB=1>(x, d)", ["DequantizeLinear", "Gemm"],
    ),
    "a table alone": ("int64[4] x", "d = DequantizeLinear(w, u, o) y = Gather(d, x)", ["DequantizeLinear", "Gather"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_kernels_are_those_of_the_runtime(
    case: str,
    model: Callable[[int, str, dict[str, tuple[int | str, ...]]], bytes],
    check_kernels: Callable[[bytes, list[str]], None],
) -> None:
    inputs, nodes, expected = CASES[case]
    shapes = SHAPES | {"rows": (16,)}
    used = {name: shape for name, shape in shapes.items() if name in nodes.replace("(", " ").replace(",", " ").split()}
    used |= {name: shape for name, shape in shapes.items() if f"{name}," in nodes or f"{name})" in nodes}
    limits = LIMITS[:-1] + ", int64[4] kernel = {16, 16, 1, 1}>"
    check_kernels(model(17, f"({inputs}) => (float[a] y) {limits} {{ {nodes} }}", used), expected)
