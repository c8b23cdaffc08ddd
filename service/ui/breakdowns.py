"""Where the time of a prediction goes: by kernel kind, by what limits, and the slowest kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.ui.formats import operator, percent

#: Rows that a page shows unless all are asked for.
SHOWN = 20

#: What the baseline says limits a kernel, in words.
BOUNDS = {"compute": "arithmetic", "memory": "memory traffic", "launch": "starting kernels"}


@dataclass(frozen=True, slots=True)
class Group:
    """Kernels that have something in common."""

    name: str
    kernels: int
    latency_ms: float
    #: Of the whole latency, overhead included.
    share: float
    flops: int


@dataclass(frozen=True, slots=True)
class Slow:
    """A kernel with its place in the order of execution, from 1."""

    position: int
    kernel: Mapping[str, Any]
    share: float


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Of one prediction that was made with its kernels."""

    kinds: list[Group]
    bounds: list[Group]
    slowest: list[Slow]
    kernels: int
    overhead_share: float
    #: Kernels without a price.
    missing: int

    @property
    def sentences(self) -> list[str]:
        """What to know at a glance."""
        if not self.kinds:
            return []
        first = self.kinds[0]
        plural = "s" if first.kernels > 1 else ""
        texts = [
            f"{percent(first.share, 0)} of the time is in {first.kernels:,} {operator(first.name)} kernel{plural}."
        ]
        if self.kernels > 10:
            slow = percent(sum(s.share for s in self.slowest[:5]), 0)
            texts.append(f"The five slowest of {self.kernels:,} kernels take {slow}.")
        limits = [f"{BOUNDS.get(g.name, g.name)} {percent(g.share, 0)}" for g in self.bounds if g.share >= 0.005]
        texts.append(f"What limits it: {', '.join(limits)}.")
        return texts


def breakdown(prediction: Mapping[str, Any], shown: int | None = SHOWN) -> Breakdown | None:
    """Of an entry of ``predictions``; None where it was made without kernels. ``shown`` None lists all of them."""
    kernels: Sequence[Mapping[str, Any]] | None = prediction.get("kernels")
    if kernels is None:
        return None
    total = prediction["latency_ms"]["value"] or 1.0
    order = sorted(range(len(kernels)), key=lambda i: -(kernels[i]["latency_ms"] or 0.0))
    return Breakdown(
        kinds=_groups(kernels, total, lambda k: str(k["kind"])),
        bounds=_groups([k for k in kernels if k["bound"]], total, lambda k: str(k["bound"])),
        slowest=[Slow(i + 1, kernels[i], (kernels[i]["latency_ms"] or 0.0) / total) for i in order[:shown]],
        kernels=len(kernels),
        overhead_share=prediction["overhead_ms"] / total,
        missing=sum(k["latency_ms"] is None for k in kernels),
    )


def _groups(
    kernels: Sequence[Mapping[str, Any]], total_ms: float, name: Callable[[Mapping[str, Any]], str]
) -> list[Group]:
    """By falling time."""
    members: dict[str, list[Mapping[str, Any]]] = {}
    for kernel in kernels:
        members.setdefault(name(kernel), []).append(kernel)
    groups = []
    for key, mine in members.items():
        time = sum(k["latency_ms"] or 0.0 for k in mine)
        groups.append(Group(key, len(mine), time, time / total_ms, sum(k.get("flops") or 0 for k in mine)))
    return sorted(groups, key=lambda group: (-group.latency_ms, group.name))
