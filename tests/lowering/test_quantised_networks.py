"""Whole quantised networks: our kernels are those that the installed runtime makes of them."""

from collections import Counter

import pytest

from graphs import Kernel, kernels_of, lower, write_onnx
from graphs.spaces import FAMILIES, sample
from profilers import local_target
from profilers.runtimes import Loading, make_runtime

INT8 = [name for name, family in FAMILIES.items() if family.precision == "int8"]


def counted(kernels: list[Kernel]) -> Counter[str]:
    return Counter(kernel.key for kernel in kernels)


@pytest.mark.parametrize("family", INT8)
def test_synthetic_networks_of_every_quantised_family(family: str) -> None:
    graph = sample(family, 5)
    runtime = make_runtime("onnxruntime", "CPUExecutionProvider")
    with runtime.load(write_onnx(graph), Loading(1, profile=True)) as session:
        theirs = kernels_of(session.executed_graph())
    ours = lower(graph, local_target().lowering)
    assert counted(ours) == counted(theirs)
