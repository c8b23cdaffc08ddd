"""Lowering for a device with a memory of its own: other fusions, no blocked layout, copies."""

from collections import Counter

import pytest

from graphs import Graph, LoweringProfile, Node, Parameter, TensorType, infer, lower
from graphs.lowering import optimise
from graphs.lowering.copies import is_outer
from graphs.lowering.devices import available_kernels, placed
from graphs.spaces import sample

CUDA = LoweringProfile("onnxruntime", "1.31", "CUDAExecutionProvider", "sm_90", 0)
CPU = LoweringProfile()


def graph(nodes: list[Node], inputs: dict[str, TensorType], outputs: list[str], **weights: TensorType) -> Graph:
    parameters = {name: Parameter(t) for name, t in weights.items()}
    return infer(Graph("g", {"": 17}, list(inputs), outputs, parameters, nodes, dict(inputs)))


def tensor(*shape: int, dtype: str = "float32") -> TensorType:
    return TensorType(dtype, shape)


def kinds(g: Graph, profile: LoweringProfile = CUDA) -> list[str]:
    return [kernel.kind for kernel in lower(g, profile)]


def test_inputs_and_outputs_are_copied() -> None:
    g = graph([Node("Relu", ["x"], ["y"])], {"x": tensor(1, 8), "unused": tensor(3)}, ["y"])
    assert kinds(g) == ["MemcpyFromHost", "Relu", "MemcpyToHost"]
    first, _, last = lower(g, CUDA)
    assert first.inputs[0] is not None and first.inputs[0].shape == first.outputs[0].shape == (1, 8)
    assert last.outputs[0].shape == (1, 8)
    assert kinds(g, CPU) == ["Relu"]


def test_what_the_device_cannot_run_stays_on_the_processor() -> None:
    nodes = [
        Node("Relu", ["x"], ["a"]), Node("Hardmax", ["a"], ["b"]), Node("Tanh", ["b"], ["c"]),
        Node("Relu", ["b"], ["y"]), Node("Add", ["c", "a"], ["z"]),
    ]  # fmt: skip
    g = graph(nodes, {"x": tensor(4, 8)}, ["y", "z"])
    assert Counter(kinds(g)) == {
        "MemcpyFromHost": 2, "MemcpyToHost": 3, "Relu": 2, "Hardmax": 1, "Tanh": 1, "Add": 1,
    }  # fmt: skip
    alone = graph([Node("Hardmax", ["x"], ["y"])], {"x": tensor(4, 8)}, ["y"])
    assert kinds(alone) == ["Hardmax"]  # nothing of it is ever on the device


def test_a_tensor_is_copied_once_however_many_read_it() -> None:
    nodes = [Node("Relu", ["x"], ["a"]), *(Node("Tanh", [t], [f"{t}{i}"]) for i in range(3) for t in ("a",))]
    g = graph([*nodes, Node("Sum", ["a0", "a1", "x"], ["y"])], {"x": tensor(2, 2)}, ["y"])
    assert Counter(kinds(g))["MemcpyFromHost"] == 1


def test_an_output_that_is_read_again_is_read_where_it_is() -> None:
    g = graph([Node("Relu", ["x"], ["y"]), Node("Tanh", ["y"], ["z"])], {"x": tensor(2, 2)}, ["y", "z"])
    optimised = optimise(g, CUDA)
    [tanh] = [node for node in optimised.nodes if node.op == "Tanh"]
    assert tanh.inputs != ["y"] and optimised.outputs == ["y", "z"]
    assert sum(is_outer(optimised, node) for node in optimised.nodes) == 3


def test_graphs_that_the_runtime_wrote_keep_its_copies() -> None:
    nodes = [
        Node("MemcpyFromHost", ["x"], ["there"], name="Memcpy"), Node("Relu", ["there"], ["y"]),
        Node("Hardmax", ["x"], ["z"]),
    ]  # fmt: skip
    g = graph(nodes, {"x": tensor(2, 2)}, ["y", "z"])
    made = placed(g, CUDA, inner=False)
    assert [node.op for node in made.nodes] == ["MemcpyFromHost", "Relu", "Hardmax", "MemcpyToHost"]
    assert [node.name for node in made.nodes if is_outer(made, node)] == ["copy of y"]
    assert placed(g, CPU) is g


