"""Transactions and repositories mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from service.db import (
    Database,
    PredictionRecord,
    Predictions,
    PredictorRecord,
    TableRecord,
    TargetRecord,
    Versions,
    sqlite_url,
)
from service.db.turns import SharedSync
from service.errors import DatabaseUnavailable
from service.ids import new_id

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def prediction(number: int = 0, answer: bytes = b"{}") -> PredictionRecord:
    return PredictionRecord(f"{number:036}", NOW, {"targets": []}, answer)


def test_sqlite_is_set_up_for_durability_and_concurrency(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "new folder" / "archgauge.db"))
    with database.engine.connect() as connection:
        values = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in
                  ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")}  # fmt: skip
    assert values == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 15000}
    database.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [("sqlite://", "lose everything"), ("mysql://u:secret@h/d", "not mysql"), ("secret", "cannot be understood")],
)
def test_databases_that_cannot_be_used_are_refused(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        Database(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_urls_of_postgresql_need_no_driver(postgres_url: str, scheme: str) -> None:
    database = Database(postgres_url.replace("postgresql", scheme, 1))
    database.ping()
    assert database.is_postgresql
    database.close()


def test_a_sync_is_shared_by_those_who_came_before_it_began() -> None:
    under_way, go_on, syncs = threading.Event(), threading.Event(), list[int]()

    def sync() -> None:
        syncs.append(len(syncs))
        under_way.set()
        assert go_on.wait(30)

    shared = SharedSync(sync)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(shared.wait)
        assert under_way.wait(30)
        others = [pool.submit(shared.wait) for _ in range(7)]  # the one under way may be too old for them
        assert not any(other.done() for other in others)
        go_on.set()
        for waiting in (first, *others):
            waiting.result(30)
    assert 2 <= len(syncs) <= 8
    shared.wait()
    assert len(syncs) >= 3  # nothing is synced by what was before


def test_a_sync_that_fails_fails_for_whoever_asked() -> None:
    def fail() -> None:
        raise DatabaseUnavailable("the disk is gone")

    shared = SharedSync(fail)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            shared.wait()


def test_many_write_at_once_and_all_of_it_is_there(database: Database) -> None:
    def write(number: int) -> None:
        with database.write_shared() as session:
            Versions(session).add_target(TargetRecord(f"t{number}", {}, False, NOW))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    with pytest.raises(ZeroDivisionError), database.write_shared() as session:
        Versions(session).add_target(TargetRecord("never", {}, False, NOW))
        raise ZeroDivisionError
    with database.read() as session:
        assert {target.id for target in Versions(session).targets()} == {f"t{number}" for number in range(40)}


def test_a_database_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    database = Database(f"postgresql://user:hunter2@/nothing?host={tmp_path}")
    with pytest.raises(DatabaseUnavailable) as unavailable:
        database.ping()
    assert "hunter2" not in str(unavailable.value)
    database.close()


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as session:
        Predictions(session).add([prediction()])
        raise RuntimeError
    with database.read() as session:
        assert Predictions(session).count() == 0


def test_writers_wait_for_each_other(database: Database) -> None:
    """Each reads, then writes: without the write lock taken first, SQLite would refuse the later ones."""

    def run(number: int) -> None:
        with database.write() as session:
            Predictions(session).count()
            Predictions(session).add([prediction(number)])
            Versions(session).add_target(TargetRecord("t", {}, False, NOW))
            Versions(session).set_alias("laptop", "t")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))
    with database.read() as session:
        assert Predictions(session).count() == 8
        assert [t.aliases for t in Versions(session).targets()] == [("laptop",)]


def test_who_locks_a_target_goes_on_alone(database: Database) -> None:
    """As giving numbers to versions needs it."""
    with database.write() as session:
        Versions(session).add_target(TargetRecord("t", {}, False, NOW))

    def run(_: int) -> None:
        with database.write() as session:
            Versions(session).lock("t")
            number = len(Versions(session).tables("t"))
            Versions(session).add_table(TableRecord("t", f"v{number}", {}, NOW))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))
    with database.read() as session:
        assert [t.version for t in Versions(session).tables("t")] == [f"v{n}" for n in range(7, -1, -1)]


def test_readers_see_one_moment(database: Database) -> None:
    with database.read() as reader:
        assert Predictions(reader).count() == 0
        with database.write() as writer:
            Predictions(writer).add([prediction()])
        assert Predictions(reader).count() == 0


def test_predictions_come_back_as_they_were(database: Database) -> None:
    answer = b'{"name": "\xc3\xa4"}' * 1000
    with database.write() as session:
        Predictions(session).add([prediction(1, answer)])
    with database.read() as session:
        assert Predictions(session).get(f"{1:036}") == prediction(1, answer)
        assert Predictions(session).get("nothing") is None


def test_only_the_newest_predictions_are_kept(database: Database) -> None:
    with database.write() as session:
        Predictions(session).add([prediction(n) for n in range(10)])
        Predictions(session).keep_newest(20)
        assert Predictions(session).count() == 10
        Predictions(session).keep_newest(3)
        assert Predictions(session).get(f"{7:036}") is not None
        assert Predictions(session).count() == 3


def test_times_keep_their_moment(database: Database) -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5)))
    with database.write() as session:
        Versions(session).add_target(TargetRecord("t", {}, False, elsewhere))
    with database.read() as session:
        assert Versions(session).targets()[0].created_at == NOW
    naive = TargetRecord("u", {}, False, NOW.replace(tzinfo=None))
    with pytest.raises(Exception, match="no time zone"), database.write() as session:
        Versions(session).add_target(naive)


def test_versions_are_unique_and_refer_to_what_exists(database: Database) -> None:
    table = TableRecord("t", "v1", {"rows": 0}, NOW)
    with database.write() as session:
        Versions(session).add_target(TargetRecord("t", {"a": 1}, False, NOW))
        Versions(session).add_table(table)
        Versions(session).add_predictor(PredictorRecord("t", "p1", "0" * 64, {}, NOW, ("v1",)))
    with pytest.raises(IntegrityError), database.write() as session:
        Versions(session).add_table(table)
    with pytest.raises(IntegrityError), database.write() as session:
        Versions(session).add_table(TableRecord("other", "v1", {}, NOW))
    with database.read() as session:
        assert Versions(session).predictors("t")[0].tables == ("v1",)


def test_ids_sort_by_time_and_are_uuids_of_version_seven() -> None:
    ids = [new_id() for _ in range(3)]
    assert all(len(i) == 36 and i[14] == "7" and i[19] in "89ab" for i in ids)
    assert sorted(i[:13] for i in ids) == [i[:13] for i in ids]
    assert len(set(ids)) == 3
