"""RAPL: the energy counters of Intel and AMD processors, by Linux's powercap interface.

Each processor package is a zone ``intel-rapl:N``, on AMD too. What is metered is the sum over packages and, where they
are counted apart, their memory (``dram``). The zones ``core`` and ``uncore`` are parts of the package, ``psys`` is the
whole platform with the package in it, and ``intel-rapl-mmio`` are the same registers once more: none of these is added.
"""

from __future__ import annotations

from pathlib import Path

from profilers.errors import MeterUnavailable
from profilers.meters.base import Channel, Meter
from profilers.meters.sysfs import may_read, number_of, text_of

_ROOT = Path("/sys/class/powercap")

_REMEDY = (
    "only root may read {file} (the kernel's answer to CVE-2020-8694). On a machine that you trust all users of, run "
    "`sudo chmod a+r {root}/intel-rapl:*/energy_uj {root}/intel-rapl:*/*/energy_uj` after each start, or add a udev "
    'rule: SUBSYSTEM=="powercap", ACTION=="add", RUN+="/bin/chmod a+r /sys%p/energy_uj"'
)


class RaplMeter(Meter):
    """Packages and memory of this machine; ``root`` is where the kernel shows its zones."""

    name = "rapl"
    method = "counter"
    interval_s = 0.005
    #: The registers are updated about every millisecond, so that each reading is a new one.
    tick_s = 0.005

    def __init__(self, argument: str = "", root: Path = _ROOT) -> None:
        zones = {
            zone: text_of(zone / "name")
            for package in sorted(root.glob("intel-rapl:*"))
            for zone in (package, *sorted(package.glob("intel-rapl:*")))
        }
        wanted = {zone: name for zone, name in zones.items() if name.startswith("package") or name == "dram"}
        # The class lists zones within zones too: a zone counts once, wherever it is listed.
        chosen = list({zone.name: zone for zone in wanted}.values())
        packages = [zone for zone in chosen if wanted[zone].startswith("package")]
        if not packages:
            raise MeterUnavailable(
                f"there is no package zone in {root}; `modprobe intel_rapl_msr` loads the driver, and virtual machines "
                "have no such counters"
            )
        for zone in chosen:
            if not may_read(zone / "energy_uj"):
                raise MeterUnavailable(_REMEDY.format(file=zone / "energy_uj", root=root))
        self._files = [zone / "energy_uj" for zone in chosen]
        if all(number_of(file) is None for file in self._files):
            raise MeterUnavailable(f"the counters in {root} cannot be read")
        self.channels = tuple(Channel(f"{wanted[zone]} {zone.name}", "energy_j", _range_j(zone)) for zone in chosen)
        self.scope = "package+dram" if len(chosen) > len(packages) else "package"

    def read(self) -> tuple[float | None, ...]:
        return tuple(None if (value := number_of(file)) is None else value / 1e6 for file in self._files)


def _range_j(zone: Path) -> float | None:
    value = number_of(zone / "max_energy_range_uj")
    return value / 1e6 if value else None
