"""A real service over a small real predictor, trained once per session on a synthetic table.

The table's latencies follow a roofline with an overhead, so there is something to learn, and a few shallow trees do.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.processes import ServerPart
from graphs import LoweringProfile, lower
from graphs.costs import bytes_read, bytes_written, flops
from graphs.kernels import Kernel
from graphs.spaces import sample
from lookup_tables import DeviceFingerprint, Measurement, Table, Target, read_table, write_table
from predictors import train
from predictors._boosting import ForestSettings
from service.db import Database, upgrade
from service.server import in_background
from service.settings import Settings
from service.store import Store

TARGET = Target(DeviceFingerprint("Example CPU", isa=("avx2", "avx512f"), cores=2), runtime_version="1.31.1")
FAMILIES = ("resnet", "mobilenet", "products")
QUICK = ForestSettings(members=2, rounds=15, depth=3)


def latency_us(kernel: Kernel) -> float:
    """1 µs, 20 GFLOP/s, 10 GB/s."""
    return 1.0 + max(flops(kernel) / 20e3, (bytes_read(kernel) + bytes_written(kernel)) / 10e3)


def measure(family: str, seed: int, split: Any) -> list[Measurement]:
    """What profiling a synthetic network would have given."""
    context = f"{family}:{seed}"
    kernels = lower(sample(family, seed), LoweringProfile())
    rows = [
        Measurement("in_network", kernel, latency_us=t, p10_us=t, p90_us=1.02 * t, mad_us=0.01 * t, runs=20,
                    blocks_us=(t,), context=context, split=split)
        for kernel, t in ((kernel, latency_us(kernel)) for kernel in kernels)
    ]  # fmt: skip
    whole = sum(row.latency_us or 0.0 for row in rows) + 0.1 * len(rows)
    for repetition in range(2):
        t = whole * (1 + 0.01 * repetition)
        rows.append(
            Measurement("whole_model", model=context, latency_us=t, p10_us=t, p90_us=t, mad_us=0.01 * t, runs=20,
                        blocks_us=(t,), context=context, split=split, kernels=len(kernels), repetition=repetition)
        )  # fmt: skip
    return rows


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database with all tables: SQLite, then PostgreSQL."""
    database = Database(database_url)
    upgrade(database)
    yield database
    database.close()


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    rows = []
    for family in FAMILIES:
        for seed, split in enumerate(["train"] * 2 + ["composition", "holdout"]):
            rows += measure(family, seed, split)
    return read_table(write_table(tmp_path_factory.mktemp("tables"), TARGET, rows))


@pytest.fixture(scope="session")
def trained(table: Table) -> Any:
    return train(table, settings=QUICK)


@pytest.fixture(scope="session")
def fill(table: Table, trained: Any) -> Callable[[Path], Path]:
    """Makes a data directory with the table, the predictor and the alias ``example``."""

    def fill(data_dir: Path, promote: bool = True, database_url: str = "", store_url: str = "") -> Path:
        with Store.open(data_dir, database_url, store_url) as store:
            version = write_table(store.root, table.target, table.measurements)
            store.register_table(version, alias="example")
            record = store.register_predictor(trained, "example", [version.version])
            if promote:
                store.promote(record.version)
        return data_dir

    return fill


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory, fill: Callable[[Path], Path]) -> Path:
    return fill(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def base_url(data_dir: Path) -> Iterator[str]:
    with in_background(Settings(data_dir=data_dir, refresh_s=0.05, max_body_bytes=2_000_000)) as url:
        yield url


@pytest.fixture(scope="session")
def http(base_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=base_url, timeout=30.0) as client:
        yield client


@pytest.fixture
def start_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., ServerPart]]:
    """Starts ``archgauge serve`` with settings, waits until it is ready, and ends it after the test."""
    running: list[ServerPart] = []

    def start(*arguments: str, **settings: object) -> ServerPart:
        variables = {f"ARCHGAUGE_{name.upper()}": str(value) for name, value in settings.items()}
        variables["PYTHONPATH"] = os.pathsep.join(sys.path)
        service = ServerPart(variables, tmp_path_factory.mktemp("log") / "service.log", arguments)
        running.append(service)
        service.wait_until_ready()
        return service

    yield start
    stopped = [service.stop() for service in running]
    assert all(stopped)


@pytest.fixture
def check_problem() -> Callable[..., dict[str, Any]]:
    """Checks that a response is a problem document of a status and type, and returns it."""

    def check(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        problem: dict[str, Any] = response.json()
        assert problem["type"] == f"urn:archgauge:problem:{slug}"
        assert problem["status"] == status and problem["title"] and problem["detail"]
        assert problem["request_id"] == response.headers["x-request-id"]
        assert "Traceback" not in response.text and ".py" not in response.text
        return problem

    return check
