"""Energy of a span of time from a channel's curve, cut where the channel ticks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from profilers.errors import MeteringFailed
from profilers.meters.curves import Curve, Floats

#: A window lasts at least so long, or has at least so many ticks of a counter.
MIN_SECONDS = 5.0
MIN_TICKS = 50

#: What may be lost of a window; it is taken to have been like the rest.
MAX_LOST = 0.05

#: The part of the asked span that a window must cover, unless what is missing are ticks at its edges.
_COVERED = 0.8
_EDGE_TICKS = 2.5


@dataclass(frozen=True, slots=True)
class Window:
    """Joules between two ticks."""

    begin_s: float
    end_s: float
    energy_j: float
    ticks: int
    #: Share of the time of which nothing is known.
    lost: float
    #: Bound of the relative error by when ticks were noticed.
    error: float

    @property
    def seconds(self) -> float:
        return self.end_s - self.begin_s

    @property
    def power_w(self) -> float:
        return self.energy_j / self.seconds


def cut(
    curve: Curve, begin_s: float, end_s: float, min_seconds: float = MIN_SECONDS, min_ticks: int | None = MIN_TICKS
) -> Window:
    """The largest window between ticks inside a span; ``min_ticks`` is None for sensors of power, which have no ticks.

    Raises:
        MeteringFailed: it is too short, or too much of it is lost; the message says why.
    """
    first = int(np.searchsorted(curve.at_s, begin_s, "left"))
    last = int(np.searchsorted(curve.at_s, end_s, "right")) - 1
    why = f" ({'; '.join(curve.notes)})" if curve.notes else ""
    if last - first < 2:
        raise MeteringFailed(f"the meter had fewer than three readings in {end_s - begin_s:.1f} s{why}")
    begin, end, ticks = float(curve.at_s[first]), float(curve.at_s[last]), last - first
    seconds = end - begin
    if seconds < min_seconds and (min_ticks is None or ticks < min_ticks):
        wanted = "" if min_ticks is None else f" and {ticks} of {min_ticks} ticks"
        raise MeteringFailed(f"a window of {seconds:.2f} s where {min_seconds:g} are needed{wanted}{why}")
    lengths = np.diff(curve.at_s[first : last + 1])
    missing = end_s - begin_s - seconds
    if missing > max((1.0 - _COVERED) * (end_s - begin_s), _EDGE_TICKS * float(np.median(lengths))):
        raise MeteringFailed(f"the meter told of {seconds:.2f} s out of {end_s - begin_s:.2f}{why}")
    lost = float(lengths[curve.lost[first:last]].sum()) / seconds
    if lost > MAX_LOST:
        raise MeteringFailed(f"{lost:.0%} of a window of {seconds:.1f} s is lost{why}")
    energy = float(curve.energy_j[last] - curve.energy_j[first]) / (1.0 - lost)
    error = float(curve.late_s[first] + curve.late_s[last]) / seconds + lost
    if min_ticks is None:
        error += _sampling_error(curve.at_s[first : last + 1], curve.energy_j[first : last + 1])
    return Window(begin, end, energy, ticks, lost, error)


def _sampling_error(at_s: Floats, energy_j: Floats) -> float:
    """How much the mean power changes if every other reading is left out: what lies between readings is not seen."""
    power = np.diff(energy_j) / np.diff(at_s)
    even, odd = power[::2], power[1::2]
    mean = float(power.mean())
    return abs(float(even.mean()) - float(odd.mean())) / (2.0 * mean) if len(odd) and mean > 0.0 else 0.0
