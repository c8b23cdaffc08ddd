"""Predictions beside measurements: what is computed of them, and how it is printed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archgauge.comparing import Comparison, print_comparisons, print_summary, summarise
from archgauge.executors import Executor
from archgauge.measuring import measure_all
from archgauge.output import coverage, milliseconds, percent
from profilers import ModelMeasurement, ModelMeter

TARGET = Executor().target()


def measurement(median_ms: float) -> ModelMeasurement:
    return ModelMeasurement(
        median_ms=median_ms, p10_ms=median_ms, p90_ms=median_ms, mad_ms=0.0, runs=10, blocks_ms=(median_ms,), drift=1.0,
        sentinel_us=1000.0, settled=True, perturbation=None, disturbance=0.0, peak_memory_bytes=None,
        kernel_ms=(("Conv", median_ms),), stand_in_weights=False, target=TARGET,
    )  # fmt: skip


def compared(name: str, predicted: float, *rounds: float, upper: float | None = 1e9) -> Comparison:
    prediction: dict[str, Any] = {
        "latency_ms": {"value": predicted, "lower": 0.9 * predicted, "upper": upper}, "confidence": 0.9,
        "coverage": {"table": 0.25, "regressor": 0.75, "roofline": 0.0, "unsupported": 0.0}, "energy_mj": None,
    }  # fmt: skip
    return Comparison(name, prediction, tuple(measurement(ms) for ms in rounds))


def test_metrics() -> None:
    summary = summarise([compared("a", 11.0, 9.0, 11.0), compared("b", 19.2, 20.0, 20.0)], 60.0)
    assert summary["mape"] == pytest.approx(0.07)
    assert summary["bias"] == pytest.approx(0.03)
    assert summary["within_5"] == pytest.approx(0.5)
    assert summary["spearman"] == pytest.approx(1.0)
    assert summary["measurement_noise"] == pytest.approx(0.1)
    assert summary["interval_coverage"] == 1.0


def test_disturbed_measurements_are_repeated_and_the_calmer_one_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    disturbances = iter([0.5, 3.0, 0.9])
    asked: list[Path] = []

    def measure(_meter: ModelMeter, file: Path, **_: Any) -> ModelMeasurement:
        asked.append(file)
        return replace(measurement(float(len(asked))), disturbance=next(disturbances))

    monkeypatch.setattr(ModelMeter, "measure", measure)
    found = measure_all({"calm": Path("a"), "busy": Path("b")}, {})
    assert asked == [Path("a"), Path("b"), Path("b")]
    assert (found.rounds[0]["calm"].median_ms, found.rounds[0]["busy"].median_ms) == (1.0, 3.0)


def test_what_cannot_be_said_is_none() -> None:
    summary = summarise([compared("a", 11.0, 10.0)], None)
    assert summary["spearman"] is None
    assert summary["measurement_noise"] is None
    assert summarise([], None) == {"models": 0}


def test_a_lower_bound_contains_nothing() -> None:
    assert not compared("a", 10.0, 10.0, upper=None).inside


def test_printed(capsys: pytest.CaptureFixture[str]) -> None:
    comparisons = [compared("a.onnx", 11.0, 10.0, 10.0), compared("b.onnx", 19.0, 20.0, 20.0)]
    print_comparisons(comparisons, with_energy=True)
    print_summary(summarise(comparisons, 60.0), 0.013)
    text = capsys.readouterr().out
    for part in ("a.onnx", "+10.0%", "-5.0%", "table 25 % regressor 75 %", "unknown", "MAPE 7.5 %", "1.3 %"):
        assert part in text


def test_numbers() -> None:
    assert [milliseconds(v) for v in (None, 0.1234, 12.345, 1234.5)] == ["–", "0.123", "12.35", "1234.5"]
    assert percent(None) == "–"
    assert percent(0.0714) == "7.1 %"
    assert coverage({"table": 0.0, "regressor": 1.0}) == "regressor 100 %"
