"""Bring a database to the current schema, and tell whether it is there."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from service.db.engine import Database

_SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(database: Database | str, revision: str = "head") -> None:
    """Apply the migrations that are missing, all or none. Several processes may try at once: one does, the others wait.

    ``database`` may be a URL.
    """
    opened = Database(database) if isinstance(database, str) else database
    try:
        with opened.writing() as connection, connection.begin():
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    finally:
        if opened is not database:
            opened.close()


def current_revision(database: Database) -> str | None:
    """The revision that the database is at; None for an empty one."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str:
    """The revision that this version of ArchGauge needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
