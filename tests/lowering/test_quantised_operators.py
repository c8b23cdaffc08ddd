"""Operators between DequantizeLinear and QuantizeLinear, quantised in every way, against the runtime."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import onnx
import pytest

from graphs import Kernel, kernels_of, lower, prepare, write_onnx
from profilers import local_target
from profilers.runtimes import Loading, make_runtime


@dataclass(frozen=True)
class Operator:
    """``text`` reads quantised x and v, stored weights w and b, float weights f and g; ``shapes`` are theirs."""

    text: str
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    constants: str = ""
    #: Data is only moved: quantised alike before and behind.
    moves: bool = False
    quantised_output: bool = True
    since: int = 13


IMAGE = (1, 16, 8, 8)
KERNEL = {"x": IMAGE, "w": (16, 16, 3, 3), "b": (16,), "f": (16, 16, 3, 3), "g": (16,)}
MATRIX = {"x": (4, 16), "w": (16, 8), "b": (8,), "f": (16, 8), "g": (8,)}
SEQUENCE = {"x": (2, 8, 16), "v": (2, 16, 8), "w": (16, 8), "f": (16, 8)}
PAIR = {"x": IMAGE, "v": IMAGE, "w": (16, 1, 1), "f": (16, 1, 1)}
ONE = {"x": IMAGE, "g": (16,), "w": (8,), "f": (8,)}

OPERATORS = {
    "convolution": Operator("Conv(x, w, b)", KERNEL),
    "convolution without bias": Operator("Conv(x, w)", KERNEL),
    "convolution of float weights": Operator("Conv(x, f, g)", KERNEL),
    "convolution of a float bias": Operator("Conv(x, w, g)", KERNEL),
    "transposed convolution": Operator("ConvTranspose(x, w, b)", KERNEL),
    "transposed convolution of float weights": Operator("ConvTranspose(x, f, g)", KERNEL),
    "product": Operator("MatMul(x, w)", SEQUENCE),
    "product of two": Operator("MatMul(x, v)", SEQUENCE),
    "product of float weights": Operator("MatMul(x, f)", SEQUENCE),
    "product alone": Operator("MatMul(x, w)", SEQUENCE, quantised_output=False),
    "gemm": Operator("Gemm(x, w, b)", MATRIX),
    "gemm without bias": Operator("Gemm(x, w)", MATRIX),
    "gemm of float weights": Operator("Gemm(x, f, g)", MATRIX),
    "gemm of a float bias": Operator("Gemm(x, w, g)", MATRIX),
    "gemm with half a bias": Operator("Gemm<beta=0.5>(x, w, b)", MATRIX),
    "gemm alone": Operator("Gemm(x, w, b)", MATRIX, quantised_output=False),
    "sum": Operator("Add(x, v)", PAIR), "sum with weights": Operator("Add(x, w)", PAIR),
    "sum with float weights": Operator("Add(x, f)", PAIR), "scale": Operator("Mul(x, v)", PAIR),
    "difference": Operator("Sub(x, v)", PAIR), "quotient": Operator("Div(x, v)", PAIR),
    "maximum": Operator("Max(x, v)", PAIR), "join": Operator("Concat<axis=1>(x, v)", PAIR),
    "join of three": Operator("Concat<axis=1>(x, v, x)", PAIR), "slopes": Operator("PRelu(x, w)", PAIR),
    "choice": Operator("Where(c, x, v)", PAIR, "bool[1] c = {1}"),
    "contraction": Operator('Einsum<equation="bij,bjk->bik">(x, v)', SEQUENCE),
    "average pool": Operator("AveragePool<kernel_shape=[2,2]>(x)", ONE),
    "global average": Operator("GlobalAveragePool(x)", ONE),
    "maximum pool": Operator("MaxPool<kernel_shape=[2,2]>(x)", ONE, moves=True),
    "maximum pool to another scale": Operator("MaxPool<kernel_shape=[2,2]>(x)", ONE),
    "leaky": Operator("LeakyRelu(x)", ONE), "sigmoid": Operator("Sigmoid(x)", ONE),
    "softmax": Operator("Softmax(x)", ONE), "softmax of channels": Operator("Softmax<axis=1>(x)", ONE),
    "hard swish": Operator("HardSwish(x)", ONE, since=14), "tanh": Operator("Tanh(x)", ONE),
    "rectifier": Operator("Relu(x)", ONE),
    "error function": Operator("Erf(x)", ONE), "clip": Operator("Clip(x)", ONE),
    "layer norm": Operator("LayerNormalization(x, w, w)", ONE, since=17),
    "layer norm of float weights": Operator("LayerNormalization(x, f, f)", ONE, since=17),
    "instance norm": Operator("InstanceNormalization(x, g, g)", ONE),
    "batch norm": Operator("BatchNormalization(x, g, g, g, g)", ONE),
    "mean": Operator("ReduceMean(x)", ONE), "largest": Operator("ReduceMax(x)", ONE, moves=True),
    "largest to another scale": Operator("ReduceMax(x)", ONE),
    "place of the largest": Operator("ArgMax(x)", ONE, quantised_output=False),
    "transpose": Operator("Transpose<perm=[0,2,3,1]>(x)", ONE, moves=True),
    "transpose to another scale": Operator("Transpose<perm=[0,2,3,1]>(x)", ONE),
    "reshape": Operator("Reshape(x, n)", ONE, "int64[2] n = {16, 64}", moves=True),
    "flatten": Operator("Flatten(x)", ONE, moves=True),
    "pick": Operator("Gather<axis=1>(x, n)", ONE, "int64[2] n = {0, 3}", moves=True),
    "slice": Operator("Slice(x, n, m)", ONE, "int64[2] n = {0, 1}, int64[2] m = {1, 9}", moves=True),
    "expand": Operator("Expand(x, n)", ONE, "int64[4] n = {3, 16, 8, 8}", moves=True),
    "tile": Operator("Tile(x, n)", ONE, "int64[4] n = {1, 2, 1, 1}", moves=True),
    "pad": Operator("Pad(x, n)", ONE, "int64[8] n = {0, 0, 1, 1, 0, 0, 1, 1}", moves=True),
    "pixels from channels": Operator("DepthToSpace<blocksize=2>(x)", ONE, moves=True),
    "channels from pixels": Operator("SpaceToDepth<blocksize=2>(x)", ONE, moves=True),
}  # fmt: skip


@dataclass(frozen=True)
class Scheme:
    """Element types of activations, of what is made, and of weights; how their scales are written."""

    data: str = "uint8"
    output: str = "uint8"
    weights: str = "int8"
    zero_points: bool = True
    opset: int = 17


SCHEMES = {
    "unsigned": Scheme(), "signed": Scheme("int8", "int8"), "unsigned weights": Scheme(weights="uint8"),
    "mixed": Scheme("uint8", "int8"), "without zero points": Scheme(zero_points=False),
    "signed without zero points": Scheme("int8", zero_points=False), "opset 13": Scheme(opset=13),
    "opset 21": Scheme(opset=21), "signed, opset 23": Scheme("int8", "int8", opset=23),
}  # fmt: skip

ZERO = {"uint8": 128, "int8": 0, "int32": 0}


def build(operator: Operator, scheme: Scheme) -> bytes:
    """The operator between DequantizeLinear and QuantizeLinear (or Neg)."""
    call = operator.text.partition(">(")[2] or operator.text.partition("(")[2]
    read = dict.fromkeys(call.rstrip(")").split(", "))
    zero = ", {}".format if scheme.zero_points else lambda _: ""
    wide = 0.02 if operator.moves else 0.05
    constants = [
        "float s = {0.02}", f"{scheme.data} z = {{{ZERO[scheme.data]}}}", f"float t = {{{wide}}}",
        f"{scheme.output} y = {{{ZERO[scheme.output]}}}", "float u = {0.01}",
        f"{scheme.weights} o = {{{ZERO[scheme.weights]}}}", "float k = {0.0002}", "int32 p = {0}", operator.constants,
    ]  # fmt: skip
    limits = {"x": "s z", "v": "s z", "w": "u o", "b": "k p"}
    nodes, names = [], {}
    for name in (n for n in read if n in limits):
        scale, point = limits[name].split()
        nodes.append(f"{name}_ = DequantizeLinear({name}, {scale}{zero(point)})")
        names[name] = f"{name}_"
    head = operator.text[: -len(call)]
    nodes.append(f"r = {head}{', '.join(names.get(n, n) for n in call.rstrip(')').split(', '))})")
    nodes.append(f"e = QuantizeLinear(r, t{zero('y')})" if operator.quantised_output else "e = Identity(r)")
    inputs = ", ".join(f"{scheme.data}[{','.join(map(str, operator.shapes[n]))}] {n}" for n in ("x", "v") if n in read)
    header = f'<ir_version: 8, opset_import: ["" : {scheme.opset}]>'
    text = f"{header} g ({inputs}) => (float[a] e) <{', '.join(c for c in constants if c)}> {{ {' '.join(nodes)} }}"
    return with_weights(onnx.parser.parse_model(text), operator, scheme, set(read))


def with_weights(model: onnx.ModelProto, operator: Operator, scheme: Scheme, read: set[str]) -> bytes:
    dtypes = {"w": scheme.weights, "b": "int32", "f": "float32", "g": "float32"}
    for name in sorted(read & dtypes.keys()):
        shape = operator.shapes[name]
        values = np.linspace(-60, 60, int(np.prod(shape))).reshape(shape) + ZERO.get(dtypes[name], 0)
        array = values / 100 if dtypes[name] == "float32" else values
        model.graph.initializer.append(onnx.numpy_helper.from_array(array.astype(dtypes[name]), name))
    del model.graph.output[:]
    inferred = onnx.shape_inference.infer_shapes(model)
    model.graph.output.extend(v for v in inferred.graph.value_info if v.name == "e")
    return model.SerializeToString()


def runtime_kernels(model: bytes) -> list[Kernel]:
    with make_runtime("onnxruntime", "CPUExecutionProvider").load(model, Loading(1, profile=True)) as session:
        return kernels_of(session.executed_graph())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_operators_between_pairs(scheme: str) -> None:
    """All operators at once, since each takes a millisecond."""
    wrong = {}
    for name, operator in OPERATORS.items():
        if operator.since > SCHEMES[scheme].opset:
            continue
        graph = prepare(build(operator, SCHEMES[scheme]))
        theirs = runtime_kernels(write_onnx(graph))
        ours = lower(graph, local_target().lowering)
        if Counter(k.key for k in ours) != Counter(k.key for k in theirs):
            wrong[name] = ([k.kind for k in ours], [k.kind for k in theirs])
    assert not wrong
