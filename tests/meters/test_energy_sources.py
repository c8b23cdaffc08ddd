"""Meters over made-up files, a made-up NVML and a made-up plug: units, what is added, and what to do about trouble."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from profilers.errors import MeterUnavailable, UnknownMeter
from profilers.meters import find_meter, make_meter, meters_here, open_meter
from profilers.meters.battery import BatteryMeter
from profilers.meters.http import HttpMeter
from profilers.meters.hwmon import HwmonMeter
from profilers.meters.jetson import JetsonMeter
from profilers.meters.nvml import NvmlMeter
from profilers.meters.rapl import RaplMeter
from profilers.meters.recorded import CsvMeter

Tree = Callable[[Mapping[str, object]], Path]


def zone(place: str, name: str, energy_uj: int, range_uj: int = 262_143_328_850) -> dict[str, object]:
    return {f"{place}/name": name, f"{place}/energy_uj": energy_uj, f"{place}/max_energy_range_uj": range_uj}


TWO_SOCKETS = {
    **zone("intel-rapl:0", "package-0", 5_000_000), **zone("intel-rapl:0/intel-rapl:0:0", "core", 1),
    **zone("intel-rapl:0/intel-rapl:0:1", "dram", 700_000, 65_712_999_613),
    **zone("intel-rapl:1", "package-1", 6_000_000), **zone("intel-rapl:1/intel-rapl:1:0", "dram", 800_000),
    **zone("intel-rapl:2", "psys", 99_000_000), **zone("intel-rapl-mmio:0", "package-0", 5_000_000),
}  # fmt: skip


def test_rapl_adds_packages_and_memory_and_nothing_twice(tree: Tree) -> None:
    root = tree(TWO_SOCKETS)
    # The kernel lists zones within zones at the top too.
    (root / "intel-rapl:0:1").symlink_to(root / "intel-rapl:0/intel-rapl:0:1")
    meter = RaplMeter(root=root)
    assert sorted(value for value in meter.read() if value is not None) == [0.7, 0.8, 5.0, 6.0]
    assert (meter.scope, meter.method) == ("package+dram", "counter")
    ranges = {channel.name.split()[0]: channel.range_j for channel in meter.channels}
    assert ranges["package-0"] == pytest.approx(262_143.32885)
    assert {c.range_j for c in meter.channels if c.name.startswith("dram")} == {65_712.999613, 262_143.32885}


def test_rapl_without_memory_has_another_scope(tree: Tree) -> None:
    assert RaplMeter(root=tree(zone("intel-rapl:0", "package-0", 1))).scope == "package"


def test_a_zone_that_vanishes_is_unknown_and_not_zero(tree: Tree) -> None:
    root = tree(TWO_SOCKETS)
    meter = RaplMeter(root=root)
    (root / "intel-rapl:1/energy_uj").unlink()
    (root / "intel-rapl:0/energy_uj").write_text("\n")
    values = dict(zip((c.name.split()[0] + c.name[-2:] for c in meter.channels), meter.read(), strict=True))
    assert values["package-0:0"] is None and values["package-1:1"] is None
    assert 0.7 in values.values()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_rapl_that_may_not_be_read_says_what_to_do(tree: Tree) -> None:
    root = tree(TWO_SOCKETS)
    (root / "intel-rapl:0/energy_uj").chmod(0)
    with pytest.raises(MeterUnavailable, match="chmod a\\+r"):
        RaplMeter(root=root)


def test_forbidden_files_are_told_from_missing_ones(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree(TWO_SOCKETS)
    opened = Path.open

    def forbid(self: Path, *args: object, **more: object) -> object:
        if self.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *args, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", forbid)
    with pytest.raises(MeterUnavailable, match=r"CVE-2020-8694.*chmod a\+r.*udev"):
        RaplMeter(root=root)
    monkeypatch.undo()
    with pytest.raises(MeterUnavailable, match="modprobe intel_rapl_msr"):
        RaplMeter(root=root / "nowhere")


def ina3221(device: str, rails: Mapping[str, tuple[int, int]]) -> dict[str, object]:
    files: dict[str, object] = {f"{device}/name": "ina3221"}
    for number, (label, (millivolts, milliamperes)) in enumerate(rails.items(), 1):
        files |= {
            f"{device}/in{number}_label": label, f"{device}/in{number}_input": millivolts,
            f"{device}/curr{number}_input": milliamperes,
        }  # fmt: skip
    return {**files, f"{device}/in7_label": "sum of shunt voltages", f"{device}/in7_input": 3}


def test_jetson_takes_the_rail_that_feeds_the_board(tree: Tree) -> None:
    rails = {"VDD_IN": (5000, 1200), "VDD_CPU_GPU_CV": (5000, 400), "VDD_SOC": (5000, 300)}
    root = tree(ina3221("hwmon3", rails))
    whole = JetsonMeter(root=root)
    assert whole.read() == (6.0,) and whole.scope == "board" and whole.method == "meter"
    part = JetsonMeter("VDD_SOC", root=root)
    assert part.read() == (1.5,) and part.scope != whole.scope
    with pytest.raises(MeterUnavailable, match="VDD_CPU_GPU_CV"):
        JetsonMeter("VDD_GPU", root=root)
    (root / "hwmon3/curr1_input").unlink()
    assert whole.read() == (None,)


def test_jetson_adds_rails_where_none_feeds_all(tree: Tree) -> None:
    root = tree(ina3221("hwmon0", {"VDD_GPU_SOC": (19000, 200), "VDD_CPU_CV": (19000, 100), "NC": (0, 0)}))
    meter = JetsonMeter(root=root)
    assert sum(v or 0.0 for v in meter.read()) == pytest.approx(5.7) and meter.scope == "rails"
    with pytest.raises(MeterUnavailable, match="INA3221"):
        JetsonMeter(root=root / "hwmon0")


def test_hwmon_reads_microwatts_and_prefers_microjoules(tree: Tree) -> None:
    root = tree({
        "hwmon0/name": "ina226", "hwmon0/power1_input": 2_500_000, "hwmon0/power1_label": "vdd",
        "hwmon0/power2_input": 500_000,
        "hwmon1/name": "xe", "hwmon1/energy1_input": 7_000_000, "hwmon1/power1_input": 1, "hwmon2/name": "coretemp",
    })  # fmt: skip
    both = HwmonMeter("ina226", root=root)
    assert both.read() == (2.5, 0.5) and both.method == "meter" and both.channels[0].name == "vdd"
    assert HwmonMeter("ina226/vdd", root=root).read() == (2.5,)
    counter = HwmonMeter("xe", root=root)
    assert counter.read() == (7.0,) and counter.method == "counter" and counter.channels[0].kind == "energy_j"
    assert len({both.scope, counter.scope, HwmonMeter("ina226/vdd", root=root).scope}) == 3
    with pytest.raises(MeterUnavailable, match="hwmon:ina226/vdd"):
        HwmonMeter("", root=root)


@pytest.mark.parametrize("current", [1_500_000, -1_500_000])
def test_a_battery_gives_current_times_voltage(tree: Tree, current: int) -> None:
    supply = {"type": "Battery", "status": "Discharging", "current_now": current, "voltage_now": 4_000_000}
    root = tree({**{f"BAT0/{k}": v for k, v in supply.items()}, "AC/type": "Mains"})
    meter = BatteryMeter(root=root)
    assert meter.read() == (6.0,)
    (root / "BAT0/power_now").write_text("5000000")
    assert meter.read() == (5.0,)
    (root / "BAT0/status").write_text("Charging")
    assert meter.read() == (None,)
    with pytest.raises(MeterUnavailable, match="unplug"):
        BatteryMeter(root=root)
    (root / "BAT0/type").write_text("Mains")
    with pytest.raises(MeterUnavailable, match="no battery"):
        BatteryMeter(root=root)


def test_a_battery_that_counts_milliamperes_is_refused(tree: Tree) -> None:
    supply = {"type": "Battery", "status": "Discharging", "current_now": -412, "voltage_now": 4_000_000}
    with pytest.raises(MeterUnavailable, match="microamperes"):
        BatteryMeter(root=tree({f"battery/{k}": v for k, v in supply.items()}))


class FakeNvml(SimpleNamespace):
    """The functions of nvidia-ml-py that are used; a value that is an error is raised."""

    class NVMLError(Exception):
        pass

    def __init__(self, energy_mj: object = 12_345, power_mw: object = 70_000) -> None:
        super().__init__(energy_mj=energy_mj, power_mw=power_mw, inits=0, asked=[])

    def nvmlInit(self) -> None:
        self.inits += 1

    def nvmlShutdown(self) -> None:
        self.inits -= 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        self.asked.append(index)
        if index > 3:
            raise self.NVMLError("Invalid Argument")
        return f"gpu{index}"

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        self.asked.append(uuid)
        return uuid

    def nvmlDeviceGetTotalEnergyConsumption(self, _handle: str) -> object:
        return self._told(self.energy_mj)

    def nvmlDeviceGetPowerUsage(self, _handle: str) -> object:
        return self._told(self.power_mw)

    def _told(self, value: object) -> object:
        if isinstance(value, Exception):
            raise value
        return value


def test_the_made_up_library_has_only_what_the_real_one_has() -> None:
    pynvml = pytest.importorskip("pynvml")
    for name, value in vars(FakeNvml).items():
        if name.startswith("nvml"):
            assert callable(getattr(pynvml, name)) and callable(value)
    assert issubclass(pynvml.NVMLError, Exception)


def test_a_machine_without_a_driver_says_so() -> None:
    """The real binding, which finds no library on machines without such a GPU."""
    pynvml = pytest.importorskip("pynvml")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        with pytest.raises(MeterUnavailable, match="nvidia-smi"):
            NvmlMeter()
    else:
        pynvml.nvmlShutdown()


NOT_SUPPORTED = FakeNvml.NVMLError("Not Supported")


def test_nvml_counts_millijoules_and_milliwatts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    library = FakeNvml()
    with NvmlMeter(library=library) as meter:
        assert meter.read() == (12.345, 70.0)
        assert [(c.kind, c.check) for c in meter.channels] == [("energy_j", False), ("power_w", True)]
        assert (meter.method, meter.scope) == ("counter", "gpu")
        library.energy_mj = FakeNvml.NVMLError("GPU is lost")
        assert meter.read() == (None, 70.0)
    meter.close()
    assert library.inits == 0 and library.asked == [0]


def test_nvml_finds_the_gpu_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, argument, asked in (("2,3", "", 2), ("GPU-abc", "", "GPU-abc"), ("2", "1", 1)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
        library = FakeNvml()
        NvmlMeter(argument, library).close()
        assert library.asked == [asked]
    with pytest.raises(MeterUnavailable, match="nvidia-smi -L"):
        NvmlMeter("7", library)
    assert library.inits == 0


def test_old_gpus_are_polled_and_silent_ones_refused() -> None:
    meter = NvmlMeter("0", FakeNvml(energy_mj=NOT_SUPPORTED))
    assert meter.method == "meter" and meter.read() == (70.0,) and not meter.channels[0].check
    library = FakeNvml(NOT_SUPPORTED, NOT_SUPPORTED)
    with pytest.raises(MeterUnavailable, match="MIG"):
        NvmlMeter("0", library)
    assert library.inits == 0


def plug(answer: Callable[[], httpx.Response]) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(lambda _request: answer()))


def test_a_plug_answers_over_http() -> None:
    answers = [httpx.Response(200, json={"emeters": [{"power": 41.5}]})]
    meter = HttpMeter("http://plug/status#emeters.0.power:W", plug(lambda: answers[-1]))
    assert meter.read() == (41.5,) and meter.channels[0].kind == "power_w"
    for bad in (
        httpx.Response(500), httpx.Response(200, text="<html>"), httpx.Response(200, json={"emeters": []}),
        httpx.Response(200, json={"emeters": [{"power": None}]}),
        httpx.Response(200, json={"emeters": [{"power": "nan"}]}),
    ):  # fmt: skip
        answers.append(bad)
        assert meter.read() == (None,)
    counter = HttpMeter("http://plug/s#total:Wh", plug(lambda: httpx.Response(200, json={"total": 2})))
    assert counter.read() == (7200.0,) and counter.method == "counter"


@pytest.mark.parametrize("text", ["http://plug/status", "http://plug/status#power", "http://plug/status#power:mJ"])
def test_a_plug_needs_a_place_and_a_unit(text: str) -> None:
    with pytest.raises(MeterUnavailable, match="does not say"):
        HttpMeter(text, plug(lambda: httpx.Response(200, json={})))


class Clocks:
    """Both clocks of a machine; the wall's can be set."""

    def __init__(self) -> None:
        self.now, self.offset = 50.0, 1_700_000_000.0

    def wall(self) -> float:
        return self.now + self.offset

    def monotonic(self) -> float:
        return self.now


