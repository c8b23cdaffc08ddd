"""Meters of energy by name, imported when they are asked for.

A meter is named in a text, with an argument after a colon where it takes one: ``rapl``, ``nvml:1``, ``hwmon:ina226``,
``csv:power.csv``, ``http://plug.local/status#power:W``, ``none``. ``auto`` takes the first that can be read here.
Other distributions add theirs with an entry point in the group ``archgauge.meters``: its name is the meter's name and
it refers to a subclass of `Meter` that is called with the argument (a text, empty without one).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from profilers.errors import MeterUnavailable, UnknownMeter
from profilers.meters.base import Channel, Meter, Method, Sample
from profilers.meters.sysfs import text_of

ENTRY_POINTS = "archgauge.meters"

_BUILT_IN = {
    "nvml": "profilers.meters.nvml:NvmlMeter",
    "rapl": "profilers.meters.rapl:RaplMeter",
    "jetson": "profilers.meters.jetson:JetsonMeter",
    "battery": "profilers.meters.battery:BatteryMeter",
    "hwmon": "profilers.meters.hwmon:HwmonMeter",
    "csv": "profilers.meters.recorded:CsvMeter",
    "http": "profilers.meters.http:HttpMeter",
}

#: What ``auto`` tries, by the provider that does the work. Others have to be named: a board may have sensors of things
#: that take no part.
_AUTOMATIC = {"CUDAExecutionProvider": ("nvml", "jetson"), "CPUExecutionProvider": ("rapl", "jetson", "battery")}

#: Files whose presence, or a word in which, says that a meter may be there.
_TRACES = {
    "nvml": ("proc/driver/nvidia", "version", ""), "rapl": ("sys/class/powercap", "intel-rapl:*/energy_uj", ""),
    "jetson": ("sys/class/hwmon", "hwmon*/name", "ina3221"), "battery": ("sys/class/power_supply", "*/type", "Battery"),
    "hwmon": ("sys/class/hwmon", "hwmon*/power*_input", ""),
}  # fmt: skip

__all__ = [
    "ENTRY_POINTS", "Channel", "Meter", "Method", "Sample", "find_meter", "make_meter", "meters_here", "open_meter",
]  # fmt: skip


def make_meter(name: str, argument: str = "") -> Meter:
    """The meter of a name.

    Raises:
        UnknownMeter: nobody registered it; the message lists those that are known.
        MeterUnavailable: it is not here or cannot be read; the message says what to do.
    """
    home = _BUILT_IN.get(name)
    if home is not None:
        module, _, attribute = home.partition(":")
        return cast(Callable[[str], Meter], getattr(import_module(module), attribute))(argument)
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name == name:
            return cast(Callable[[str], Meter], entry.load())(argument)
    known = sorted({*_BUILT_IN, *(entry.name for entry in entry_points(group=ENTRY_POINTS))})
    raise UnknownMeter(f"no meter is called {name!r}; known are auto, none, {', '.join(known)}")


def find_meter(provider: str) -> Meter:
    """The first meter here that sees the energy of ``provider``.

    Raises MeterUnavailable, with the reasons of all that were tried, where there is none.
    """
    reasons = []
    for name in _AUTOMATIC.get(provider, ()):
        try:
            return make_meter(name)
        except MeterUnavailable as error:
            reasons.append(f"{name}: {error}")
    raise MeterUnavailable("; ".join(reasons) or f"no meter is known for the {provider}; name one")


def open_meter(text: str, provider: str) -> Meter | None:
    """The meter that ``text`` names (see the module); None for ``none``. Raises as `make_meter` and `find_meter`."""
    if text == "none":
        return None
    if text == "auto":
        return find_meter(provider)
    if text.startswith(("http://", "https://")):
        return make_meter("http", text)
    name, _, argument = text.partition(":")
    return make_meter(name, argument)


def meters_here(root: Path = Path("/")) -> tuple[str, ...]:
    """Names of meters that seem to be on this machine; to read them may be forbidden."""
    return tuple(
        name
        for name, (folder, pattern, word) in _TRACES.items()
        if any(not word or text_of(file) == word for file in (root / folder).glob(pattern))
    )
