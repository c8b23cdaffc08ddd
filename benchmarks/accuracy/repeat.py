"""Whether measuring repeats: kernels and whole networks of the table once more, in a new process, later."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.contexts import family_and_seed
from lookup_tables import Measurement, PlanItem, Table
from profilers import carry_out

#: Networks measured again.
WHOLES = 20


def repeat(table: Table, reference_us: float | None) -> dict[str, Any]:
    """Relative differences of the second measurement to the first, drift divided out of both."""
    begun = {m.context: m for m in table.measurements if m.mode == "whole_model" and m.ok and m.split != "train"}
    inside = {m.context for m in table.measurements if m.mode == "in_network" and m.ok}
    candidates = sorted(context for context in begun if context in inside and begun[context].repetition == 0)
    chosen = [candidates[i] for i in np.random.default_rng(0).permutation(len(candidates))[:WHOLES]]
    items = [PlanItem(*family_and_seed(context), "network+whole", begun[context].split) for context in chosen]
    with tempfile.TemporaryDirectory() as folder:
        again = carry_out(items, table.target, Path(folder) / "spool", 600.0, reference_us=reference_us)
    first = _labels(table.measurements, set(chosen))
    second = _labels(again, set(chosen))
    apart = [m.started_at - begun[m.context].started_at for m in again if m.mode == "whole_model"]
    return {
        "minutes_apart": float(np.median(apart)) / 60.0,
        "wholes": _differences(first, second, lambda key: key[1] is None),
        "kernels": _differences(first, second, lambda key: key[1] is not None),
        "kernels_over_10_us": _differences(first, second, lambda key: key[1] is not None and first[key] > 10.0),
        "kernels_under_10_us": _differences(first, second, lambda key: key[1] is not None and first[key] <= 10.0),
    }


_Key = tuple[str, int | None]


def _labels(measurements: Sequence[Measurement], contexts: set[str]) -> dict[_Key, float]:
    """Microseconds by network and place in it (None for the whole); the first measurement of each counts."""
    labels: dict[_Key, float] = {}
    for m in measurements:
        if m.context in contexts and m.ok and m.latency_us is not None and m.mode != "isolated" and m.repetition == 0:
            labels.setdefault((m.context, m.position if m.mode == "in_network" else None), m.latency_us)
    return labels


def _differences(first: dict[_Key, float], second: dict[_Key, float], chosen: Any) -> dict[str, float | int]:
    pairs = np.array([(first[k], second[k]) for k in first if k in second and chosen(k)]).reshape(-1, 2)
    if not len(pairs):
        return {"n": 0}
    relative = np.abs(pairs[:, 1] / pairs[:, 0] - 1.0)
    return {
        "n": len(pairs), "median": float(np.median(relative)), "mean": float(relative.mean()),
        "p90": float(np.quantile(relative, 0.9)),
        "by_time": float(np.average(relative, weights=pairs[:, 0])),
    }  # fmt: skip
