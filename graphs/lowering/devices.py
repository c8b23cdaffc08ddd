"""What is different for onnxruntime's CUDA provider.

Nodes go to the device where it has a kernel for them and stay on the processor otherwise. Some fusions are for the
processor alone, and so are the blocked and the channels-last layout: after the lists of providers in
core/optimizer/graph_transformer_utils.cc. Which kernels the device has is the project's own list in
docs/OperatorKernels.md; where there is a GPU, ``python -m profilers.runtimes.kernel_types CUDAExecutionProvider``
writes the table anew from what is installed. The layout that the option ``prefer_nhwc`` asks for is not modelled.
"""

from __future__ import annotations

from graphs.ir import Attribute, Graph, Node
from graphs.lowering.copies import COPIES, with_inner_copies, with_outer_copies
from graphs.lowering.kernel_types import KernelTypes, kernel_types
from graphs.lowering.profile import LoweringProfile
from graphs.lowering.rewriter import Rewriter

CUDA = "CUDAExecutionProvider"
_PROCESSOR = "CPUExecutionProvider"

#: Passes (by name) whose fusions have kernels on the processor alone.
PROCESSOR_ONLY = frozenset({
    "gemm activation", "integer product", "dynamic product", "conv activation", "conv residual",
    "bias of quantised weights", "quantised relu",
})  # fmt: skip


class DeviceKernels(KernelTypes):
    """A device's kernels, with those of the processor for what the device has none for."""

    def __init__(self, device: KernelTypes, processor: KernelTypes) -> None:
        self._device, self._processor = device, processor
        self.newest_opset = device.newest_opset

    def knows(self, kind: str) -> bool:
        return self._device.knows(kind) or self._processor.knows(kind)

    def kernels(self, kind: str, opset: int) -> list[dict[str, frozenset[str]]]:
        return self._device.kernels(kind, opset) or self._processor.kernels(kind, opset)

    def has(self, kind: str, opset: int, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> bool:
        there = self._device.has(kind, opset, inputs, outputs)
        return there or self._processor.has(kind, opset, inputs, outputs)

    def on_device(self, graph: Graph, node: Node) -> bool:
        """Whether the device runs ``node``."""
        return self._device.covers(graph, node)


def is_device(profile: LoweringProfile) -> bool:
    """Whether the provider computes with a memory of its own."""
    return profile.provider == CUDA


def available_kernels(profile: LoweringProfile) -> KernelTypes | None:
    """What a session of this profile can run, on the device or on the processor; None where nothing is known."""
    own = kernel_types(profile)
    if own is None or not is_device(profile):
        return own
    processor = kernel_types(LoweringProfile(profile.runtime, profile.version, _PROCESSOR, "", 0))
    return own if processor is None else DeviceKernels(own, processor)


def placed(graph: Graph, profile: LoweringProfile, *, inner: bool = True) -> Graph:
    """``graph`` with the copies that a device needs; as it is for a processor.

    ``inner`` is false for graphs that the runtime wrote, which has put the copies between nodes there itself.
    """
    if not is_device(profile):
        return graph
    table = available_kernels(profile)
    if not isinstance(table, DeviceKernels):
        return graph
    kernels, copied = table, graph

    def on_device(node: Node) -> bool:
        """Copies belong to neither side: they read here and write there."""
        return node.op not in COPIES and kernels.on_device(copied, node)

    if inner:
        copied = with_inner_copies(graph, on_device)
    return with_outer_copies(copied, on_device)


def fuse_bias_softmax(r: Rewriter, node: Node) -> None:
    """A mask added to scores before a softmax over the last axis, whose sizes it repeats over some batch axes.

    The mask's sizes are those of the scores up to some axis and 1 from there (an inner broadcast), or 1 (or absent) up
    to some axis and those of the scores from there; the last one is always that of the scores.
    """
    add = r.producer(node.inputs[0])
    if add is None or add.kind != "Add" or r.sole_user(add) is not node or r.is_output(node.inputs[0]):
        return
    shape = r.shape(add.outputs[0])
    scores, mask = add.inputs if r.shape(add.inputs[0]) == shape else add.inputs[::-1]
    if r.shape(scores) != shape or len(shape) < 2 or not _last_axis(node, len(shape), r.opset):
        return
    small = (1,) * (len(shape) - len(r.shape(mask))) + r.shape(mask)
    if small[-1] != shape[-1]:
        return
    inner = _starts_alike(small[:-1], shape[:-1])
    if not inner and not _starts_alike(small[-2::-1], shape[-2::-1]):
        return
    attributes: dict[str, Attribute] = {"axis": len(shape) - 1, "is_inner_broadcast": int(inner)}
    r.fuse([add, node], "BiasSoftmax", [scores, mask], "com.microsoft", attributes)


def _last_axis(node: Node, rank: int, opset: int) -> bool:
    axis = node.attributes.get("axis", -1 if opset >= 13 else 1)
    return isinstance(axis, int) and axis % rank == rank - 1


def _starts_alike(small: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Equal up to some place, and 1 from there."""
    place = 0
    while place < len(whole) and small[place] == whole[place]:
        place += 1
    return all(size == 1 for size in small[place:])
