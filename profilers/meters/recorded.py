"""An external meter whose logger writes a CSV file while this machine works."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from profilers.errors import MeterUnavailable
from profilers.meters.base import Channel, Meter, Sample
from profilers.meters.units import UNITS

_TIMES = ("time", "timestamp", "unix_s", "time_s")

#: The system's clock may move this far against the monotonic one before rows cannot be placed any more, in seconds.
_CLOCK_TOLERANCE_S = 0.1


class CsvMeter(Meter):
    """``argument`` is a file whose first line names its columns.

    One is called time, timestamp, unix_s or time_s and holds Unix seconds or ISO 8601; every column with a unit at the
    end of its name (``power_w``, ``cpu_mw``, ``energy_wh``) is a channel, and all are added. The logger's clock must
    agree with this machine's.
    """

    name = "csv"
    scope = "external"
    interval_s = 0.2
    tick_s = 0.1
    lag_s = 1.0

    def __init__(
        self,
        argument: str = "",
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = Path(argument)
        self._wall, self._monotonic = wall, monotonic
        try:
            with self._file.open("rb") as stream:
                header = stream.readline()
                self._place = stream.seek(0, 2)  # what was logged before is of no interest
        except OSError as error:
            raise MeterUnavailable(f"{argument or 'the CSV file'} cannot be read: {error}") from error
        names = next(csv.reader([header.decode("utf-8-sig", "replace")]), [])
        columns = [name.strip().lower() for name in names]
        endings = [name.rpartition("_")[2] for name in columns]
        units = {i: UNITS[ending] for i, ending in enumerate(endings) if ending in UNITS and columns[i] not in _TIMES}
        times = [i for i, name in enumerate(columns) if name in _TIMES]
        if not times or not units:
            raise MeterUnavailable(
                f"{argument} has the columns {columns}; it needs one of {', '.join(_TIMES)}, and one such as power_w "
                f"or energy_j (units: {', '.join(UNITS)})"
            )
        self._time_column, self._units = times[0], units
        self.channels = tuple(Channel(columns[i], kind) for i, (kind, _) in units.items())
        self.method = "counter" if all(c.kind == "energy_j" for c in self.channels) else "meter"
        self._rest = b""
        self._offset_s = wall() - monotonic()
        self._last: tuple[float | None, ...] = (None,) * len(units)

    def read(self) -> tuple[float | None, ...]:
        """The last row that was logged since this meter was made."""
        self.poll()
        return self._last

    def poll(self) -> Sequence[Sample]:
        samples = []
        if abs(self._wall() - self._monotonic() - self._offset_s) > _CLOCK_TOLERANCE_S:
            # Rows from before the jump would land in other windows: whatever lies between is unknown.
            self._offset_s = self._wall() - self._monotonic()
            samples.append(Sample(self._monotonic(), (None,) * len(self._units)))
        for line in self._new_lines():
            sample = self._sample(line)
            if sample is not None:
                samples.append(sample)
                self._last = sample.values
        return samples

    def _new_lines(self) -> list[str]:
        """Complete lines that were appended; a file that became shorter was begun again and is read from its start."""
        try:
            with self._file.open("rb") as stream:
                if stream.seek(0, 2) < self._place:
                    self._place, self._rest = 0, b""
                stream.seek(self._place)
                data = stream.read()
                self._place = stream.tell()
        except OSError:
            return []
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line.decode("utf-8", "replace") for line in lines]

    def _sample(self, line: str) -> Sample | None:
        """None for lines without a time, such as a repeated header."""
        row = next(csv.reader([line]), [])
        try:
            at = _unix_s(row[self._time_column])
        except (IndexError, ValueError):
            return None
        values = tuple(_value(row, i, factor) for i, (_, factor) in self._units.items())
        return Sample(at - self._offset_s, values)


def _unix_s(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return datetime.fromisoformat(text.strip()).timestamp()


def _value(row: Sequence[str], column: int, factor: float) -> float | None:
    try:
        value = float(row[column])
    except (IndexError, ValueError):
        return None
    return value * factor if math.isfinite(value) else None
