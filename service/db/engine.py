"""Connections and transactions.

`Database.read` and `Database.write` are the only ways in. On SQLite a writing transaction takes the write lock at its
beginning, so that it waits for others (up to `BUSY_TIMEOUT_S`) instead of failing when its snapshot is out of date.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, Pool

BUSY_TIMEOUT_S = 15.0

#: Execution option by which a connection says that its transaction will write.
WRITES = "archgauge_writes"


class Database:
    """A database by its SQLAlchemy URL; thread-safe, and not to be shared with a forked process."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _create_engine(url)
        self._writer = self.engine.execution_options(**{WRITES: True})

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading: a consistent snapshot, rolled back at the end."""
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are on disk when the block is left, or gone if it raises."""
        with Session(self._writer) as session, session.begin():
            yield session

    def writing(self) -> Connection:
        """A connection for a writing transaction without a session, as migrations need it."""
        return self._writer.connect()

    @contextmanager
    def probe(self) -> Iterator[Connection]:
        """A new connection, for the database as it is now; a pooled one might still hold a file that is gone."""
        engine = _create_engine(self.url, poolclass=NullPool)
        with engine.connect() as connection:
            yield connection

    def ping(self) -> None:
        """Raise if the database does not answer."""
        file = make_url(self.url).database
        if self.engine.dialect.name == "sqlite" and not Path(str(file)).is_file():
            raise FileNotFoundError(f"the database file {file} is gone")
        with self.probe() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        self.engine.dispose()


def sqlite_url(file: Path) -> str:
    """The URL of a SQLite database in a file."""
    return f"sqlite:///{file}"


def _create_engine(url: str, poolclass: type[Pool] | None = None) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, poolclass=poolclass)
    if parsed.database in (None, "", ":memory:"):
        raise ValueError("an in-memory database would lose everything; give a file: sqlite:////path/archgauge.db")
    Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S}, poolclass=poolclass)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, entry: ConnectionPoolEntry) -> None:
    """WAL lets readers go on beside a writer; FULL syncs every commit, so that what was acknowledged survives."""
    assert isinstance(connection, sqlite3.Connection)
    connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
