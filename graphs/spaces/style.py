"""How a network was exported: the same layer becomes other operators with every exporter and opset."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from graphs.spaces.draw import Draw

Exporter = Literal["caffe2", "torchscript", "dynamo", "keras"]


@dataclass(frozen=True, slots=True)
class ExportStyle:
    """The forms that one exporter chose for everything that ONNX lets one say in several ways."""

    exporter: Exporter
    opset: int
    #: Batch normalisation after a convolution: merged into it, a node, or a node and then Mul and Add (Caffe's Scale).
    batch_norm: Literal["folded", "node", "scale"]
    residual: Literal["Add", "Sum"]
    #: ``x · W + b`` on more than two dimensions: MatMul and Add, or Gemm between two Reshapes.
    linear: Literal["matmul", "gemm"]
    flatten: Literal["Flatten", "Reshape"]
    #: The mean over the pixels, in squeeze-and-excite and before the classifier.
    squeeze: Literal["GlobalAveragePool", "ReduceMean", "AveragePool"]
    layer_norm: Literal["op", "decomposed"]
    gelu: Literal["erf", "erf_half_first", "tanh", "op"]
    hard_swish: Literal["op", "hard_sigmoid", "clip"]
    #: ``SAME_UPPER`` padding, which is asymmetric for even sizes, as TensorFlow has it.
    same_upper: bool = False
    #: Images come with the channels last and are transposed at the border.
    channels_last_input: bool = False


def draw_style(draw: Draw, exporters: tuple[Exporter, ...], *, caffe_share: float = 0.4) -> ExportStyle:
    """The style of one of ``exporters``, weighted by how often each is met; Caffe2 is either in it or not."""
    weights = {"torchscript": 65, "dynamo": 20, "keras": 15, "caffe2": 100 * caffe_share / (1 - caffe_share)}
    exporter = draw.choice(exporters, [weights[e] for e in exporters])
    return {"caffe2": _caffe2, "torchscript": _torchscript, "dynamo": _dynamo, "keras": _keras}[exporter](draw)


def for_quantising(style: ExportStyle) -> ExportStyle:
    """What a quantiser's preparation leaves: opset 13 at least, normalisation merged, Gemm for MatMul and Add."""
    return replace(style, opset=max(13, style.opset), batch_norm="folded", linear="gemm")


def for_quantising_products(style: ExportStyle) -> ExportStyle:
    """What tools that quantise products alone find: MatMul and Add, and integer operators in the opset."""
    return replace(style, opset=max(13, style.opset), batch_norm="folded", linear="matmul")


def _caffe2(draw: Draw) -> ExportStyle:
    """The opset 9 files of the ONNX model zoo's beginnings, converted from Caffe and Caffe2."""
    return ExportStyle(
        "caffe2", 9, draw.choice(("scale", "node"), (60, 40)), draw.choice(("Sum", "Add"), (75, 25)), "gemm",
        "Reshape", draw.choice(("AveragePool", "GlobalAveragePool")), "decomposed", "erf", "clip",
    )  # fmt: skip


def _torchscript(draw: Draw) -> ExportStyle:
    """``torch.onnx.export`` by tracing; batch normalisation is merged unless constant folding was off."""
    opset = draw.choice((11, 12, 13, 14, 16, 17, 18), (10, 5, 15, 10, 10, 40, 10))
    return ExportStyle(
        "torchscript", opset, draw.choice(("folded", "node"), (85, 15)), "Add", "matmul", "Flatten",
        draw.choice(("GlobalAveragePool", "ReduceMean"), (60, 40)), "op" if opset >= 17 else "decomposed",
        draw.choice(("erf", "tanh"), (90, 10)),
        "op" if opset >= 14 else draw.choice(("hard_sigmoid", "clip")),
    )  # fmt: skip


def _dynamo(draw: Draw) -> ExportStyle:
    """``torch.onnx.export`` through FX: opset 18 and later, Gemm where PyTorch says addmm."""
    opset = draw.choice((18, 20), (80, 20))
    return ExportStyle(
        "dynamo", opset, draw.choice(("folded", "node"), (70, 30)), "Add", draw.choice(("matmul", "gemm"), (65, 35)),
        "Reshape", draw.choice(("ReduceMean", "GlobalAveragePool"), (70, 30)), "op",
        "op" if opset >= 20 else draw.choice(("erf_half_first", "tanh"), (70, 30)), "op",
    )  # fmt: skip


def _keras(draw: Draw) -> ExportStyle:
    """tf2onnx: asymmetric padding, transposes at the border, ReduceMean for pooling, MatMul and Add."""
    opset = draw.choice((13, 15, 17, 18))
    return ExportStyle(
        "keras", opset, draw.choice(("folded", "node"), (75, 25)), "Add", "matmul", "Reshape",
        draw.choice(("GlobalAveragePool", "ReduceMean"), (60, 40)), "decomposed", "erf_half_first", "clip",
        same_upper=True, channels_last_input=draw.chance(0.7),
    )  # fmt: skip
