"""From readings around several trials to the energy of a run: gross, net of idle, with a confidence interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev
from typing import Any

import numpy as np

from profilers.errors import MeteringFailed
from profilers.meters import windows
from profilers.meters.base import Channel, Sample
from profilers.meters.curves import PLAUSIBLE_W, Curve, curve_of
from profilers.meters.windows import Window, cut

#: Of intervals over trials.
CONFIDENCE = 0.95

#: Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom, and beyond.
_STUDENT = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
_NORMAL = 1.96

#: Errors by the meter's resolution that are worth a note; and a difference between idle before and after, as a share of
#: what working adds; and of the checking channel.
_NOTED_ERROR, _NOTED_IDLE, _NOTED_CHECK = 0.01, 0.1, 0.1

#: Working adds at least this share of the power, when it is what changes are compared with.
_LEAST_ADDED = 0.01

#: (begin, end) on the monotonic clock.
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Trial:
    """Work between two idle spans. ``marks`` are moments and how many runs were complete by then, the first at 0."""

    before: Span
    work: Span
    after: Span
    marks: Sequence[tuple[float, int]]


@dataclass(frozen=True, slots=True)
class EnergyMeasurement:
    """Millijoules of one run: means over trials. Half-widths of 95 % intervals are None for a single trial."""

    net_mj: float
    gross_mj: float
    net_half_width_mj: float | None
    gross_half_width_mj: float | None
    idle_w: float
    work_w: float
    #: Milliseconds of one run within the windows.
    run_ms: float
    runs: int
    trials: int
    #: Mean length of the windows, in seconds.
    window_s: float
    #: Bound of the relative error of the gross energy by the meter's resolution and by what was lost.
    resolution_error: float
    #: The checking channel's energy over this one, less 1; None without one.
    check: float | None
    meter: str
    method: str
    scope: str
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "net_mj": self.net_mj, "gross_mj": self.gross_mj, "net_half_width_mj": self.net_half_width_mj,
            "gross_half_width_mj": self.gross_half_width_mj, "idle_w": self.idle_w, "work_w": self.work_w,
            "run_ms": self.run_ms, "runs": self.runs, "trials": self.trials, "window_s": self.window_s,
            "resolution_error": self.resolution_error, "check": self.check, "meter": self.meter,
            "method": self.method, "scope": self.scope, "notes": list(self.notes),
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EnergyMeasurement:
        return cls(**{**data, "notes": tuple(data["notes"])})


@dataclass(frozen=True, slots=True)
class _Result:
    """One trial, all channels together."""

    gross_j: float
    net_j: float
    idle_w: float
    work_w: float
    runs: float
    seconds: float
    error: float
    idle_change: float
    check: float | None


def summarise(
    channels: Sequence[Channel],
    samples: Sequence[Sample],
    trials: Sequence[Trial],
    *,
    meter: str,
    method: str,
    scope: str,
    min_seconds: float = windows.MIN_SECONDS,
    plausible_w: float = PLAUSIBLE_W,
) -> EnergyMeasurement:
    """The energy of a run over ``trials``, of which there is at least one.

    Raises MeteringFailed where a window of any trial cannot be told.
    """
    curves = [curve_of(channel, samples, i, plausible_w) for i, channel in enumerate(channels)]
    found = [_of_trial(channels, curves, trial, min_seconds) for trial in trials]
    net = [1e3 * r.net_j / r.runs for r in found]
    gross = [1e3 * r.gross_j / r.runs for r in found]
    main = [curve for channel, curve in zip(channels, curves, strict=True) if not channel.check]
    notes = dict.fromkeys(note for curve in main for note in curve.notes)
    error, change = max(r.error for r in found), max(r.idle_change for r in found)
    checks = [r.check for r in found if r.check is not None]
    check = fmean(checks) if checks else None
    if error > _NOTED_ERROR:
        notes[f"the meter's resolution allows an error of {error:.1%}"] = None
    if change > _NOTED_IDLE:
        notes[f"idle power changed by {change:.0%} of what working adds"] = None
    if fmean(net) <= (half_width(net) or 0.0):
        notes["work is not told from idle: the net energy may be none"] = None
    if check is not None and abs(check) > _NOTED_CHECK:
        notes[f"polled power says {check:+.0%}"] = None
    return EnergyMeasurement(
        fmean(net), fmean(gross), half_width(net), half_width(gross), fmean(r.idle_w for r in found),
        fmean(r.work_w for r in found), 1e3 * sum(r.seconds for r in found) / sum(r.runs for r in found),
        round(sum(r.runs for r in found)), len(found), fmean(r.seconds for r in found), error, check,
        meter, method, scope, tuple(notes),
    )  # fmt: skip


def half_width(values: Sequence[float]) -> float | None:
    """Of the 95 % interval of the mean by Student's t."""
    n = len(values)
    if n < 2:
        return None
    return (_STUDENT[n - 2] if n - 2 < len(_STUDENT) else _NORMAL) * stdev(values) / sqrt(n)


def _of_trial(channels: Sequence[Channel], curves: Sequence[Curve], trial: Trial, min_seconds: float) -> _Result:
    times, counts = zip(*trial.marks, strict=True)
    gross = net = idle_w = work_w = change_w = error = 0.0
    runs: list[float] = []
    seconds: list[float] = []
    checked: list[float | None] = []
    for channel, curve in zip(channels, curves, strict=True):
        least = windows.MIN_TICKS if channel.kind == "energy_j" else None
        if channel.check:
            checked.append(_checked_w(curve, trial.work, min_seconds))
            continue
        work = cut(curve, *trial.work, min_seconds, least)
        before, after = (cut(curve, *span, min_seconds, least) for span in (trial.before, trial.after))
        idle = (before.power_w + after.power_w) / 2.0
        # Each channel is cut at its own ticks, so each has its own number of runs, which need not be whole.
        mine = _runs(work, times, counts)
        gross += work.energy_j / mine
        net += (work.energy_j - idle * work.seconds) / mine
        idle_w += idle
        work_w += work.power_w
        change_w += after.power_w - before.power_w
        error = max(error, work.error)
        runs.append(mine)
        seconds.append(work.seconds)
    mean = fmean(runs)
    change = abs(change_w) / max(work_w - idle_w, _LEAST_ADDED * work_w, 1e-9)
    told = [watts for watts in checked if watts is not None]
    return _Result(
        gross * mean, net * mean, idle_w, work_w, mean, fmean(seconds), error, change,
        sum(told) / work_w - 1.0 if told and work_w > 0.0 else None,
    )  # fmt: skip


def _checked_w(curve: Curve, work: Span, min_seconds: float) -> float | None:
    """A check that fails takes nothing away from what it was to check."""
    try:
        return cut(curve, *work, min_seconds, None).power_w
    except MeteringFailed:
        return None


def _runs(window: Window, times: Sequence[float], counts: Sequence[int]) -> float:
    return float(np.interp(window.end_s, times, counts) - np.interp(window.begin_s, times, counts))
