"""Energy by a guess at the power of the cores that work, for devices without any meter.

A core at work draws a share of the processor's design power (TDP): all of it while it multiplies with full vectors,
`_MEMORY_BOUND` of it while it waits for memory. Typical watts per core follow from published TDPs and core counts:

* server x86: 350 W / 56 cores (Intel Xeon 8480+), 360 W / 96 cores (AMD EPYC 9654): 4 to 6 W;
* desktop and mobile x86 run fewer cores faster: 125 W / 16 cores (Intel i9-12900K), 45 W / 8 cores: 6 to 8 W;
* Arm servers: 250 W / 80 cores (Ampere Altra Q80-30), Neoverse N1 alone about 1.0 to 1.8 W at 2.6 to 3.1 GHz (Arm);
* Arm boards and phones: 4 to 8 W for four large cores (Raspberry Pi 4 and 5): 1 to 2 W;
* Apple M1 and later: about 4 to 5 W per performance core.

This is a guess by method ``tdp_guess``, and its interval says so: a factor of 2.5 either way at 90 %.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from lookup_tables.targets import Target
from predictors.energy.estimate import EnergyEstimate

Floats = NDArray[np.float64]

#: (pattern of vendor, model and architecture, watts per busy core, share of them that an idle core draws)
_CORES: tuple[tuple[str, float, float], ...] = (
    (r"\bapple\b", 4.5, 0.1),
    (r"\b(xeon|epyc|platinum|opteron|threadripper)\b", 5.0, 0.35),
    (r"\b(neoverse|altra|graviton|axion|cobalt|thunderx|kunpeng|grace)\b", 2.5, 0.3),
    (r"\b(raspberry|cortex-a\d+|bcm\d+|rk\d{4}|snapdragon|tensor g\d|exynos|mt\d{4}|jetson)\b", 1.5, 0.3),
    (r"\b(core|ryzen|celeron|pentium|athlon|ultra)\b", 6.5, 0.25),
    (r"(genuineintel|authenticamd|x86_64|amd64)", 5.5, 0.3),
    (r"(aarch64|arm64|armv\d)", 2.0, 0.3),
)

#: Power of a core that waits for memory over that of one that computes.
_MEMORY_BOUND = 0.65

#: Log of 2.5 at a confidence of 0.9.
_SIGMA = 0.9163 / 1.6449


@dataclass(frozen=True, slots=True)
class PowerGuess:
    """Watts of the busy cores of a target."""

    busy_w: float
    idle_w: float

    @classmethod
    def of(cls, target: Target) -> PowerGuess | None:
        """None where not even a guess is possible: another provider than the processor, or an unknown processor."""
        device = target.device
        if target.provider != "CPUExecutionProvider" or target.emulated:
            return None
        text = " ".join((device.cpu_model, device.vendor, device.architecture)).lower()
        for pattern, watts, idle in _CORES:
            if re.search(pattern, text):
                cores = min(target.threads, device.cores) if device.cores else target.threads
                return cls(watts * max(cores, 1), watts * idle * max(cores, 1))
        return None

    def kernel_mj(self, latency_ms: float, compute_share: float, kind: str | None = None, flops: float = 0.0) -> float:
        """Net millijoules of a kernel that spends ``compute_share`` of its time computing, whatever its kind."""
        use = _MEMORY_BOUND + (1.0 - _MEMORY_BOUND) * compute_share
        return (self.busy_w * use - self.idle_w) * latency_ms

    def whole(self, net_mj: float, latency_ms: float, latency_sigma: float, confidence: float) -> EnergyEstimate:
        """The energy of a run from the sum over kernels; the interval adds the latency's uncertainty."""
        factor = float(factor_of(latency_sigma, confidence))
        return EnergyEstimate(net_mj, net_mj / factor, net_mj * factor, net_mj + self.idle_w * latency_ms)

    def factor(self, latency_sigma: float | Floats, confidence: float) -> Floats:
        """As `FittedPower.factor`."""
        return factor_of(latency_sigma, confidence)


def factor_of(latency_sigma: float | Floats, confidence: float) -> Floats:
    """How far up (times) and down (divided by) an interval of energy reaches, elementwise."""
    spread = NormalDist().inv_cdf(0.5 + confidence / 2.0) * np.sqrt(_SIGMA**2 + np.square(latency_sigma))
    return np.asarray(np.exp(spread), dtype=np.float64)
