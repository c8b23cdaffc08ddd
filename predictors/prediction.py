"""Predictions as values, and their JSON: the objects in ``predictions`` of an answer of ``POST /v1/predictions``.

Latencies are milliseconds, energies millijoules, sizes bytes. What cannot be said is None, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from predictors.energy import EnergyEstimate
from predictors.estimates import Source

#: Whose measurements a prediction rests on.
Origin = Literal["own", "reference"]

SOURCES: tuple[Source, ...] = ("table", "regressor", "roofline", "unsupported")


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the interval that holds it at the asked confidence; ``upper`` is None where it is a lower bound."""

    value: float
    lower: float
    upper: float | None

    def to_json(self) -> dict[str, float | None]:
        return {"value": self.value, "lower": self.lower, "upper": self.upper}


@dataclass(frozen=True, slots=True)
class KernelPrediction:
    """One kernel; times are None where no source can price it."""

    kind: str
    nodes: tuple[str, ...]
    latency_ms: float | None
    lower: float | None
    upper: float | None
    energy_mj: float | None
    source: Source
    #: ``compute``, ``memory`` or ``launch``: what the baseline says limits it.
    bound: str | None
    #: ``fp32``, ``int8`` …: the element type in which it computes.
    precision: str
    flops: int
    #: Bytes read and written by definition of the operator, everything once.
    bytes: int
    #: Bytes of activations that are alive while it runs.
    live_bytes: int

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "nodes": list(self.nodes)}


@dataclass(frozen=True, slots=True)
class Provenance:
    """Versions that made a prediction."""

    tables: tuple[str, ...]
    predictor: str
    runtime: str
    protocol: int
    #: ``reference``: measured by others, and came with the package.
    origin: Origin = "own"

    def to_json(self) -> dict[str, Any]:
        return {
            "tables": list(self.tables), "predictor": self.predictor, "runtime": self.runtime,
            "protocol": self.protocol, "origin": self.origin,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one run of the whole batch costs on a target. Kernel latencies and overhead sum to the latency."""

    target: str
    #: False where kernels without a price were left out: the latency is a lower bound then.
    complete: bool
    latency_ms: Interval
    overhead_ms: float
    #: Samples per second where all inputs share their first dimension (the batch), else runs per second.
    throughput_per_s: float
    energy_mj: EnergyEstimate | None
    peak_memory_bytes: int | None
    flops: int
    parameters: int
    confidence: float
    #: Shares of the priced time by source; ``unsupported`` is a share of the kernels by count.
    coverage: dict[str, float]
    out_of_distribution: bool
    warnings: tuple[str, ...]
    provenance: Provenance
    #: None unless asked for.
    kernels: tuple[KernelPrediction, ...] | None = field(default=None, repr=False)
    #: With the kernels: what `predictors.details` says of the whole.
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "target": self.target, "complete": self.complete, "latency_ms": self.latency_ms.to_json(),
            "overhead_ms": self.overhead_ms, "throughput_per_s": self.throughput_per_s,
            "energy_mj": self.energy_mj.to_json() if self.energy_mj is not None else None,
            "peak_memory_bytes": self.peak_memory_bytes, "flops": self.flops, "parameters": self.parameters,
            "confidence": self.confidence, "coverage": dict(self.coverage),
            "out_of_distribution": self.out_of_distribution, "warnings": list(self.warnings),
            "provenance": self.provenance.to_json(),
        }  # fmt: skip
        if self.kernels is not None:
            data.update(self.details)
            data["kernels"] = [kernel.to_json() for kernel in self.kernels]
        return data
