"""The schema, and the way to it from every revision that there ever was, on both databases."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url

from service.db import (
    HEAD,
    Database,
    Measurements,
    Predictions,
    Versions,
    current_revision,
    upgrade,
)
from service.db.migrate import alembic_config
from service.db.models import Base
from service.errors import OutdatedDatabase

RECORDED = Path(__file__).parent / "recorded"
REVISIONS = [script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()]


def load(url: str, revision: str) -> Database:
    """A database as it was recorded at a revision."""
    text = (RECORDED / f"{revision}.{make_url(url).get_backend_name()}.sql").read_text()
    if url.startswith("postgresql"):
        with psycopg.connect(url) as connection:
            connection.execute(text.encode())
    else:
        file = Path(str(make_url(url).database))
        file.parent.mkdir(parents=True)
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript(text)
    return Database(url)


def differences(database: Database) -> list[object]:
    """Between the tables that the database has and those that the code describes."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_recorded_database_becomes_todays(database_url: str, revision: str) -> None:
    database = load(database_url, revision)
    assert current_revision(database) == revision
    upgrade(database)
    assert current_revision(database) == HEAD
    assert differences(database) == []
    with database.read() as session:
        versions = Versions(session)
        (target,) = versions.targets()
        assert (target.aliases, target.document["device"]) == (("laptop",), {"cpu_model": "Example ä"})
        assert [p.tables for p in versions.predictors("cpu-1t-0a1b2c3d")] == [("v0002-aaaaaaaa",), ("v0001-aaaaaaaa",)]
        assert [p.note for p in versions.promotions("cpu-1t-0a1b2c3d")] == ["note 2", "note 1"]
        stored = Predictions(session).get(f"{1:036}")
        assert stored is not None and stored.answer == b'{"name": "net"}'
        assert [m.error for m in Measurements(session).of(["lease-1"])] == ([None, "oom"] if revision > "0001" else [])
    with database.write() as session:  # ids go on where they were
        Versions(session).promote("cpu-1t-0a1b2c3d", "v0001-bbbbbbbb", "back")
    with database.read() as session:
        assert Versions(session).promoted()[0].predictor.version == "v0001-bbbbbbbb"
    database.close()


def test_the_newest_revision_is_known_without_alembic() -> None:
    assert REVISIONS[0] == HEAD
    code = "import sys, service.store; sys.exit('alembic' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


def test_a_new_database_has_no_revision_and_upgrading_is_idempotent(database_url: str) -> None:
    database = Database(database_url)
    assert current_revision(database) is None
    upgrade(database)
    upgrade(database)
    upgrade(database_url)
    assert current_revision(database) == HEAD
    assert differences(database) == []
    database.close()


def test_many_processes_may_upgrade_at_once(database_url: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(upgrade, [database_url] * 6))
    database = Database(database_url)
    assert current_revision(database) == HEAD
    database.close()


def test_a_database_of_a_later_version_is_left_alone(database_url: str) -> None:
    database = Database(database_url)
    upgrade(database)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(OutdatedDatabase, match="install a newer ArchGauge"):
        upgrade(database)
    database.close()
