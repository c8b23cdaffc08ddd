"""Memory over the time of a run, as a page draws it: steps, their edge as a path of SVG, and what the axes say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.ui.formats import names

#: Steps at most; a chart has hardly more pixels.
_STEPS = 600
#: The drawing is so wide and so high; the page stretches it.
_SIDE = 1000.0
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)
#: Lines across the drawing at most, the lowest one left out.
_LINES = 5


@dataclass(frozen=True, slots=True)
class Step:
    """From ``begin_ms`` on so many megabytes are alive, constants included; the kernel is the one that needs most."""

    begin_ms: float
    mb: float
    kernel: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Course:
    """The course of memory over a run that ends at ``end_ms``."""

    steps: Sequence[Step]
    end_ms: float
    constants_mb: float
    #: The first of the highest.
    highest: Step
    #: What the runtime allocates for all of it, which has gaps.
    peak_mb: float
    #: Round megabytes for the lines across, in equal distances, the highest first and 0 last.
    scale: Sequence[float]

    @property
    def moments(self) -> list[float]:
        """Milliseconds below the drawing, in equal distances."""
        return [self.end_ms * i / 4 for i in range(5)]

    @property
    def edge(self) -> str:
        """Along the steps, from left to right, as an SVG path in a square with the side 1000."""
        corners = "".join(f"H{self._x(step.begin_ms):g}V{self.y(step.mb):g}" for step in self.steps[1:])
        return f"M0 {self.y(self.steps[0].mb):g}{corners}H{_SIDE:g}"

    def y(self, mb: float) -> float:
        """Where the drawing has so many megabytes, from above."""
        return round(_SIDE * (1.0 - mb / self.scale[0]), 1)

    def _x(self, ms: float) -> float:
        return round(_SIDE * ms / self.end_ms, 1)

    def to_json(self) -> dict[str, Any]:
        """What a pointer on the drawing tells."""
        return {
            "end_ms": self.end_ms, "ms": [float(f"{step.begin_ms:.6g}") for step in self.steps],
            "mb": [float(f"{step.mb:.4g}") for step in self.steps],
            "kinds": [step.kernel["kind"] for step in self.steps],
            "nodes": [names(step.kernel["nodes"]) for step in self.steps],
        }  # fmt: skip


def course(prediction: Mapping[str, Any]) -> Course | None:
    """Of an entry of ``predictions``; None where it was made without kernels, or none of them has a price."""
    kernels: Sequence[Mapping[str, Any]] = prediction.get("kernels") or ()
    end = sum(k["latency_ms"] or 0.0 for k in kernels)
    if not end:
        return None
    parts = prediction.get("memory") or {}
    constants = parts.get("constants_bytes", 0) + parts.get("packed_bytes", 0)
    steps: list[Step] = []
    now = 0.0
    for kernel in kernels:
        mb = (constants + (kernel.get("live_bytes") or 0)) / 1e6
        if not steps or now - steps[-1].begin_ms >= end / _STEPS:
            steps.append(Step(now, mb, kernel))
        elif mb > steps[-1].mb:
            steps[-1] = Step(steps[-1].begin_ms, mb, kernel)
        now += kernel["latency_ms"] or 0.0
    highest = max(steps, key=lambda step: step.mb)
    peak_mb = max(highest.mb, (prediction["peak_memory_bytes"] or 0) / 1e6)
    return Course(steps, end, constants / 1e6, highest, peak_mb, _scale(peak_mb))


def _scale(highest: float) -> list[float]:
    rough = max(highest, 1e-6) / _LINES
    power = 10.0 ** math.floor(math.log10(rough))
    distance = next(power * nice for nice in _NICE if power * nice >= rough * (1 - 1e-9))
    count = math.ceil(highest / distance - 1e-9) or 1
    return [distance * i for i in range(count, -1, -1)]
