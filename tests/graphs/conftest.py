"""Real networks and real runtimes that the tests of this folder share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from graphs import Graph, write_onnx

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"

Run = Callable[..., dict[str, NDArray[Any]]]


@pytest.fixture(scope="session")
def light_models() -> dict[str, bytes]:
    """The nine real networks of the onnx package."""
    return {file.stem.removeprefix("light_"): file.read_bytes() for file in sorted(LIGHT.glob("*.onnx"))}


@pytest.fixture(scope="session")
def run() -> Run:
    """Run a graph in onnxruntime as it stands; what comes out by name."""

    def run_graph(graph: Graph, *, optimise: bool = False, initializers: bool = False) -> dict[str, NDArray[Any]]:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        if not optimise:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(write_onnx(graph, initializers=initializers), options)
        random = np.random.default_rng(0)
        feeds = {}
        for name in graph.inputs:
            type_ = graph.types[name]
            numbers = random.random(type_.dims) if type_.dtype.startswith("float") else np.ones(type_.dims)
            feeds[name] = np.asarray(numbers).astype(type_.dtype)
        return dict(zip(graph.outputs, session.run(graph.outputs, feeds), strict=True))

    return run_graph
