"""Asking a runtime for the block size of its blocked convolution layout, which no interface tells."""

from __future__ import annotations

from functools import cache

from graphs.ir import Graph, Node, Parameter, TensorType
from profilers.runtimes.base import Loading, Runtime


def nchwc_block(runtime: Runtime) -> int:
    """8 or 16, or 0 where convolutions are not blocked.

    A convolution with 24 filters is loaded: they are padded to 32 where blocks have 16 channels.
    """
    return _probe(type(runtime))


@cache
def _probe(kind: type[Runtime]) -> int:
    from graphs.onnx_writer import write_onnx

    x = TensorType("float32", (1, 24, 16, 16))
    graph = Graph(
        "probe",
        inputs=["x"],
        outputs=["y"],
        parameters={"w": Parameter(TensorType("float32", (24, 24, 3, 3)))},
        nodes=[Node("Conv", ["x", "w"], ["y"], {"pads": (1, 1, 1, 1)}, name="conv")],
        types={"x": x, "w": TensorType("float32", (24, 24, 3, 3)), "y": x},
    )
    with kind().load(write_onnx(graph), Loading(profile=True)) as session:
        executed = session.executed_graph()
    for node in executed.nodes:
        if node.kind == "com.microsoft.nchwc.Conv":
            return 16 if executed.types[node.inputs[1]].dims[0] == 32 else 8
    return 0
