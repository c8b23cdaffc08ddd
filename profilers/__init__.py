"""Measuring: the protocol, runtimes, carrying out plans, whole models, and what a runtime makes of a graph.

Names are imported when they are first used; only what executes models imports a runtime.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from profilers.errors import InvalidSpool, MeasurementFailed, ProfilerError, RuntimeNotInstalled, UnknownRuntime

if TYPE_CHECKING:
    from profilers.campaign import Progress, carry_out
    from profilers.device import fingerprint, local_target
    from profilers.measuring import ModelMeasurement, ModelMeter, measure_model
    from profilers.observing import observe_lowering
    from profilers.peaks import Peaks, measure_peaks
    from profilers.protocol import PROTOCOL_VERSION

_HOMES = {
    "ModelMeasurement": "measuring", "ModelMeter": "measuring", "PROTOCOL_VERSION": "protocol", "Peaks": "peaks",
    "Progress": "campaign", "carry_out": "campaign", "fingerprint": "device", "local_target": "device",
    "measure_model": "measuring", "measure_peaks": "peaks", "observe_lowering": "observing",
}  # fmt: skip

__all__ = [
    "PROTOCOL_VERSION", "InvalidSpool", "MeasurementFailed", "ModelMeasurement", "ModelMeter", "Peaks",
    "ProfilerError", "Progress", "RuntimeNotInstalled", "UnknownRuntime", "carry_out", "fingerprint", "local_target",
    "measure_model", "measure_peaks", "observe_lowering",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'profilers' has no attribute {name!r}")
    value = getattr(import_module(f"profilers.{home}"), name)
    globals()[name] = value
    return value
