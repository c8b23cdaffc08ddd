"""Metering from idle to an energy per run, with a meter whose truth is known and windows that are short for a test."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graphs import Graph
from graphs.onnx_writer import write_onnx
from graphs.spaces import FAMILIES
from lookup_tables import Measurement, PlanItem, Target
from profilers import ModelMeter, fingerprint
from profilers.bench import Bench
from profilers.energy import meter_facts, metered
from profilers.errors import MeteringFailed, MeterUnavailable
from profilers.items import measure_item
from profilers.meters import Channel, Meter, Sample
from profilers.meters.metering import Metering, meter_runs
from profilers.meters.recorder import Recorder
from profilers.models import time_model
from profilers.runnable import Binding

#: Watts when idle, and joules that each run adds.
IDLE_W, RUN_J = 10.0, 0.03


class Made(Meter):
    """Adds up idle power and runs; ``broken`` makes it unreadable."""

    name, method, scope = "made", "counter", "package"
    channels = (Channel("all", "energy_j"),)
    interval_s = tick_s = 0.002

    def __init__(self, _argument: str = "") -> None:
        self.runs = 0
        self.broken = self.closed = False

    def read(self) -> tuple[float | None, ...]:
        return (None if self.broken else IDLE_W * time.monotonic() + RUN_J * self.runs,)

    def run(self) -> None:
        time.sleep(0.001)
        self.runs += 1

    def close(self) -> None:
        self.closed = True


#: Fifty ticks fit in even where readings come ten times too late.
SHORT = Metering(trials=2, seconds=1.0)


def test_runs_are_metered_net_and_gross() -> None:
    meter = Made()
    found = meter_runs(meter, meter.run, 0.001, SHORT)
    assert found.net_mj == pytest.approx(1e3 * RUN_J, rel=0.1)
    assert found.gross_mj == pytest.approx(found.net_mj + found.idle_w * found.run_ms, rel=0.01)
    assert found.idle_w == pytest.approx(IDLE_W, rel=0.1)
    assert (found.trials, found.meter, found.method, found.scope) == (2, "made", "counter", "package")
    assert found.net_half_width_mj is not None


def test_a_meter_that_cannot_be_read_gives_no_energy() -> None:
    meter = Made()
    meter.broken = True
    with pytest.raises(MeteringFailed, match="readings"):
        meter_runs(meter, meter.run, 0.001, SHORT)


def test_a_defect_of_a_meter_is_not_swallowed() -> None:
    class Defective(Made):
        def poll(self) -> list[Sample]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), Recorder(Defective()):
        time.sleep(0.02)


def test_metering_says_how_long_it_takes() -> None:
    meter = Made()
    assert Metering().seconds == 5.0
    assert Metering(3).duration_s(meter) == pytest.approx(3 * 5.1 + 4 * 1.1, rel=0.1)
    meter.channels = (Channel("power", "power_w"),)
    assert Metering(3).duration_s(meter) == pytest.approx(7 * 5.1, rel=0.1)  # a sensor has no ticks to count


def asked(meter: str, trials: int = 2) -> dict[str, Any]:
    return {"meter": meter, "trials": trials, "seconds": 1.0}


def test_no_energy_is_no_failure(tmp_path: Path) -> None:
    def run() -> None:
        return None

    nothing = {"energy": None, "energy_note": None}
    assert metered("CPUExecutionProvider", run, 0.001, None) == nothing
    assert metered("CPUExecutionProvider", run, 0.001, asked("none")) == nothing
    for name, said in (
        ("oscilloscope", "known are"),
        ("csv:/nowhere", "cannot be read"),
        ("hwmon:no-such", "no sensor"),
    ):
        found = metered("CPUExecutionProvider", run, 0.001, asked(name))
        assert found["energy"] is None and said in found["energy_note"]
    file = tmp_path / "power.csv"
    file.write_text("time,power_w\n")
    found = metered("CPUExecutionProvider", run, 0.001, asked(f"csv:{file}", trials=1000))
    assert "fewer trials" in found["energy_note"]


def test_what_a_device_says_of_its_meter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = {"meter": None, "meter_note": None}
    assert meter_facts("none", "CPUExecutionProvider") == nothing
    with pytest.raises(MeterUnavailable, match="cannot be read"):
        meter_facts(f"csv:{tmp_path / 'nothing'}", "CPUExecutionProvider")
    monkeypatch.setattr("profilers.energy.meters_here", lambda: ())
    assert meter_facts("auto", "FakeProvider") == nothing
    monkeypatch.setattr("profilers.energy.meters_here", lambda: ("rapl",))
    assert "no meter" in meter_facts("auto", "FakeProvider")["meter_note"]
    monkeypatch.setattr("profilers.energy.open_meter", lambda _text, _provider: Made())
    found = meter_facts("auto", "CPUExecutionProvider")["meter"]
    assert (found["name"], found["method"], found["scope"]) == ("made", "counter", "package")
    assert 5 < found["seconds"] < 10


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """The meter that is found whatever is asked for."""
    meter = Made()
    monkeypatch.setattr("profilers.energy.open_meter", lambda _text, _provider: meter)
    return meter


def test_models_are_metered_while_they_are_loaded(
    small_graph: Graph, made: Made, fake_target: Callable[..., Target], tmp_path: Path
) -> None:
    file = tmp_path / "small.onnx"
    file.write_bytes(write_onnx(small_graph))
    request = {"file": str(file), "binding": Binding().to_json(), "seconds": 0.05}
    bench = Bench(fake_target(), "s")
    found = time_model(bench, {**request, "metering": asked("auto")})
    assert found["energy_note"] is None and found["energy"] is not None and made.closed
    assert found["energy"]["gross_mj"] == pytest.approx(IDLE_W * found["energy"]["run_ms"], rel=0.1)
    assert time_model(bench, request)["energy"] is None
    bench.close()


def test_measurements_carry_what_was_metered(small_graph: Graph, fake_target: Callable[..., Target]) -> None:
    """Through the measuring process, on a meter that is not there."""
    with ModelMeter(fake_target(), meter="csv:/nowhere", metering=SHORT) as meter:
        found = meter.measure(small_graph, seconds=0.05)
    assert found.energy is None and found.energy_mj is None and "/nowhere" in (found.energy_note or "")
    data = found.to_json()
    assert data["energy_mj"] is None and data["energy"] is None and "/nowhere" in data["energy_note"]


def test_fingerprints_name_meters_without_being_changed_by_them(monkeypatch: pytest.MonkeyPatch) -> None:
    device = fingerprint()
    monkeypatch.setattr("profilers.device.meters_here", lambda: ("rapl", "nvml"))
    equipped = fingerprint()
    assert dict(equipped.observed)["meters"] == "rapl, nvml"
    assert equipped.identity() == device.identity() and equipped == device


def test_items_ask_for_energy(made: Made, fake_target: Callable[..., Target], monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside kernels and the whole; what is metered of others is not in their records."""
    monkeypatch.setattr("profilers.network.MIN_SECONDS", 1.0)
    bench = Bench(fake_target(), "s", "made")
    family = sorted(FAMILIES)[0]
    *kernels, whole = measure_item(bench, PlanItem(family, 3, "metered"), 0)
    assert {m.mode for m in kernels} == {"in_network"} and whole.mode == "whole_model"
    assert all(m.energy_mj is None for m in kernels)
    assert whole.energy_gross_mj is not None and whole.energy_mj is not None and whole.latency_us is not None
    assert whole.energy_run_us is not None
    assert whole.energy_gross_mj - whole.energy_mj == pytest.approx(IDLE_W * whole.energy_run_us / 1e3, rel=0.2)
    assert (whole.energy_method, whole.energy_scope) == ("counter", "package")
    again = Measurement.from_json(whole.to_json())
    assert replace(again, blocks_us=()) == replace(whole, blocks_us=())
    *_, plain = measure_item(bench, PlanItem(family, 3, "network+whole"), 0)
    assert plain.energy_mj is None and plain.detail is None
    bench.close()


def test_items_without_a_meter_are_measured_all_the_same(fake_target: Callable[..., Target]) -> None:
    bench = Bench(fake_target(), "s")
    *_, whole = measure_item(bench, PlanItem(sorted(FAMILIES)[0], 3, "metered"), 0)
    assert whole.ok and whole.latency_us is not None and whole.energy_mj is None
    assert "no meter" in (whole.detail or "")
    bench.close()
