"""NVIDIA GPUs by NVML: the counter of total energy (Volta and later), and polled power beside it as a check.

The binding is nvidia-ml-py, one pure Python file over the driver's own library; it is imported when a meter is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Any

from profilers.errors import MeterUnavailable
from profilers.meters.base import Channel, Meter
from profilers.nvml import Device

#: How long a counter is watched to see how often it moves, and how often it must have moved to tell.
_WATCH_S, _MOVES = 0.6, 5
#: What was seen, by argument: this takes time.
_TICKS: dict[str, float] = {}


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
        self._device = Device(argument, library)
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
        if counter and library is None:
            if argument not in _TICKS:
                _TICKS[argument] = self._observed_tick() or self.tick_s
            self.tick_s = _TICKS[argument]

    def read(self) -> tuple[float | None, ...]:
        return tuple(read() for read in self._read)

    def close(self) -> None:
        self._device.close()

    def _observed_tick(self) -> float | None:
        """Seconds between two moves of the counter, which shortens windows where it moves often; None if unclear."""
        end, last, moved = time.monotonic() + _WATCH_S, self._energy_j(), list[float]()
        while time.monotonic() < end:
            value = self._energy_j()
            if value != last:
                moved.append(time.monotonic())
                last = value
        gaps = [later - earlier for earlier, later in pairwise(moved)]
        return max(median(gaps), 2 * self.interval_s) if len(gaps) >= _MOVES else None

    def _energy_j(self) -> float | None:
        """From millijoules since the driver was loaded."""
        found = self._device.ask("nvmlDeviceGetTotalEnergyConsumption")
        return None if found is None else float(found) / 1e3

    def _power_w(self) -> float | None:
        """From milliwatts."""
        found = self._device.ask("nvmlDeviceGetPowerUsage")
        return None if found is None else float(found) / 1e3
