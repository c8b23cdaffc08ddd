"""Any power or energy sensor that Linux's hwmon shows: INA2xx monitors, power supplies, accelerators.

Energies (``energyN_input``, microjoules) are taken where a device has them, else powers (``powerN_input`` or
``powerN_average``, microwatts).
"""

from __future__ import annotations

import re
from pathlib import Path

from profilers.errors import MeterUnavailable
from profilers.meters.base import Channel, Meter
from profilers.meters.sysfs import number_of, text_of

_ROOT = Path("/sys/class/hwmon")

_PATTERNS = ("energy[0-9]*_input", "power[0-9]*_input", "power[0-9]*_average")


class HwmonMeter(Meter):
    """``argument`` is a device's name (``ina226``), or name and label of one of its sensors (``ina226/vdd``).

    Which device has to be said: the sum of all sensors of a machine means nothing.
    """

    name = "hwmon"
    interval_s = 0.02
    tick_s = 0.1
    lag_s = 0.2

    def __init__(self, argument: str = "", root: Path = _ROOT) -> None:
        wanted, _, label = argument.partition("/")
        found: dict[str, dict[str, Path]] = {}
        for device in sorted(root.glob("hwmon*")):
            files = next(filter(None, (sorted(device.glob(pattern)) for pattern in _PATTERNS)), [])
            sensors = {_label(device, file): file for file in files if number_of(file) is not None}
            if sensors:
                found.setdefault(text_of(device / "name") or device.name, {}).update(sensors)
        sensors = found.get(wanted, {})
        if label:
            sensors = {name: file for name, file in sensors.items() if name == label}
        if not sensors:
            known = "; ".join(f"hwmon:{name}/{sensor}" for name, each in found.items() for sensor in each)
            raise MeterUnavailable(f"there is no sensor hwmon:{argument} in {root}; there are: {known or 'none'}")
        self._files = list(sensors.values())
        counters = [file.name.startswith("energy") for file in self._files]
        self.method = "counter" if all(counters) else "meter"
        self.channels = tuple(
            Channel(name, "energy_j" if counter else "power_w") for name, counter in zip(sensors, counters, strict=True)
        )
        self.scope = f"hwmon {argument}"

    def read(self) -> tuple[float | None, ...]:
        return tuple(None if (value := number_of(file)) is None else value / 1e6 for file in self._files)


def _label(device: Path, file: Path) -> str:
    sensor = re.sub(r"_(input|average)$", "", file.name)
    return text_of(device / f"{sensor}_label") or sensor
