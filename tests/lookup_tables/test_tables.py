import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lookup_tables import (
    CorruptTable,
    Measurement,
    NewerSchema,
    TableNotFound,
    Target,
    WrongTarget,
    list_tables,
    read_table,
    write_table,
)


def edit_manifest(folder: Path, **changes: object) -> None:
    file = folder / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_table_survives_disk(tmp_path: Path, target: Target, measurements: list[Measurement]) -> None:
    version = write_table(tmp_path, target, measurements, report={"noise_floor": 0.012})
    table = read_table(version)
    assert table.measurements == measurements
    assert table.target == target
    assert table.manifest.report == {"noise_floor": 0.012}
    assert table.manifest.counts["errors"] == {"oom": 1}
    assert table.manifest.counts["distinct_kernels"] == 2
    assert version.path == tmp_path / "tables" / target.id / version.version
    assert {file.name for file in version.path.iterdir()} == {"manifest.json", "measurements.parquet"}


def test_columns_need_no_records(tmp_path: Path, target: Target, measurements: list[Measurement]) -> None:
    table = read_table(write_table(tmp_path, target, measurements))
    np.testing.assert_equal(table.column("latency_us"), [101.25, 7.5, 4200.0, np.nan])
    assert list(table.column("kernel_key")[:2]) == [m.kernel.key for m in measurements[:2] if m.kernel]
    assert table.column("error").tolist() == [None, None, None, "oom"]
    with pytest.raises(KeyError, match="latency_us"):
        table.column("latency_ms")


def test_extending_makes_a_new_version(tmp_path: Path, target: Target, measurements: list[Measurement]) -> None:
    first = write_table(tmp_path, target, measurements[:2])
    second = write_table(tmp_path, target, measurements[2:], parent=first)
    assert read_table(second).measurements == measurements
    assert read_table(second).manifest.parent == first.version
    assert read_table(first).measurements == measurements[:2]
    assert list_tables(tmp_path) == [first, second] == list_tables(tmp_path, target.id)
    assert (first.version[:5], second.version[:5]) == ("v0001", "v0002")


def test_targets_never_share_a_table(tmp_path: Path, target: Target, measurements: list[Measurement]) -> None:
    first = write_table(tmp_path, target, measurements)
    with pytest.raises(WrongTarget, match="2t"):
        write_table(tmp_path, replace(target, threads=2), measurements, parent=first)


def test_failed_write_leaves_nothing(tmp_path: Path, target: Target, measurements: list[Measurement]) -> None:
    with pytest.raises(TypeError):
        write_table(tmp_path, target, measurements, report={"unwritable": object()})
    assert list_tables(tmp_path) == []
    assert list((tmp_path / "tables" / target.id).iterdir()) == []


def test_damage_is_noticed(tmp_path: Path, target: Target, measurements: list[Measurement]) -> None:
    folder = write_table(tmp_path, target, measurements).path
    data = folder / "measurements.parquet"
    good = data.read_bytes()
    data.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(CorruptTable, match="not what its manifest describes"):
        read_table(folder)
    data.unlink()
    with pytest.raises(CorruptTable, match="missing"):
        read_table(folder)


def test_edited_manifest_is_noticed(tmp_path: Path, target: Target, measurements: list[Measurement]) -> None:
    folder = write_table(tmp_path, target, measurements).path
    edit_manifest(folder, target=replace(target, threads=2).to_json())
    with pytest.raises(CorruptTable, match="contents make it"):
        read_table(folder)
    edit_manifest(folder, target=target.to_json(), rows=3)
    with pytest.raises(CorruptTable, match="rows"):
        read_table(folder)
    edit_manifest(folder, schema=99)
    with pytest.raises(NewerSchema, match="Upgrade"):
        read_table(folder)
    (folder / "manifest.json").write_text("{")
    with pytest.raises(CorruptTable, match="not the manifest"):
        read_table(folder)


def test_empty_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(TableNotFound, match="no lookup table"):
        read_table(tmp_path)
    assert list_tables(tmp_path) == []


def test_records_need_no_arrow() -> None:
    code = "import sys, lookup_tables as t; t.Measurement; t.Plan; t.Target; print('pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_tables_from_before_energy_had_a_method_are_read(measurements: list[Measurement]) -> None:
    from lookup_tables._columns import from_arrow, to_arrow

    old = to_arrow(measurements).drop_columns(["energy_gross_mj", "energy_half_width_mj", "energy_run_us"])
    assert from_arrow(old) == measurements
