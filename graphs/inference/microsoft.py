"""Contrib operators (``com.microsoft``) that onnxruntime's optimiser writes into a graph.

Signatures: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

from collections.abc import Sequence

from graphs.errors import InvalidGraph
from graphs.inference.call import Call, axis_in, broadcast, rule
from graphs.inference.conv_pool import conv_shape, window
from graphs.inference.elementwise import same_as_first
from graphs.inference.matmul import gemm_shape, matmul_shape
from graphs.inference.quantize import dynamic_quantize_linear
from graphs.inference.shape_ops import concatenated, transpose
from graphs.ir import TensorType

_M = "com.microsoft."
#: Standard operators with the channels last, as the runtime calls them among its own kernels.
_NHWC = "com.ms.internal.nhwc."

rule(
    *(_M + op for op in ("BiasGelu", "BiasSoftmax", "FastGelu", "Gelu", "NhwcFusedLeakyRelu", "QLinearLeakyRelu",
                         "QLinearSigmoid", "QLinearSoftmax", "QuickGelu", "BiasSplitGelu", "GroupNorm"))
)(same_as_first)  # fmt: skip
rule(_M + "DynamicQuantizeLinear")(dynamic_quantize_linear)


def _last_axes_swapped(shape: tuple[int, ...], flag: int) -> tuple[int, ...]:
    return (*shape[:-2], shape[-1], shape[-2]) if flag and len(shape) > 1 else shape


@rule(_M + "FusedMatMul", _M + "TransposeMatMul")
def _fused_matmul(call: Call) -> Sequence[TensorType]:
    """MatMul of transposed inputs; transBatch moves the first dimension in front of the last one."""
    shapes = []
    for index, side in enumerate("AB"):
        shape = call.shape(index)
        if call.attribute("transBatch" + side, 0):
            shape = (*shape[1:-1], shape[0], shape[-1])
        shapes.append(_last_axes_swapped(shape, call.attribute("trans" + side, 0)))
    return (TensorType(call.dtype(0), matmul_shape(*shapes)),)


@rule(_M + "FusedGemm")
def _fused_gemm(call: Call) -> Sequence[TensorType]:
    return (TensorType(call.dtype(0), gemm_shape(call, call.shape(0), call.shape(1))),)


@rule(_M + "QGemm")
def _quantized_gemm(call: Call) -> Sequence[TensorType]:
    """A, its scale and zero point, B, its two, C, and the output's two: without those it is float32."""
    shape = gemm_shape(call, call.shape(0), call.shape(3))
    return (TensorType(call.dtype(8) if call.has(8) else "float32", shape),)


@rule(_M + "MatMulIntegerToFloat")
def _matmul_integer_to_float(call: Call) -> Sequence[TensorType]:
    return (TensorType(call.dtype(2), matmul_shape(call.shape(0), call.shape(1))),)


@rule(_M + "DynamicQuantizeMatMul")
def _dynamic_quantize_matmul(call: Call) -> Sequence[TensorType]:
    return (TensorType(call.dtype(0), matmul_shape(call.shape(0), call.shape(1))),)


@rule(_M + "MatMulNBits")
def _matmul_n_bits(call: Call) -> Sequence[TensorType]:
    data = call.shape(0)
    if data[-1] != call.attribute("K"):
        raise InvalidGraph(f"the last dimension of {list(data)} is not K = {call.attribute('K')}")
    return (TensorType(call.dtype(0), (*data[:-1], call.attribute("N"))),)


@rule(_M + "FusedConv")
def _fused_conv(call: Call) -> Sequence[TensorType]:
    """Conv with an activation and perhaps a residual input Z of the output's shape."""
    shape = conv_shape(call, call.shape(0), call.shape(1))
    if call.has(3) and call.shape(3) != shape:
        raise InvalidGraph(f"the residual has shape {list(call.shape(3))}, not {list(shape)}")
    return (TensorType(call.dtype(0), shape),)


