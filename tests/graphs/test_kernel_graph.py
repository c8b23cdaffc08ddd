"""Graphs of single kernels: onnxruntime runs exactly that kernel, and it is the same kernel as before."""

import platform
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from graphs import (
    Graph,
    Kernel,
    LoweringProfile,
    Node,
    Operand,
    Parameter,
    TensorType,
    UnsupportedOperator,
    kernel_graph,
    kernels_of,
    lower,
    prepare,
    write_onnx,
)  # fmt: skip
from graphs.inference.engine import infer

Run = Callable[..., dict[str, NDArray[Any]]]


def tensor(*shape: int, dtype: str = "float32") -> Operand:
    return Operand(dtype, shape)


def weight(*shape: int, dtype: str = "float32") -> Operand:
    return Operand(dtype, shape, constant=True)


def setting(*values: int | float, dtype: str = "int64") -> tuple[Operand, NDArray[Any]]:
    """A constant input with its value."""
    array = np.array(values, dtype)
    return Operand(dtype, array.shape, constant=True), array


def one(
    op: str,
    *inputs: Operand | tuple[Operand, NDArray[Any]] | None,
    outputs: int = 1,
    domain: str = "",
    opset: int = 21,
    **attributes: Any,
) -> Kernel:
    """The kernel of one node."""
    graph = Graph("one", {"": opset, domain or "com.microsoft": opset if not domain else 1})
    names = []
    for index, entry in enumerate(inputs):
        operand, value = entry if type(entry) is tuple else (entry, None)
        names.append(f"i{index}" if operand is not None else "")
        if operand is None:
            continue
        graph.types[names[-1]] = TensorType(operand.dtype, operand.shape)
        if operand.constant:
            graph.parameters[names[-1]] = Parameter(graph.types[names[-1]], value)
        else:
            graph.inputs.append(names[-1])
    graph.outputs = [f"o{i}" for i in range(outputs)]
    graph.nodes = [Node(op, names, list(graph.outputs), attributes, domain)]
    return kernels_of(infer(graph))[0]


X = tensor(2, 8, 12, 12)
TOKENS = tensor(2, 10, 32)
SCALE, ZERO = weight(), weight(dtype="uint8")
SCALES, ZEROS = weight(16), weight(16, dtype="int8")
BYTES = tensor(2, 8, 12, 12, dtype="uint8")

