"""What NVML says of a GPU: its fingerprint, its clocks, and when these are warm."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from lookup_tables import DeviceFingerprint, Target
from profilers import accelerators, nvml
from profilers.accelerators import with_accelerator
from profilers.errors import MeterUnavailable
from profilers.nvml import Device, Gpu, warm_clocks

CUDA = "CUDAExecutionProvider"


class Error(Exception):
    """NVMLError."""


def library(**functions: Any) -> SimpleNamespace:
    """A binding with a GPU that knows its name, and whatever else is given; other functions are missing or fail."""

    def unsupported(*_: object) -> None:
        raise Error("Not Supported")

    known = {
        "NVMLError": Error, "nvmlInit": lambda: None, "nvmlShutdown": lambda: None,
        "nvmlDeviceGetHandleByIndex": lambda index: index, "nvmlDeviceGetName": lambda _: b"NVIDIA A10",
        "nvmlDeviceGetEnforcedPowerLimit": unsupported, "NVML_CLOCK_SM": 1, "NVML_CLOCK_MEM": 2,
    }  # fmt: skip
    return SimpleNamespace(**{**known, **functions})


def test_what_a_gpu_does_not_tell_is_not_known() -> None:
    with Device("0", library()) as device:
        assert device.gpu() == Gpu("NVIDIA A10")
        assert (device.sm_mhz(), device.slowed(), device.memory_mhz()) == (None, None, None)
    assert Gpu("NVIDIA A10").describe() == "NVIDIA A10"


def test_a_gpu_is_described_by_what_decides_its_speed() -> None:
    told = library(
        nvmlDeviceGetMemoryInfo=lambda _: SimpleNamespace(total=24 * 2**30),
        nvmlDeviceGetCudaComputeCapability=lambda _: (8, 6), nvmlDeviceGetEnforcedPowerLimit=lambda _: 150_000,
        nvmlDeviceGetMaxClockInfo=lambda _, kind: 1695 if kind == 1 else 6251,
        nvmlSystemGetDriverVersion=lambda: "580.65.06",
    )  # fmt: skip
    with Device("0", told) as device:
        assert device.gpu().describe() == "NVIDIA A10 (24 GiB, sm_86, 1695/6251 MHz, 150 W, driver 580)"


@pytest.mark.parametrize(
    ("reasons", "words"),
    [(0, None), (1, None), (4, "power cap"), (0x24, "power cap; thermal slowdown"), (0x80, "power brake")],
)
def test_reasons_for_a_lower_clock_have_names(reasons: int, words: str | None) -> None:
    new = library(nvmlDeviceGetCurrentClocksEventReasons=lambda _: reasons)
    old = library(nvmlDeviceGetCurrentClocksThrottleReasons=lambda _: reasons)
    assert [Device("0", each).slowed() for each in (new, old)] == [words, words]


class Clock:
    """Time that passes when the model runs, and a clock that follows from it."""

    def __init__(self, *mhz: float) -> None:
        self.now, self.mhz = 0.0, mhz

    def run(self) -> None:
        self.now += 0.05

    def read(self) -> float:
        return self.mhz[min(int(self.now / 0.25) - 1, len(self.mhz) - 1)]


def test_clocks_are_warm_when_they_stay() -> None:
    rising = Clock(300, 900, 1500, 1900, 1980, 1980, 1975, 1980, 1980)
    assert warm_clocks(rising.run, rising.read, now=lambda: rising.now)
    assert 2.0 < rising.now < 3.0
    unsteady = Clock(*[1980, 1400] * 50)
    assert not warm_clocks(unsteady.run, unsteady.read, now=lambda: unsteady.now, limit_s=5.0)
    assert unsteady.now == pytest.approx(5.0, abs=0.3)
    assert not warm_clocks(unsteady.run, lambda: None, now=lambda: unsteady.now)


def test_a_gpu_is_part_of_who_a_target_is(monkeypatch: pytest.MonkeyPatch) -> None:
    here = DeviceFingerprint("AMD EPYC", cores=8)
    assert with_accelerator(here, "CPUExecutionProvider", {}) is here
    driver = ["580.65.06"]
    told = library(nvmlSystemGetDriverVersion=lambda: driver[0], nvmlSystemGetCudaDriverVersion=lambda: 13000)
    monkeypatch.setattr(nvml, "binding", lambda: told)

    def target() -> Target:
        return Target(with_accelerator(here, CUDA, {}), runtime_version="1.31.1", provider=CUDA)

    first = target()
    assert first.slug == "nvidia-a10-onnxruntime-1.31.1-cuda-1t"
    assert dict(first.device.observed) == {"gpu_driver": "580.65.06", "gpu_cuda": "13.0"}
    driver[0] = "580.95.05"
    assert target().id == first.id
    driver[0] = "590.10.01"
    assert target().id != first.id
    assert replace(first, options=(("use_tf32", "0"),)).id != first.id


def test_without_nvml_there_is_a_gpu_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Any:
        raise MeterUnavailable("nvidia-ml-py is not installed")

    monkeypatch.setattr(nvml, "binding", missing)
    found = accelerators.with_accelerator(DeviceFingerprint("AMD EPYC"), CUDA, {"device_id": "0"})
    assert found.accelerators == ("CUDA GPU",)
    assert "not installed" in dict(found.observed)["gpu"]


def test_cuda_numbers_what_is_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-abc,3")
    assert [nvml.visible_gpu(n) for n in (0, 1, 2)] == ["GPU-abc", "3", "2"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert nvml.visible_gpu(1) == "1"
