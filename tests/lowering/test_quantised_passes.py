"""Each pass over quantised graphs against the runtime, on graphs that differ in one thing.

``expected`` names the kernel kinds, so that a test cannot pass by both sides doing nothing.
"""

from collections import Counter

import numpy as np
import onnx
import pytest

from graphs import Kernel, LoweringProfile, kernels_of, lower, prepare, write_onnx
from profilers import local_target
from profilers.runtimes import Loading, make_runtime

MS = "com.microsoft."
Q, DQ, CONV = "QuantizeLinear", "DequantizeLinear", MS + "QLinearConv"

#: Scale and zero point of inputs (s, z) and of what is made of them (t, y), unsigned and signed (i); of weights (u, o).
LIMITS = (
    "float s = {0.02}, uint8 z = {128}, int8 i = {0}, float t = {0.05}, uint8 y = {3}, uint8 zero = {0}, "
    "int8 lowest = {-128}, float u = {0.01}, int8 o = {0}, float v = {0.0002}, int32 n = {0}"
)

CASES: dict[str, tuple[str, str, str, list[str]]] = {
    "two pairs in a row are one": (
        "float[4,8] x", "", "k = Sin(x) a = QuantizeLinear(k, s, z) b = DequantizeLinear(a, s, z) "
        "c = QuantizeLinear(b, t, y) d = DequantizeLinear(c, t, y) r = Exp(d)", ["Sin", Q, DQ, "Exp"],
    ),
    "two pairs in a row with two readers are one": (
        "float[4,8] x", "", "k = Sin(x) a = QuantizeLinear(k, s, z) b = DequantizeLinear(a, s, z) "
        "c = QuantizeLinear(b, t, y) d = DequantizeLinear(c, t, y) e = Neg(d) f = Exp(d) r = Add(e, f)",
        ["Sin", Q, DQ, DQ, "Neg", "Exp", "Add"],
    ),
    "a rectifier before two pairs is judged by what both keep": (
        "float[4,8] x", "", "k = Relu(x) a = QuantizeLinear(k, s, z) b = DequantizeLinear(a, s, z) "
        "c = QuantizeLinear(b, t, zero) d = DequantizeLinear(c, t, zero) r = Exp(d)", [Q, DQ, "Exp"],
    ),
    "pairs of different types stay": (
        "float[4,8] x", "", "k = Sin(x) a = QuantizeLinear(k, s, z) b = DequantizeLinear(a, s, z) "
        "c = QuantizeLinear(b, t, i) d = DequantizeLinear(c, t, i) r = Exp(d)", ["Sin", Q, DQ, Q, DQ, "Exp"],
    ),
    "dequantising and quantising alike vanishes for one reader": (
        "uint8[4,8] x", "", "a = DequantizeLinear(x, s, z) b = QuantizeLinear(a, s, z) r = Transpose<perm=[1,0]>(b)",
        ["Transpose"],
    ),
    "dequantising and quantising alike stays for two readers": (
        "uint8[4,8] x", "int64[1] flat = {32}", "a = DequantizeLinear(x, s, z) b = QuantizeLinear(a, s, z) "
        "c = Transpose<perm=[1,0]>(b) d = Reshape(c, flat) e = Reshape(b, flat) r = Concat<axis=0>(d, e)",
        [DQ, Q, "Transpose", "Reshape", "Reshape", "Concat"],
    ),
    "quantisation moves up past a split's transposes": (
        "uint8[1,6,4] x", "", "a = DequantizeLinear(x, s, z) b, c = Split<axis=1, num_outputs=2>(a) "
        "d = Transpose<perm=[0,2,1]>(b) e = QuantizeLinear(d, s, z) f = QuantizeLinear(c, s, z) "
        "g = Reshape(f, like) r = Concat<axis=1>(e, g)", ["Split", "Transpose", "Reshape", "Concat"],
    ),
    "dequantisation moves down past a reshape": (
        "uint8[4,8] x", "int64[1] flat = {32}", "a = DequantizeLinear(x, s, z) b = Reshape(a, flat) r = Exp(b)",
        ["Reshape", DQ, "Exp"],
    ),
    "dequantisation stays above a reshape that is quantised anew as well": (
        "uint8[4,8] x", "int64[1] flat = {32}", "a = DequantizeLinear(x, s, z) b = Reshape(a, flat) c = Neg(b) "
        "d = QuantizeLinear(b, t, y) e = DequantizeLinear(d, t, y) f = Exp(e) r = Add(c, f)",
        [DQ, "Reshape", "Neg", Q, DQ, "Exp", "Add"],
    ),
    "a transpose behind a dequantisation works on eight bits": (
        "uint8[1,4,8,8] x", "", "a = DequantizeLinear(x, s, z) b = Softplus(a) c = Transpose<perm=[0,2,3,1]>(b) "
        "d = QuantizeLinear(c, t, y) e = DequantizeLinear(d, t, y) r = Einsum<equation=\"bhwc->bc\">(e)",
        [DQ, "Softplus", Q, "Transpose", DQ, "Einsum"],
    ),
    "float weights and biases of a quantised layer become integers": (
        "uint8[1,8,6,6] x", "", "a = DequantizeLinear(x, s, z) b = Conv(a, w8, bias) r = QuantizeLinear(b, t, y)",
        ["Transpose", CONV, "Transpose"],
    ),
    "float weights stay where no quantisation follows": (
        "uint8[4,8] x", "", "a = DequantizeLinear(x, s, z) b = Gemm(a, m) r = Exp(b)", [DQ, "Gemm", "Exp"],
    ),
    "a number among the choices of Where is quantised": (
        "uint8[4,8] x", "bool[8] c = {1, 0, 1, 0, 1, 0, 1, 0}, float low = {-3.0}",
        "a = DequantizeLinear(x, s, z) b = Where(c, a, low) r = QuantizeLinear(b, t, y)", [MS + "QLinearWhere"],
    ),
    "signed activations with one reader become unsigned": (
        "float[1,8,6,6] x", "", "k = Sin(x) a = QuantizeLinear(k, s, i) b = DequantizeLinear(a, s, i) c = Conv(b, w8) "
        "d = QuantizeLinear(c, t, i) e = DequantizeLinear(d, t, i) r = Exp(e)",
        ["Sin", Q, "Transpose", CONV, "Transpose", DQ, "Exp"],
    ),
    "signed activations with two readers stay signed, and their convolution float": (
        "float[1,8,6,6] x", "", "k = Sin(x) a = QuantizeLinear(k, s, i) b = DequantizeLinear(a, s, i) c = Conv(b, w8) "
        "d = QuantizeLinear(c, t, i) e = DequantizeLinear(d, t, i) f = Exp(e) g = Abs(b) h = ReduceMax(g) "
        "r = Add(f, h)",
        ["Sin", Q, DQ, DQ, DQ, "Conv", Q, DQ, "Exp", "Abs", "ReduceMax", "Add"],
    ),
    "a rectifier that the zero point makes needless": (
        "uint8[4,8] x, uint8[4,8] k", "", "a = DequantizeLinear(x, s, z) b = DequantizeLinear(k, s, z) c = Add(a, b) "
        "d = Relu(c) r = QuantizeLinear(d, t, zero)", [MS + "QLinearAdd"],
    ),
    "a rectifier that cuts keeps the sum in float": (
        "uint8[4,8] x, uint8[4,8] k", "", "a = DequantizeLinear(x, s, z) b = DequantizeLinear(k, s, z) c = Add(a, b) "
        "d = Relu(c) r = QuantizeLinear(d, t, y)", [DQ, DQ, "Add", "Relu", Q],
    ),
    "a clip that cuts off less than half a step": (
        "uint8[4,8] x, uint8[4,8] k", "float low = {0.0}, float six = {6.0}, float e = {0.02353}",
        "a = DequantizeLinear(x, s, z) b = DequantizeLinear(k, s, z) c = Add(a, b) d = Clip(c, low, six) "
        "r = QuantizeLinear(d, e, zero)", [MS + "QLinearAdd"],
    ),
    "the same clip between operators without a quantised form": (
        "uint8[4,8] x, uint8[4,8] k", "float low = {0.0}, float six = {6.0}, float e = {0.02354}",
        "a = DequantizeLinear(x, s, z) b = DequantizeLinear(k, s, z) c = Sub(a, b) d = Clip(c, low, six) "
        "r = QuantizeLinear(d, e, zero)", [DQ, DQ, "Sub", "Clip", Q],
    ),
    "zero points of equal value but different names keep quantisations apart": (
        "float[4,8] x", "uint8 twin = {128}, int64[1] flat = {32}", "a = QuantizeLinear(x, s, z) "
        "b = QuantizeLinear(x, s, twin) c = Reshape(a, flat) d = Transpose<perm=[1,0]>(b) e = Reshape(d, flat) "
        "r = Concat<axis=0>(c, e)", [Q, "Reshape", Q, "Transpose", "Reshape", "Concat"],
    ),
    "nearest neighbours are found among eight bits": (
        "uint8[1,4,6,6] x", "float[4] twice = {1.0, 1.0, 2.0, 2.0}",
        "a = DequantizeLinear(x, s, z) b = Resize<mode=\"nearest\">(a, , twice) r = QuantizeLinear(b, s, z)",
        ["Resize"],
    ),
    "sixteen bits are moved as they are": (
        "uint16[4,8] x", "uint16 h = {9}", "a = DequantizeLinear(x, s, h) b = Transpose<perm=[1,0]>(a) "
        "r = QuantizeLinear(b, s, h)", ["Transpose"],
    ),
    "sixteen bits are compared in float": (
        "uint16[4,8] x", "uint16 h = {9}", "a = DequantizeLinear(x, s, h) b = ReduceMax(a) "
        "r = QuantizeLinear(b, s, h)", [DQ, "ReduceMax", Q],
    ),
    "interpolation is done in float": (
        "uint8[1,4,6,6] x", "float[4] twice = {1.0, 1.0, 2.0, 2.0}",
        "a = DequantizeLinear(x, s, z) b = Resize<mode=\"linear\">(a, , twice) r = QuantizeLinear(b, s, z)",
        [DQ, "Resize", Q],
    ),
    "a convolution whose bias has another scale stays float": (
        "uint8[1,7,6,6] x", "", "a = DequantizeLinear(x, s, z) b = DequantizeLinear(w7, u, o) "
        "c = DequantizeLinear(bias, t, n) d = Conv(a, b, c) r = QuantizeLinear(d, t, y)",
        [DQ, DQ, DQ, "Conv", Q],
    ),
    "a product whose bias has another scale does not": (
        "uint8[4,8] x", "", "a = DequantizeLinear(x, s, z) b = DequantizeLinear(square, u, o) "
        "c = DequantizeLinear(bias, t, n) d = Gemm(a, b, c) r = QuantizeLinear(d, t, y)", [MS + "QGemm"],
    ),
    "a product without zero points stays float": (
        "uint8[4,8] x", "", "a = DequantizeLinear(x, s) b = DequantizeLinear(m, u) c = Gemm(a, b) "
        "r = QuantizeLinear(c, t)", [DQ, DQ, "Gemm", Q],
    ),
    "a product with a rectifier before no quantisation stays float": (
        "uint8[4,8] x", "", "a = DequantizeLinear(x, s, z) b = DequantizeLinear(m, u, o) c = Gemm(a, b) d = Relu(c) "
        "r = Exp(d)", [DQ, DQ, MS + "FusedGemm", "Exp"],
    ),
    "a product before no quantisation": (
        "uint8[4,8] x", "", "a = DequantizeLinear(x, s, z) b = DequantizeLinear(m, u, o) c = Gemm(a, b) r = Exp(c)",
        [MS + "QGemm", "Exp"],
    ),
    "two convolutions share one transpose": (
        "uint8[1,8,6,6] x", "", "a = DequantizeLinear(x, s, z) b = Conv(a, w8) c = QuantizeLinear(b, t, y) "
        "d = DequantizeLinear(x, s, z) e = Conv(d, v8) f = QuantizeLinear(e, t, y) g = DequantizeLinear(c, t, y) "
        "h = DequantizeLinear(f, t, y) k = Add(g, h) r = QuantizeLinear(k, t, y)",
        ["Transpose", CONV, CONV, MS + "QLinearAdd", "Transpose"],
    ),
    "shuffled channels stay last as far as they can": (
        "uint8[1,8,6,6] x", "int64[5] parts = {1, 2, 4, 6, 6}, int64[4] all = {1, 8, 6, 6}",
        "a = DequantizeLinear(x, s, z) b = Conv<pads=[1,1,1,1]>(a, w8) c = QuantizeLinear(b, t, y) "
        "d = Reshape(c, parts) e = Transpose<perm=[0,2,1,3,4]>(d) r = Reshape(e, all)",
        ["Transpose", CONV, "Reshape", "Transpose", "Reshape"],
    ),
    "transposes move once per level": (
        "uint8[4,8,6] x", "int64[4] parts = {2, 2, 6, 8}",
        "a = DequantizeLinear(x, s, z) b = Transpose<perm=[0,2,1]>(a) "
        "c = QuantizeLinear(b, s, z) d = DequantizeLinear(c, s, z) e = Reshape(d, parts) r = QuantizeLinear(e, s, z)",
        ["Transpose", "Reshape"],
    ),
}  # fmt: skip

