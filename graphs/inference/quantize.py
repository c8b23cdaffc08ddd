"""Quantisation operators of the ONNX standard."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.inference.call import Call, rule
from graphs.inference.conv_pool import conv_shape
from graphs.inference.elementwise import element_type
from graphs.inference.matmul import matmul_shape
from graphs.ir import TensorType


@rule("QuantizeLinear", "com.microsoft.QuantizeLinear")
def _quantize_linear(call: Call) -> Sequence[TensorType]:
    """The type of the zero point, or ``output_dtype`` (opset 21), or uint8."""
    if call.has(2):
        dtype = call.dtype(2)
    else:
        given = call.attribute("output_dtype", 0)
        dtype = element_type(given) if given else "uint8"
    return (TensorType(dtype, call.shape(0)),)


@rule("DequantizeLinear", "com.microsoft.DequantizeLinear")
def _dequantize_linear(call: Call) -> Sequence[TensorType]:
    given = call.attribute("output_dtype", 0)
    return (TensorType(element_type(given) if given else call.dtype(1), call.shape(0)),)


@rule("DynamicQuantizeLinear")
def dynamic_quantize_linear(call: Call) -> Sequence[TensorType]:
    """Quantised data, scale, zero point."""
    return (TensorType("uint8", call.shape(0)), TensorType("float32", ()), TensorType("uint8", ()))


@rule("QLinearConv")
def _qlinear_conv(call: Call) -> Sequence[TensorType]:
    return (TensorType(call.dtype(7), conv_shape(call, call.shape(0), call.shape(3))),)


@rule("QLinearMatMul")
def _qlinear_matmul(call: Call) -> Sequence[TensorType]:
    return (TensorType(call.dtype(7), matmul_shape(call.shape(0), call.shape(3))),)
