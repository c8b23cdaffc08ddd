"""Energy on the command line: what was metered beside what was predicted, and what is said where nothing can be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archgauge.comparing import Comparison, print_comparisons, print_summary, summarise
from archgauge.errors import CommandError
from archgauge.executors import Executor
from archgauge.measuring import measure_all, metering_seconds
from archgauge.prediction_text import measured_energy
from archgauge.training import _energy
from profilers import ModelMeasurement, ModelMeter
from profilers.errors import MeterUnavailable
from profilers.meters.trials import EnergyMeasurement

METERED = EnergyMeasurement(
    net_mj=41.04, gross_mj=55.2, net_half_width_mj=0.6, gross_half_width_mj=0.7, idle_w=14.0, work_w=55.0, run_ms=1.0,
    runs=15000, trials=3, window_s=5.0, resolution_error=0.001, check=None, meter="rapl", method="counter",
    scope="package",
)  # fmt: skip


def measured(energy: EnergyMeasurement | None) -> ModelMeasurement:
    return ModelMeasurement(
        median_ms=1.0, p10_ms=1.0, p90_ms=1.0, mad_ms=0.0, runs=10, blocks_ms=(1.0,), drift=1.0, sentinel_us=1000.0,
        settled=True, perturbation=None, disturbance=0.0, peak_memory_bytes=None, kernel_ms=None,
        stand_in_weights=False, target=Executor().target(), energy=energy,
    )  # fmt: skip


def compared(value: float, *rounds: EnergyMeasurement | None, scope: str = "package") -> Comparison:
    told = {
        "value": value,
        "lower": 0.9 * value,
        "upper": 1.1 * value,
        "gross": value,
        "method": "fitted",
        "scope": scope,
    }
    prediction: dict[str, Any] = {
        "latency_ms": {"value": 1.0, "lower": 0.9, "upper": 1.1}, "confidence": 0.9, "energy_mj": told,
        "coverage": {"table": 1.0, "regressor": 0.0, "roofline": 0.0, "unsupported": 0.0},
    }  # fmt: skip
    return Comparison("a", prediction, tuple(map(measured, rounds)))


def test_energies_of_one_scope_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = replace(METERED, net_mj=40.0), replace(METERED, net_mj=60.0)
    comparison = compared(45.0, first, second)
    assert comparison.measured_mj == 50.0 and comparison.energy_error == pytest.approx(-0.1)
    far = compared(100.0, first, second)
    (group,) = summarise([comparison, far, compared(1.0, METERED, scope="board")], None)["energy"]
    assert (group["method"], group["scope"], group["models"]) == ("fitted", "package", 2)
    assert group["mape"] == pytest.approx(0.55) and group["interval_coverage"] == 0.0
    print_comparisons([comparison], with_energy=True)
    print_summary(summarise([comparison, far], 60.0), None)
    shown = " ".join(capsys.readouterr().out.split())
    assert "measured" in shown and "MAPE 55.0 %" in shown


def test_energies_of_other_scopes_or_unknown_ones_are_not() -> None:
    assert compared(45.0, METERED, scope="board").energy_error is None
    assert compared(45.0, METERED, replace(METERED, scope="package+dram")).energy_error is None
    half = compared(45.0, METERED, None)
    assert half.measured_mj is None and half.energy_error is None
    assert summarise([half], None)["energy"] == []


def test_measured_energy_for_people() -> None:
    assert measured_energy(METERED) == "41 ± 0.6 mJ net, 55.2 gross, package by rapl"
    assert measured_energy(replace(METERED, net_half_width_mj=None)) == "41 mJ net, 55.2 gross, package by rapl"
    assert measured_energy(None) == "–"


def test_a_named_meter_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="known are"):
        metering_seconds("oscilloscope", "CPUExecutionProvider")
    with pytest.raises(CommandError, match="cannot be read"):
        measure_all({"a": Path("a")}, {}, meter=f"csv:{tmp_path}/nowhere.csv")
    assert metering_seconds("none", "CPUExecutionProvider") is None
    file = tmp_path / "power.csv"
    file.write_text("time,power_w\n")
    seconds = metering_seconds(f"csv:{file}", "CPUExecutionProvider")
    assert seconds is not None and 15.0 < seconds < 30.0


def test_an_automatic_meter_may_be_missing_but_not_in_silence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def forbidden(_text: str, _provider: str) -> None:
        raise MeterUnavailable("rapl: only root may read it")

    meters: list[str] = []
    monkeypatch.setattr("archgauge.measuring.open_meter", forbidden)
    monkeypatch.setattr(ModelMeter, "measure", lambda self, *_, **__: meters.append(self._asked) or measured(None))
    for here, said in ((("rapl",), True), ((), False)):
        monkeypatch.setattr("archgauge.measuring.meters_here", lambda here=here: here)
        assert measure_all({"a": Path("a")}, {}, meter="auto").rounds[0]["a"].energy is None
        assert ("only root may read it" in capsys.readouterr().err) is said
    assert meters == [None, None]


def test_training_says_what_became_of_energy() -> None:
    assert _energy({}) == []
    (line,) = _energy({"why_not": "3 windows were metered, and 12 are needed"})
    assert line.startswith("energy stays a guess")
    holdout = {
        "windows": 15, "mape": 0.041, "constant_power_mape": 0.12, "interval_coverage": 0.93, "confidence": 0.9,
    }  # fmt: skip
    report = {
        "windows": 45, "metered_by": "counter", "scope": "package", "holdout": holdout,
        "power": {"unseen_families_mape": 0.03, "constant_mape": 0.1},
    }  # fmt: skip
    fitted, tested = _energy(report)
    assert "45 windows (counter, package)" in fitted and "10.0 % with one power for all" in fitted
    assert "MAPE 4.1 %, 12.0 % with constant power" in tested
    assert len(_energy({**report, "holdout": None})) == 1
