"""NVIDIA GPUs by NVML: the counter of total energy (Volta and later), and polled power beside it as a check.

The binding is nvidia-ml-py, one pure Python file over the driver's own library; it is imported when a meter is made.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from profilers.errors import MeterUnavailable
from profilers.meters.base import Channel, Meter


class NvmlMeter(Meter):
    """One GPU: ``argument`` is its number in NVML's order (by PCI bus) or its UUID.

    Without, it is the first that ``CUDA_VISIBLE_DEVICES`` names, else number 0. CUDA numbers GPUs in another order
    unless ``CUDA_DEVICE_ORDER`` is ``PCI_BUS_ID``: name the UUID where it matters. ``library`` is the binding.
    """

    name = "nvml"
    scope = "gpu"
    interval_s = 0.005
    #: The counter moves every 20 to 100 ms.
    tick_s = 0.1
    #: Polled power is an average over up to a second.
    lag_s = 1.0

    def __init__(self, argument: str = "", library: Any = None) -> None:
        self._nvml = library or _binding()
        self._open = False
        try:
            self._nvml.nvmlInit()
            self._open = True
            self._handle = self._find(argument or os.environ.get("CUDA_VISIBLE_DEVICES", "").partition(",")[0] or "0")
        except (self._nvml.NVMLError, ValueError) as error:
            self.close()
            raise MeterUnavailable(f"NVML has no such GPU: {error}; `nvidia-smi -L` lists them") from error
        counter, power = self._energy_j() is not None, self._power_w() is not None
        if not counter and not power:
            self.close()
            raise MeterUnavailable("the GPU tells neither energy nor power (as in MIG mode); meter from outside")
        self.method = "counter" if counter else "meter"
        found: list[tuple[Channel, Callable[[], float | None]]] = []
        if counter:
            found.append((Channel("total energy", "energy_j"), self._energy_j))
        if power:
            found.append((Channel("power", "power_w", check=counter), self._power_w))
        self.channels = tuple(channel for channel, _ in found)
        self._read = [read for _, read in found]

    def read(self) -> tuple[float | None, ...]:
        return tuple(read() for read in self._read)

    def close(self) -> None:
        if self._open:
            self._open = False
            self._nvml.nvmlShutdown()

    def _find(self, which: str) -> Any:
        if which.isdecimal():
            return self._nvml.nvmlDeviceGetHandleByIndex(int(which))
        return self._nvml.nvmlDeviceGetHandleByUUID(which)

    def _energy_j(self) -> float | None:
        """From millijoules since the driver was loaded."""
        try:
            return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1e3
        except self._nvml.NVMLError:
            return None

    def _power_w(self) -> float | None:
        """From milliwatts."""
        try:
            return float(self._nvml.nvmlDeviceGetPowerUsage(self._handle)) / 1e3
        except self._nvml.NVMLError:
            return None


def _binding() -> Any:
    try:
        import pynvml
    except ImportError as error:
        raise MeterUnavailable("nvidia-ml-py is not installed; pip install 'archgauge[nvidia]'") from error
    return pynvml
