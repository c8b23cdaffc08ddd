"""From estimates to a prediction: composition, intervals, energy, coverage and warnings of one graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphs.kernels import Kernel
from predictors.composition import Composition
from predictors.details import Details
from predictors.energy import EnergyEstimate, Power
from predictors.errors import UnpriceableKernels
from predictors.estimates import Estimate
from predictors.intervals import Intervals
from predictors.lowered import Lowered
from predictors.ood import STRANGE_SHARE
from predictors.prediction import SOURCES, Interval, KernelPrediction, Prediction, Provenance

Floats = NDArray[np.float64]

#: Kinds that a warning names.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Pricing:
    """What turns the estimates of a graph's kernels into a prediction for a target."""

    target: str
    composition: Composition
    intervals: Intervals
    power: Power | None
    provenance: Provenance
    #: Warnings that every prediction has.
    notes: tuple[str, ...] = ()

    def price(self, lowered: Lowered, estimates: Sequence[Estimate], *, confidence: float, strict: bool) -> Prediction:
        """The prediction for a graph whose kernels have these ``estimates``; it lists them if ``lowered`` has details.

        Raises UnpriceableKernels with ``strict`` where some estimates are unsupported.
        """
        kernels, details = lowered.kernels, lowered.details
        missing = [k.kind for k, e in zip(kernels, estimates, strict=True) if e.source == "unsupported"]
        if missing and strict:
            raise UnpriceableKernels(missing)
        priced = [e for e in estimates if e.source != "unsupported"]
        profiled_us = np.array([e.time_us for e in priced])
        sigma = np.array([e.sigma for e in priced])
        added_ms = self.composition.kernels_us(profiled_us) / 1e3
        overhead_ms = self.composition.overhead_us(len(priced)) / 1e3
        total_ms = float(added_ms.sum()) + overhead_ms
        factor = self.intervals.whole_factor(profiled_us, sigma, confidence)
        latency = Interval(total_ms, total_ms / factor, None if missing else total_ms * factor)
        strange_ms = float(added_ms[[e.strange for e in priced]].sum()) if priced else 0.0
        return Prediction(
            target=self.target,
            complete=not missing,
            latency_ms=latency,
            overhead_ms=overhead_ms,
            throughput_per_s=lowered.batch * 1e3 / total_ms if total_ms > 0 else 0.0,
            energy_mj=self._energy(kernels, estimates, added_ms, total_ms, profiled_us, sigma, confidence),
            peak_memory_bytes=lowered.peak_memory_bytes,
            flops=sum(e.flops for e in estimates),
            parameters=lowered.parameters,
            confidence=confidence,
            coverage=_coverage(estimates, priced, added_ms),
            out_of_distribution=strange_ms > STRANGE_SHARE * total_ms,
            warnings=(
                *self.notes,
                *_warnings(kernels, estimates, missing, strange_ms / total_ms if total_ms > 0 else 0.0),
            ),
            provenance=self.provenance,
            kernels=self._list(kernels, estimates, added_ms, details, confidence) if details else None,
            details=details.to_json(e.flops for e in estimates) if details else {},
        )

    def _energy(
        self, kernels: Sequence[Kernel], estimates: Sequence[Estimate], added_ms: Floats, total_ms: float,
        profiled_us: Floats, sigma: Floats, confidence: float,
    ) -> EnergyEstimate | None:  # fmt: skip
        if self.power is None or total_ms <= 0:
            return None
        priced = [(k, e) for k, e in zip(kernels, estimates, strict=True) if e.source != "unsupported"]
        net = sum(
            self.power.kernel_mj(ms, e.compute_share, k.kind, e.flops)
            for ms, (k, e) in zip(added_ms.tolist(), priced, strict=True)
        )
        net += self.power.kernel_mj(total_ms - float(added_ms.sum()), 1.0)
        return self.power.whole(net, total_ms, self.intervals.whole_sigma(profiled_us, sigma), confidence)

    def _list(
        self, kernels: Sequence[Kernel], estimates: Sequence[Estimate], added_ms: Floats, details: Details,
        confidence: float,
    ) -> tuple[KernelPrediction, ...]:  # fmt: skip
        rows, times = [], iter(added_ms.tolist())
        reach: dict[str, float] = {}
        for i, (kernel, estimate) in enumerate(zip(kernels, estimates, strict=True)):
            known = (details.precisions[i], estimate.flops, details.moved[i], details.live[i])
            if estimate.source == "unsupported":
                rows.append(
                    KernelPrediction(kernel.kind, kernel.nodes, None, None, None, None, "unsupported", None, *known)
                )
                continue
            if kernel.kind not in reach:
                reach[kernel.kind] = self.intervals.of_kind(kernel.kind, confidence)
            latency = next(times)
            factor = float(np.exp(min(reach[kernel.kind] * estimate.sigma, 20.0)))
            energy = None
            if self.power is not None:
                energy = self.power.kernel_mj(latency, estimate.compute_share, kernel.kind, estimate.flops)
            rows.append(
                KernelPrediction(
                    kernel.kind, kernel.nodes, latency, latency / factor, latency * factor, energy, estimate.source,
                    estimate.bound, *known,
                )
            )  # fmt: skip
        return tuple(rows)


def _coverage(estimates: Sequence[Estimate], priced: Sequence[Estimate], added_ms: Floats) -> dict[str, float]:
    total = float(added_ms.sum())
    shares = dict.fromkeys(SOURCES, 0.0)
    for estimate, time in zip(priced, added_ms.tolist(), strict=True):
        shares[estimate.source] += time / total
    shares["unsupported"] = 1.0 - len(priced) / len(estimates) if estimates else 0.0
    return {source: min(float(share), 1.0) for source, share in shares.items()}


def _warnings(
    kernels: Sequence[Kernel], estimates: Sequence[Estimate], missing: Sequence[str], strange_share: float
) -> tuple[str, ...]:
    texts = []
    if missing:
        texts.append(f"{len(missing)} kernels have no price and are left out: {_names(missing)}")
    guessed = [k.kind for k, e in zip(kernels, estimates, strict=True) if e.source == "roofline"]
    if guessed:
        texts.append(f"kinds that were never measured are priced by the roofline alone: {_names(guessed)}")
    if strange_share > STRANGE_SHARE:
        strange = [
            k.kind for k, e in zip(kernels, estimates, strict=True) if e.strange and e.source in ("table", "regressor")
        ]
        if strange:
            texts.append(f"{strange_share:.0%} of the time is in kernels unlike those measured: {_names(strange)}")
    return tuple(texts)


def _names(kinds: Sequence[str]) -> str:
    """The most frequent kinds: ``Softplus (4), Gather``."""
    counts: dict[str, int] = {}
    for kind in kinds:
        counts[kind] = counts.get(kind, 0) + 1
    ordered = sorted(counts, key=lambda kind: (-counts[kind], kind))
    names = [f"{kind} ({counts[kind]})" if counts[kind] > 1 else kind for kind in ordered[:_NAMED]]
    return ", ".join(names) + (f" and {len(ordered) - _NAMED} more kinds" if len(ordered) > _NAMED else "")
