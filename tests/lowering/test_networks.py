"""Whole networks: our kernels are those that the installed runtime executes."""

from collections import Counter
from pathlib import Path

import onnx
import pytest

from archgauge.kernel_text import compare, describe
from graphs import Kernel, lower, prepare
from graphs.spaces import FAMILIES, sample
from profilers import local_target, observe_lowering

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
NETWORKS = sorted(LIGHT.glob("*.onnx"))


def kinds(kernels: list[Kernel]) -> dict[str, int]:
    return dict(Counter(k.kind for k in kernels))


def test_the_nine_networks_are_there() -> None:
    assert len(NETWORKS) == 9


@pytest.mark.parametrize("file", NETWORKS, ids=lambda f: f.stem)
def test_real_networks_as_the_installed_runtime_lowers_them(file: Path) -> None:
    graph = prepare(file.read_bytes())
    ours = lower(graph, local_target().lowering)
    theirs = observe_lowering(graph)
    assert kinds(ours) == kinds(theirs)
    assert Counter(k.key for k in ours) == Counter(k.key for k in theirs)


@pytest.mark.parametrize("family", [f for f in FAMILIES if "int8" not in f and not f.endswith("-whole")])
def test_synthetic_networks_of_every_family(family: str) -> None:
    graph = sample(family, 1)
    ours = lower(graph, local_target().lowering)
    theirs = observe_lowering(graph)
    assert kinds(ours) == kinds(theirs)
    found = compare(ours, theirs)
    assert found.equal, [describe(kernel) for kernel, _ in (*found.only_ours, *found.only_theirs)]
