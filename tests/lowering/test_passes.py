"""Each rewrite against the runtime: the kernels that we predict for a small graph are those that it executes.

The graphs are ONNX text; ``expected`` names the kernel kinds, so that a test cannot pass by both sides doing nothing.
"""

from collections import Counter

import numpy as np
import onnx
import pytest

from graphs import lower, prepare, write_onnx
from profilers import local_target, observe_lowering

NCHWC = "com.microsoft.nchwc."
MS = "com.microsoft."

CASES: dict[str, tuple[int, str, dict[str, tuple[int, ...]], list[str]]] = {
    "identity, dropout and neutral arithmetic vanish": (
        17,
        "(float[2,8] x) => (float[2,8] y) <float one = {1.0}, float zero = {0.0}> "
        "{ a = Identity(x) b = Dropout(a) r = Relu(b) c = Mul(r, one) d = Add(c, zero) y = Exp(d) }",
        {},
        ["Relu", "Exp"],
    ),
    "a slice to the open end vanishes, one to the true end stays": (
        17,
        "(float[2,8] x) => (float[2,8] y) <int64[1] s = {0}, int64[1] open = {9223372036854775807}, "
        "int64[1] end = {8}, int64[1] axis = {1}> { r = Relu(x) a = Slice(r, s, open, axis) "
        "b = Neg(a) c = Slice(b, s, end, axis) y = Exp(c) }",
        {},
        ["Relu", "Neg", "Slice", "Exp"],
    ),
    "casts there and back vanish": (
        17,
        "(float[2,8] x) => (float[2,8] y) { a = Cast<to=11>(x) b = Cast<to=1>(a) c = Relu(b) y = Exp(c) }",
        {},
        ["Relu", "Exp"],
    ),
    "casts there and back vanish too late for what they keep apart": (
        17,
        "(float[2,8] x) => (float[2,4] y) { a = Gemm(x, w) b = Cast<to=11>(a) c = Cast<to=1>(b) y = Relu(c) }",
        {"w": (8, 4)},
        ["Gemm", "Relu"],
    ),
    "batch norm, scale and activation fold into a blocked convolution": (
        17,
        "(float[1,16,14,14] x) => (float[1,32,14,14] y) { a = Conv(x, w) "
        "b = BatchNormalization(a, g, h, m, v) y = Relu(b) }",
        {"w": (32, 16, 3, 3), "g": (32,), "h": (32,), "m": (32,), "v": (32,)},
        [NCHWC + "ReorderInput", NCHWC + "Conv", NCHWC + "ReorderOutput"],
    ),
    "a residual joins a blocked convolution, with the activation behind it": (
        17,
        "(float[1,16,14,14] x) => (float[1,16,14,14] y) { a = Conv<pads=[1,1,1,1]>(x, w) b = Relu(a) "
        "c = Conv<pads=[1,1,1,1]>(b, u) d = Add(c, b) y = Relu(d) }",
        {"w": (16, 16, 3, 3), "u": (16, 16, 3, 3)},
        [NCHWC + "ReorderInput", NCHWC + "Conv", NCHWC + "Conv", NCHWC + "ReorderOutput"],
    ),
    "channels off the block: padded in blocked form, plain where they do not divide by four": (
        17,
        "(float[1,18,9,9] x) => (float[1,21,7,7] y) { a = Conv(x, w) y = Sigmoid(a) }",
        {"w": (21, 18, 3, 3)},
        [MS + "FusedConv"],
    ),
    "grouped convolutions with narrow groups stay plain": (
        17,
        "(float[1,32,9,9] x) => (float[1,32,7,7] y) { a = Conv<group=4>(x, w) y = Relu(a) }",
        {"w": (32, 8, 3, 3)},
        [MS + "FusedConv"],
    ),
    "pads join a convolution": (
        13,
        "(float[1,3,9,9] x) => (float[1,16,9,9] y) <int64[8] p = {0,0,1,1,0,0,1,1}> { a = Pad(x, p) y = Conv(a, w) }",
        {"w": (16, 3, 3, 3)},
        [NCHWC + "Conv", NCHWC + "ReorderOutput"],
    ),
    "a product with a matrix and a bias is a Gemm between reshapes": (
        17,
        "(float[2,5,8] x) => (float[2,5,4] y) { a = MatMul(x, w) y = Add(a, b) }",
        {"w": (8, 4), "b": (4,)},
        ["Reshape", "Gemm", "Reshape"],
    ),
    "a Gemm takes in its activation": (
        17,
        "(float[2,8] x) => (float[2,4] y) { a = Gemm(x, w, b) y = Relu(a) }",
        {"w": (8, 4), "b": (4,)},
        [MS + "FusedGemm"],
    ),
    "transposes and scales join a product": (
        17,
        "(float[2,5,8] x, float[2,5,8] z) => (float[2,5,5] y) <float s = {0.125}> "
        "{ t = Transpose<perm=[0,2,1]>(z) a = MatMul(x, t) y = Mul(a, s) }",
        {},
        [MS + "FusedMatMul"],
    ),
    "GELU by the square root of two": (
        17,
        "(float[2,8] x) => (float[2,8] y) <float r = {1.4142135}, float one = {1.0}, float half = {0.5}> "
        "{ a = Div(x, r) b = Erf(a) c = Add(b, one) d = Mul(x, c) y = Mul(d, half) }",
        {},
        [MS + "Gelu"],
    ),
    "no GELU by one and a half": (
        17,
        "(float[2,8] x) => (float[2,8] y) <float r = {1.5}, float one = {1.0}, float half = {0.5}> "
        "{ a = Div(x, r) b = Erf(a) c = Add(b, one) d = Mul(x, c) y = Mul(d, half) }",
        {},
        ["Div", "Erf", "Add", "Mul", "Mul"],
    ),
    "the standard GELU from opset 20 on": (
        20,
        "(float[2,8] x) => (float[2,8] y) <float r = {1.4142135}, float one = {1.0}, float half = {0.5}> "
        "{ a = Div(x, r) b = Erf(a) c = Add(b, one) d = Mul(x, c) y = Mul(d, half) }",
        {},
        ["Gelu"],
    ),
    "SiLU is a quick GELU": (
        17,
        "(float[2,8] x) => (float[2,8] y) { s = Sigmoid(x) y = Mul(x, s) }",
        {},
        [MS + "QuickGelu"],
    ),
    "GELU by tanh": (
        17,
        "(float[2,8] x) => (float[2,8] y) <float three = {3.0}, float k = {0.044715}, float r = {0.7978845608}, "
        "float one = {1.0}, float half = {0.5}> { i = Neg(x) p = Pow(i, three) a = Mul(p, k) b = Add(i, a) "
        "c = Mul(b, r) d = Tanh(c) e = Add(d, one) h = Mul(i, half) q = Mul(h, e) y = Exp(q) }",
        {},
        ["Neg", MS + "FastGelu", "Exp"],
    ),
    "a bias joins the standard GELU": (
        20,
        "(float[2,5,8] x) => (float[2,5,8] y) { a = Add(x, b) y = Gelu(a) }",
        {"b": (8,)},
        [MS + "BiasGelu"],
    ),
    "a bias joins the standard GELU by tanh": (
        20,
        '(float[2,5,8] x) => (float[2,5,8] y) { a = Add(b, x) y = Gelu<approximate="tanh">(a) }',
        {"b": (8,)},
        [MS + "FastGelu"],
    ),
    "equal constants of more than eight elements stay two": (
        17,
        "(float[2,9] x) => (float[2,9] y) { a = Div(x, u) b = Div(x, v) y = Pow(a, b) }",
        {"u": (9,), "v": (9,)},
        ["Div", "Div", "Pow"],
    ),
    "equal constants of eight elements are one": (
        17,
        "(float[2,8] x) => (float[2,8] y) { a = Div(x, u) b = Div(x, v) y = Pow(a, b) }",
        {"u": (8,), "v": (8,)},
        ["Div", "Pow"],
    ),
    "layer norm spelled out": (
        17,
        "(float[2,5,8] x) => (float[2,5,8] y) <float two = {2.0}, float eps = {0.00001}> "
        "{ m = ReduceMean<axes=[-1]>(x) d = Sub(x, m) q = Pow(d, two) v = ReduceMean<axes=[-1]>(q) e = Add(v, eps) "
        "s = Sqrt(e) n = Div(d, s) a = Mul(n, g) y = Add(a, b) }",
        {"g": (8,), "b": (8,)},
        ["LayerNormalization"],
    ),
    "RMS norm spelled out": (
        17,
        "(float[2,5,8] x) => (float[2,5,8] y) <float two = {2.0}, float eps = {0.00001}> "
        "{ q = Pow(x, two) v = ReduceMean<axes=[-1]>(q) e = Add(v, eps) s = Sqrt(e) n = Div(x, s) y = Mul(n, g) }",
        {"g": (8,)},
        ["SimplifiedLayerNormalization"],
    ),
    "an addition joins the layer norm behind it": (
        17,
        "(float[2,5,8] x, float[2,5,8] z) => (float[2,5,8] y) { a = Add(x, z) y = LayerNormalization(a, g, b) }",
        {"g": (8,), "b": (8,)},
        [MS + "SkipLayerNormalization"],
    ),
    "indices that tile an axis are a split": (
        17,
        "(float[2,2,8] x) => (float[2,8] y, float[2,8] z) <int64 i = {0}, int64 j = {1}> "
        "{ r = Relu(x) a = Gather<axis=1>(r, i) b = Gather<axis=1>(r, j) y = Exp(a) z = Neg(b) }",
        {},
        ["Relu", "Split", "Squeeze", "Squeeze", "Exp", "Neg"],
    ),
    "reshapes in a row are one": (
        17,
        "(float[2,3,8] x) => (float[3,16] y) <int64[2] s = {6,8}, int64[2] t = {3,16}> "
        "{ r = Relu(x) a = Reshape(r, s) b = Reshape(a, t) y = Exp(b) }",
        {},
        ["Relu", "Reshape", "Exp"],
    ),
    "equal computations are done once": (
        17,
        "(float[2,8] x) => (float[2,8] y) { r = Relu(x) a = Exp(r) b = Exp(r) y = Add(a, b) }",
        {},
        ["Relu", "Exp", "Add"],
    ),
    "transposes meet and cancel": (
        17,
        "(float[1,8,6,6] x) => (float[1,8,6,6] y) "
        "{ a = Transpose<perm=[0,2,3,1]>(x) b = Relu(a) c = Transpose<perm=[0,3,1,2]>(b) y = Exp(c) }",
        {},
        ["Relu", "Exp"],
    ),
    "a transpose passes a reshape that splits": (
        17,
        "(float[2,12,5] x) => (float[2,5,3,4] y) <int64[4] s = {2,5,3,4}> "
        "{ a = Transpose<perm=[0,2,1]>(x) b = Reshape(a, s) y = Relu(b) }",
        {},
        ["Reshape", "Transpose", "Relu"],
    ),
    "channels-last borders are part of the reorders": (
        17,
        "(float[1,9,9,16] x) => (float[1,9,9,16] y) { a = Transpose<perm=[0,3,1,2]>(x) b = Conv<pads=[1,1,1,1]>(a, w) "
        "c = Transpose<perm=[0,2,3,1]>(b) y = LayerNormalization(c, g, h) }",
        {"w": (16, 16, 3, 3), "g": (16,), "h": (16,)},
        [NCHWC + "ReorderInput", NCHWC + "Conv", NCHWC + "ReorderOutput", "LayerNormalization"],
    ),
    "a quantised convolution runs channels-last": (
        17,
        "(uint8[1,16,9,9] x) => (uint8[1,16,7,7] y) <float s = {0.02}, uint8 z = {0}, float u = {0.01}, int8 o = {0}> "
        "{ a = DequantizeLinear(x, s, z) d = DequantizeLinear(w, u, o) c = Conv(a, d) y = QuantizeLinear(c, s, z) }",
        {"w": (16, 16, 3, 3)},
        ["Transpose", MS + "QLinearConv", "Transpose"],
    ),
    "quantised sums and products": (
        17,
        "(uint8[4,16] x, uint8[4,16] v) => (uint8[4,8] y) "
        "<float s = {0.02}, uint8 z = {0}, float u = {0.01}, int8 o = {0}> "
        "{ a = DequantizeLinear(x, s, z) b = DequantizeLinear(v, s, z) c = Add(a, b) q = QuantizeLinear(c, s, z) "
        "e = DequantizeLinear(q, s, z) f = DequantizeLinear(w, u, o) g = MatMul(e, f) y = QuantizeLinear(g, s, z) }",
        {"w": (16, 8)},
        [MS + "QLinearAdd", "QLinearMatMul"],
    ),
}


