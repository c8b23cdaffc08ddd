import json
import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from graphs import Kernel, Operand
from lookup_tables import CorruptTable, Measurement, NewerSchema, Target
from lookup_tables.references import (
    KERNELS_FILE,
    REFERENCES_VARIABLE,
    list_references,
    read_reference,
    reference_roots,
)
from lookup_tables.summaries import read_summaries, summarise, write_summaries

RELU = Kernel("Relu", (Operand("float32", (1, 8)),), (Operand("float32", (1, 8)),))
GEMM = Kernel(
    "Gemm",
    (Operand("float32", (1, 8)), Operand("float32", (8, 4), True), Operand("int64", (2,), True, (1, -1))),
    (Operand("float32", (1, 4)),),
    (("axes", (0, 1)), ("transA", 0)),
)


def measured(kernel: Kernel | None, us: float, **more: Any) -> Measurement:
    return Measurement("in_network", kernel=kernel, latency_us=us, **more)


def test_a_kernel_is_one_row_with_its_median_and_spread() -> None:
    rows = [measured(RELU, us) for us in (1.0, 2.0, 10.0)] + [measured(GEMM, 5.0)]
    rows += [Measurement("isolated", kernel=RELU, latency_us=0.5), Measurement("whole_model", latency_us=99.0)]
    rows += [Measurement("in_network", kernel=RELU, error="crash")]
    gemm, relu, alone = summarise(rows)
    assert (gemm.kernel, gemm.latency_us, gemm.measurements, gemm.spread) == (GEMM, 5.0, 1, None)
    assert (relu.kernel, relu.mode, relu.latency_us, relu.measurements) == (RELU, "in_network", 2.0, 3)
    assert relu.spread == pytest.approx(1.4826 * 1.0 / 2.0)
    assert (alone.mode, alone.latency_us) == ("isolated", 0.5)


def test_rows_survive_the_disk(tmp_path: Path) -> None:
    before = summarise([measured(RELU, 1.0), measured(RELU, 3.0), measured(GEMM, 5.5)])
    file = tmp_path / "kernels.parquet"
    file.write_bytes(write_summaries(before))
    after = read_summaries(file)
    assert [s.kernel.key for s in after] == [s.kernel.key for s in before]
    assert [(s.mode, s.latency_us, s.measurements) for s in after] == [
        (s.mode, s.latency_us, s.measurements) for s in before
    ]
    assert after[1].spread == pytest.approx(before[1].spread)
    file.write_bytes(b"PAR1")
    with pytest.raises(CorruptTable):
        read_summaries(file)


def make(root: Path, name: str, target: Target, measured_to: float = 2.0) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / KERNELS_FILE).write_bytes(write_summaries(summarise([measured(RELU, 1.0)])))
    digest = sha256((folder / KERNELS_FILE).read_bytes()).hexdigest()
    manifest = {
        "schema": 1, "name": name, "version": "reference-00000000", "predictor": "reference-11111111",
        "target": target.to_json(), "measured": {"from": 1.0, "to": measured_to},
        "files": {KERNELS_FILE: {"sha256": digest}},
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_references_are_found_where_the_variable_says(
    tmp_path: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "a", "one", target)
    make(tmp_path / "b", "two", replace(target, threads=2))
    monkeypatch.setenv(REFERENCES_VARIABLE, os.pathsep.join((str(tmp_path / "a"), str(tmp_path / "b"))))
    assert [(r.name, r.target.threads) for r in list_references()] == [("one", 1), ("two", 2)]
    monkeypatch.setenv(REFERENCES_VARIABLE, "none")
    assert list_references() == []
    monkeypatch.delenv(REFERENCES_VARIABLE)
    assert [root.name for root in reference_roots()] == ["reference"]
    assert reference_roots()[0].parent.name == "lookup_tables"


def test_of_several_for_a_target_the_last_measured_counts(tmp_path: Path, target: Target) -> None:
    make(tmp_path, "older", target, measured_to=2.0)
    make(tmp_path, "newer", target, measured_to=3.0)
    assert [r.name for r in list_references([tmp_path])] == ["newer"]


def test_files_are_checked(tmp_path: Path, target: Target) -> None:
    reference = read_reference(make(tmp_path, "one", target))
    assert read_summaries(reference.file(KERNELS_FILE))[0].kernel == RELU
    (reference.folder / KERNELS_FILE).write_bytes(b"")
    with pytest.raises(CorruptTable, match="install the package again"):
        reference.file(KERNELS_FILE)


@pytest.mark.parametrize("text", ["", "{}", '{"schema": 1}', '{"schema": "x"}'])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(CorruptTable, match="not the manifest of a reference"):
        read_reference(tmp_path)


def test_later_schemas_are_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"schema": 99}')
    with pytest.raises(NewerSchema):
        read_reference(tmp_path)