def test_a_logger_writes_csv(tmp_path: Path) -> None:
    clocks, file = Clocks(), tmp_path / "power.csv"
    file.write_text("Time,CPU_W,rest_mW,comment\n1699999999,99,0,old\n")
    meter = CsvMeter(str(file), clocks.wall, clocks.monotonic)
    assert meter.poll() == []
    with file.open("a") as log:
        log.write("1700000051.5,10,2500,a\n2023-11-14T22:14:12+00:00,11,bad,b\ntime,CPU_W\n17000")
    first, second = meter.poll()
    assert (first.at_s, first.values) == (pytest.approx(51.5), (10.0, 2.5))
    assert (second.at_s, second.values) == (pytest.approx(52.0), (11.0, None))
    with file.open("a") as log:
        log.write("00053,12,0,half a line before\n")
    (third,) = meter.poll()
    assert (third.at_s, third.values) == (pytest.approx(53.0), (12.0, 0.0)) and meter.read() == (12.0, 0.0)


def test_a_clock_that_jumps_leaves_a_gap_and_no_wrong_window(tmp_path: Path) -> None:
    clocks, file = Clocks(), tmp_path / "power.csv"
    file.write_text("unix_s,power_w\n")
    meter = CsvMeter(str(file), clocks.wall, clocks.monotonic)
    clocks.offset += 3600.0
    clocks.now += 1.0
    with file.open("a") as log:
        log.write(f"{clocks.wall()},10\n")
    gap, row = meter.poll()
    assert gap.values == (None,) and row.at_s == pytest.approx(51.0) and row.values == (10.0,)
    file.write_text("unix_s,power_w\n")  # the logger begins a new file
    assert meter.poll() == []
    with file.open("a") as log:
        log.write(f"{clocks.wall() + 1},11\n")
    assert [s.values for s in meter.poll()] == [(11.0,)]
    file.unlink()
    assert meter.poll() == []


