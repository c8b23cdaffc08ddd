"""Dividing out slow drift: what the sentinel says about the machine's speed around each item."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import median

from lookup_tables.records import Measurement
from profilers import protocol
from profilers.sentinel import Reading


class DriftCurve:
    """The sentinel's time over the run: at any moment the median of the nearest readings on either side.

    ``reference_us`` is the time that counts as a drift of 1; without it, the median of all readings does.
    """

    def __init__(self, readings: Iterable[Reading], reference_us: float | None = None) -> None:
        ordered = sorted(set(readings), key=lambda reading: reading.at)
        self._at = [reading.at for reading in ordered]
        self._us = [reading.us for reading in ordered]
        self.reference_us = reference_us or (median(self._us) if self._us else None)

    def at(self, moment: float) -> float:
        """Ratio to the reference; 1 where nothing was read."""
        if not self._us or self.reference_us is None:
            return 1.0
        place = bisect_left(self._at, moment)
        window = self._us[max(0, place - protocol.DRIFT_WINDOW) : place + protocol.DRIFT_WINDOW]
        return median(window) / self.reference_us


def corrected(measurement: Measurement, drift: float) -> Measurement:
    """Labels divided by ``drift``, which is noted; raw blocks stay as they are."""
    return replace(
        measurement,
        drift=drift,
        latency_us=_divided(measurement.latency_us, drift),
        p10_us=_divided(measurement.p10_us, drift),
        p90_us=_divided(measurement.p90_us, drift),
        mad_us=_divided(measurement.mad_us, drift),
    )


def correct_all(
    records: Iterable[Measurement], readings: Sequence[Reading], reference_us: float | None = None
) -> list[Measurement]:
    """All records of a run with the run's drift divided out."""
    curve = DriftCurve(readings, reference_us)
    return [corrected(record, curve.at(record.started_at)) for record in records]


def _divided(value: float | None, divisor: float) -> float | None:
    return None if value is None else value / divisor
