"""Whatever is sent, the service answers as its description says, and never with a defect. At length: `make bench`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from benchmarks.postgres import PostgresServer
from benchmarks.robustness.conformance import run_schemathesis
from benchmarks.robustness.mutants import mutants
from benchmarks.robustness.sending import ask
from benchmarks.robustness.world import populate, things
from service.server import in_background
from service.settings import Settings
from service.store import Store


class Served(NamedTuple):
    url: str
    token: str
    http: httpx.Client
    names: dict[str, str]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, fill: Callable[..., Path]
) -> Iterator[Served]:
    """A service where everything exists that requests can be about."""
    database_url = ""
    if request.param == "postgresql":
        postgres: PostgresServer = request.getfixturevalue("postgres")
        database_url = postgres.create_database()
    data_dir = fill(tmp_path_factory.mktemp("robust"), database_url=database_url)
    with Store.open(data_dir, database_url) as store:
        token = populate(store)
    settings = Settings(data_dir=data_dir, database_url=database_url, embedded_worker=False, refresh_s=0.0)
    headers = {"authorization": f"Bearer {token}"}
    with in_background(settings) as url, httpx.Client(base_url=url, headers=headers, timeout=60.0) as http:
        yield Served(url, token, http, things(http))


def test_damaged_bodies_are_answered_or_refused(served: Served) -> None:
    document = served.http.get("/openapi.json").json()
    statuses = set()
    for mutant in mutants(document, served.names, number=160, seed=7):
        status = ask(served.http, mutant)
        assert isinstance(status, int) and status < 500, (status, mutant)
        statuses.add(status)
    assert statuses >= {200, 400, 422}


@pytest.mark.parametrize("served", ["sqlite"], indirect=True)
def test_answers_are_as_described(served: Served) -> None:
    done = run_schemathesis(
        served.url, served.token, served.names, phases=("examples", "fuzzing"), examples=4, seed=1
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
