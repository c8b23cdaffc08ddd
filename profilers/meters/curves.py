"""Readings of one channel → energy over time, with what is not known marked as lost.

Counters wrap, are reset (suspend, a reloaded driver), stand still, and cannot always be read. Each channel is looked at
alone. What decides is the power that a step would mean:

* A counter that fell wrapped if a wrap means a power below `PLAUSIBLE_W` and not far above what it otherwise shows.
  Else it was reset, and that step is lost.
* A step up that would mean more than that is an error of the counter, and lost.
* A reading that failed is no reading. A counter adds up meanwhile, so nothing is lost unless it may have wrapped
  unseen; a sensor of power does not, so that a gap in its readings is lost.
* A counter that stood still for many ticks and did not make up for it is lost for that time.

All arrays are ``[n]`` over moments or ``[n - 1]`` over the steps between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from profilers.meters.base import Channel, Sample

Floats = NDArray[np.float64]

#: No channel of a machine that measures draws more.
PLAUSIBLE_W = 5000.0

#: A gap is longer than this many usual steps …
_GAP_STEPS = 6.0
#: … and than this, since a busy machine delays readings.
_GAP_S = 0.2

#: A counter that stood still is stale where what came then is below this share of the usual power.
_STALE_SHARE = 0.5

#: A wrap means at most this many times the power that is hardly ever exceeded.
_WRAP_POWER = 10.0

#: A counter is steady if this share of its readings is new: its ticks are too fast to be seen.
_STEADY = 0.9


@dataclass(frozen=True, slots=True)
class Curve:
    """Energy of one channel: at the moments ``at_s``, ``energy_j`` since the first of them."""

    at_s: Floats
    energy_j: Floats
    #: Steps of which nothing is known; they count as if nothing had been used.
    lost: NDArray[np.bool_]
    #: How late each moment may have been noticed, in seconds.
    late_s: Floats
    notes: tuple[str, ...] = ()


def curve_of(channel: Channel, samples: Sequence[Sample], index: int, plausible_w: float = PLAUSIBLE_W) -> Curve:
    """The curve of the ``index``-th channel. Samples whose time does not advance are left out."""
    at = np.array([s.at_s for s in samples], dtype=np.float64)
    values = np.array([np.nan if (v := s.values[index]) is None else v for s in samples], dtype=np.float64)
    later = np.ones(len(at), dtype=bool)
    if len(at):
        later[1:] = at[1:] > np.maximum.accumulate(at)[:-1]
    notes = [] if later.all() else ["times of readings went backwards"]
    at, values = at[later], values[later]
    if channel.kind == "energy_j":
        return _of_counter(at, values, channel.range_j, plausible_w, notes)
    return _of_power(at, values, plausible_w, notes)


def _of_counter(at: Floats, values: Floats, range_j: float | None, plausible_w: float, notes: list[str]) -> Curve:
    read = np.isfinite(values)
    at, values = at[read], values[read]
    if len(at) < 2:
        return _empty(notes)
    ticks = np.flatnonzero(np.diff(values) != 0.0) + 1
    late = at[ticks] - at[ticks - 1]
    # Only at a tick is the energy of a moment known; the first reading lies anywhere between two of them.
    at, values = at[ticks], values[ticks]
    if len(at) < 2:
        return _empty([*notes, "the counter stood still"])
    steps, seconds = np.diff(values), np.diff(at)
    lost = np.zeros(len(steps), dtype=bool)
    fell = steps < 0.0
    if range_j is not None:
        usual = (steps / seconds)[~fell]
        limit_w = min(plausible_w, _WRAP_POWER * float(np.quantile(usual, 0.95))) if len(usual) else plausible_w
        wrapped = fell & (steps + range_j >= 0.0) & ((steps + range_j) / seconds <= limit_w)
        steps = np.where(wrapped, steps + range_j, steps)
        fell &= ~wrapped
        unseen = seconds * plausible_w > range_j
        if unseen.any():
            notes.append("the counter was not read for so long that it may have wrapped unseen")
            lost |= unseen
    if fell.any():
        notes.append("the counter was reset")
    wild = steps / seconds > plausible_w
    if wild.any():
        notes.append("the counter jumped")
    lost |= fell | wild
    lost |= _stale(steps, seconds, lost, notes)
    energy = np.concatenate(([0.0], np.cumsum(np.where(lost, 0.0, steps))))
    steady = len(ticks) >= _STEADY * (int(read.sum()) - 1)
    return Curve(at, energy, lost, np.zeros(len(at)) if steady else late, tuple(notes))


def _stale(steps: Floats, seconds: Floats, lost: NDArray[np.bool_], notes: list[str]) -> NDArray[np.bool_]:
    """Long steps that brought too little for their length."""
    long = (seconds > _gap_s(seconds)) & ~lost
    usual = ~long & ~lost
    if not long.any() or not usual.any():
        return np.zeros(len(steps), dtype=bool)
    power = steps / seconds
    stale = long & (power < _STALE_SHARE * float(np.median(power[usual])))
    if stale.any():
        notes.append("the counter stood still for a while")
    return np.asarray(stale)


def _of_power(at: Floats, watts: Floats, plausible_w: float, notes: list[str]) -> Curve:
    """By the trapezoidal rule between readings."""
    usable = np.isfinite(watts) & (watts >= 0.0) & (watts <= plausible_w)
    if np.any(np.isfinite(watts) & ~usable):
        notes.append("the sensor said impossible powers")
    failed = np.cumsum(~usable)[usable]
    at, watts = at[usable], watts[usable]
    if len(at) < 2:
        return _empty(notes)
    seconds = np.diff(at)
    gap_s = _gap_s(seconds)
    lost = seconds > gap_s
    if lost.any():
        silent = lost & (np.diff(failed) > 0)
        notes.append("the sensor could not be read for a while" if silent.any() else "readings were late")
    if len(watts) > 2 and np.all(watts == watts[0]):
        notes.append("the sensor stood still")
        lost = np.ones(len(seconds), dtype=bool)
    steps = np.where(lost, 0.0, (watts[1:] + watts[:-1]) / 2.0 * seconds)
    return Curve(at, np.concatenate(([0.0], np.cumsum(steps))), lost, np.zeros(len(at)), tuple(notes))


def _gap_s(seconds: Floats) -> float:
    return max(_GAP_S, _GAP_STEPS * float(np.median(seconds)))


def _empty(notes: Sequence[str]) -> Curve:
    none = np.empty(0)
    return Curve(none, none, np.empty(0, dtype=bool), none, (*notes, "there are no readings"))
