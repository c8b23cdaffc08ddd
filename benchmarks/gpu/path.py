"""Profile → train → whole models → report, with the commands' own functions, into one folder."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from archgauge.evaluating import Evaluation, evaluate
from archgauge.executors import Executor
from archgauge.networks import real_networks
from archgauge.output import percent, progress
from archgauge.profiling import profile
from archgauge.state import open_store
from graphs import GraphError, lower, prepare
from lookup_tables import Target, export_table
from profilers import MeasurementFailed, observe_lowering
from service.training import train

#: Shares of the whole time: for profiling and metering, and of that for metering. Training and the check of whole
#: models (some eleven seconds each, with energy) take the rest.
PROFILING_SHARE, METERING_SHARE = 0.58, 0.6

#: What is asked for: errors of whole models that were not profiled.
WANTED = 0.08


@dataclass
class Facts:
    """What was found, for the report."""

    target: Target
    made_up: bool
    seconds: dict[str, float] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    lowering: dict[str, Any] = field(default_factory=dict)
    models: Mapping[str, Any] = field(default_factory=dict)
    energy: Mapping[str, Any] | None = None


def carry_out(folder: Path, executor: Executor, limit_s: float, models: int, *, made_up: bool) -> str:
    """Do it all within about ``limit_s`` seconds; returns the report's text."""
    data_dir = (folder / "data").absolute()
    facts = Facts(executor.target(), made_up)
    files = dict(list(real_networks().items())[:models])
    begun = time.monotonic()
    with open_store(data_dir) as store:
        with progress("Profiling") as report:
            table = profile(
                store, executor=executor, budget_s=limit_s * PROFILING_SHARE, precisions=("fp32", "fp16"), alias="gpu",
                meter="auto", metering_share=METERING_SHARE, report=report,
            )  # fmt: skip
        begun = _note(facts, "profiling and metering", begun)
        with progress("Training") as report:
            trained = train(store, store.table(table.version, table.target_id), report=report)
        begun = _note(facts, "training", begun)
        export_table(table, folder / "table.zip")
    facts.training = dict(trained.predictor.report)
    facts.lowering = _check_lowering(files, executor, facts.target)
    begun = _note(facts, "checking lowering", begun)
    found = evaluate(list(files.values()), "gpu", {}, seconds=1.0, rounds=1, data_dir=data_dir, meter="auto", trials=1)
    _note(facts, "whole models", begun)
    facts.models, facts.energy = found.summary, _energy(found, facts.training)
    (folder / "models.json").write_text(json.dumps(found.to_json(), indent=1) + "\n")
    (folder / "report.json").write_text(json.dumps(_to_json(facts), indent=1) + "\n")
    text = _words(facts, found)
    (folder / "report.md").write_text(text)
    return text


def _note(facts: Facts, what: str, begun: float) -> float:
    now = time.monotonic()
    facts.seconds[what] = round(now - begun, 1)
    return now


def _check_lowering(files: Mapping[str, Path], executor: Executor, target: Target) -> dict[str, Any]:
    """By model: whether our kernels are those that the runtime makes, and what differs."""
    result: dict[str, Any] = {}
    with progress("Lowering") as report:
        for index, (name, file) in enumerate(files.items()):
            report(index / len(files), name)
            try:
                ours = lower(prepare(file.read_bytes()), target.lowering)
                theirs = observe_lowering(file, runtime=executor.runtime, provider=executor.provider)
            except (GraphError, MeasurementFailed) as error:
                result[name] = {"equal": False, "error": str(error)}
                continue
            mine, its = Counter(k.key for k in ours), Counter(k.key for k in theirs)
            kinds = {k.key: k.kind for k in (*ours, *theirs)}
            result[name] = {
                "equal": mine == its, "kernels": len(theirs),
                "only_ours": dict(Counter(kinds[key] for key in (mine - its).elements())),
                "only_runtime": dict(Counter(kinds[key] for key in (its - mine).elements())),
            }  # fmt: skip
    return result


def _energy(found: Evaluation, training: Mapping[str, Any]) -> dict[str, Any] | None:
    """Errors of the energy of whole models, and of constant power times predicted time; None where none was metered."""
    constant_w = (training.get("energy") or {}).get("constant_w")
    metered = [c for c in found.comparisons if c.energy_error is not None and c.measured_mj]
    if not metered or constant_w is None:
        return None
    baseline = [constant_w * c.predicted_ms / (c.measured_mj or 1.0) - 1.0 for c in metered]
    return {
        "models": len(metered), "mape": fmean(abs(c.energy_error or 0.0) for c in metered),
        "bias": fmean(c.energy_error or 0.0 for c in metered), "constant_w": constant_w,
        "constant_power_mape": fmean(map(abs, baseline)),
        "method": metered[0].prediction["energy_mj"]["method"], "scope": metered[0].prediction["energy_mj"]["scope"],
    }  # fmt: skip


def _to_json(facts: Facts) -> dict[str, Any]:
    return {
        "made_up": facts.made_up, "target": facts.target.to_json(), "seconds": facts.seconds,
        "training": facts.training, "lowering": facts.lowering, "whole_models": facts.models, "energy": facts.energy,
    }  # fmt: skip


def _words(facts: Facts, found: Evaluation) -> str:
    device = facts.target.device
    lines = [f"# {', '.join(device.accelerators)}", ""]
    if facts.made_up:
        lines += ["**A rehearsal with a made-up GPU: no figure here says anything about hardware.**", ""]
    lines += [
        f"Target `{facts.target.id}`, host {device.cpu_model}.",
        f"Seconds: {', '.join(f'{name} {seconds:.0f}' for name, seconds in facts.seconds.items())}.", "",
        "| model | predicted ms | measured ms | error | on the device ms | energy mJ | error |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for c in found.comparisons:
        device_ms = c.rounds[0].device_ms
        cells = (
            c.name, f"{c.predicted_ms:.3f}", f"{c.measured_ms:.3f}", f"{c.error:+.1%}",
            "–" if device_ms is None else f"{device_ms:.3f}",
            "–" if c.measured_mj is None else f"{c.measured_mj:.3g}",
            "–" if c.energy_error is None else f"{c.energy_error:+.1%}",
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *_summary(facts), *(f"- {file.name}: {error}" for file, error in found.failures.items()), ""]
    return "\n".join(lines)


def _summary(facts: Facts) -> list[str]:
    equal = sum(found["equal"] for found in facts.lowering.values())
    lines = [f"- {equal} of {len(facts.lowering)} networks are lowered as the runtime does."]
    if facts.models.get("models"):
        lines.append(
            f"- Latency of {facts.models['models']} models that were not profiled: MAPE "
            f"{percent(facts.models['mape'])} (wanted: {percent(WANTED, 0)})."
        )
    windows = facts.training.get("energy") or {}
    if facts.energy is None:
        why = windows.get("why_not") or "no meter could be read"
        return [*lines, f"- Energy: nothing to compare ({why})."]
    lines.append(
        f"- Energy of {facts.energy['models']} of them ({facts.energy['method']}, {facts.energy['scope']}, from "
        f"{windows.get('windows')} windows): MAPE {percent(facts.energy['mape'])} (wanted: {percent(WANTED, 0)}), and "
        f"{percent(facts.energy['constant_power_mape'])} with constant power times predicted time."
    )
    return lines
