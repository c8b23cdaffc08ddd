from pathlib import Path

import pytest

from lookup_tables import Measurement
from profilers.errors import InvalidSpool
from profilers.spool import Entry, Spool


def entry(key: str, latency_us: float = 10.0) -> Entry:
    return Entry(key, 0, 1.5, (Measurement("whole_model", latency_us=latency_us, context=key, blocks_us=(9.0, 11.0)),))


def fill(file: Path, *keys: str) -> None:
    with Spool(file, "target") as spool:
        for key in keys:
            spool.add(entry(key))


def test_entries_survive(tmp_path: Path) -> None:
    file = tmp_path / "new/folder/spool.ndjson"
    fill(file, "a", "b")
    with Spool(file, "target") as spool:
        assert spool.entries == [entry("a"), entry("b")]
        spool.add(entry("c"))
    with Spool(file, "target") as spool:
        assert [e.key for e in spool.entries] == ["a", "b", "c"]


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_cut_last_line_is_dropped(tmp_path: Path, cut: int) -> None:
    file = tmp_path / "spool"
    fill(file, "a", "b")
    file.write_bytes(file.read_bytes()[:-cut])
    with Spool(file, "target") as spool:
        assert [e.key for e in spool.entries] == ["a"]
        spool.add(entry("c"))
    with Spool(file, "target") as spool:
        assert [e.key for e in spool.entries] == ["a", "c"]


def test_a_cut_first_line_starts_anew(tmp_path: Path) -> None:
    file = tmp_path / "spool"
    file.write_bytes(b'{"spool":1,"tar')
    fill(file, "a")
    with Spool(file, "target") as spool:
        assert [e.key for e in spool.entries] == ["a"]


def test_other_targets_are_refused(tmp_path: Path) -> None:
    fill(tmp_path / "spool", "a")
    with pytest.raises(InvalidSpool, match="cannot be resumed"):
        Spool(tmp_path / "spool", "another")


@pytest.mark.parametrize("text", ["hello\n", "[]\n", '"x"\n'])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "spool").write_text(text)
    with pytest.raises(InvalidSpool, match="name another file"):
        Spool(tmp_path / "spool", "target")
    assert (tmp_path / "spool").read_text() == text


def test_damage_in_the_middle_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "spool"
    fill(file, "a", "b")
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], lines[1][:-5], lines[2], ""]))
    with pytest.raises(InvalidSpool, match="line 2"):
        Spool(file, "target")
