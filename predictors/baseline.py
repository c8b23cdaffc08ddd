"""The analytical time of a kernel: arithmetic and traffic at peak rates, and a constant for launching it.

Regressors learn the logarithm of measured time over this baseline, and kernels of kinds that were never measured are
answered with it. It needs to be simple, positive and of the right growth; it does not need to be right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictors.work import FLOPS, traffic

Floats = NDArray[np.float64]

#: Traffic up to here is served at the rate of the private caches, the rest at that of main memory.
_CACHED_BYTES = 2.0**20


@dataclass(frozen=True, slots=True)
class Baseline:
    """Peak rates of a target. The defaults are those of one core of a server processor with 512-bit vectors."""

    flops_per_s: float = 100e9
    bytes_per_s: float = 10e9
    cache_bytes_per_s: float = 40e9
    launch_us: float = 1.0

    @classmethod
    def from_peaks(cls, peaks: Mapping[str, Any] | None, launch_us: float = 1.0) -> Baseline:
        """From measured peaks as JSON (``flops_per_s`` by element type, ``bytes_per_s``, ``cache_bytes_per_s``); what
        is missing or not positive is replaced by a crude constant.
        """
        given = dict(peaks or {})
        rates = given.get("flops_per_s") or {}
        flops = rates.get("float32") if isinstance(rates, Mapping) else rates
        return cls(
            _positive(flops, cls().flops_per_s),
            _positive(given.get("bytes_per_s"), cls().bytes_per_s),
            _positive(given.get("cache_bytes_per_s"), cls().cache_bytes_per_s),
            _positive(launch_us, cls().launch_us),
        )

    def compute_us(self, work: Floats) -> Floats:
        """Microseconds of arithmetic at the peak rate, ``[n]`` from work ``[n, 4]``."""
        return work[:, FLOPS] / self.flops_per_s * 1e6

    def memory_us(self, work: Floats) -> Floats:
        """Microseconds of data traffic, ``[n]``: cheap up to `_CACHED_BYTES`, then at the rate of main memory."""
        moved = traffic(work)
        beyond = np.maximum(moved - _CACHED_BYTES, 0.0)
        return ((moved - beyond) / self.cache_bytes_per_s + beyond / self.bytes_per_s) * 1e6

    def time_us(self, work: Floats) -> Floats:
        """Arithmetic + traffic + launch, in microseconds, always positive.

        The sum grows more like measured times than the roofline's maximum does: even where arithmetic dominates, a
        larger map costs more per operation once it leaves the caches.
        """
        return self.compute_us(work) + self.memory_us(work) + self.launch_us

    def bounds(self, work: Floats) -> list[str]:
        """What limits each kernel: ``compute``, ``memory``, or ``launch`` where both take less than launching."""
        compute, memory = self.compute_us(work), self.memory_us(work)
        names = np.where(compute >= memory, "compute", "memory")
        return [str(n) for n in np.where(np.maximum(compute, memory) < self.launch_us, "launch", names)]

    def to_json(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Baseline:
        return cls(**{name: float(value) for name, value in data.items()})


def _positive(value: Any, default: float) -> float:
    number = float(value) if isinstance(value, int | float) else 0.0
    return number if np.isfinite(number) and number > 0 else default