WEIGHTS = {"w7": (8, 7, 3, 3), "square": (8, 8), "w8": (8, 8, 3, 3), "v8": (8, 8, 3, 3), "bias": (8,), "m": (8, 5)}


def test_signed_convolutions_are_quantised_on_arm() -> None:
    """After what the runtime's sources say; there is no such processor here to ask."""
    inputs, constants, nodes, _ = CASES["signed activations with two readers stay signed, and their convolution float"]
    graph = prepare(build(inputs, constants, nodes))
    kinds = {isa: {k.kind for k in lower(graph, LoweringProfile(isa=isa, nchwc_block=0))} for isa in ("avx2", "neon")}
    assert CONV not in kinds["avx2"]
    assert CONV in kinds["neon"]


def build(inputs: str, constants: str, nodes: str, opset: int = 21) -> bytes:
    """A graph that returns r. Weights are small enough to stay signed; a DequantizeLinear reads int8."""
    declared = ", ".join(d for d in (LIMITS, constants, "int64[3] like = {1, 4, 3}") if d)
    text = f'<ir_version: 8, opset_import: ["" : {opset}]> g ({inputs}) => (r) <{declared}> {{ {nodes} }}'
    model = onnx.parser.parse_model(text.replace("=> (r)", "=> (float[a] r)"))
    used = {name for node in model.graph.node for name in node.input}
    stored = {node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    for name, shape in WEIGHTS.items():
        if name in used:
            values = np.linspace(-60, 60, int(np.prod(shape))).reshape(shape)
            kind = np.int32 if name == "bias" else np.int8
            array = values.astype(kind) if name in stored else (values / 100).astype(np.float32)
            model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return returning_inferred(model)


def returning_inferred(model: onnx.ModelProto) -> bytes:
    """The model with the type that its output really has."""
    del model.graph.output[:]
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    model.graph.output.extend(v for v in inferred.graph.value_info if v.name == "r")
    if not model.graph.output:
        raise AssertionError("the output's type is not known")
    return model.SerializeToString()


def runtime_kernels(model: bytes) -> list[Kernel]:
    """What the runtime makes of a model, without running it."""
    with make_runtime("onnxruntime", "CPUExecutionProvider").load(model, Loading(1, profile=True)) as session:
        return kernels_of(session.executed_graph())


@pytest.mark.parametrize("case", CASES)
def test_kernels_are_those_of_the_runtime(case: str) -> None:
    inputs, constants, nodes, expected = CASES[case]
    graph = prepare(build(inputs, constants, nodes))
    ours = lower(graph, local_target().lowering)
    theirs = runtime_kernels(write_onnx(graph))
    assert Counter(k.kind for k in theirs) == Counter(expected)
    assert Counter(k.key for k in ours) == Counter(k.key for k in theirs)
