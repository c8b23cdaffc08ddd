"""What the runs of a loaded model take of a meter. Runs in the process that measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from profilers.errors import MeteringFailed, MeterUnavailable, UnknownMeter
from profilers.meters import open_meter
from profilers.meters.metering import Metering, meter_runs

#: Metering a model takes no longer than this, in seconds.
LIMIT_SECONDS = 300.0


def metered(
    provider: str, run: Callable[[], object], seconds_per_run: float, asked: Mapping[str, Any] | None
) -> dict[str, Any]:
    """``energy`` (JSON of an `EnergyMeasurement`) and ``energy_note``: either is None, both where nothing was asked.

    ``asked`` holds ``meter`` (a text as in `profilers.meters`), ``trials`` and ``seconds``. That there is no energy is
    no failure of the measurement: the note says why.
    """
    if asked is None:
        return {"energy": None, "energy_note": None}
    try:
        meter = open_meter(str(asked["meter"]), provider)
        if meter is None:
            return {"energy": None, "energy_note": None}
        with meter:
            how = Metering(int(asked["trials"]), float(asked["seconds"]))
            if how.duration_s(meter) > LIMIT_SECONDS:
                raise MeteringFailed(f"metering would take {how.duration_s(meter):.0f} s; ask for fewer trials")
            found = meter_runs(meter, run, seconds_per_run, how)
    except (MeteringFailed, MeterUnavailable, UnknownMeter) as error:
        return {"energy": None, "energy_note": str(error)}
    return {"energy": found.to_json(), "energy_note": None}
