"""Schema, migrations and transactions, on SQLite."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from service.db import (
    HEAD,
    Database,
    PredictionRecord,
    Predictions,
    PredictorRecord,
    TableRecord,
    TargetRecord,
    Versions,
    current_revision,
    sqlite_url,
    upgrade,
)
from service.db.migrate import alembic_config
from service.db.models import Base
from service.ids import new_id

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(sqlite_url(tmp_path / "new folder" / "archgauge.db"))
    upgrade(database)
    yield database
    database.close()


def prediction(number: int = 0, answer: bytes = b"{}") -> PredictionRecord:
    return PredictionRecord(f"{number:036}", NOW, {"targets": []}, answer)


def test_migrations_make_what_the_models_describe(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_newest_revision_is_known_without_alembic() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == HEAD
    code = "import sys, service.store; sys.exit('alembic' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


def test_a_new_database_has_no_revision_and_upgrading_is_idempotent(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "a.db"))
    assert current_revision(database) is None
    upgrade(database)
    upgrade(database)
    assert current_revision(database) == HEAD
    database.close()


def test_upgrading_by_url(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "a.db")
    upgrade(url)
    database = Database(url)
    assert current_revision(database) == HEAD
    database.close()


def test_many_processes_may_upgrade_at_once(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "a.db")
    failures: list[BaseException] = []

    def run() -> None:
        try:
            upgrade(url)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_sqlite_is_set_up_for_durability_and_concurrency(database: Database) -> None:
    with database.engine.connect() as connection:
        values = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in
                  ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")}  # fmt: skip
    assert values == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 15000}


def test_databases_in_memory_are_refused() -> None:
    with pytest.raises(ValueError, match="lose everything"):
        Database("sqlite://")


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

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert Predictions(session).count() == 8


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
