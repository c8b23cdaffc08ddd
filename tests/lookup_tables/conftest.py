from collections.abc import Callable

import pytest

from graphs.kernels import Kernel, Operand
from lookup_tables import DeviceFingerprint, Measurement, Target


@pytest.fixture
def target() -> Target:
    device = DeviceFingerprint(
        "Intel(R) Xeon(R) Processor", "GenuineIntel", "x86_64", ("avx2", "avx512f"), 2, 1,
        (("L1d", 49152), ("L2", 2097152)), 24, "Linux", "6.18", observed=(("mhz", "2600"),),
    )  # fmt: skip
    return Target(device, runtime_version="1.31.1")


def kernel(channels: int = 64) -> Kernel:
    x = Operand("float32", (1, channels, 56, 56))
    weight = Operand("float32", (channels, channels, 3, 3), constant=True)
    axes = Operand("int64", (2,), constant=True, value=(2, 3))
    return Kernel("com.microsoft.nchwc.Conv", (x, weight, None, axes), (x,), (("group", 1), ("pads", (1, 1, 1, 1))))


@pytest.fixture
def make_kernel() -> Callable[[int], Kernel]:
    return kernel


@pytest.fixture
def measurements() -> list[Measurement]:
    return [
        Measurement(
            "in_network", kernel(), "00ff", 101.25, 99.0, 108.0, 1.5, 12, (101.0, 103.123456, 100.0), "mbconv:17", 4,
            "s1", settled=False, drift=1.01, perturbation="steal 3.0 %", started_at=1e9 + 0.5, split="holdout",
        ),
        Measurement("isolated", kernel(32), latency_us=7.5, runs=400, repetition=1),
        Measurement("whole_model", model="00ff", latency_us=4200.0, kernels=55, peak_memory_bytes=123456789),
        Measurement("whole_model", model="00fe", error="oom", detail="bad_alloc", context="mbconv:18"),
    ]  # fmt: skip