def build(opset: int, text: str, weights: dict[str, tuple[int, ...]]) -> bytes:
    """The graph with its weights as initialisers: distinct numbers, int8 where a DequantizeLinear reads them."""
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> g {text}')
    stored = {n.input[0] for n in model.graph.node if n.op_type == "DequantizeLinear"}
    for name, shape in weights.items():
        values = np.linspace(0.1, 0.9, int(np.prod(shape))).reshape(shape)
        array = (values * 100).astype(np.int8) if name in stored else values.astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return model.SerializeToString()


@pytest.mark.parametrize("case", CASES)
def test_kernels_are_those_of_the_runtime(case: str) -> None:
    opset, text, weights, expected = CASES[case]
    graph = prepare(build(opset, text, weights))
    ours = lower(graph, local_target().lowering)
    theirs = observe_lowering(write_onnx(graph))
    assert Counter(k.key for k in ours) == Counter(k.key for k in theirs)
    assert Counter(k.kind for k in theirs) == Counter(expected)


def test_the_graph_is_left_as_it_is() -> None:
    opset, text, weights, _ = CASES["batch norm, scale and activation fold into a blocked convolution"]
    graph = prepare(build(opset, text, weights))
    before = write_onnx(graph)
    lower(graph, local_target().lowering)
    assert write_onnx(graph) == before


def test_kernels_name_the_nodes_that_they_stand_for() -> None:
    opset, text, weights, _ = CASES["a residual joins a blocked convolution, with the activation behind it"]
    graph = prepare(build(opset, text, weights))
    names = [node.name for node in graph.nodes]
    kernels = lower(graph, local_target().lowering)
    assert {name for kernel in kernels for name in kernel.nodes} == set(names)
