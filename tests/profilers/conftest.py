from collections.abc import Callable
from pathlib import Path

import pytest

from graphs import Graph, Node, Parameter, TensorType, infer
from lookup_tables import DeviceFingerprint, Target


@pytest.fixture
def small_graph() -> Graph:
    """Two convolutions with activations, a residual and a classifier."""
    types = {"x": TensorType("float32", (1, 16, 12, 12))}
    parameters = {
        "w1": Parameter(TensorType("float32", (16, 16, 3, 3))),
        "w2": Parameter(TensorType("float32", (16, 16, 1, 1))),
        "w3": Parameter(TensorType("float32", (16, 10))),
    }
    nodes = [
        Node("Conv", ["x", "w1"], ["a"], {"pads": (1, 1, 1, 1)}, name="conv1"),
        Node("Relu", ["a"], ["b"], name="relu1"),
        Node("Conv", ["b", "w2"], ["c"], name="conv2"),
        Node("Add", ["c", "x"], ["d"], name="add"),
        Node("GlobalAveragePool", ["d"], ["e"], name="pool"),
        Node("Flatten", ["e"], ["f"], name="flatten"),
        Node("Gemm", ["f", "w3"], ["y"], name="classify"),
    ]
    return infer(Graph("small", {"": 17}, ["x"], ["y"], parameters, nodes, types))


@pytest.fixture
def fake_target() -> Callable[..., Target]:
    """Makes targets of the fake runtime; options make it fail (see `profilers.runtimes.fake`)."""

    def make(**options: str) -> Target:
        device = DeviceFingerprint("Imaginary", cores=1)
        chosen = tuple(options.items())
        return Target(device, runtime="fake", runtime_version="1.0.0", provider="FakeProvider", options=chosen)

    return make


@pytest.fixture(scope="session")
def light_models() -> Path:
    """The folder of real networks that the onnx package ships."""
    import onnx

    return Path(onnx.__file__).parent / "backend/test/data/light"
