import zipfile
from pathlib import Path

import pytest

from lookup_tables import (
    CorruptTable,
    Measurement,
    Target,
    UnsafeArchive,
    export_table,
    import_table,
    list_tables,
    read_table,
    transfer,
    write_table,
)


@pytest.fixture
def archive(tmp_path: Path, target: Target, measurements: list[Measurement]) -> Path:
    version = write_table(tmp_path / "here", target, measurements)
    return export_table(version, tmp_path / "table.zip")


def rewrite(archive: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(archive) as old:
        contents = {name: old.read(name) for name in old.namelist()} | members
    with zipfile.ZipFile(archive, "w") as new:
        for name, data in contents.items():
            if data:
                new.writestr(name, data)
    return archive


def test_table_travels(tmp_path: Path, archive: Path, measurements: list[Measurement]) -> None:
    there = tmp_path / "there"
    version = import_table(there, archive)
    assert read_table(version).measurements == measurements
    assert import_table(there, archive) == version  # a second time changes nothing
    assert list_tables(there) == [version]
    assert [p.name for p in (there / "tables").iterdir()] == [version.target_id]


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "manifest.json/../../evil", "extra.txt"])
def test_other_files_are_refused(tmp_path: Path, archive: Path, name: str) -> None:
    with pytest.raises(UnsafeArchive, match="exactly"):
        import_table(tmp_path / "there", rewrite(archive, {name: b"x"}))
    assert list((tmp_path / "there" / "tables").iterdir()) == []


def test_missing_files_are_refused(tmp_path: Path, archive: Path) -> None:
    with pytest.raises(UnsafeArchive, match="exactly"):
        import_table(tmp_path / "there", rewrite(archive, {"measurements.parquet": b""}))


def test_bombs_are_refused(tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(transfer.LIMITS, "measurements.parquet", 1000)
    with pytest.raises(UnsafeArchive, match="more than 1000 bytes"):
        import_table(tmp_path / "there", archive)


def test_changed_data_is_refused(tmp_path: Path, archive: Path) -> None:
    with pytest.raises(CorruptTable, match="not what its manifest describes"):
        import_table(tmp_path / "there", rewrite(archive, {"measurements.parquet": b"PAR1"}))
    assert list_tables(tmp_path / "there") == []


def test_text_is_no_archive(tmp_path: Path) -> None:
    file = tmp_path / "table.zip"
    file.write_text("hello")
    with pytest.raises(UnsafeArchive, match="not an archive"):
        import_table(tmp_path / "there", file)


def test_damaged_table_is_not_exported(tmp_path: Path, target: Target, measurements: list[Measurement]) -> None:
    version = write_table(tmp_path, target, measurements)
    (version.path / "measurements.parquet").write_bytes(b"")
    with pytest.raises(CorruptTable):
        export_table(version, tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()
