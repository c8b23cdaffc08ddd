"""What this machine is: fingerprints of devices and targets."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from lookup_tables.targets import DeviceFingerprint, Target
from profilers.accelerators import with_accelerator
from profilers.meters import meters_here
from profilers.processor import Processor, processor, usable_processors

_CPUS = Path("/sys/devices/system/cpu")
_CPU = _CPUS / "cpu0"

#: Extensions that decide which kernels a runtime picks, as /proc/cpuinfo calls them, on x86 and on ARM.
_ISA = frozenset({
    "sse4_1", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx_vnni",
    "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8", "amx_tile", "avx_vnni_int8",
    "asimd", "asimddp", "asimdhp", "fphp", "i8mm", "bf16", "sve", "sve2", "sme", "svei8mm",
})  # fmt: skip


def fingerprint() -> DeviceFingerprint:
    """This machine's processor, memory and system. Reads files only; takes about a millisecond."""
    seen = processor()
    release = platform.release()
    return DeviceFingerprint(
        cpu_model=seen.model or platform.processor() or platform.machine(),
        vendor=seen.vendor,
        architecture=platform.machine(),
        isa=tuple(sorted(_ISA & seen.flags)),
        cores=os.cpu_count() or 1,
        threads_per_core=_threads_per_core(),
        caches=_caches(),
        memory_gib=_memory_gib(),
        os=platform.system(),
        os_version=".".join(release.split(".")[:2]),
        governor=_read(_CPU / "cpufreq/scaling_governor"),
        max_mhz=max(map(_khz, _CPUS.glob("cpu*/cpufreq/cpuinfo_max_freq")), default=0) // 1000,
        virtualised="hypervisor" in seen.flags,
        observed=_observed(seen, release),
    )


def local_target(
    threads: int = 1,
    provider: str = "CPUExecutionProvider",
    runtime: str = "onnxruntime",
    options: tuple[tuple[str, str], ...] = (),
) -> Target:
    """This machine with an installed runtime.

    Raises:
        UnknownRuntime: no such runtime or provider.
        RuntimeNotInstalled: its library is missing.
        ValueError: fewer than one thread, or more than this process may use processors.
    """
    from profilers.runtimes import make_runtime  # needs numpy, which an agent that only looks does without

    device, usable = with_accelerator(fingerprint(), provider, dict(options)), usable_cores()
    if not 1 <= threads <= usable:
        raise ValueError(f"{threads} threads are not possible; this process may use 1 to {usable}")
    executor = make_runtime(runtime, provider, dict(options))
    return Target(
        device=device,
        runtime=executor.name,
        runtime_version=executor.version,
        provider=executor.provider,
        options=options,
        threads=threads,
        power_mode=device.governor,
        lowering=executor.lowering_profile(),
        emulated=processor().emulated,
    )


def instruction_set() -> str:
    """The one word of a lowering profile: ``avx512``, ``avx2``, ``neon``, or the machine's architecture.

    ``neon_fp16`` is ARM with arithmetic in half precision (Cortex-A55 and A76 and later, all of Apple's).
    """
    flags = processor().flags
    for name, flag in (("avx512", "avx512f"), ("avx2", "avx2"), ("neon_fp16", "asimdhp"), ("neon", "asimd")):
        if flag in flags:
            return name
    return {"aarch64": "neon", "arm64": "neon_fp16"}.get(platform.machine(), platform.machine())


def usable_cores() -> int:
    """Logical processors that this process may use."""
    return len(usable_processors())


def _threads_per_core() -> int:
    siblings = _read(_CPU / "topology/thread_siblings_list")
    count = 0
    for part in filter(None, siblings.split(",")):
        first, _, last = part.partition("-")
        count += int(last or first) - int(first) + 1
    return count


def _caches() -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    for index in sorted((_CPU / "cache").glob("index*")):
        kind, size = _read(index / "type"), _read(index / "size")
        if kind != "Instruction" and size[:-1].isdigit():
            suffix = "d" if kind == "Data" else ""
            found[f"L{_read(index / 'level')}{suffix}"] = int(size[:-1]) * {"K": 2**10, "M": 2**20}.get(size[-1], 1)
    return tuple(found.items())


def _memory_gib() -> int:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (OSError, ValueError):
        return 0


def _observed(processor: Processor, release: str) -> tuple[tuple[str, str], ...]:
    seen = {
        "kernel_release": release, "cpu_mhz": processor.mhz, "microcode": processor.microcode,
        "meters": ", ".join(meters_here()),
    }  # fmt: skip
    return tuple((name, value) for name, value in seen.items() if value)


def _khz(file: Path) -> int:
    text = _read(file)
    return int(text) if text.isdigit() else 0


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
