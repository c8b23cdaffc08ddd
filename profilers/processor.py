"""What Linux says about the processor: its name and flags, and whether it is a real one."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

#: Names of ARM cores by ``CPU implementer`` and ``CPU part``, after the manufacturers' reference manuals (MIDR_EL1).
_ARM_CORES = {
    ("0x41", "0xd03"): "Cortex-A53", ("0x41", "0xd04"): "Cortex-A35", ("0x41", "0xd05"): "Cortex-A55",
    ("0x41", "0xd07"): "Cortex-A57", ("0x41", "0xd08"): "Cortex-A72", ("0x41", "0xd09"): "Cortex-A73",
    ("0x41", "0xd0a"): "Cortex-A75", ("0x41", "0xd0b"): "Cortex-A76", ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd0d"): "Cortex-A77", ("0x41", "0xd0e"): "Cortex-A76AE", ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd41"): "Cortex-A78", ("0x41", "0xd42"): "Cortex-A78AE", ("0x41", "0xd44"): "Cortex-X1",
    ("0x41", "0xd46"): "Cortex-A510", ("0x41", "0xd47"): "Cortex-A710", ("0x41", "0xd48"): "Cortex-X2",
    ("0x41", "0xd49"): "Neoverse-N2", ("0x41", "0xd4a"): "Neoverse-E1", ("0x41", "0xd4b"): "Cortex-A78C",
    ("0x41", "0xd4c"): "Cortex-X1C", ("0x41", "0xd4d"): "Cortex-A715", ("0x41", "0xd4e"): "Cortex-X3",
    ("0x41", "0xd4f"): "Neoverse-V2", ("0x41", "0xd80"): "Cortex-A520", ("0x41", "0xd81"): "Cortex-A720",
    ("0x41", "0xd82"): "Cortex-X4", ("0x41", "0xd84"): "Neoverse-V3", ("0x41", "0xd85"): "Cortex-X925",
    ("0x41", "0xd87"): "Cortex-A725", ("0x41", "0xd8e"): "Neoverse-N3", ("0x46", "0x001"): "A64FX",
    ("0x48", "0xd01"): "TaiShan-V110", ("0x4e", "0x004"): "Carmel", ("0x51", "0x001"): "Oryon",
    ("0xc0", "0xac3"): "Ampere-1",
}  # fmt: skip

_FAMILIES = (("x86", re.compile(r"x86|i\d86|amd64")), ("arm", re.compile(r"arm|aarch64")))


@dataclass(frozen=True, slots=True)
class Processor:
    """Empty where the system does not say."""

    model: str = ""
    vendor: str = ""
    flags: frozenset[str] = frozenset()
    mhz: str = ""
    microcode: str = ""
    #: Its instructions are translated: nothing that is timed here says anything about a processor of this name.
    emulated: bool = False

    @classmethod
    def read(cls, root: Path = Path("/"), machine: str = "", usable: frozenset[int] = frozenset()) -> Processor:
        """From the files below ``root``.

        ``machine`` is what programs take the processor for (by default `platform.machine()`), ``usable`` holds the
        numbers of the logical processors that this process may use: where some are of another kind, only these count.
        """
        machine = machine or platform.machine()
        entries = list(_entries(_text(root / "proc/cpuinfo")))
        if _family_of(entries) not in ("", _family(machine)):
            entries = []  # the host's: nothing of what it says holds here
        first = entries[0] if entries else {}
        return cls(
            model=_arm_model(entries, usable, _board(root)) or first.get("model name", ""),
            vendor=first.get("vendor_id") or first.get("CPU implementer", ""),
            flags=frozenset(first.get("flags", first.get("Features", "")).split()),
            mhz=first.get("cpu MHz", ""),
            microcode=first.get("microcode", ""),
            emulated=_emulated(root, machine),
        )


@cache
def processor() -> Processor:
    """This machine's, as the process saw it first."""
    return Processor.read(usable=usable_processors())


def usable_processors() -> frozenset[int]:
    """Numbers of the logical processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def _emulated(root: Path, machine: str) -> bool:
    """Whether programs for ``machine`` run on a processor of another family, or on one made of software.

    User-mode QEMU shows the host's files (newer ones make up /proc/cpuinfo, and nothing else), Rosetta says who it is.
    A whole machine under QEMU has a processor of that name, which is a real one where there is KVM's clock.
    """
    cpuinfo = _text(root / "proc/cpuinfo")
    hosts = (
        _family(_text(root / "proc/sys/kernel/arch")),
        _family(_text(root / "sys/devices/system/cpu/modalias").partition(",")[0]),
        _family_of(list(_entries(cpuinfo))),
    )
    if any(host not in ("", _family(machine)) for host in hosts):
        return True
    clocks = _text(root / "sys/devices/system/clocksource/clocksource0/available_clocksource").split()
    return "VirtualApple" in cpuinfo or ("QEMU" in cpuinfo and "kvm-clock" not in clocks)


def _family(machine: str) -> str:
    return next((name for name, pattern in _FAMILIES if pattern.search(machine.lower())), "")


def _family_of(entries: list[dict[str, str]]) -> str:
    """Which family describes its processors in this way."""
    names = set().union(*entries)
    return "arm" if "CPU implementer" in names else "x86" if "vendor_id" in names and "flags" in names else ""


def _arm_model(entries: list[dict[str, str]], usable: frozenset[int], board: str) -> str:
    """``Raspberry Pi 5 Model B (Cortex-A76)``; boards with fast and slow cores name those that may be used."""
    found: list[str] = []
    for entry in entries:
        implementer, part = entry.get("CPU implementer", ""), entry.get("CPU part", "")
        if part and (not usable or int(entry.get("processor", "-1")) in usable):
            found.append(_ARM_CORES.get((implementer, part), f"ARM {implementer}-{part}"))
    cores = " + ".join(sorted(set(found)))
    return f"{board} ({cores})" if board and cores else board or cores


def _board(root: Path) -> str:
    """What the device tree calls the machine, without the revision of its circuit board."""
    return re.sub(r"\s+Rev\b.*", "", _text(root / "proc/device-tree/model").strip("\0"))


def _entries(cpuinfo: str) -> Iterator[dict[str, str]]:
    """One per logical processor; what some kernels of 32-bit ARM say at the end about the whole is left out."""
    for block in re.split(r"\n\s*\n", cpuinfo):
        pairs = (line.partition(":") for line in block.splitlines())
        entry = {name.strip(): value.strip() for name, _, value in pairs}
        if "processor" in entry:
            yield entry


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""
