"""Small graphs as ONNX text, lowered by us and by the installed runtime."""

from collections import Counter
from collections.abc import Callable, Mapping

import ml_dtypes
import numpy as np
import onnx
import pytest

from graphs import lower, prepare
from profilers import local_target, observe_lowering

#: Shapes of weights; with an element type in front where it is not float32.
Weights = Mapping[str, tuple[int | str, ...]]
Build = Callable[[int, str, Weights], bytes]
Check = Callable[[bytes, list[str]], None]


def _array(shape: tuple[int | str, ...]) -> np.ndarray:
    dtype, dims = (shape[0], shape[1:]) if shape and isinstance(shape[0], str) else ("float32", shape)
    values = np.linspace(0.1, 0.9, int(np.prod(dims))).reshape(dims)
    return values.astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)


@pytest.fixture(scope="session")
def model() -> Build:
    """Model bytes of an operator set, a graph in text form and weights of these shapes (distinct numbers)."""

    def build(opset: int, text: str, weights: Weights) -> bytes:
        header = f'<ir_version: 8, opset_import: ["" : {opset}, "com.microsoft" : 1]>'
        proto = onnx.parser.parse_model(f"{header} g {text}")
        for name, shape in weights.items():
            proto.graph.initializer.append(onnx.numpy_helper.from_array(_array(shape), name))
        return proto.SerializeToString()

    return build


@pytest.fixture(scope="session")
def check_kernels() -> Check:
    """Compare our kernels with those of the runtime, whose kinds must be the expected ones."""

    def check(data: bytes, expected: list[str]) -> None:
        ours = lower(prepare(data), local_target().lowering)
        theirs = observe_lowering(data)
        assert Counter(k.key for k in ours) == Counter(k.key for k in theirs)
        assert Counter(k.kind for k in theirs) == Counter(expected)

    return check
