"""Connections and transactions, on SQLite and PostgreSQL.

`Database.read` and `Database.write` are the only ways in, and mean the same on both: a reader sees one moment, a
writer's changes are on disk when its block is left. On SQLite a writing transaction takes the write lock at its
beginning, so that it waits for others (up to `BUSY_TIMEOUT_S`) instead of failing when its snapshot is out of date. On
PostgreSQL writers go on beside each other, and lock the rows that they decide by.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, Pool

from service.db.turns import SharedSync, Turns, sync_file
from service.errors import DatabaseUnavailable

BUSY_TIMEOUT_S = 15.0
#: PostgreSQL: how long to wait for a connection, and for a free one of the pool.
CONNECT_TIMEOUT_S = 5
POOL_TIMEOUT_S = 10.0

#: Execution option by which a connection says that its transaction will write.
WRITES = "archgauge_writes"
#: And by which one says that the operating system may sync it later.
LAZY = "archgauge_lazy"


class Database:
    """A database by its SQLAlchemy URL; thread-safe, and not to be shared with a forked process.

    Raises (all methods): DatabaseUnavailable when it does not answer.
    """

    def __init__(self, url: str) -> None:
        self._url = _with_driver(url)
        self.engine = _create_engine(self._url)
        self.is_postgresql = self.engine.dialect.name == "postgresql"
        self._reader = _reading(self.engine)
        self._writer = self.engine.execution_options(**{WRITES: True})
        self._lazy_writer = self.engine.execution_options(**{WRITES: True, LAZY: True})
        self._turns = Turns(BUSY_TIMEOUT_S)
        self._log = SharedSync(lambda: sync_file(Path(f"{self._url.database}-wal")))

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading: a consistent snapshot, rolled back at the end."""
        with _available(), Session(self._reader) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are on disk when the block is left, or gone if it raises."""
        with _available(), self._turn(), Session(self._writer) as session, session.begin():
            yield session

    @contextmanager
    def write_shared(self) -> Iterator[Session]:
        """As `write`; of many who write at the same time, all wait for the same sync of the disk."""
        if self.is_postgresql:  # which does so by itself
            with self.write() as session:
                yield session
            return
        with self.write_lazily() as session:
            yield session
        self._log.wait()

    @contextmanager
    def write_lazily(self) -> Iterator[Session]:
        """As `write`, but on SQLite what is written is only in the operating system's hands when the block is left.

        The death of a process cannot take it; a power failure can, until `sync`. PostgreSQL commits as ever.
        """
        with _available(), self._turn(), Session(self._lazy_writer) as session, session.begin():
            yield session

    def _turn(self) -> AbstractContextManager[None]:
        """SQLite's writers go one after the other anyway."""
        return nullcontext() if self.is_postgresql else self._turns.turn()

    def sync(self) -> None:
        """Put on disk what was written lazily."""
        if not self.is_postgresql:
            with _available(), self.engine.connect() as connection:
                raw: Any = connection.connection.driver_connection
                raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()  # syncs the log, outside of any transaction

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in a writing transaction without a session, as migrations need it."""
        with _available(), self._writer.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def probe(self) -> Iterator[Connection]:
        """A new connection, for the database as it is now; a pooled one might still hold a file that is gone."""
        engine = _create_engine(self._url, poolclass=NullPool)
        with _available(), engine.connect() as connection:
            yield connection

    def ping(self) -> None:
        """Raise if the database does not answer."""
        if not self.is_postgresql and not Path(str(self._url.database)).is_file():
            raise FileNotFoundError(f"the database file {self._url.database} is gone")
        with self.probe() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        self.engine.dispose()


def sqlite_url(file: Path) -> str:
    """The URL of a SQLite database in a file."""
    return f"sqlite:///{file}"


@contextmanager
def _available() -> Iterator[None]:
    """Errors of the connection rather than of what was asked become ours."""
    try:
        yield
    except (OperationalError, InterfaceError, NoConnectionFree) as error:
        raise DatabaseUnavailable(f"the database does not answer: {error}") from error


def _with_driver(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError("ARCHGAUGE_DATABASE_URL cannot be understood; write postgresql://user@host/name") from None
    backend = parsed.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise ValueError(f"ARCHGAUGE_DATABASE_URL must be sqlite:///… or postgresql://…, not {backend}")
    if parsed.database in (None, "", ":memory:"):
        raise ValueError("a database in memory would lose everything; give it a file: sqlite:////path/archgauge.db")
    return parsed


def _create_engine(url: URL, poolclass: type[Pool] | None = None) -> Engine:
    if url.get_backend_name() == "postgresql":
        pooled = {} if poolclass is NullPool else {"pool_pre_ping": True, "pool_timeout": POOL_TIMEOUT_S}
        arguments = {"connect_timeout": CONNECT_TIMEOUT_S}
        return create_engine(url, connect_args=arguments, poolclass=poolclass, hide_parameters=True, **pooled)
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT_S}, poolclass=poolclass, hide_parameters=True
    )  # fmt: skip
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _reading(engine: Engine) -> Engine:
    """SQLite's readers see one moment by themselves."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _prepare_sqlite(connection: Any, entry: ConnectionPoolEntry) -> None:
    """WAL lets readers go on beside a writer; FULL syncs every commit, so that what was acknowledged survives."""
    assert isinstance(connection, sqlite3.Connection)
    connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(WRITES, False):
        connection.exec_driver_sql(f"PRAGMA synchronous={'NORMAL' if options.get(LAZY, False) else 'FULL'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("BEGIN")
