"""NVIDIA's management library: which GPU this is, its clocks, and what slows it down.

The binding is nvidia-ml-py, one pure Python file over the driver's own library; it is imported when it is needed.
Functions that a GPU does not have give None, never a guess.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from profilers.errors import MeterUnavailable

#: Reasons for a lower clock that disturb a measurement, by bit (nvml.h, nvmlClocksEventReasons…).
_SLOWED = {
    0x4: "power cap", 0x8: "hardware slowdown", 0x20: "thermal slowdown", 0x40: "hardware thermal slowdown",
    0x80: "power brake",
}  # fmt: skip

#: Readings of the clock that must agree, how far apart they are, within what share, and for how long that is tried.
_STABLE_READINGS, _READING_S, _STABLE_SHARE, _LIMIT_S = 5, 0.25, 0.01, 20.0


@dataclass(frozen=True, slots=True)
class Gpu:
    """What a GPU is. Zeros and empty texts mean "not known"."""

    name: str
    memory_gib: int = 0
    #: Compute capability: ``sm_90``.
    capability: str = ""
    #: Version of the driver, and of CUDA that it can do (13000 is 13.0).
    driver: str = ""
    cuda: int = 0
    max_sm_mhz: int = 0
    max_memory_mhz: int = 0
    power_limit_w: int = 0
    uuid: str = ""

    def describe(self) -> str:
        """What identifies its kind, as one text that begins with its name."""
        clocks = f"{self.max_sm_mhz}/{self.max_memory_mhz} MHz" if self.max_sm_mhz else ""
        branch = f"driver {self.driver.split('.')[0]}" if self.driver else ""
        power = f"{self.power_limit_w} W" if self.power_limit_w else ""
        facts = (f"{self.memory_gib} GiB" if self.memory_gib else "", self.capability, clocks, power, branch)
        told = ", ".join(filter(None, facts))
        return f"{self.name} ({told})" if told else self.name


class Device:
    """An opened GPU; close it after use. ``which`` and ``library`` are those of `profilers.meters.nvml.NvmlMeter`.

    Raises MeterUnavailable where there is no such GPU or no binding.
    """

    def __init__(self, which: str = "", library: Any = None) -> None:
        self.nvml = library or binding()
        self._open = False
        try:
            self.nvml.nvmlInit()
            self._open = True
            self.handle = self._find(which or os.environ.get("CUDA_VISIBLE_DEVICES", "").partition(",")[0] or "0")
        except (self.nvml.NVMLError, ValueError) as error:
            self.close()
            raise MeterUnavailable(f"NVML has no such GPU: {error}; `nvidia-smi -L` lists them") from error

    def close(self) -> None:
        if self._open:
            self._open = False
            self.nvml.nvmlShutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def gpu(self) -> Gpu:
        """What it is."""
        memory = self.ask("nvmlDeviceGetMemoryInfo")
        capability = self.ask("nvmlDeviceGetCudaComputeCapability")
        limit = self.ask("nvmlDeviceGetEnforcedPowerLimit")
        return Gpu(
            name=_text(self.ask("nvmlDeviceGetName")) or "NVIDIA GPU",
            memory_gib=round(memory.total / 2**30) if memory is not None else 0,
            capability=f"sm_{capability[0]}{capability[1]}" if capability else "",
            driver=_text(self._system("nvmlSystemGetDriverVersion")),
            cuda=int(self._system("nvmlSystemGetCudaDriverVersion") or 0),
            max_sm_mhz=self.ask("nvmlDeviceGetMaxClockInfo", self.nvml.NVML_CLOCK_SM) or 0,
            max_memory_mhz=self.ask("nvmlDeviceGetMaxClockInfo", self.nvml.NVML_CLOCK_MEM) or 0,
            power_limit_w=round(limit / 1000) if limit else 0,
            uuid=_text(self.ask("nvmlDeviceGetUUID")),
        )

    def sm_mhz(self) -> int | None:
        """The present clock of the multiprocessors."""
        found: int | None = self.ask("nvmlDeviceGetClockInfo", self.nvml.NVML_CLOCK_SM)
        return found

    def memory_mhz(self) -> int | None:
        found: int | None = self.ask("nvmlDeviceGetClockInfo", self.nvml.NVML_CLOCK_MEM)
        return found

    def temperature(self) -> int | None:
        """Degrees Celsius."""
        found: int | None = self.ask("nvmlDeviceGetTemperature", self.nvml.NVML_TEMPERATURE_GPU)
        return found

    def slowed(self) -> str | None:
        """Why the clock is lower than it could be: ``power cap; thermal slowdown``. None for no such reason."""
        reasons = self.ask("nvmlDeviceGetCurrentClocksEventReasons")
        if reasons is None:
            reasons = self.ask("nvmlDeviceGetCurrentClocksThrottleReasons")
        found = [word for bit, word in _SLOWED.items() if reasons and reasons & bit]
        return "; ".join(found) or None

    def ask(self, function: str, *arguments: Any) -> Any:
        """The result of a function of the handle; None where the GPU, the driver or the binding does not have it."""
        try:
            return getattr(self.nvml, function)(self.handle, *arguments)
        except (self.nvml.NVMLError, AttributeError):
            return None

    def _system(self, function: str) -> Any:
        try:
            return getattr(self.nvml, function)()
        except (self.nvml.NVMLError, AttributeError):
            return None

    def _find(self, which: str) -> Any:
        if which.isdecimal():
            return self.nvml.nvmlDeviceGetHandleByIndex(int(which))
        return self.nvml.nvmlDeviceGetHandleByUUID(which)


def warm_clocks(
    run: Callable[[], object],
    clock_mhz: Callable[[], float | None],
    *,
    now: Callable[[], float] = time.monotonic,
    limit_s: float = _LIMIT_S,
) -> bool:
    """Run until successive readings of the clock agree: a GPU that idled needs seconds to reach its clock, and longer
    to lose what it cannot keep. Returns whether they did within ``limit_s``; False without a clock to read.
    """
    begun, readings = now(), list[float]()
    while now() - begun < limit_s:
        end = now() + _READING_S
        while now() < end:
            run()
        clock = clock_mhz()
        if clock is None:
            return False
        readings = [*readings, clock][-_STABLE_READINGS:]
        if len(readings) == _STABLE_READINGS and max(readings) - min(readings) <= _STABLE_SHARE * max(readings):
            return True
    return False


def visible_gpu(device_id: int) -> str:
    """What NVML calls the GPU that CUDA calls ``device_id``: ``CUDA_VISIBLE_DEVICES`` says which these are."""
    visible = [part for part in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if part]
    return visible[device_id] if device_id < len(visible) else str(device_id)


def binding() -> Any:
    """The module `pynvml`; raises MeterUnavailable, which says how to install it."""
    try:
        import pynvml
    except ImportError as error:
        raise MeterUnavailable("nvidia-ml-py is not installed; pip install 'archgauge[nvidia]'") from error
    return pynvml


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")
