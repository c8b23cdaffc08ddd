"""Dividing out slow drift: every label by what the sentinel said around it, over one reference for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from lookup_tables.records import Measurement


def reference_of(records: Sequence[Measurement]) -> float | None:
    """The median of what the sentinel read; None where it was never read. Records of one measurement count once."""
    readings = {(record.session, record.context, record.sentinel_us) for record in records}
    return median(us for _, _, us in readings if us is not None) if any(us for _, _, us in readings) else None


def correct_all(records: Sequence[Measurement], reference_us: float | None = None) -> list[Measurement]:
    """All raw records of a run with drift divided out, relative to ``reference_us`` or to the run's own median."""
    reference = reference_us or reference_of(records)
    return [corrected(record, reference) for record in records]


def corrected(record: Measurement, reference_us: float | None) -> Measurement:
    """Labels divided by the drift, which is noted; raw blocks stay as they are."""
    if record.sentinel_us is None or reference_us is None:
        return record
    drift = record.sentinel_us / reference_us
    return replace(
        record,
        drift=drift,
        latency_us=_divided(record.latency_us, drift),
        p10_us=_divided(record.p10_us, drift),
        p90_us=_divided(record.p90_us, drift),
        mad_us=_divided(record.mad_us, drift),
    )


def _divided(value: float | None, divisor: float) -> float | None:
    return None if value is None else value / divisor
