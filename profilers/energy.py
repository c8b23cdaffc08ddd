"""What the runs of a loaded model take of a meter. Runs in the process that measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from profilers.errors import MeteringFailed, MeterUnavailable, UnknownMeter
from profilers.meters import meters_here, open_meter
from profilers.meters.metering import Metering, meter_runs

#: Metering a model takes no longer than this, in seconds.
LIMIT_SECONDS = 300.0


def meter_facts(text: str, provider: str) -> dict[str, Any]:
    """``meter``: name, method and scope of the meter that ``text`` names, and the seconds that a window takes; None
    without one. Then ``meter_note`` says why, unless nobody asked for one and there is no trace of any.

    Raises:
        MeterUnavailable, UnknownMeter: a meter that was asked for by its name cannot be used.
    """
    try:
        meter = open_meter(text, provider)
    except MeterUnavailable as error:
        if text != "auto":
            raise
        return {"meter": None, "meter_note": str(error) if meters_here() else None}
    if meter is None:
        return {"meter": None, "meter_note": None}
    with meter:
        seconds = round(Metering(1).duration_s(meter), 3)
        found = {"name": meter.name, "method": meter.method, "scope": meter.scope, "seconds": seconds}
    return {"meter": found, "meter_note": None}


def metered(
    provider: str, run: Callable[[], object], seconds_per_run: float, asked: Mapping[str, Any] | None
) -> dict[str, Any]:
    """``energy`` (JSON of an `EnergyMeasurement`) and ``energy_note``: either is None, both where nothing was asked.

    ``asked`` holds ``meter`` (a text as in `profilers.meters`), ``trials``, ``seconds`` and perhaps ``brief``. That
    there is no energy is no failure of the measurement: the note says why.
    """
    if asked is None:
        return {"energy": None, "energy_note": None}
    try:
        meter = open_meter(str(asked["meter"]), provider)
        if meter is None:
            return {"energy": None, "energy_note": None}
        with meter:
            how = Metering(int(asked["trials"]), float(asked["seconds"]), bool(asked.get("brief", False)))
            if how.duration_s(meter) > LIMIT_SECONDS:
                raise MeteringFailed(f"metering would take {how.duration_s(meter):.0f} s; ask for fewer trials")
            found = meter_runs(meter, run, seconds_per_run, how)
    except (MeteringFailed, MeterUnavailable, UnknownMeter) as error:
        return {"energy": None, "energy_note": str(error)}
    return {"energy": found.to_json(), "energy_note": None}
