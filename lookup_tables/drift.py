"""Dividing out slow drift: every label by what the sentinel said around it, over one reference for all.

A reading of the sentinel is a sample of the machine's speed, and noisy itself. Over 39,756 kernels longer than 20 µs
that were measured in three or more networks of one run of 20 minutes, their time follows the median reading of the
seconds around with an exponent of 0.85 (1.0 for blocked convolutions, Gemm and Softmax, 1.15 for MatMul), but what
their own reading deviates from that median with one of 0.3 only. So labels are divided by the first, and by the
second to that power.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from statistics import median

import numpy as np

from lookup_tables.records import Measurement

#: Readings this many seconds before and after say how fast the machine was for the time being.
AROUND_S = 5.0
#: Exponent of how much a reading deviates from those around it.
MOMENTARY = 0.3

#: A measurement whose records share a reading: process, context, and the reading itself, in microseconds.
_Moment = tuple[str, str | None, float]


def reference_of(records: Sequence[Measurement]) -> float | None:
    """The median of what the sentinel read; None where it was never read. Records of one measurement count once."""
    readings = _readings(records)
    return median(us for _, _, us in readings) if readings else None


def correct_all(records: Sequence[Measurement], reference_us: float | None = None) -> list[Measurement]:
    """All raw records of a run with drift divided out, relative to ``reference_us`` or to the run's own median.

    Labels are divided by the drift, which is noted; raw blocks stay as they are.
    """
    reference = reference_us or reference_of(records)
    if reference is None:
        return list(records)
    speeds = _speeds(_readings(records))
    return [
        _divided(record, speeds[_moment(record)] / reference) if record.sentinel_us else record for record in records
    ]


def speed(read_us: float, around_us: float) -> float:
    """What a measurement is corrected by, in microseconds of the sentinel: its own reading drawn to the median of those
    around it.
    """
    return around_us * float((read_us / around_us) ** MOMENTARY)


def _moment(record: Measurement) -> _Moment:
    return record.session, record.context, record.sentinel_us or 0.0


def _readings(records: Sequence[Measurement]) -> dict[_Moment, float]:
    """When each reading was taken (Unix seconds)."""
    return {_moment(record): record.started_at for record in records if record.sentinel_us}


def _speeds(readings: Mapping[_Moment, float]) -> dict[_Moment, float]:
    """What each measurement is corrected by; only readings of the same process say anything about it."""
    speeds = {}
    for _, group in groupby(sorted(readings, key=lambda moment: (moment[0], readings[moment])), key=itemgetter(0)):
        moments = list(group)
        times = np.array([readings[moment] for moment in moments])
        read = np.array([us for _, _, us in moments])
        first = np.searchsorted(times, times - AROUND_S, side="left")
        last = np.searchsorted(times, times + AROUND_S, side="right")
        for moment, a, b in zip(moments, first, last, strict=True):
            speeds[moment] = speed(moment[2], float(np.median(read[a:b])))
    return speeds


def _divided(record: Measurement, drift: float) -> Measurement:
    def over(value: float | None) -> float | None:
        return None if value is None else value / drift

    return replace(
        record,
        drift=drift,
        latency_us=over(record.latency_us),
        p10_us=over(record.p10_us),
        p90_us=over(record.p90_us),
        mad_us=over(record.mad_us),
    )
