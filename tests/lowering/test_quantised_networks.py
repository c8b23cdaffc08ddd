"""Whole quantised networks: our kernels are those that the installed runtime makes of them, and those recorded."""

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from graphs import Kernel, LoweringProfile, kernels_of, lower, write_onnx
from graphs.spaces import FAMILIES, sample
from profilers import local_target
from profilers.runtimes import Loading, make_runtime

INT8 = [name for name, family in FAMILIES.items() if family.precision == "int8"]
FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.json"))


@cache
def recorded(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text())
    return content


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


@pytest.mark.parametrize(
    ("fixture", "network"),
    [(file, network) for file in FIXTURES for network in recorded(file).get("quantised", {})],
    ids=lambda part: part.stem if isinstance(part, Path) else part,
)
def test_synthetic_networks_as_recorded(fixture: Path, network: str) -> None:
    content = recorded(fixture)
    family, _, seed = network.partition(":")
    ours = lower(sample(family, int(seed)), LoweringProfile.from_json(content["profile"]))
    assert counted(ours) == Counter(content["quantised"][network])
