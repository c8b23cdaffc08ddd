"""A data directory that was profiled for a moment, shared by all tests of the command line."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from archgauge.cli import main
from archgauge.networks import real_networks

BUDGET = "8s"
#: A busy machine may not measure enough in one budget; profiling again extends the table.
ATTEMPTS = 12


@pytest.fixture(scope="session")
def profiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory after ``archgauge profile``."""
    folder = tmp_path_factory.mktemp("state")
    for _ in range(ATTEMPTS):
        if main(["profile", "--budget", BUDGET, "--name", "here", "--data-dir", str(folder)]) == 0:
            return folder
    raise AssertionError(f"{ATTEMPTS} times {BUDGET} of profiling were not enough to train on")


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
