"""Where the time of a prediction goes: by kernel kind, by what limits, and the slowest kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.ui.formats import DASH, labelled, percent
from service.ui.rooflines import Roofs, bounds

#: Slowest kernels that are shown unless all are asked for, and how many of all are on one page.
SHOWN, PER_PAGE = 20, 200

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
    #: What limits it, in words.
    bound: str


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Of one prediction that was made with its kernels."""

    kinds: list[Group]
    bounds: list[Group]
    #: Those that are shown, the slowest first.
    slowest: list[Slow]
    kernels: int
    #: Of the whole latency, that of the five slowest kernels.
    five_share: float
    overhead_share: float
    #: Kernels without a price.
    missing: int

    @property
    def pages(self) -> int:
        """How many pages list all kernels."""
        return max(-(-self.kernels // PER_PAGE), 1)

    @property
    def sentences(self) -> list[str]:
        """What to know at a glance."""
        if not self.kinds:
            return []
        first = self.kinds[0]
        plural = "s" if first.kernels > 1 else ""
        texts = [
            f"{percent(first.share, 0)} of the time is in {first.kernels:,} {labelled(first.name)} kernel{plural}."
        ]
        if self.kernels > 10:
            texts.append(f"The five slowest of {self.kernels:,} kernels take {percent(self.five_share, 0)}.")
        limits = [f"{BOUNDS.get(g.name, g.name)} {percent(g.share, 0)}" for g in self.bounds if g.share >= 0.005]
        texts.append(f"What limits it: {', '.join(limits)}.")
        return texts


def breakdown(
    prediction: Mapping[str, Any], page: int | None = None, roofs: Roofs | None = None
) -> Breakdown | None:  # fmt: skip
    """Of an entry of ``predictions``; None where it was made without kernels.

    ``page`` (from 1; the last one for all that lie beyond it) lists that part of all kernels, None the slowest.
    ``roofs`` tell what limits kernels (`service.ui.rooflines.bounds`).
    """
    kernels: Sequence[Mapping[str, Any]] | None = prediction.get("kernels")
    if kernels is None:
        return None
    total = prediction["latency_ms"]["value"] or 1.0
    limits = bounds(prediction, roofs)
    shares = [(kernel["latency_ms"] or 0.0) / total for kernel in kernels]
    order = sorted(range(len(kernels)), key=lambda i: -shares[i])
    begin = 0 if page is None else min((page - 1) * PER_PAGE, max(len(kernels) - 1, 0) // PER_PAGE * PER_PAGE)
    shown = order[begin : begin + (SHOWN if page is None else PER_PAGE)]
    return Breakdown(
        kinds=_groups(kernels, [str(kernel["kind"]) for kernel in kernels], total),
        bounds=_groups(kernels, limits, total),
        slowest=[Slow(i + 1, kernels[i], shares[i], BOUNDS.get(limits[i] or "", DASH)) for i in shown],
        kernels=len(kernels),
        five_share=sum(shares[i] for i in order[:5]),
        overhead_share=prediction["overhead_ms"] / total,
        missing=sum(k["latency_ms"] is None for k in kernels),
    )


def _groups(kernels: Sequence[Mapping[str, Any]], names: Sequence[str | None], total_ms: float) -> list[Group]:
    """By falling time; kernels without a name are in none."""
    members: dict[str, list[Mapping[str, Any]]] = {}
    for kernel, name in zip(kernels, names, strict=True):
        if name:
            members.setdefault(name, []).append(kernel)
    groups = []
    for key, mine in members.items():
        time = sum(k["latency_ms"] or 0.0 for k in mine)
        groups.append(Group(key, len(mine), time, time / total_ms, sum(k.get("flops") or 0 for k in mine)))
    return sorted(groups, key=lambda group: (-group.latency_ms, group.name))
