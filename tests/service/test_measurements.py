"""Measurements as devices send them: in chunks, at once or not at all, twice at times."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from graphs import LoweringProfile, lower
from graphs.spaces import sample
from lookup_tables import Measurement
from service.db import ChunkRecord, Database, Measurements, TargetRecord, Versions
from service.errors import ContentConflict

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CHUNK = ChunkRecord("t", "lease-1", 0, "a" * 64, NOW)


@pytest.fixture
def database(database: Database) -> Database:
    with database.write() as session:
        Versions(session).add_target(TargetRecord("t", {}, False, NOW))
    return database


@pytest.fixture(scope="module")
def rows() -> list[Measurement]:
    kernels = lower(sample("resnet", 1), LoweringProfile())
    good = [Measurement("in_network", k, latency_us=2.5, blocks_us=(2.5, 3.0), context="resnet:1") for k in kernels]
    odd = 'tab\t, newline\n, backslash \\, quote ", NUL \0, \\N, ä'
    return [*good, Measurement("isolated", kernels[0], error="crash", detail=odd)]


def test_measurements_come_back_as_they_were(database: Database, rows: list[Measurement]) -> None:
    with database.write() as session:
        assert Measurements(session).add(replace(CHUNK, number=1), rows[3:])
        assert Measurements(session).add(CHUNK, rows[:3])
    with database.read() as session:
        assert Measurements(session).of(["lease-1"]) == rows
        assert [(c.number, c.rows) for c in Measurements(session).chunks("t")] == [(0, 3), (1, len(rows) - 3)]
        assert Measurements(session).of(["lease-2"]) == []


def test_the_same_chunk_again_changes_nothing(database: Database, rows: list[Measurement]) -> None:
    for expected in (True, False):
        with database.write() as session:
            assert Measurements(session).add(CHUNK, rows) is expected
    with database.read() as session:
        assert len(Measurements(session).of(["lease-1"])) == len(rows)


def test_another_content_under_the_same_name_is_refused(database: Database, rows: list[Measurement]) -> None:
    with database.write() as session:
        Measurements(session).add(CHUNK, rows)
    with pytest.raises(ContentConflict), database.write() as session:
        Measurements(session).add(replace(CHUNK, sha256="b" * 64), rows)


def test_a_chunk_is_there_completely_or_not_at_all(database: Database, rows: list[Measurement]) -> None:
    with pytest.raises(RuntimeError), database.write() as session:
        Measurements(session).add(CHUNK, rows)
        raise RuntimeError
    with database.read() as session:
        assert Measurements(session).chunks("t") == [] and Measurements(session).of(["lease-1"]) == []


def test_of_many_who_send_the_same_chunk_one_is_first(database: Database, rows: list[Measurement]) -> None:
    def send(_: int) -> bool:
        with database.write() as session:
            return Measurements(session).add(CHUNK, rows)

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(send, range(6))) == [False] * 5 + [True]
    with database.read() as session:
        assert Measurements(session).of(["lease-1"]) == rows
