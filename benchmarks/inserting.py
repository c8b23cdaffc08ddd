"""How fast measurements that come in are kept, in rows per second, on SQLite and on a real PostgreSQL.

python -m benchmarks.inserting [--rows 100000]
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click

from archgauge.output import stdout
from benchmarks.figures import Figure, as_table
from benchmarks.postgres import PostgresServer
from graphs import LoweringProfile, lower
from graphs.spaces import sample
from lookup_tables import Measurement
from service.db import ChunkRecord, Database, Measurements, TargetRecord, Versions, sqlite_url, upgrade

CHUNK = 5_000


def measurements(number: int) -> list[Measurement]:
    """As profiling gives them: the kernels of a few networks, each with its blocks."""
    kernels = [kernel for seed in range(8) for kernel in lower(sample("resnet", seed), LoweringProfile())]
    return [
        Measurement(
            "in_network",
            kernels[i % len(kernels)],
            latency_us=10.0 + i % 7,
            p10_us=9.5,
            p90_us=12.0,
            mad_us=0.2,
            runs=20,
            blocks_us=(10.0, 10.5, 11.0),
            context=f"resnet:{i}",
            position=i % 60,
            session="s",
            started_at=1.7e9,
        )
        for i in range(number)
    ]


def rows_per_second(url: str, rows: list[Measurement]) -> float:
    """Chunks of `CHUNK` rows, each in a transaction of its own, as they come from devices."""
    database = Database(url)
    upgrade(database)
    now = datetime.now(UTC)
    with database.write() as session:
        Versions(session).add_target(TargetRecord("t", {}, False, now))
    began = time.perf_counter()
    for number, start in enumerate(range(0, len(rows), CHUNK)):
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        with database.write() as session:
            Measurements(session).add(ChunkRecord("t", "bench", number, digest, now), rows[start : start + CHUNK])
    took_s = time.perf_counter() - began
    with database.read() as session:
        assert sum(chunk.rows for chunk in Measurements(session).chunks("t")) == len(rows)
    database.close()
    return len(rows) / took_s


@contextmanager
def urls() -> Iterator[dict[str, str]]:
    """A new database of each kind."""
    server = PostgresServer()
    try:
        yield {"SQLite": sqlite_url(server.folder / "a.db"), "PostgreSQL": server.create_database()}
    finally:
        server.close()


@click.command()
@click.option("--rows", default=100_000, show_default=True, help="Rows to insert.")
def main(rows: int) -> None:
    """Insert measurements in bulk."""
    stdout().print(as_table(measure(rows)))


def measure(rows: int = 100_000) -> list[Figure]:
    """Insert ``rows`` into each kind of database."""
    made = measurements(rows)
    with urls() as found:
        return [
            Figure(f"measurements inserted on {name}", rows_per_second(url, made), "/s", at_least=20_000)
            for name, url in found.items()
        ]


if __name__ == "__main__":
    main()
