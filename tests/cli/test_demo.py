"""The demo, with little time for each of its steps."""

import json
import shutil
from pathlib import Path

import pytest

from archgauge import demonstration
from archgauge.cli import main
from archgauge.networks import NETWORKS, real_networks
from archgauge_client.wire import Prediction

#: The small ones; all nine take minutes on a busy machine.
SOME = ("ShuffleNet", "SqueezeNet", "Inception v2")


def test_there_are_nine_networks() -> None:
    assert set(real_networks()) == set(NETWORKS.values())
    assert len(NETWORKS) == 9


@pytest.mark.slow
def test_the_whole_way(
    profiled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a copy of a store that holds a table already, so that even a busy machine has enough to train on."""
    networks = {name: file for name, file in real_networks().items() if name in SOME}
    monkeypatch.setattr(demonstration, "real_networks", lambda: networks)
    store = tmp_path / "demo"
    shutil.copytree(profiled, store)
    capsys.readouterr()
    line = ["demo", "--budget", "15s", "--seconds", "0.05", "--json", "--data-dir", str(store)]
    assert main(line) == 0
    said = capsys.readouterr()
    result = json.loads(said.out)
    assert {model["file"] for model in result["models"]} == set(SOME)
    for model in result["models"]:
        prediction = Prediction.model_validate(model["predicted"])
        assert prediction.target == result["target"]
        assert prediction.complete
        assert model["measured_ms"] > 0
    assert main(["tables", "list", "--json", "--data-dir", str(store)]) == 0
    newest, oldest = json.loads(capsys.readouterr().out)
    assert newest["manifest"]["parent"] == oldest["version"], "profiling extended the table"
    assert newest["manifest"]["rows"] > oldest["manifest"]["rows"]
    assert newest["manifest"]["report"]["sentinel_us"] == oldest["manifest"]["report"]["sentinel_us"]
    assert not list((store / "spool").glob("*.ndjson")), "the spool is removed once the table is written"
    assert result["metrics"]["models"] == len(SOME)
    assert result["metrics"]["measurement_noise"] is not None
    assert "Profiling: done" in said.err
