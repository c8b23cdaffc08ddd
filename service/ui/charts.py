"""What the charts of a prediction draw, small enough for thousands of kernels.

Kernels of the same kind and size are one dot under the roofline, and what a screen could not show apart is one step in
the course of memory. Numbers are rounded to what can be seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.ui.rooflines import Roofs

#: Steps of memory's course, at most; a chart has fewer pixels.
_STEPS = 1500
#: Dots of the roofline, at most; those that take the least time are left out.
_DOTS = 1000
#: Characters of the names of nodes.
_NAMES = 100


def charts(prediction: Mapping[str, Any], roofs: Roofs) -> dict[str, Any]:
    """``memory`` and ``roofline`` of an entry of ``predictions`` that was made with its kernels."""
    return {"memory": _memory(prediction), "roofline": _roofline(prediction, roofs)}


def _memory(prediction: Mapping[str, Any]) -> dict[str, Any]:
    """Steps: when each begins (``ms``), the bytes alive (``mb``), and the kernel that needs them."""
    parts = prediction.get("memory") or {}
    constants = parts.get("constants_bytes", 0) + parts.get("packed_bytes", 0)
    kernels: Sequence[Mapping[str, Any]] = prediction["kernels"]
    narrowest = sum(k["latency_ms"] or 0.0 for k in kernels) / _STEPS
    begins: list[float] = []
    alive: list[int] = []
    which: list[Mapping[str, Any]] = []
    now = 0.0
    for kernel in kernels:
        live = constants + (kernel.get("live_bytes") or 0)
        if not begins or now - begins[-1] >= narrowest:
            begins.append(now)
            alive.append(live)
            which.append(kernel)
        elif live > alive[-1]:
            alive[-1], which[-1] = live, kernel
        now += kernel["latency_ms"] or 0.0
    peak = prediction["peak_memory_bytes"]
    return {
        "ms": [_rounded(begin, 6) for begin in begins], "mb": [_rounded(live / 1e6) for live in alive],
        "kinds": [k["kind"] for k in which], "nodes": [_names(k) for k in which], "end_ms": _rounded(now, 6),
        "constants_mb": _rounded(constants / 1e6), "peak_mb": None if peak is None else _rounded(peak / 1e6),
    }  # fmt: skip


@dataclass(slots=True)
class _Dot:
    """Kernels that are alike, by the first of them."""

    kernel: Mapping[str, Any]
    count: int = 0
    ms: float = field(default=0.0)

    @property
    def flops(self) -> int:
        return int(self.kernel["flops"])

    def to_json(self, total_ms: float) -> dict[str, Any]:
        return {
            "intensity": _rounded(self.flops / self.kernel["bytes"]),
            "gflops": _rounded(self.flops * self.count / self.ms / 1e6),
            "share": _rounded(self.ms / total_ms), "ms": _rounded(self.ms / self.count), "count": self.count,
            "precision": self.kernel.get("precision"), "source": self.kernel["source"], "nodes": _names(self.kernel),
        }  # fmt: skip


def _roofline(prediction: Mapping[str, Any], roofs: Roofs) -> dict[str, Any]:
    """Dots by kernel kind, the kinds that take the most time first, and the roofs, in GFLOP/s and GB/s."""
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


def _names(kernel: Mapping[str, Any]) -> str:
    nodes = kernel["nodes"]
    text = ", ".join(nodes[:3])
    return text[:_NAMES] + (" …" if len(nodes) > 3 or len(text) > _NAMES else "")


def _rounded(value: float, significant: int = 4) -> float:
    return float(f"{value:.{significant}g}")
