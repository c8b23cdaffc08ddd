"""Databases for whoever needs them: an empty SQLite file, or an empty database of a real PostgreSQL server.

The server starts when the first test asks for it, and serves a whole session.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.postgres import PostgresServer

# What comes with the package would be in every list of targets; tests of references name folders of their own.
os.environ["ARCHGAUGE_REFERENCES"] = "none"


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
