"""The commands together, on a machine of which a few networks were really measured."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archgauge.cli import main
from archgauge.networks import real_networks
from archgauge_client.wire import PredictionResponse
from graphs import read_onnx, write_json

Run = Callable[..., str]
RunJson = Callable[..., Any]


def test_train_makes_a_predictor_that_answers(run_json: RunJson) -> None:
    (table,) = run_json("tables", "list")
    assert table["version"].startswith("v0001-")
    (predictor,) = run_json("predictors", "list")
    assert predictor["promoted"]
    assert predictor["tables"] == [table["version"]]
    assert predictor["report"]["accuracy"]["models"] == 2


def test_predict_prints_what_the_api_returns(run_json: RunJson, squeezenet: str) -> None:
    (answer,) = run_json("predict", squeezenet)
    prediction = PredictionResponse.model_validate(answer).predictions[0]
    assert prediction.latency_ms.upper is not None
    assert 0 < prediction.latency_ms.value <= prediction.latency_ms.upper
    assert prediction.kernels is None
    shares = prediction.coverage
    assert shares.table + shares.regressor + shares.roofline == pytest.approx(1)


def test_predict_says_the_same_on_paper(run: Run, squeezenet: str) -> None:
    text = run("predict", "--kernels", "--target", "here", squeezenet)
    for word in ("latency", "energy", "memory", "answered by", "com.microsoft.nchwc.Conv"):
        assert word in text


def test_predict_reads_json_graphs_and_binds(run_json: RunJson, squeezenet: str, tmp_path: Path) -> None:
    graph = write_json(read_onnx(Path(squeezenet).read_bytes()))
    graph["inputs"][0]["shape"][0] = "batch"
    file = tmp_path / "squeezenet.json"
    file.write_text(json.dumps(graph))
    (one,) = run_json("predict", str(file))
    (four,) = run_json("predict", "--batch-size", "4", str(file))
    assert four["predictions"][0]["flops"] > 3 * one["predictions"][0]["flops"]


def test_one_bad_file_does_not_hide_the_others(run: Run, squeezenet: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"this is no model")
    said = run("predict", str(bad), squeezenet, status=1)
    assert "bad.onnx" in said
    assert "Traceback" not in said


def test_an_unknown_target_is_named_with_those_that_exist(run: Run, squeezenet: str) -> None:
    said = run("predict", "--target", "elsewhere", squeezenet, status=1)
    assert "elsewhere" in said
    assert "here" in said


def test_evaluate_compares(run_json: RunJson, squeezenet: str) -> None:
    networks = real_networks()
    result = run_json("evaluate", "--seconds", "0.2", squeezenet, str(networks["ShuffleNet"]))
    metrics = result["metrics"]
    for name in ("mape", "median_ape", "within_5", "within_10", "bias", "spearman", "kendall", "interval_coverage"):
        assert name in metrics
    assert metrics["models"] == 2
    assert metrics["measurement_noise"] >= 0
    for model in result["models"]:
        assert model["error"] == pytest.approx(model["predicted"]["latency_ms"]["value"] / model["measured_ms"] - 1)


def test_measure_takes_the_targets_threads(run_json: RunJson, squeezenet: str) -> None:
    (measured,) = run_json("measure", "--seconds", "0.2", "--meter", "none", squeezenet)
    assert measured["file"] == squeezenet
    assert measured["latency_ms"]["p10"] <= measured["latency_ms"]["median"] <= measured["latency_ms"]["p90"]
    assert measured["peak_memory_bytes"] > 0
    assert measured["energy_mj"] is None
    assert measured["target"] == run_json("tables", "list")[0]["target"]


def test_tables_travel(run_json: RunJson, run: Run, tmp_path: Path) -> None:
    version = run_json("tables", "list")[0]["version"]
    archive, other = tmp_path / "table.zip", tmp_path / "other"
    run("tables", "export", version, str(archive))
    assert main(["tables", "import", str(archive), "--name", "far", "--data-dir", str(other)]) == 0
    assert main(["train", "--target", "far", "--data-dir", str(other)]) == 0
    assert main(["predict", "--target", "far", str(real_networks()["AlexNet"]), "--data-dir", str(other)]) == 0


def test_promoting(run_json: RunJson, run: Run) -> None:
    version = run_json("predictors", "list")[0]["version"]
    assert version in run("predictors", "promote", version)
    assert "v9999" in run("predictors", "promote", "v9999-00000000", status=1)


def test_rolling_back(run_json: RunJson, run: Run) -> None:
    before = next(p["version"] for p in run_json("predictors", "list") if p["promoted"])
    newer = run_json("train", "--seed", "7")["predictor"]
    run("predictors", "promote", newer)
    assert before in run("predictors", "rollback")
    assert [p["version"] for p in run_json("predictors", "list") if p["promoted"]] == [before]


def test_the_database_is_checked(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "revision" in run("db", "check")
    assert main(["db", "check", "--data-dir", str(tmp_path / "nothing")]) == 1
    assert "gone" in capsys.readouterr().err
    assert not (tmp_path / "nothing" / "store").exists()


def test_lowering_check(run: Run, run_json: RunJson, squeezenet: str) -> None:
    assert "all equal" in run("lowering", "check", squeezenet)
    (found,) = run_json("lowering", "check", squeezenet)
    assert found["equal"]
    assert found["ours"] == found["runtime"] > 0


def test_without_a_predictor_the_way_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(real_networks()["AlexNet"]), "--data-dir", str(tmp_path)]) == 1
    assert "archgauge profile" in capsys.readouterr().err
