"""Real models: predicted, and measured in two rounds that are at least ten minutes apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from archgauge.comparing import Comparison, KindTimes, describe_kinds, describe_sizes
from archgauge.evaluating import evaluate
from graphs import GraphError, graph_hash, lower, prepare, read
from lookup_tables import Table
from predictors import Predictor, metrics

SECONDS = 1.5


def measure(files: Sequence[Path], data_dir: Path) -> dict[str, Any]:
    """One round over all models, as ``archgauge evaluate --json`` prints it, and what sort of model each is."""
    found = evaluate(files, None, {}, seconds=SECONDS, rounds=1, data_dir=data_dir)
    return {**found.to_json(), "sorts": {file.name: sort_of(file) for file in files}}


def sort_of(file: Path) -> str:
    """``int8``, ``language`` (token ids go in) or ``vision``."""
    try:
        graph = prepare(read(file.read_bytes()))
    except GraphError:
        return "unreadable"
    if any(node.op.startswith(("QLinear", "QGemm", "DequantizeLinear", "MatMulInteger")) for node in graph.nodes):
        return "int8"
    return "language" if any(graph.types[name].dtype.startswith("int") for name in graph.inputs) else "vision"


def merge(first: Mapping[str, Any], second: Mapping[str, Any], apart_s: float) -> dict[str, Any]:
    """Metrics by sort over models that both rounds measured."""
    later = {model["file"]: model for model in second["models"]}
    pairs = [(model, later[model["file"]]) for model in first["models"] if model["file"] in later]
    sorts = sorted({first["sorts"][a["file"]] for a, _ in pairs})
    return {
        "apart_s": apart_s,
        "noise_floor_of_profile": first["metrics"]["noise_floor"],
        "sorts": {s: _described([p for p in pairs if first["sorts"][p[0]["file"]] == s]) for s in sorts},
        "models": [_row(a, b, first["sorts"][a["file"]]) for a, b in pairs],
        "kernel_kinds": describe_kinds([_kinds(a) for a, _ in pairs]),
    }


def _row(a: Mapping[str, Any], b: Mapping[str, Any], sort: str) -> dict[str, Any]:
    latency = a["predicted"]["latency_ms"]
    measured = fmean((a["measured_ms"], b["measured_ms"]))
    return {
        "model": a["file"], "sort": sort, "measured_ms": measured, "predicted_ms": latency["value"],
        "error": latency["value"] / measured - 1.0, "lower_ms": latency["lower"], "upper_ms": latency["upper"],
        "inside": latency["upper"] is not None and latency["lower"] <= measured <= latency["upper"],
        "difference": abs(a["measured_ms"] - b["measured_ms"]) / measured, "memory_error": a["peak_memory_error"],
        "flagged": a["predicted"]["out_of_distribution"],
    }  # fmt: skip


def _described(pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> dict[str, Any]:
    rows = [_row(a, b, "") for a, b in pairs]
    predicted, measured = (np.array([row[name] for row in rows]) for name in ("predicted_ms", "measured_ms"))
    memory = [abs(row["memory_error"]) for row in rows if row["memory_error"] is not None]
    noise = fmean(row["difference"] for row in rows)
    return {
        "models": len(rows), "mape": metrics.mape(predicted, measured), "noise_floor": noise,
        "median_ape": metrics.median_ape(predicted, measured), "within_10": metrics.within(predicted, measured, 0.1),
        "within_5": metrics.within(predicted, measured, 0.05), "bias": metrics.bias(predicted, measured),
        "worst": float(np.max(np.abs(predicted / measured - 1.0))),
        "spearman": metrics.spearman(predicted, measured), "inside": fmean(row["inside"] for row in rows),
        "median_width": float(np.median([(r["upper_ms"] - r["lower_ms"]) / r["predicted_ms"] for r in rows])),
        "memory_within_10": fmean(error <= 0.1 for error in memory) if memory else None,
        "sizes": describe_sizes([_kinds(a) for a, _ in pairs]),
    }  # fmt: skip


def coincidences(files: Sequence[Path], predictor: Predictor, table: Table) -> dict[str, Any]:
    """What of the models was measured exactly: networks (there must be none), and the share of kernels and of time."""
    measured = {m.model for m in table.measurements if m.model is not None}
    equal, shares = [], []
    for file in files:
        try:
            graph = prepare(read(file.read_bytes()))
            kernels = lower(graph, predictor.target.lowering)
        except GraphError:
            continue
        if graph_hash(graph) in measured:
            equal.append(file.name)
        known = predictor.estimator.table.find(kernels) >= 0
        time_us = np.array([estimate.time_us for estimate in predictor.estimate(kernels)])
        shares.append((float(known.mean()), float(time_us[known].sum() / max(time_us.sum(), 1e-9))))
    return {
        "models": len(shares), "equal_networks": equal, "kernels": float(np.mean([s[0] for s in shares])),
        "time": float(np.mean([s[1] for s in shares])),
    }  # fmt: skip


class _Known(Comparison):
    """A comparison that was read back, measured once."""

    @property
    def measured_ms(self) -> float:
        return float(self.prediction["measured_ms"])


def _kinds(model: Mapping[str, Any]) -> Comparison:
    kinds = {k["kind"]: KindTimes(k["kernels"], k["predicted_ms"], k["measured_ms"]) for k in model["kernel_kinds"]}
    return _Known(model["file"], {**model["predicted"], "measured_ms": model["measured_ms"]}, (), kinds)
