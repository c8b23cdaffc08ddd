"""The INA3221 monitors of Jetson boards, by hwmon (JetPack 5 and later): millivolts and milliamperes of up to 3 rails.

The rail that feeds the whole module is metered where there is one, else the sum of all labelled rails.
"""

from __future__ import annotations

from pathlib import Path

from profilers.errors import MeterUnavailable
from profilers.meters.base import Channel, Meter
from profilers.meters.sysfs import number_of, text_of

_ROOT = Path("/sys/class/hwmon")

#: Labels of rails that feed everything else.
_TOTAL = ("VDD_IN", "POM_5V_IN", "VIN")


class JetsonMeter(Meter):
    """``argument`` is the label of a rail, or empty."""

    name = "jetson"
    method = "meter"
    interval_s = 0.02
    tick_s = 0.05
    lag_s = 0.2

    def __init__(self, argument: str = "", root: Path = _ROOT) -> None:
        rails: dict[str, tuple[Path, Path]] = {}
        for device in sorted(root.glob("hwmon*")):
            if text_of(device / "name") != "ina3221":
                continue
            for number in (1, 2, 3):
                label = text_of(device / f"in{number}_label")
                files = device / f"in{number}_input", device / f"curr{number}_input"
                if label and label != "NC" and all(number_of(file) is not None for file in files):
                    rails[label] = files
        if not rails:
            raise MeterUnavailable(f"there is no INA3221 with labelled rails in {root}")
        if argument and argument not in rails:
            raise MeterUnavailable(f"there is no rail {argument!r}; there are {', '.join(rails)}")
        total = argument or next((label for label in _TOTAL if label in rails), "")
        chosen = [total] if total else list(rails)
        self._files = [rails[label] for label in chosen]
        self.channels = tuple(Channel(label, "power_w") for label in chosen)
        self.scope = f"rail {argument}" if argument else "board" if total else "rails"

    def read(self) -> tuple[float | None, ...]:
        return tuple(_power_w(*files) for files in self._files)


def _power_w(voltage: Path, current: Path) -> float | None:
    millivolts, milliamperes = number_of(voltage), number_of(current)
    return None if millivolts is None or milliamperes is None else millivolts * milliamperes / 1e6
