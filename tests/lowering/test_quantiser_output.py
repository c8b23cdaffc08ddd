"""What onnxruntime's own quantiser writes, lowered by us and by the runtime."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from graphs import kernels_of, lower, prepare
from profilers import local_target
from profilers.runtimes import Loading, make_runtime

NETWORKS: dict[str, tuple[str, dict[str, tuple[int, ...]]]] = {
    "convolutional": (
        "(float[1,3,32,32] x) => (float[1,10] y) <float low = {0.0}, float six = {6.0}> "
        "{ a = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w1, b1) c = Clip(a, low, six) "
        "d = Conv<pads=[1,1,1,1], group=16>(c, w2, b2) e = Relu(d) f = Conv(e, w3, b3) g = Add(f, c) "
        "h = MaxPool<kernel_shape=[2,2], strides=[2,2]>(g) i = Conv(h, w4, b4) j = Sigmoid(i) k = Mul(i, j) "
        "l = Concat<axis=1>(h, k) m = LeakyRelu(l) n = GlobalAveragePool(m) o = Flatten(n) "
        "p = Gemm<transB=1>(o, w5, b5) y = Softmax(p) }",
        {"w1": (16, 3, 3, 3), "b1": (16,), "w2": (16, 1, 3, 3), "b2": (16,), "w3": (16, 16, 1, 1), "b3": (16,),
         "w4": (16, 16, 1, 1), "b4": (16,), "w5": (10, 32), "b5": (10,)},
    ),
    "transformer": (
        "(float[1,8,32] x) => (float[1,8,32] y) <int64[4] heads = {1, 8, 4, 8}, int64[3] all = {1, 8, 32}, "
        "float root = {0.353}> { n = LayerNormalization(x, g, h) q1 = MatMul(n, wq) q2 = Add(q1, bq) "
        "q3 = Reshape(q2, heads) q4 = Transpose<perm=[0,2,1,3]>(q3) k1 = MatMul(n, wk) k2 = Add(k1, bq) "
        "k3 = Reshape(k2, heads) k4 = Transpose<perm=[0,2,3,1]>(k3) s1 = MatMul(q4, k4) s2 = Mul(s1, root) "
        "s3 = Softmax(s2) v1 = MatMul(n, wv) v2 = Reshape(v1, heads) v3 = Transpose<perm=[0,2,1,3]>(v2) "
        "o1 = MatMul(s3, v3) o2 = Transpose<perm=[0,2,1,3]>(o1) o3 = Reshape(o2, all) o4 = MatMul(o3, wo) "
        "r = Add(o4, x) f1 = MatMul(r, wf) f2 = Add(f1, bf) f3 = Erf(f2) f4 = Mul(f2, f3) f5 = MatMul(f4, wg) "
        "y = Add(f5, r) }",
        {"g": (32,), "h": (32,), "wq": (32, 32), "bq": (32,), "wk": (32, 32), "wv": (32, 32), "wo": (32, 32),
         "wf": (32, 64), "bf": (64,), "wg": (64, 32)},
    ),
}  # fmt: skip

U8, S8 = QuantType.QUInt8, QuantType.QInt8
QDQ, QOPERATOR = QuantFormat.QDQ, QuantFormat.QOperator
STATIC: dict[str, dict[str, Any]] = {
    "pairs, unsigned": {"quant_format": QDQ, "activation_type": U8, "weight_type": S8},
    "pairs, unsigned, per channel": {
        "quant_format": QDQ, "activation_type": U8, "weight_type": S8, "per_channel": True,
    },
    "pairs, signed": {"quant_format": QDQ, "activation_type": S8, "weight_type": S8},
    "pairs, symmetric": {
        "quant_format": QDQ, "activation_type": S8, "weight_type": S8, "extra_options": {"ActivationSymmetric": True},
    },
    "pairs, unsigned weights": {"quant_format": QDQ, "activation_type": U8, "weight_type": U8},
    "pairs of their own": {"quant_format": QDQ, "activation_type": U8, "extra_options": {"DedicatedQDQPair": True}},
    "pairs, float biases": {"quant_format": QDQ, "activation_type": U8, "extra_options": {"QuantizeBias": False}},
    "pairs around products": {
        "quant_format": QDQ, "activation_type": U8, "op_types_to_quantize": ["Conv", "MatMul", "Gemm"],
    },
    "operators, unsigned": {"quant_format": QOPERATOR, "activation_type": U8, "weight_type": S8},
    "operators, per channel": {"quant_format": QOPERATOR, "activation_type": U8, "per_channel": True},
    "operators, signed": {"quant_format": QOPERATOR, "activation_type": S8, "weight_type": S8},
}  # fmt: skip
DYNAMIC: dict[str, dict[str, Any]] = {
    "signed": {"weight_type": S8}, "unsigned": {"weight_type": U8}, "per channel": {"per_channel": True},
}  # fmt: skip


class Samples(CalibrationDataReader):
    """Two inputs of random numbers."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        draw = np.random.default_rng(0)
        self.samples: Iterator[dict[str, Any]] = iter(
            [{"x": draw.standard_normal(shape).astype(np.float32)} for _ in range(2)]
        )

    def get_next(self) -> Any:
        return next(self.samples, None)


def write(folder: Path, network: str) -> Path:
    text, shapes = NETWORKS[network]
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> g {text}')
    draw = np.random.default_rng(1)
    for name, shape in shapes.items():
        model.graph.initializer.append(
            onnx.numpy_helper.from_array((draw.standard_normal(shape) / 4).astype(np.float32), name)
        )
    file = folder / "float.onnx"
    onnx.save(model, str(file))
    return file


def compare(file: Path) -> None:
    with make_runtime("onnxruntime", "CPUExecutionProvider").load(file, Loading(1, profile=True)) as session:
        theirs = kernels_of(session.executed_graph())
    ours = lower(prepare(file.read_bytes()), local_target().lowering)
    assert Counter(k.key for k in ours) == Counter(k.key for k in theirs)
    assert any("Q" in k.kind or "Integer" in k.kind for k in theirs)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("way", STATIC)
def test_static_quantisation(network: str, way: str, tmp_path: Path) -> None:
    source, target = write(tmp_path, network), tmp_path / "int8.onnx"
    shape = (1, 3, 32, 32) if network == "convolutional" else (1, 8, 32)
    quantize_static(str(source), str(target), Samples(shape), **STATIC[way])
    compare(target)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("way", DYNAMIC)
def test_dynamic_quantisation(network: str, way: str, tmp_path: Path) -> None:
    source, target = write(tmp_path, network), tmp_path / "int8.onnx"
    quantize_dynamic(str(source), str(target), **DYNAMIC[way])
    compare(target)
