"""The accuracy benchmark's bookkeeping: stages are made once, rounds are merged, reports leave out what is missing."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.accuracy import real, report
from benchmarks.accuracy.curve import _costs
from benchmarks.accuracy.stages import Run


def model(name: str, predicted: float, measured: float) -> dict[str, Any]:
    """As ``archgauge evaluate --json`` lists it."""
    return {
        "file": name, "measured_ms": measured, "peak_memory_error": 0.02,
        "predicted": {
            "latency_ms": {"value": predicted, "lower": 0.9 * predicted, "upper": 1.1 * predicted}, "confidence": 0.9,
            "out_of_distribution": False,
        },
        "kernel_kinds": [{"kind": "Conv", "kernels": 3, "predicted_ms": predicted, "measured_ms": measured}],
    }  # fmt: skip


def evaluated(scale: float) -> dict[str, Any]:
    models = [model("a.onnx", 10.0, 10.0 * scale), model("b.onnx", 30.0, 25.0 * scale), model("c.onnx", 2.0, 2.0)]
    return {
        "metrics": {"noise_floor": 0.01}, "models": models,
        "sorts": {"a.onnx": "vision", "b.onnx": "vision", "c.onnx": "int8"},
    }  # fmt: skip


def test_a_stage_is_made_once(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> dict[str, int]:
        made.append(1)
        return {"n": len(made)}

    assert Run(tmp_path / "run").stage("one", make) == {"n": 1}
    assert Run(tmp_path / "run").stage("one", make) == {"n": 1}
    document = Run(tmp_path / "run").document("one")
    assert document is not None
    assert document["machine"] and document["made_at"] > 0
    assert Run(tmp_path / "run").result("two") is None


def test_a_stage_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> dict[str, int]:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        Run(tmp_path).stage("one", fail)
    assert Run(tmp_path).result("one") is None


def test_rounds_are_merged() -> None:
    merged = real.merge(evaluated(1.0), evaluated(1.04), 700.0)
    vision = merged["sorts"]["vision"]
    assert vision["models"] == 2
    assert vision["noise_floor"] == pytest.approx(0.04 / 1.02)
    assert vision["worst"] == pytest.approx(30.0 / 25.5 - 1.0)
    assert vision["inside"] == pytest.approx(0.5)
    assert merged["sorts"]["int8"]["mape"] == pytest.approx(0.0)
    assert [m["model"] for m in merged["models"]] == ["a.onnx", "b.onnx", "c.onnx"]


def test_a_report_of_what_there_is(tmp_path: Path) -> None:
    run = Run(tmp_path)
    facts = {
        "threads": 1, "precisions": ["fp32"], "budget_s": 1200.0, "rows": 1000,
        "counts": {"distinct_kernels": 900, "contexts": 10}, "report": {"noise_floor": 0.012},
    }  # fmt: skip
    run.stage("profile", lambda: facts)
    assert "Real models" not in report.text([run])
    run.stage("models", lambda: real.merge(evaluated(1.0), evaluated(1.0), 700.0))
    text = report.text([run])
    assert "fp32, 1 thread: vision" in text
    assert "1.2 %" in text and "| b | 25.00 | 30.00 | +20.0% | no | 0.0 % |" in text


def test_pauses_cost_nothing() -> None:
    costs = _costs({"a:1": 0.0, "b:1": 1.0, "c:1": 501.0, "d:1": 502.0})
    assert costs == {"a:1": 1.0, "b:1": 1.0, "c:1": 1.0, "d:1": 1.0}


def test_what_was_written_by_hand_stays(tmp_path: Path) -> None:
    run, page = Run(tmp_path / "run"), tmp_path / "docs" / "accuracy.md"
    page.parent.mkdir()
    page.write_text(f"# Accuracy\n\nBy hand.\n\n{report.MARKER}\n\nold figures\n")
    facts = {
        "threads": 2, "precisions": ["int8"], "budget_s": 60.0, "rows": 10,
        "counts": {"distinct_kernels": 9, "contexts": 1}, "report": {"noise_floor": None},
    }  # fmt: skip
    run.stage("profile", lambda: facts)
    report.write([run], page)
    report.write([run], page)
    text = page.read_text()
    assert text.startswith("# Accuracy\n\nBy hand.\n\n" + report.MARKER)
    assert "old figures" not in text and text.count("int8, 2 threads") == 1