KERNELS = {
    "conv": one("Conv", X, weight(16, 8, 3, 3), weight(16), pads=(1, 1, 1, 1)),
    "conv grouped, dilated, strided": one("Conv", X, weight(16, 4, 3, 3), group=2, dilations=(2, 2), strides=(2, 1)),
    "conv auto_pad": one("Conv", X, weight(16, 8, 3, 3), auto_pad="SAME_UPPER", strides=(2, 2)),
    "conv 1d": one("Conv", tensor(1, 4, 40), weight(8, 4, 5)),
    "conv 3d": one("Conv", tensor(1, 4, 6, 6, 6), weight(8, 4, 3, 3, 3)),
    "conv computed weight": one("Conv", X, tensor(16, 8, 1, 1)),
    "transposed conv": one("ConvTranspose", X, weight(8, 6, 3, 3), strides=(2, 2), output_padding=(1, 1)),
    "fused conv": one("FusedConv", X, weight(16, 8, 1, 1), weight(16), domain="com.microsoft", activation="Relu"),
    "fused conv, residual": one(
        "FusedConv", X, weight(8, 8, 1, 1), weight(8), X, domain="com.microsoft", activation="LeakyRelu",
        activation_params=(0.1,),
    ),
    "max pool": one("MaxPool", X, kernel_shape=(3, 3), strides=(2, 2), pads=(1, 1, 1, 1)),
    "max pool, rounded up": one("MaxPool", X, kernel_shape=(3, 3), strides=(2, 2), ceil_mode=1),
    "max pool with indices": one("MaxPool", X, outputs=2, kernel_shape=(2, 2)),
    "average pool": one("AveragePool", X, kernel_shape=(3, 3), pads=(1, 1, 1, 1), count_include_pad=1),
    "global pool": one("GlobalAveragePool", X),
    "matmul": one("MatMul", TOKENS, weight(32, 48)),
    "matmul of two tensors": one("MatMul", TOKENS, tensor(2, 32, 5)),
    "fused matmul": one("FusedMatMul", TOKENS, TOKENS, domain="com.microsoft", transB=1, alpha=0.5),
    "gemm": one("Gemm", tensor(4, 32), weight(16, 32), weight(16), transB=1),
    "fused gemm": one(
        "FusedGemm", tensor(4, 32), weight(16, 32), weight(16), transB=1, activation="Relu", domain="com.microsoft"
    ),
    "einsum": one("Einsum", tensor(2, 3, 4), tensor(2, 4, 5), equation="bij,bjk->bik"),
    "add": one("Add", X, X),
    "add constant": one("Add", X, weight(8, 1, 1)),
    "pow": one("Pow", X, (weight(), np.array(2, np.float32))),
    "where": one("Where", tensor(2, 8, 12, 12, dtype="bool"), X, weight()),
    "clip": one("Clip", X, (weight(), np.array(0, np.float32)), (weight(), np.array(6, np.float32))),
    "cast": one("Cast", X, to=6),
    "leaky relu": one("LeakyRelu", X, alpha=0.2),
    "hard sigmoid": one("HardSigmoid", X, alpha=0.3),
    "gelu": one("Gelu", TOKENS, domain="com.microsoft"),
    "quick gelu": one("QuickGelu", TOKENS, domain="com.microsoft", alpha=1.0),
    "fast gelu": one("FastGelu", TOKENS, weight(32), domain="com.microsoft"),
    "bias gelu": one("BiasGelu", TOKENS, weight(32), domain="com.microsoft"),
    "softmax": one("Softmax", TOKENS),
    "softmax of old": one("Softmax", X, opset=9),
    "batch norm": one("BatchNormalization", X, *[weight(8)] * 4, epsilon=1e-3),
    "layer norm": one("LayerNormalization", TOKENS, weight(32), weight(32)),
    "skip layer norm": one("SkipLayerNormalization", TOKENS, TOKENS, weight(32), weight(32), domain="com.microsoft"),
    "instance norm": one("InstanceNormalization", X, weight(8), weight(8)),
    "lrn": one("LRN", X, size=5),
    "reduce mean": one("ReduceMean", X, setting(2, 3), keepdims=0),
    "reduce sum, old axes": one("ReduceSum", X, opset=11, axes=(1,)),
    "arg max": one("ArgMax", X, axis=1),
    "reshape": one("Reshape", X, setting(2, -1)),
    "flatten": one("Flatten", X, axis=2),
    "squeeze": one("Squeeze", tensor(1, 5, 1, 1, 4), setting(2, 3)),
    "unsqueeze": one("Unsqueeze", tensor(1, 5, 4), setting(1, 4)),
    "transpose": one("Transpose", X, perm=(0, 2, 3, 1)),
    "concat": one("Concat", X, X, axis=1),
    "split": one("Split", X, setting(2, 6), outputs=2, axis=1),
    "slice": one("Slice", X, setting(1, 0), setting(7, -1), setting(1, 2), setting(2, 3)),
    "slice backwards": one("Slice", X, setting(-1), setting(-100), setting(3), setting(-1)),
    "pad": one("Pad", X, setting(0, 0, 1, 1, 0, 0, 2, 2)),
    "pad some axes": one("Pad", X, setting(1, 2), None, setting(-1), mode="reflect"),
    "gather": one("Gather", weight(100, 32), tensor(2, 7, dtype="int64")),
    "gather constant indices": one("Gather", X, setting(0, 3, 1), axis=1),
    "gather elements": one("GatherElements", X, tensor(2, 8, 12, 3, dtype="int64"), axis=3),
    "expand": one("Expand", tensor(1, 8, 1), setting(4, 1, 5)),
    "tile": one("Tile", tensor(2, 3), setting(2, 1)),
    "top k": one("TopK", X, setting(3), outputs=2, axis=3),
    "cumulative sum": one("CumSum", X, (weight(dtype="int64"), np.array(1))),
    "one hot": one(
        "OneHot", tensor(4, dtype="int64"), (weight(dtype="int64"), np.array(6)), setting(0, 1, dtype="float32")
    ),
    "resize nearest": one(
        "Resize", X, None, setting(1, 1, 2, 2, dtype="float32"), mode="nearest", nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    ),
    "resize linear": one("Resize", X, None, None, setting(2, 8, 20, 30), mode="linear"),
    "depth to space": one("DepthToSpace", X, blocksize=2),
    "trilu": one("Trilu", tensor(5, 5)),
    "lstm": one("LSTM", tensor(6, 2, 10), weight(1, 32, 10), weight(1, 32, 8), weight(1, 64), outputs=3, hidden_size=8),
    "gru, both ways": one(
        "GRU", tensor(6, 2, 10), weight(2, 24, 10), weight(2, 24, 8), direction="bidirectional", hidden_size=8
    ),
    "quantize": one("QuantizeLinear", X, SCALE, ZERO),
    "dequantize per channel": one("DequantizeLinear", weight(16, 8, dtype="int8"), SCALES, ZEROS, axis=0),
    "contrib quantize": one("QuantizeLinear", X, SCALE, weight(dtype="uint16"), domain="com.microsoft"),
    "quantised conv": one(
        "QLinearConv", BYTES, SCALE, ZERO, weight(16, 8, 3, 3, dtype="int8"), SCALES, ZEROS, SCALE, ZERO,
        weight(16, dtype="int32"),
    ),
    "quantised conv, channels last": one(
        "QLinearConv", tensor(2, 12, 12, 8, dtype="uint8"), SCALE, ZERO, weight(16, 8, 3, 3, dtype="int8"), SCALES,
        ZEROS, SCALE, ZERO, domain="com.microsoft", channels_last=1,
    ),
    "quantised matmul": one(
        "QLinearMatMul", tensor(4, 32, dtype="uint8"), SCALE, ZERO, weight(32, 16, dtype="int8"), SCALE,
        weight(dtype="int8"), SCALE, ZERO,
    ),
    "quantised gemm": one(
        "QGemm", tensor(4, 32, dtype="uint8"), SCALE, ZERO, weight(16, 32, dtype="int8"), SCALES, ZEROS,
        weight(16, dtype="int32"), SCALE, ZERO, domain="com.microsoft", transB=1,
    ),
    "quantised add": one("QLinearAdd", BYTES, SCALE, ZERO, BYTES, SCALE, ZERO, SCALE, ZERO, domain="com.microsoft"),
    "quantised concat": one(
        "QLinearConcat", SCALE, ZERO, BYTES, SCALE, ZERO, BYTES, SCALE, ZERO, domain="com.microsoft", axis=1
    ),
    "quantised average": one(
        "QLinearAveragePool", BYTES, SCALE, ZERO, SCALE, ZERO, domain="com.microsoft", kernel_shape=(2, 2)
    ),
    "quantised global average": one(
        "QLinearGlobalAveragePool", BYTES, SCALE, ZERO, SCALE, ZERO, domain="com.microsoft", channels_last=0
    ),
    "quantised softmax": one(
        "QLinearSoftmax", tensor(2, 9, dtype="uint8"), SCALE, ZERO, SCALE, ZERO, domain="com.microsoft", opset=13
    ),
    "dynamic quantize": one("DynamicQuantizeLinear", TOKENS, outputs=3),
    "integer matmul": one("MatMulInteger", tensor(4, 32, dtype="uint8"), weight(32, 16, dtype="int8"), ZERO),
    "attention": one("Attention", TOKENS, weight(32, 96), weight(96), domain="com.microsoft", num_heads=4),
    "pool of bytes, channels last": one(
        "NhwcMaxPool", tensor(2, 12, 12, 8, dtype="uint8"), domain="com.microsoft", kernel_shape=(3, 3), strides=(2, 2)
    ),
    "quantised mul": one("QLinearMul", BYTES, SCALE, ZERO, BYTES, SCALE, ZERO, SCALE, ZERO, domain="com.microsoft"),
    "quantised sigmoid": one("QLinearSigmoid", BYTES, SCALE, ZERO, SCALE, ZERO, domain="com.microsoft"),
    "quantised leaky relu": one(
        "QLinearLeakyRelu", BYTES, SCALE, ZERO, SCALE, ZERO, domain="com.microsoft", alpha=0.1
    ),
    "integer matmul, scaled": one(
        "MatMulIntegerToFloat", tensor(4, 32, dtype="uint8"), weight(32, 16, dtype="int8"), tensor(), weight(16),
        tensor(dtype="uint8"), weight(16, dtype="int8"), domain="com.microsoft",
    ),
    "dynamically quantised matmul": one(
        "DynamicQuantizeMatMul", tensor(4, 32), weight(32, 16, dtype="int8"), weight(16), weight(16, dtype="int8"),
        domain="com.microsoft",
    ),
    "matmul of 4 bits": one(
        "MatMulNBits", tensor(2, 10, 64), weight(16, 2, 16, dtype="uint8"), weight(32), domain="com.microsoft", K=64,
        N=16, bits=4, block_size=32,
    ),
    "embeddings": one(
        "EmbedLayerNormalization", tensor(2, 10, dtype="int32"), tensor(2, 10, dtype="int32"), weight(50, 32),
        weight(20, 32), weight(2, 32), weight(32), weight(32), outputs=2, domain="com.microsoft",
    ),
    "simplified layer norm": one("SimplifiedLayerNormalization", TOKENS, weight(32), axis=-1),
    "skip simplified layer norm": one(
        "SkipSimplifiedLayerNormalization", TOKENS, TOKENS, weight(32), domain="com.microsoft"
    ),
    "rotary embedding": one(
        "RotaryEmbedding", tensor(2, 4, 10, 8), tensor(2, 10, dtype="int64"), weight(20, 4), weight(20, 4),
        domain="com.microsoft",
    ),
    "blocked upsample": one("Upsample", tensor(1, 32, 4, 4), domain="com.microsoft.nchwc", scales=(1, 1, 2, 2)),
    "into blocks": one("ReorderInput", tensor(1, 32, 4, 4), domain="com.microsoft.nchwc"),
    "into blocks, channels last": one(
        "ReorderInput", tensor(1, 4, 4, 32), domain="com.microsoft.nchwc", channels_last=1
    ),
    "out of blocks": one("ReorderOutput", tensor(1, 32, 4, 4), domain="com.microsoft.nchwc", channels=29),
    "multi-head attention": one(
        "MultiHeadAttention", TOKENS, TOKENS, TOKENS, domain="com.microsoft", num_heads=4
    ),
}  # fmt: skip