def conv_relu() -> Graph:
    nodes = [Node("Conv", ["x", "w"], ["a"], {"pads": (1, 1, 1, 1)}), Node("Relu", ["a"], ["y"])]
    return graph(nodes, {"x": tensor(1, 16, 8, 8)}, ["y"], w=tensor(16, 16, 3, 3))


def test_fusions_of_the_processor_are_not_made() -> None:
    assert kinds(conv_relu()) == ["MemcpyFromHost", "Conv", "Relu", "MemcpyToHost"]
    assert kinds(conv_relu(), CPU)[1] == "com.microsoft.nchwc.Conv"
    gemm = graph(
        [Node("Gemm", ["x", "w"], ["a"]), Node("Relu", ["a"], ["y"])], {"x": tensor(4, 8)}, ["y"], w=tensor(8, 8)
    )
    assert kinds(gemm)[1:3] == ["Gemm", "Relu"]
    assert kinds(gemm, CPU) == ["com.microsoft.FusedGemm"]


@pytest.mark.parametrize(
    ("mask", "attributes"),
    [
        ((2, 1, 1, 16), {"axis": 3, "is_inner_broadcast": 1}), ((2, 4, 16, 16), {"axis": 3, "is_inner_broadcast": 1}),
        ((1, 1, 16, 16), {"axis": 3, "is_inner_broadcast": 0}), ((16, 16), {"axis": 3, "is_inner_broadcast": 0}),
        ((16,), {"axis": 3, "is_inner_broadcast": 1}), ((2, 1, 16, 16), None), ((2, 4, 16, 1), None),
    ],
)  # fmt: skip
def test_masks_join_the_softmax(mask: tuple[int, ...], attributes: dict[str, int] | None) -> None:
    nodes = [Node("Add", ["m", "x"], ["a"]), Node("Softmax", ["a"], ["y"], {"axis": -1})]
    g = graph(nodes, {"x": tensor(2, 4, 16, 16), "m": tensor(*mask)}, ["y"])
    found = [node for node in optimise(g, CUDA).nodes if node.kind == "com.microsoft.BiasSoftmax"]
    assert [node.attributes for node in found] == ([attributes] if attributes else [])
    if found:
        assert len(found[0].inputs) == 2 and found[0].inputs[0] != found[0].inputs[1]
    assert kinds(g, CPU) == ["Add", "Softmax"]


def test_softmax_over_another_axis_stays_alone() -> None:
    nodes = [Node("Add", ["m", "x"], ["a"]), Node("Softmax", ["a"], ["y"], {"axis": 1})]
    g = graph(nodes, {"x": tensor(2, 4, 16), "m": tensor(2, 4, 16)}, ["y"])
    assert "com.microsoft.BiasSoftmax" not in kinds(g)


def test_half_precision_needs_no_casts() -> None:
    network = sample("resnet-fp16", 1)
    assert "Cast" in kinds(network, CPU)
    found = lower(network, CUDA)
    assert "Cast" not in {kernel.kind for kernel in found}
    assert {kernel.outputs[0].dtype for kernel in found} == {"float16"}


def test_quantised_networks_run_between_their_quantisers() -> None:
    """The operators that work on integers have kernels on the processor alone."""
    found = set(kinds(sample("resnet-int8", 1)))
    assert {"QuantizeLinear", "DequantizeLinear", "Conv"} <= found
    assert not {kind for kind in found if "QLinear" in kind}


def test_a_device_falls_back_on_the_processors_kernels() -> None:
    table = available_kernels(CUDA)
    assert table is not None
    single, half = ("float32",), ("float16",)
    assert table.has("Relu", 17, half, half) and table.has("Hardmax", 17, single, single)
    assert not table.has("Hardmax", 17, half, half)
    assert table.knows("com.microsoft.BiasSoftmax") and table.kernels("com.microsoft.BiasSoftmax", 1)
