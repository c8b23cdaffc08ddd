"""The kernels of a prediction under the roofs of the device: its peak rates, as far as they were measured.

Kernels of the same kind and size are one dot, and numbers are rounded to what can be seen: the chart has to be small
enough for thousands of kernels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from predictors.baseline import Baseline
from predictors.details import precision_name
from predictors.work import FLOPS, READ
from service.ui.formats import names

#: Dots at most; those that take the least time are left out.
_DOTS = 1000
#: Kernels of a precision whose peak nobody measured are spoken of if they take this share of the time.
_NOTEWORTHY = 0.01


@dataclass(frozen=True, slots=True)
class Roofs:
    """Peak rates that concern the kernels of a prediction."""

    #: Operations per second by precision (``fp32``, ``int8``).
    flops_per_s: Mapping[str, float]
    bytes_per_s: float
    cache_bytes_per_s: float
    #: Precisions in which kernels compute and whose peak is not known.
    unknown: tuple[str, ...]
    #: Whether the rates are this device's, and not a usual processor's.
    measured: bool

    @property
    def note(self) -> str:
        """What must be known to read the chart; empty where nothing is special."""
        if not self.measured:
            return "The peak rates of this device were not measured: the lines are those of a usual processor’s core."
        if self.unknown:
            kinds = " and ".join(self.unknown)
            return (
                f"The device’s peak rate in {kinds} was not measured: kernels that compute in it have no roof, and "
                "what limits them is reckoned with the rate in fp32."
            )
        return ""


def roofs(prediction: Mapping[str, Any], peaks: Mapping[str, Any] | None) -> Roofs | None:
    """The roofs for an entry of ``predictions``; None where it was made without kernels.

    ``peaks`` are those in the report of the lookup table that it comes from, as `profilers.peaks.Peaks.to_json` gives
    them; without, the rates with which the predictor was made are taken.
    """
    baseline = prediction.get("roofline")
    if prediction.get("kernels") is None or baseline is None:
        return None
    times: dict[str, float] = {}
    for kernel in prediction["kernels"]:
        if kernel.get("flops") and kernel.get("precision"):
            times[kernel["precision"]] = times.get(kernel["precision"], 0.0) + (kernel["latency_ms"] or 0.0)
    rates = peaks or {}
    memory, caches = _rate(rates.get("bytes_per_s")), _rate(rates.get("cache_bytes_per_s"))
    if memory is None or caches is None or not isinstance(rates.get("flops_per_s"), Mapping):
        only = {"fp32": baseline["flops_per_s"]}
        return Roofs(only, baseline["bytes_per_s"], baseline["cache_bytes_per_s"], (), measured=False)
    known = {precision_name(str(dtype)): _rate(rate) for dtype, rate in rates["flops_per_s"].items()}
    flops = {precision: rate for precision in sorted(times) if (rate := known.get(precision)) is not None}
    least = _NOTEWORTHY * sum(times.values())
    unknown = tuple(precision for precision in sorted(times) if precision not in flops and times[precision] >= least)
    return Roofs(flops, memory, caches, unknown, measured=True)


def bounds(prediction: Mapping[str, Any], roofs: Roofs | None) -> list[str | None]:
    """What limits each kernel of a prediction that was made with its kernels.

    Predictions say it with the peak rate in fp32. Where the rate in a kernel's own precision was measured, it is
    reckoned anew with that: arithmetic in int8 may be ten times faster.
    """
    kernels = prediction["kernels"]
    found = [kernel["bound"] for kernel in kernels]
    if roofs is None or not roofs.measured:
        return found
    for precision in roofs.flops_per_s.keys() - {"fp32"}:
        mine = [
            i for i, k in enumerate(kernels)
            if (k.get("precision"), k["bound"]) in ((precision, "compute"), (precision, "memory"))
            and k.get("bytes") and k.get("flops") is not None
        ]  # fmt: skip
        work = np.zeros((len(mine), 4))
        work[:, FLOPS] = [kernels[i]["flops"] for i in mine]
        work[:, READ] = [kernels[i]["bytes"] for i in mine]
        baseline = Baseline(roofs.flops_per_s[precision], roofs.bytes_per_s, roofs.cache_bytes_per_s, 0.0)
        for i, bound in zip(mine, baseline.bounds(work), strict=True):
            found[i] = bound
    return found


def _rate(value: Any) -> float | None:
    """A rate as an agent or an imported table reports it; None for what is none."""
    return float(value) if isinstance(value, int | float) and 0.0 < value < float("inf") else None


@dataclass(slots=True)
class _Dot:
    """Kernels that are alike, by the first of them."""

    kernel: Mapping[str, Any]
    count: int = 0
    ms: float = 0.0

    @property
    def flops(self) -> int:
        return int(self.kernel["flops"])

    def to_json(self, total_ms: float) -> dict[str, Any]:
        return {
            "intensity": _rounded(self.flops / self.kernel["bytes"]),
            "gflops": _rounded(self.flops * self.count / self.ms / 1e6),
            "share": _rounded(self.ms / total_ms), "ms": _rounded(self.ms / self.count), "count": self.count,
            "precision": self.kernel.get("precision"), "source": self.kernel["source"],
            "nodes": names(self.kernel["nodes"]),
        }  # fmt: skip


def roofline(prediction: Mapping[str, Any], roofs: Roofs) -> dict[str, Any]:
    """Dots by kernel kind, the kinds that take the most time first, and the roofs, in GFLOP/s and GB/s, of an entry of
    ``predictions`` that was made with its kernels.
    """
    dots: dict[tuple[Any, ...], _Dot] = {}
    for kernel in prediction["kernels"]:
        if kernel.get("flops") and kernel.get("bytes") and kernel["latency_ms"]:
            alike = tuple(kernel.get(name) for name in ("kind", "flops", "bytes", "precision", "source"))
            dot = dots.setdefault(alike, _Dot(kernel))
            dot.count += 1
            dot.ms += kernel["latency_ms"]
    total_ms = prediction["latency_ms"]["value"] or 1.0
    kinds: dict[str, list[_Dot]] = {}
    for dot in sorted(dots.values(), key=lambda dot: -dot.ms)[:_DOTS]:
        kinds.setdefault(dot.kernel["kind"], []).append(dot)
    order = sorted(kinds, key=lambda kind: -sum(dot.ms for dot in kinds[kind]))
    return {
        "kinds": [{"kind": kind, "dots": [dot.to_json(total_ms) for dot in kinds[kind]]} for kind in order],
        "gflops": {precision: _rounded(rate / 1e9) for precision, rate in roofs.flops_per_s.items()},
        "memory_gbs": _rounded(roofs.bytes_per_s / 1e9), "caches_gbs": _rounded(roofs.cache_bytes_per_s / 1e9),
    }  # fmt: skip


def _rounded(value: float, significant: int = 4) -> float:
    return float(f"{value:.{significant}g}")