def runs_here(kernel: Kernel) -> bool:
    """The blocked layout exists on x86 only."""
    return platform.machine().lower() in ("x86_64", "amd64") or not kernel.kind.startswith("com.microsoft.nchwc.")


def session(graph: Graph, tmp_path: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.optimized_model_filepath = str(tmp_path / "executed.onnx")
    return onnxruntime.InferenceSession(write_onnx(graph, initializers=True), options)


@pytest.mark.parametrize("name", KERNELS)
def test_the_runtime_runs_this_kernel_alone(name: str, run: Run, tmp_path: Any) -> None:
    kernel = KERNELS[name]
    if not runs_here(kernel):
        pytest.skip("this processor has no blocked layout")
    graph = kernel_graph(kernel)
    session(graph, tmp_path)
    executed = prepare((tmp_path / "executed.onnx").read_bytes())
    assert [n.kind for n in executed.nodes] == [kernel.kind]
    assert sum(o is not None and not o.constant for o in kernel.inputs) == len(graph.inputs)
    for tensor_name, value in run(graph, initializers=True).items():
        expected = graph.types[tensor_name]
        assert (value.shape, value.dtype.name) == (expected.shape, expected.dtype)


@pytest.mark.parametrize("name", KERNELS)
def test_its_kernel_is_the_same_again(name: str) -> None:
    kernel = KERNELS[name]
    graph = kernel_graph(kernel)
    assert kernels_of(graph)[0].key == kernel.key
    if graph.inputs:
        inferred = infer(graph)
        assert [inferred.types[n] for n in graph.outputs] == [graph.types[n] for n in graph.outputs]


@pytest.mark.parametrize("name", ["shufflenet", "squeezenet", "densenet121", "inception_v2", "bvlc_alexnet"])
def test_kernels_of_real_networks_run(name: str, light_models: dict[str, bytes], run: Run) -> None:
    """One of every kind, those of the blocked layout among them."""
    kinds = {kernel.kind: kernel for kernel in lower(prepare(light_models[name]), LoweringProfile())}
    assert any(kind.startswith("com.microsoft.nchwc.") for kind in kinds)
    for kernel in kinds.values():
        graph = kernel_graph(kernel)
        assert kernels_of(graph)[0].key == kernel.key
        if not runs_here(kernel):
            continue
        found = [value.shape for value in run(graph, initializers=True).values()]
        assert found == [output.shape for output in kernel.outputs]


def test_an_output_in_between_may_be_missing() -> None:
    """Kernels hold only outputs in use: of a skip normalisation the first and the fourth."""
    kernel = Kernel("com.microsoft.SkipLayerNormalization", (TOKENS, TOKENS, weight(32), weight(32)), (TOKENS, TOKENS))
    assert kernel_graph(kernel).nodes[0].outputs == ["y0", "", "", "y3"]


def test_subgraphs_cannot_run_alone() -> None:
    with pytest.raises(UnsupportedOperator, match="Loop cannot be run alone"):
        kernel_graph(Kernel("Loop", (), (X,)))