@rule(_M + "NhwcFusedConv")
def _nhwc_fused_conv(call: Call) -> Sequence[TensorType]:
    return (TensorType(call.dtype(0), to_nhwc(conv_shape(call, to_nchw(call.shape(0)), call.shape(1)))),)


@rule(_M + "QLinearConv")
def _qlinear_conv(call: Call) -> Sequence[TensorType]:
    """As the standard operator, or with ``channels_last`` over N×spatial×C data (weights stay OIHW)."""
    last = call.attribute("channels_last", 0)
    data = to_nchw(call.shape(0)) if last else call.shape(0)
    shape = conv_shape(call, data, call.shape(3))
    return (TensorType(call.dtype(7), to_nhwc(shape) if last else shape),)


def to_nchw(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A channels-last shape with the channels second."""
    return (shape[0], shape[-1], *shape[1:-1])


def to_nhwc(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A channels-first shape with the channels last."""
    return (shape[0], *shape[2:], shape[1])


@rule(_M + "NhwcMaxPool", _NHWC + "MaxPool", _NHWC + "AveragePool")
def _nhwc_max_pool(call: Call) -> Sequence[TensorType]:
    return (TensorType(call.dtype(0), _pooled(call, last=True)),)


@rule(_NHWC + "GlobalAveragePool")
def _nhwc_global_average_pool(call: Call) -> Sequence[TensorType]:
    data = call.shape(0)
    return (TensorType(call.dtype(0), (data[0], *(1,) * (len(data) - 2), data[-1])),)


@rule(_M + "QLinearAveragePool")
def _qlinear_average_pool(call: Call) -> Sequence[TensorType]:
    return (TensorType(call.dtype(0), _pooled(call, bool(call.attribute("channels_last", 0)))),)


def _pooled(call: Call, last: bool) -> tuple[int, ...]:
    data = to_nchw(call.shape(0)) if last else call.shape(0)
    sizes = window(call, data[2:], call.attribute("kernel_shape", ()), bool(call.attribute("ceil_mode", 0)))
    shape = data[:2] + sizes
    return to_nhwc(shape) if last else shape


@rule(_M + "QLinearGlobalAveragePool")
def _qlinear_global_average_pool(call: Call) -> Sequence[TensorType]:
    data = call.shape(0)
    ones = (1,) * (len(data) - 2)
    last = call.attribute("channels_last", 0)
    return (TensorType(call.dtype(0), (data[0], *ones, data[-1]) if last else (*data[:2], *ones)),)


@rule(_M + "QLinearAdd", _M + "QLinearMul")
def _qlinear_binary(call: Call) -> Sequence[TensorType]:
    """A, scale, zero point; B, scale, zero point; the output's scale and zero point."""
    return (TensorType(call.dtype(0), broadcast(call.shape(0), call.shape(3))),)


@rule(_M + "QLinearConcat")
def _qlinear_concat(call: Call) -> Sequence[TensorType]:
    """The output's scale and zero point, then tensor, scale, zero point of each part."""
    parts = [call.shape(i) for i in range(2, len(call.inputs), 3)]
    return (TensorType(call.dtype(2), concatenated(parts, call.attribute("axis", 0))),)


@rule(_M + "QLinearWhere")
def _qlinear_where(call: Call) -> Sequence[TensorType]:
    return (TensorType(call.dtype(1), broadcast(call.shape(0), call.shape(1), call.shape(4))),)


@rule(_M + "QLinearReduceMean")
def _qlinear_reduce_mean(call: Call) -> Sequence[TensorType]:
    data, keep = call.shape(0), call.attribute("keepdims", 1)
    gone = {axis_in(a, len(data)) for a in call.attribute("axes") or range(len(data))}
    shape = tuple(1 if i in gone else n for i, n in enumerate(data) if keep or i not in gone)
    return (TensorType(call.dtype(0), shape),)


rule(_M + "Transpose")(transpose)
