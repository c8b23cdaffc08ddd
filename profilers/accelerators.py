"""What an accelerator adds to the fingerprint of a machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lookup_tables.targets import DeviceFingerprint
from profilers.errors import MeterUnavailable


def with_accelerator(device: DeviceFingerprint, provider: str, options: Mapping[str, str]) -> DeviceFingerprint:
    """``device`` with the GPU that ``provider`` computes on: its model, memory, highest clocks, power limit and the
    driver's branch identify it; the driver's exact version and the present clocks are noted.

    Without NVML nothing is known of the GPU but that there is one.
    """
    if provider != "CUDAExecutionProvider":
        return device
    from profilers.nvml import Device, visible_gpu

    try:
        with Device(visible_gpu(int(options.get("device_id", "0")))) as opened:
            gpu = opened.gpu()
            seen = {
                "gpu_driver": gpu.driver, "gpu_cuda": f"{gpu.cuda // 1000}.{gpu.cuda % 1000 // 10}" if gpu.cuda else "",
                "gpu_sm_mhz": opened.sm_mhz(), "gpu_memory_mhz": opened.memory_mhz(), "gpu_slowed": opened.slowed(),
            }  # fmt: skip
    except MeterUnavailable as error:
        return replace(device, accelerators=("CUDA GPU",), observed=(*device.observed, ("gpu", str(error))))
    noted = tuple((name, str(value)) for name, value in seen.items() if value)
    return replace(device, accelerators=(gpu.describe(),), observed=(*device.observed, *noted))
