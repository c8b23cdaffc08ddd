"""When an agent may measure: not in its quiet hours, not while the device is too hot."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path

_ZONES = Path("/sys/class/thermal")
_HOURS = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A part of every day, in local time; it may go over midnight."""

    begin: time
    end: time

    @classmethod
    def parse(cls, text: str) -> QuietHours:
        """From ``22:00-07:00``. Raises ValueError."""
        match = _HOURS.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a part of a day; write 22:00-07:00")
        hours = [int(part) for part in match.groups()]
        return cls(time(hours[0], hours[1]), time(hours[2], hours[3]))

    def include(self, moment: datetime) -> bool:
        """Whether nothing may be measured at a moment."""
        now = moment.time()
        if self.begin <= self.end:
            return self.begin <= now < self.end
        return now >= self.begin or now < self.end


@dataclass(frozen=True, slots=True)
class Pace:
    """The conditions under which an agent measures; degrees Celsius."""

    quiet_hours: QuietHours | None = None
    max_temperature_c: float | None = None

    def reason_to_wait(self, now: datetime | None = None) -> str | None:
        """Why nothing may be measured now; None if something may."""
        if self.quiet_hours is not None and self.quiet_hours.include(now or datetime.now()):
            return f"quiet hours until {self.quiet_hours.end:%H:%M}"
        temperature = None if self.max_temperature_c is None else temperature_c()
        if temperature is None or self.max_temperature_c is None or temperature <= self.max_temperature_c:
            return None
        return f"{temperature:.0f} °C is more than {self.max_temperature_c:.0f} °C"


def temperature_c(zones: Path = _ZONES) -> float | None:
    """The hottest of the system's thermal zones; None where it shows none."""
    readings = []
    for file in zones.glob("thermal_zone*/temp"):
        try:
            readings.append(int(file.read_text()) / 1000)
        except (OSError, ValueError):
            continue  # a zone that is asleep cannot be read
    plausible = [reading for reading in readings if -100 < reading < 250]
    return max(plausible, default=None)
