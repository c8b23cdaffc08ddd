"""The store of versions: folders and database together, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from lookup_tables import DeviceFingerprint, Target, write_table
from service.errors import (
    AliasInUse,
    DamagedArtifact,
    NoPredictor,
    NotPromotable,
    UnknownPredictor,
    UnknownTable,
    UnknownTarget,
)
from service.store import Store

TARGET = Target(DeviceFingerprint("Example CPU"), runtime_version="1.31.1")


@dataclass
class Artifact:
    """Something that can be saved."""

    content: str = "{}"
    report: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        (folder / "kinds").mkdir()
        (folder / "kinds" / "conv.json").write_text(self.content)


class Broken(Artifact):
    def save(self, folder: Path) -> None:
        super().save(folder)
        raise OSError("no space left")


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    with Store.open(tmp_path / "data", database_url) as store:
        yield store


def add_table(store: Store, target: Target = TARGET, alias: str | None = None) -> str:
    return store.register_table(write_table(store.root, target, []), alias).version


def test_a_table_brings_its_target(store: Store) -> None:
    version = add_table(store, alias="laptop")
    record = store.target("laptop")
    assert record == store.target(TARGET.id)
    assert Target.from_json(record.document) == TARGET
    assert store.table(version) == store.table(version, "laptop") == store.tables()[0]
    assert store.table(version).manifest["rows"] == 0
    assert store.table_version(store.table(version)).path.is_dir()


def test_registering_a_table_again_changes_nothing(store: Store) -> None:
    table = write_table(store.root, TARGET, [])
    store.register_table(table)
    store.register_table(table)
    assert len(store.tables()) == 1


def test_an_alias_moves_to_the_target_that_it_was_given_last(store: Store) -> None:
    add_table(store, alias="laptop")
    changed = replace(TARGET, threads=2)
    add_table(store, changed, alias="laptop")
    assert store.target("laptop").id == changed.id
    assert store.target(TARGET.id).aliases == ()


def test_an_alias_cannot_hide_a_target(store: Store) -> None:
    add_table(store)
    with pytest.raises(AliasInUse):
        store.register_target(replace(TARGET, threads=2), TARGET.id)


def test_what_is_not_there_is_named_with_what_is(store: Store) -> None:
    version = add_table(store, alias="laptop")
    with pytest.raises(UnknownTarget) as unknown:
        store.target("phone")
    assert unknown.value.known == ("laptop", TARGET.id)
    with pytest.raises(UnknownTable) as table:
        store.table("v9")
    assert table.value.known == (version,)
    with pytest.raises(UnknownPredictor):
        store.predictor("v9")
    with pytest.raises(UnknownTarget):
        store.predictors("phone")


def test_predictors_are_numbered_and_kept(store: Store) -> None:
    table = add_table(store)
    report = {"noise_floor": 0.02, "spearman": float("nan"), "kinds": ({"mape": float("inf")},)}
    first = store.register_predictor(Artifact("1", report), TARGET.id, [table])
    second = store.register_predictor(Artifact("2"), TARGET.id, [table])
    assert [first.version[:6], second.version[:6]] == ["v0001-", "v0002-"]
    assert store.predictors() == [second, first]
    assert store.predictor(first.version).report == {"noise_floor": 0.02, "spearman": None, "kinds": [{"mape": None}]}
    assert store.predictor(first.version).tables == (table,)
    assert (store.predictor_folder(first) / "kinds" / "conv.json").read_text() == "1"


def test_a_predictor_needs_tables_that_are_registered(store: Store) -> None:
    add_table(store)
    with pytest.raises(UnknownTable):
        store.register_predictor(Artifact(), TARGET.id, ["v0009-00000000"])


def test_a_failed_save_leaves_nothing(store: Store) -> None:
    table = add_table(store)
    with pytest.raises(OSError, match="no space"):
        store.register_predictor(Broken(), TARGET.id, [table])
    assert store.predictors() == []
    assert list((store.root / "predictors" / TARGET.id).iterdir()) == []


@pytest.mark.parametrize("damage", ["change", "remove", "add", "folder"])
def test_damaged_files_are_noticed(store: Store, damage: str) -> None:
    record = store.register_predictor(Artifact(), TARGET.id, [add_table(store)])
    folder = store.predictor_folder(record)
    file = folder / "kinds" / "conv.json"
    if damage == "change":
        file.write_text("[]")
    elif damage == "remove":
        file.unlink()
    elif damage == "add":
        (folder / "extra").touch()
    else:
        folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(DamagedArtifact):
        store.predictor_folder(record)


def test_promotion_decides_who_answers(store: Store) -> None:
    table = add_table(store)
    with pytest.raises(NoPredictor, match="archgauge profile"):
        store.promoted()
    with pytest.raises(NoPredictor, match=TARGET.id):
        store.promoted(TARGET.id)
    first = store.register_predictor(Artifact("1"), TARGET.id, [table])
    second = store.register_predictor(Artifact("2"), TARGET.id, [table])
    store.promote(first.version, note="first")
    store.promote(second.version)
    assert store.promoted() == second
    store.promote(first.version, note="second was worse")
    assert store.promoted(TARGET.id) == first


def test_the_target_promoted_last_answers_without_a_name(store: Store) -> None:
    other = replace(TARGET, threads=2)
    records = [store.register_predictor(Artifact(), t.id, [add_table(store, t)]) for t in (TARGET, other)]
    store.promote(records[1].version, other.id)
    store.promote(records[0].version, TARGET.id)
    assert store.promoted().target_id == TARGET.id
    assert store.promoted(other.id).target_id == other.id
    assert [p.predictor.target_id for p in store.promotions()] == [TARGET.id, other.id]


def test_emulated_targets_are_never_promoted(store: Store) -> None:
    emulated = replace(TARGET, emulated=True)
    record = store.register_predictor(Artifact(), emulated.id, [add_table(store, emulated)])
    with pytest.raises(NotPromotable):
        store.promote(record.version)


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        record = store.register_predictor(Artifact(), TARGET.id, [add_table(store, alias="laptop")])
        store.promote(record.version)
    with Store.open(tmp_path) as store:
        assert store.promoted("laptop") == record


def test_a_folder_left_by_a_crash_is_replaced(store: Store) -> None:
    table = add_table(store)
    record = store.register_predictor(Artifact(), TARGET.id, [table])
    with store.database.write() as session:
        session.connection().exec_driver_sql("DELETE FROM predictor_tables")
        session.connection().exec_driver_sql("DELETE FROM predictors")
    assert store.register_predictor(Artifact(), TARGET.id, [table]).version == record.version
    assert json.loads((store.predictor_folder(record) / "kinds" / "conv.json").read_text()) == {}
