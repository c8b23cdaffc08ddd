"""Bring a database to the current schema, and tell whether it is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from service.db.engine import Database
from service.db.migrations import HEAD
from service.errors import OutdatedDatabase

if TYPE_CHECKING:
    from alembic.config import Config

_SCRIPTS = Path(__file__).parent / "migrations"
#: PostgreSQL's advisory lock of those who migrate: "archgaug" as a number.
_LOCK = int.from_bytes(b"archgaug")


def upgrade(database: Database | str) -> None:
    """Apply the migrations that are missing, all or none. Several processes may try at once: one does, the others wait.

    ``database`` may be a URL.

    Raises:
        OutdatedDatabase: it is the code that is outdated, the database has a revision that it does not know.
    """
    opened = Database(database) if isinstance(database, str) else database
    try:
        revision = current_revision(opened)
        if (revision or "") > HEAD:  # revisions are numbers of four digits
            raise OutdatedDatabase(
                f"the database is at revision {revision}, ahead of {HEAD}; install a newer ArchGauge"
            )
        if revision != HEAD:
            _upgrade(opened)
    finally:
        if opened is not database:
            opened.close()


def current_revision(database: Database) -> str | None:
    """The revision that the database is at now; None for an empty one."""
    with database.probe() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return revision


def _upgrade(database: Database) -> None:
    from alembic import command

    with database.writing() as connection:
        if database.is_postgresql:  # SQLite's writers wait for each other anyway
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, HEAD)


def alembic_config() -> Config:
    """Alembic's configuration, which is nothing but the place of the migrations."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
