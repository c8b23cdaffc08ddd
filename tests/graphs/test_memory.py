"""Planned memory against what onnxruntime's profile says it has handed out."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from graphs import (
    Graph,
    Node,
    Parameter,
    TensorType,
    infer,
    memory_over_time,
    memory_use,
    peak_memory,
    prepare,
    write_onnx,
)
from graphs.packing import packed_bytes


def held(graph: Graph, folder: Path) -> tuple[Graph, int, int]:
    """The runtime's own graph, and bytes that its allocator has given out before the first kernel and at the most.

    The last of a few runs counts: from the second on everything lies in one block.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "profile")
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    session = onnxruntime.InferenceSession(write_onnx(graph), options)
    feeds = {name: np.ones(graph.types[name].dims, graph.types[name].dtype) for name in graph.inputs}
    for _ in range(3):
        session.run(None, feeds)
    events = json.loads(Path(session.end_profiling()).read_text())
    kernels = [e["args"] for e in events if e["cat"] == "Node"]
    before = int(kernels[0]["mem_bytes_requested_in_use"]) - int(kernels[0]["mem_requested_in_use_delta"])
    last = kernels[-len(kernels) // 3 :]
    peak = max(int(k["mem_bytes_requested_in_use"]) for k in last)
    return prepare((folder / "optimised.onnx").read_bytes()), before, peak


@pytest.mark.parametrize("name", ["squeezenet", "shufflenet", "inception_v2", "resnet50"])
def test_plans_are_those_of_the_runtime(name: str, light_models: dict[str, bytes], tmp_path: Path) -> None:
    executed, before, peak = held(prepare(light_models[name]), tmp_path)
    use = memory_use(executed)
    assert use.packed == pytest.approx(before, rel=0.001, abs=1000)
    assert use.activations == pytest.approx(peak - before, rel=0.01)
    assert use.total == peak_memory(executed) == use.constants + use.packed + use.activations


def layers(*nodes: Node, parameters: dict[str, TensorType], shape: tuple[int, ...] = (1, 8, 16, 16)) -> Graph:
    graph = Graph("layers", {"": 21, "com.microsoft": 1}, ["x"], [nodes[-1].outputs[0]], nodes=list(nodes))
    graph.types["x"] = TensorType("float32", shape)
    graph.parameters = {name: Parameter(type_) for name, type_ in parameters.items()}
    return infer(graph)


W = TensorType("float32", (16, 16))


@pytest.mark.parametrize(
    "graph",
    [
        layers(
            Node("MatMul", ["x", "w"], ["a"]), Node("Erf", ["a"], ["b"]), Node("Softmax", ["b"], ["c"]),
            Node("MatMul", ["c", "w"], ["y"]), parameters={"w": W},
        ),
        layers(
            Node("MatMul", ["x", "w"], ["a"]), Node("Sin", ["a"], ["b"]), Node("Add", ["a", "b"], ["c"]),
            Node("Cos", ["c"], ["d"]), Node("Concat", ["b", "d"], ["y"], {"axis": 1}), parameters={"w": W},
        ),
        layers(
            Node("LSTM", ["x", "w", "r"], ["h"], {"hidden_size": 8}), Node("Sin", ["h"], ["y"]),
            parameters={"w": TensorType("float32", (1, 32, 10)), "r": TensorType("float32", (1, 32, 8))},
            shape=(5, 2, 10),
        ),
        layers(
            Node("ConvTranspose", ["x", "w"], ["h"]), Node("Sin", ["h"], ["y"]),
            parameters={"w": TensorType("float32", (8, 4, 3, 3))},
        ),
    ],
    ids=["in place", "reuse", "recurrent", "transposed convolution"],
)  # fmt: skip
def test_small_plans(graph: Graph, tmp_path: Path) -> None:
    executed, before, peak = held(graph, tmp_path)
    use = memory_use(executed)
    assert packed_bytes(executed) == before
    assert use.activations == pytest.approx(peak - before, abs=256)


def test_inputs_belong_to_the_caller() -> None:
    graph = layers(Node("Relu", ["x"], ["y"]), parameters={})
    assert memory_use(graph).activations == 8 * 16 * 16 * 4
    assert memory_use(graph).constants == memory_use(graph).packed == 0


def test_memory_over_time() -> None:
    """What each node needs by hand: x is the caller's, a lives until its last reader, y is an output."""
    one = 8 * 16 * 16 * 4
    graph = layers(
        Node("Sin", ["x"], ["a"]), Node("Cos", ["a"], ["b"]), Node("Add", ["a", "b"], ["c"]),
        Node("Concat", ["c", "c"], ["y"], {"axis": 1}), parameters={},
    )  # fmt: skip
    use, live = memory_over_time(graph)
    assert live == [one, 2 * one, 3 * one, 3 * one]
    assert use == memory_use(graph)
