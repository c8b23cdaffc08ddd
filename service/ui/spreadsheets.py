"""Predictions as CSV, for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

_COLUMNS = (
    "target", "position", "kind", "nodes", "latency_ms", "lower_ms", "upper_ms", "energy_mj", "source", "bound",
    "precision", "flops", "bytes", "live_bytes",
)  # fmt: skip
_SUMMARY = (
    "model", "target", "complete", "latency_ms", "lower_ms", "upper_ms", "energy_mj", "energy_method",
    "peak_memory_bytes", "throughput_per_s", "flops", "parameters", "out_of_distribution", "predictor",
)  # fmt: skip


def kernels_csv(answer: Mapping[str, Any]) -> str:
    """A line per target and kernel; a line per target where the answer has no kernels."""
    predictions = answer["predictions"]
    if any(p.get("kernels") is None for p in predictions):
        return _write(_SUMMARY, [_summary(answer["name"], p) for p in predictions])
    return _write(
        _COLUMNS,
        [
            [p["target"], i, k["kind"], " ".join(k["nodes"]), k["latency_ms"], k["lower"], k["upper"]]
            + [k.get(name) for name in _COLUMNS[7:]]
            for p in predictions
            for i, k in enumerate(p["kernels"], start=1)
        ],
    )


def summary_csv(answers: list[Mapping[str, Any]]) -> str:
    """A line per model and target."""
    return _write(_SUMMARY, [_summary(a["name"], p) for a in answers for p in a["predictions"]])


def _summary(name: str, p: Mapping[str, Any]) -> list[Any]:
    latency, energy = p["latency_ms"], p["energy_mj"] or {}
    return [
        name, p["target"], p["complete"], latency["value"], latency["lower"], latency["upper"], energy.get("value"),
        energy.get("method"), p["peak_memory_bytes"], p["throughput_per_s"], p["flops"], p["parameters"],
        p["out_of_distribution"], p["provenance"]["predictor"],
    ]  # fmt: skip


def _write(columns: tuple[str, ...], lines: list[list[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_harmless(value) for value in line] for line in lines)
    return out.getvalue()


def _harmless(value: Any) -> Any:
    """Spreadsheets run texts that begin like formulas: names of models and nodes are strangers' texts."""
    return "'" + value if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value
