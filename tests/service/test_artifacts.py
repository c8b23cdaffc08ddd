"""The store of versions that several machines share, at URLs of fsspec."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import pytest

from lookup_tables import export_table, read_table
from predictors import Predictor
from service.artifacts import Artifacts
from service.db import PredictorRecord
from service.errors import DamagedArtifact, StoreUnavailable
from service.store import Store

Fill = Callable[..., Path]


@pytest.fixture(params=["file", "memory"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "file":
        return f"file://{tmp_path}/shared"
    fsspec.filesystem("memory").rm("/", recursive=True)
    return "memory://shared"


def test_what_was_made_elsewhere_is_fetched(tmp_path: Path, database_url: str, store_url: str, fill: Fill) -> None:
    fill(tmp_path / "here", database_url=database_url, store_url=store_url)
    with Store.open(tmp_path / "there", database_url, store_url) as store:
        assert len(read_table(store.table_version(store.tables()[0]))) > 0
        record = store.promoted()
        folder = store.predictor_folder(record)
        assert folder.is_relative_to(tmp_path / "there") and Predictor.load(folder)
        assert store.predictor_folder(record) == folder
        export_table(store.table_version(store.tables()[0]), tmp_path / "table.zip")
        assert [path.name for path in folder.parent.iterdir()] == [record.version]  # nothing half-done beside it


def test_what_is_damaged_in_the_store_is_refused(tmp_path: Path, database_url: str, fill: Fill) -> None:
    url = f"file://{tmp_path}/shared"
    fill(tmp_path / "here", database_url=database_url, store_url=url)
    (file,) = (tmp_path / "shared").glob("predictors/*/*/manifest.json")
    file.write_text("{}")
    with Store.open(tmp_path / "there", database_url, url) as store, pytest.raises(DamagedArtifact):
        store.predictor_folder(store.promoted())
    shutil.rmtree(tmp_path / "shared")
    with (
        Store.open(tmp_path / "elsewhere", database_url, url) as store,
        pytest.raises(DamagedArtifact, match="no files"),
    ):
        store.predictor_folder(store.promoted())


def test_a_predictor_that_the_store_did_not_take_was_never_there(
    tmp_path: Path, fill: Fill, trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"file://{tmp_path}/shared"
    fill(tmp_path / "here", store_url=url)
    with Store.open(tmp_path / "here", store_url=url) as store:
        shutil.rmtree(tmp_path / "shared")
        (tmp_path / "shared").touch()  # a file in the way
        with pytest.raises(StoreUnavailable):
            store.register_predictor(trained, "example", [store.tables()[0].version])
        assert len(store.predictors()) == 1


def test_compiled_spaces_that_nobody_uses_make_room(tmp_path: Path, store_url: str) -> None:
    record = PredictorRecord("t", "v1", "", {}, datetime.now(UTC))
    with Store.open(tmp_path / "here", store_url=store_url) as store:
        for number, name in enumerate(("first", "second")):
            store.keep_compiled(name, record, {"compiled.npz": b"x"}, most=2)
            os.utime(store.compiled_folder(name, record), (number, number))
        assert (store.compiled_folder("first", record) / "compiled.npz").read_bytes() == b"x"  # now the second is older
        store.keep_compiled("third", record, {"compiled.npz": b"y"}, most=2)
        assert [store.compiled_folder(name, record).is_dir() for name in ("first", "third")] == [True, True]
        with pytest.raises(DamagedArtifact):
            store.compiled_folder("second", record)
        assert not list(store.root.glob("search-spaces/*/t/.*"))
    with Store.open(tmp_path / "there", store_url=store_url) as store:
        assert (store.compiled_folder("third", record) / "compiled.npz").read_bytes() == b"y"
        with pytest.raises(DamagedArtifact):
            store.compiled_folder("second", record)


def test_names_in_the_store_cannot_lead_out_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifacts = Artifacts(tmp_path / "store", "memory://shared")
    memory = fsspec.filesystem("memory")
    memory.pipe("/shared/predictors/t/v1/a.json", b"{}")
    monkeypatch.setattr(type(memory), "find", lambda *_: ["/shared/predictors/t/v1/../../../evil"])
    with pytest.raises(DamagedArtifact, match="leads out"):
        artifacts.fetch("predictors", "t", "v1")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("url", ["nonsense://x", "nonsense://key:hunter2@x"])
def test_unknown_schemes_are_refused_by_name(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="nonsense:// cannot be used") as refused:
        Store.open(tmp_path, store_url=url)
    assert "hunter2" not in str(refused.value)
