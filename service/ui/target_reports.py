"""What a target's page shows: the report of a predictor's training, made into tables and points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

from service.db import PredictorRecord, PromotionRecord
from service.ui.results import sources

#: Errors above this share are drawn as if they were this large.
_LARGEST_BAR = 0.5


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """Errors of a kernel kind or of a family of networks."""

    name: str
    #: Rows measured, or networks.
    number: int
    #: Share of the measured time; None for families.
    share: float | None
    mape: float
    bias: float | None
    #: Distinct kernels in the table; None for families.
    kernels: int | None = None

    @property
    def bar(self) -> float:
        return min(self.mape / _LARGEST_BAR, 1.0)


@dataclass(frozen=True, slots=True)
class Version:
    """A predictor in a target's history."""

    record: PredictorRecord
    #: When it was promoted, and with which note, the last time first.
    promotions: list[PromotionRecord]
    current: bool

    @property
    def created_at(self) -> str:
        return self.record.created_at.isoformat()

    @property
    def accuracy(self) -> Mapping[str, Any]:
        return self.record.report.get("accuracy") or {}


def kinds(report: Mapping[str, Any], manifest: Mapping[str, Any] | None) -> list[ErrorRow]:
    """Errors by kernel kind, by falling share of time, with the distinct kernels that the table has of it."""
    counts = ((manifest or {}).get("counts") or {}).get("distinct_kernels_by_kind") or {}
    return [
        ErrorRow(r["kind"], r["rows"], r["time_share"], r["mape"], r["bias"], counts.get(r["kind"]))
        for r in (report.get("kernels") or {}).get("kinds", [])
    ]


@dataclass(frozen=True, slots=True)
class Covered:
    """How much of what networks consist of was measured."""

    kernels: int
    kinds: int
    networks: int
    regressors: int
    #: Who answers for networks that nothing was trained on, as `service.ui.results.sources` gives it.
    sources: list[tuple[str, float, float]]


def covered(report: Mapping[str, Any]) -> Covered | None:
    """What a predictor's training saw; None where its report does not say."""
    seen = report.get("measured") or {}
    if not {"kernels", "kinds", "networks", "regressors"} <= seen.keys():
        return None
    parts = sources(report.get("coverage") or {})
    return Covered(seen["kernels"], seen["kinds"], seen["networks"], seen["regressors"], parts)


def families(report: Mapping[str, Any]) -> list[ErrorRow]:
    """Errors by family of the networks that nothing was trained on, the worst first."""
    members: dict[str, list[float]] = {}
    for network in report.get("networks") or []:
        error = network["predicted_us"] / network["measured_us"] - 1.0
        members.setdefault(family(network["context"]), []).append(error)
    rows = [ErrorRow(name, len(e), None, fmean(map(abs, e)), fmean(e)) for name, e in members.items()]
    return sorted(rows, key=lambda row: (-row.mape, row.name))


def points(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Predicted and measured milliseconds of every network, for the chart."""
    return [
        {
            "family": family(n["context"]), "name": n["context"], "measured": n["measured_us"] / 1e3,
            "predicted": n["predicted_us"] / 1e3, "lower": n["lower_us"] / 1e3, "upper": n["upper_us"] / 1e3,
        }
        for n in report.get("networks") or []
    ]  # fmt: skip


def calibration(report: Mapping[str, Any]) -> list[tuple[float, float]]:
    """(nominal, observed) shares of measurements inside their intervals."""
    coverages = (report.get("accuracy") or {}).get("interval_coverages") or {}
    return sorted((float(nominal), observed) for nominal, observed in coverages.items())


def family(context: str) -> str:
    """``mbconv`` of ``mbconv:17``."""
    return context.rpartition(":")[0].removesuffix("-whole") or context


def versions(
    records: Sequence[PredictorRecord], promotions: Sequence[PromotionRecord]
) -> list[Version]:  # fmt: skip
    """The history of a target's predictors, newest first; ``promotions`` are all that there were, newest first."""
    current = promotions[0].predictor.version if promotions else None
    return [
        Version(r, [p for p in promotions if p.predictor.version == r.version], r.version == current) for r in records
    ]


def device_facts(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is known of a target's device and runtime, in words."""
    device = document.get("device") or {}
    caches = ", ".join(f"{name} {_binary(size)}" for name, size in (device.get("caches") or {}).items())
    facts = [
        ("Processor", device.get("cpu_model")), ("Cores", device.get("cores")), ("Caches", caches),
        ("Memory", f"{device['memory_gib']} GiB" if device.get("memory_gib") else None),
        ("Extensions", ", ".join(device.get("isa") or ())),
        ("Accelerators", ", ".join(device.get("accelerators") or ())),
        ("System", f"{device.get('os', '')} {device.get('os_version', '')}".strip()),
        ("Virtual machine", "yes" if device.get("virtualised") else None),
        ("Runtime", f"{document.get('runtime', '')} {document.get('runtime_version', '')}".strip()),
        ("Provider", document.get("provider")), ("Threads", document.get("threads")),
        ("Power mode", document.get("power_mode")),
    ]  # fmt: skip
    return [(label, str(value)) for label, value in facts if value]


def day(seconds: float) -> str:
    """Unix time as RFC 3339, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _binary(size: int) -> str:
    return f"{size / 2**20:g} MiB" if size >= 2**20 else f"{size / 2**10:g} KiB"
