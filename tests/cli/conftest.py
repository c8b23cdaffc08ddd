"""A data directory with a few networks that were really measured on this machine, shared by these tests."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from archgauge.cli import main
from archgauge.networks import real_networks
from archgauge.state import open_store
from lookup_tables import PlanItem, write_table
from lookup_tables.drift import reference_of
from profilers import carry_out, local_target, measure_peaks

#: Measured to the end, however long it takes: a busy machine must not make a poorer table.
PLAN = [
    *(PlanItem(family, seed, "in_network", "train") for seed in range(2) for family in ("convolutions", "squeezenet")),
    *(PlanItem("squeezenet-whole", 40_000 + seed, "network+whole", "composition") for seed in range(3)),
    *(PlanItem("shufflenet-whole", 70_000 + seed, "network+whole", "holdout") for seed in range(2)),
]
LIMIT_S = 600.0


@pytest.fixture(scope="session")
def profiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory, with a table and the predictor that `archgauge train` made of it."""
    folder = tmp_path_factory.mktemp("state")
    target = local_target(1)
    measurements = carry_out(PLAN, target, folder / "spool.ndjson", LIMIT_S)
    facts = {"peaks": measure_peaks(1).to_json(), "sentinel_us": reference_of(measurements)}
    with open_store(folder) as store:
        table = write_table(store.root, target, measurements, report=facts)
        store.register_table(table, alias="here")
    assert main(["train", "--data-dir", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def squeezenet() -> str:
    return str(real_networks()["SqueezeNet"])


@pytest.fixture
def run(
    profiled: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., str]]:
    """Runs a command in that directory and returns what it printed."""
    monkeypatch.setenv("ARCHGAUGE_DATA_DIR", str(profiled))

    def command(*line: str, status: int = 0) -> str:
        capsys.readouterr()
        returned = main(line)
        said = capsys.readouterr()
        assert returned == status, said.err
        return said.err if status else said.out

    yield command


@pytest.fixture
def run_json(run: Callable[..., str]) -> Callable[..., Any]:
    """Like ``run`` with ``--json``; returns the data."""

    def command(*line: str) -> Any:
        return json.loads(run(*line, "--json"))

    return command
