"""The battery of a laptop or telephone: what it gives, while nothing charges it.

``power_now`` (microwatts), or ``current_now`` times ``voltage_now`` (microamperes, microvolts). Drivers disagree about
the sign of the current; its absolute value counts, and only while the status is "Discharging".
"""

from __future__ import annotations

from pathlib import Path

from profilers.errors import MeterUnavailable
from profilers.meters.base import Channel, Meter
from profilers.meters.sysfs import may_read, number_of, text_of

_ROOT = Path("/sys/class/power_supply")

#: A machine that runs draws more than this many amperes; drivers that count milliamperes seem to draw less.
_LEAST_A = 0.005


class BatteryMeter(Meter):
    """All batteries together, or the one named by ``argument`` (``BAT0``)."""

    name = "battery"
    method = "meter"
    scope = "battery"
    interval_s = 0.1
    tick_s = 1.0
    #: Fuel gauges average over seconds.
    lag_s = 3.0

    def __init__(self, argument: str = "", root: Path = _ROOT) -> None:
        places = [p for p in sorted(root.glob(argument or "*")) if text_of(p / "type") == "Battery"]
        self._places = [p for p in places if (p / "power_now").exists() or (p / "current_now").exists()]
        if not self._places:
            raise MeterUnavailable(f"there is no battery in {root} that tells its power or current")
        for place in self._places:
            for file in (place / "power_now", place / "current_now", place / "voltage_now"):
                if file.exists() and not may_read(file):
                    raise MeterUnavailable(f"{file} may not be read; on Android, only root and the shell (adb) may")
            current = number_of(place / "current_now")
            if not (place / "power_now").exists() and current is not None and 0 < abs(current) / 1e6 < _LEAST_A:
                raise MeterUnavailable(
                    f"{place}/current_now says {current:.0f}, which is too little for microamperes: the driver may "
                    "count otherwise than Linux demands. Meter from outside instead (csv or http)"
                )
        self.channels = tuple(Channel(place.name, "power_w") for place in self._places)
        if all(value is None for value in self.read()):
            raise MeterUnavailable("the battery is not discharging; unplug the charger to meter")

    def read(self) -> tuple[float | None, ...]:
        return tuple(map(_power_w, self._places))


def _power_w(place: Path) -> float | None:
    if text_of(place / "status") != "Discharging":
        return None
    power = number_of(place / "power_now")
    if power is not None:
        return abs(power) / 1e6
    current, voltage = number_of(place / "current_now"), number_of(place / "voltage_now")
    return abs(current) / 1e6 * voltage / 1e6 if current is not None and voltage is not None else None
