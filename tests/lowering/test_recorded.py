"""Our kernels are those that were recorded of runtimes on other processors too: ARM needs no ARM to be checked."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from benchmarks.record_lowering import FIXTURES, names, network, summary
from graphs import Graph, LoweringProfile, lower

FILES = sorted(FIXTURES.glob("*.json"))


@cache
def recorded(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text())
    return content


@cache
def graph(name: str) -> Graph:
    return network(name)


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
@pytest.mark.parametrize("name", names())
def test_networks_as_recorded(name: str, file: Path) -> None:
    content = recorded(file)
    found = summary(lower(graph(name), LoweringProfile.from_json(content["profile"])))
    assert found["kinds"] == content["networks"][name]["kinds"]
    assert found["keys"] == content["networks"][name]["keys"]


def test_both_kinds_of_processor_are_recorded() -> None:
    assert {recorded(file)["profile"]["isa"] for file in FILES} >= {"avx512", "neon"}