@pytest.mark.parametrize("header", ["time,power", "power_w", "", "time,energy_mj"])
def test_columns_without_units_are_refused(tmp_path: Path, header: str) -> None:
    file = tmp_path / "power.csv"
    file.write_text(f"{header}\n")
    with pytest.raises(MeterUnavailable, match="columns"):
        CsvMeter(str(file))
    with pytest.raises(MeterUnavailable, match="cannot be read"):
        CsvMeter(str(tmp_path / "nowhere.csv"))


def test_meters_are_found_by_name(tmp_path: Path) -> None:
    file = tmp_path / "power.csv"
    file.write_text("time,power_w\n")
    found = open_meter(f"csv:{file}", "CPUExecutionProvider")
    assert found is not None and found.name == "csv"
    assert open_meter("none", "CPUExecutionProvider") is None
    with pytest.raises(UnknownMeter, match="auto, none, battery, csv, http, hwmon, jetson, nvml, rapl"):
        make_meter("oscilloscope")
    with pytest.raises(MeterUnavailable, match="FakeProvider"):
        find_meter("FakeProvider")
    with pytest.raises(MeterUnavailable, match="does not say"):
        open_meter("https://plug/status", "CPUExecutionProvider")


def test_meters_seen_on_a_machine_are_named(tree: Tree) -> None:
    assert meters_here(tree({"etc/nothing": ""})) == ()
    root = tree({"sys/class/powercap/intel-rapl:0/energy_uj": 1, "proc/driver/nvidia/version": "595"})
    assert meters_here(root) == ("nvml", "rapl")
    tree({"sys/class/hwmon/hwmon0/name": "nct6775", "sys/class/hwmon/hwmon0/in1_label": "Vcore",
          "sys/class/power_supply/AC/type": "Mains"})  # fmt: skip
    assert meters_here(root) == ("nvml", "rapl")
    tree({"sys/class/hwmon/hwmon1/name": "ina3221", "sys/class/power_supply/BAT0/type": "Battery"})
    assert meters_here(root) == ("nvml", "rapl", "jetson", "battery")
