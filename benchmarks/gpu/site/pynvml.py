"""The functions of nvidia-ml-py that are used, for the made-up GPU of `benchmarks.gpu.simulation`."""

import time
from types import SimpleNamespace

from benchmarks.gpu.simulation import IDLE_W, joules

NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0

#: The counter moves so often.
_TICK_S = 0.02

_last = [-1.0, 0.0]


class NVMLError(Exception):
    """As the real one."""


def nvmlInit() -> None:
    """Nothing to open."""


def nvmlShutdown() -> None:
    """Nothing to close."""


def nvmlDeviceGetHandleByIndex(index: int) -> str:
    """There is one GPU."""
    if index:
        raise NVMLError("Invalid Argument")
    return "made up"


def nvmlDeviceGetHandleByUUID(uuid: str) -> str:
    """Whatever it is called."""
    return uuid


def nvmlDeviceGetName(_handle: str) -> str:
    return "Imaginary GPU"


def nvmlDeviceGetUUID(_handle: str) -> str:
    return "GPU-00000000"


def nvmlDeviceGetMemoryInfo(_handle: str) -> SimpleNamespace:
    return SimpleNamespace(total=8 * 2**30)


def nvmlDeviceGetCudaComputeCapability(_handle: str) -> tuple[int, int]:
    return 9, 0


def nvmlDeviceGetEnforcedPowerLimit(_handle: str) -> int:
    return 300_000


def nvmlDeviceGetMaxClockInfo(_handle: str, kind: int) -> int:
    return 1980 if kind == NVML_CLOCK_SM else 2619


def nvmlDeviceGetClockInfo(_handle: str, kind: int) -> int:
    return 1975 if kind == NVML_CLOCK_SM else 2619


def nvmlDeviceGetTemperature(_handle: str, _kind: int) -> int:
    return 41


def nvmlDeviceGetCurrentClocksEventReasons(_handle: str) -> int:
    return 0


def nvmlDeviceGetTotalEnergyConsumption(_handle: str) -> int:
    """Millijoules, moving once in a tick."""
    now = time.monotonic()
    if now - _last[0] >= _TICK_S:
        _last[:] = [now, joules()]
    return round(_last[1] * 1e3)


def nvmlDeviceGetPowerUsage(_handle: str) -> int:
    return round(IDLE_W * 1e3)


def nvmlSystemGetDriverVersion() -> str:
    return "580.10.01"


def nvmlSystemGetCudaDriverVersion() -> int:
    return 13000
