"""The table of kernels: as the installed runtime registers them, looked up as it does."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import graphs.lowering
from graphs import LoweringProfile
from graphs.lowering.kernel_types import kernel_types
from profilers import local_target
from profilers.runtimes.kernel_types import registered_kernels

PROFILE = LoweringProfile()


def test_table_is_that_of_the_installed_runtime() -> None:
    profile = local_target().lowering
    name = f"{profile.runtime}-{profile.version}-{profile.provider}.json"
    stored = json.loads((Path(graphs.lowering.__file__).parent / "data" / name).read_text())
    installed = json.loads(json.dumps(registered_kernels()))
    assert stored["operators"].keys() == installed["operators"].keys()
    for kind, found in installed["operators"].items():
        assert _spelled(stored, stored["operators"][kind]) == _spelled(installed, found), kind


def _spelled(table, operator):
    kernels = [[a, b, {v: sorted(table["sets"][i]) for v, i in c.items()}] for a, b, c in operator["kernels"]]
    return operator["schemas"], sorted(kernels, key=str)


@pytest.mark.parametrize(
    ("kind", "opset", "inputs", "outputs", "expected"),
    [
        ("Conv", 17, ("float32", "float32", ""), ("float32",), True),
        ("Conv", 17, ("float16", "float16"), ("float16",), False),
        ("Relu", 17, ("int8",), ("int8",), True),
        ("Relu", 13, ("int8",), ("int8",), False),
        ("GroupNormalization", 21, ("float32",) * 3, ("float32",), False),
        ("Where", 17, ("bool", "float32", "float32"), ("float32",), True),
        ("Concat", 17, ("float16", "float16", "float16"), ("float16",), True),
        ("NoSuchOperator", 17, ("float32",), ("float32",), False),
    ],
)
def test_lookup(kind, opset, inputs, outputs, expected) -> None:
    table = kernel_types(PROFILE)
    assert table is not None
    assert table.has(kind, opset, inputs, outputs) is expected


def test_newer_releases_use_the_newest_table_that_is_known() -> None:
    assert kernel_types(replace(PROFILE, version="9.9")) is not None
    assert kernel_types(replace(PROFILE, provider="SomeExecutionProvider")) is None


def test_processors_with_half_precision_have_more_kernels() -> None:
    half = ("float16", "float16")
    found = {isa: kernel_types(replace(PROFILE, isa=isa)) for isa in ("avx512", "neon", "neon_fp16")}
    assert {isa for isa, table in found.items() if table is not None and table.has("Conv", 17, half, half[:1])} == {
        "neon_fp16"
    }
    assert all(t is not None and t.has("Conv", 17, ("float32",) * 2, ("float32",)) for t in found.values())
