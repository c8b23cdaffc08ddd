"""Predictions for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archgauge.output import coverage, milliseconds, stdout, table

if TYPE_CHECKING:
    from profilers.meters.trials import EnergyMeasurement


def print_prediction(name: str, answer: Mapping[str, Any]) -> None:
    """One answer of the service: a paragraph per target, and its kernels where they were asked for."""
    console = stdout()
    for prediction in answer["predictions"]:
        console.print(f"[bold]{name}[/bold] on {prediction['target']}")
        for label, text in _facts(prediction):
            console.print(f"  {label:<12}{text}", markup=False)
        if prediction.get("kernels"):
            console.print(_kernels(prediction["kernels"]))


def interval(estimate: Mapping[str, Any]) -> str:
    """``3.41 (3.22 – 3.66)``; open at the top where the value is a lower bound."""
    upper = "?" if estimate["upper"] is None else milliseconds(estimate["upper"])
    return f"{milliseconds(estimate['value'])} ({milliseconds(estimate['lower'])} – {upper})"


def energy(estimate: Mapping[str, Any] | None) -> str:
    """``41.0 mJ (28.0 – 60.0), tdp_guess``; "unknown" where it cannot be said."""
    if estimate is None:
        return "unknown"
    value, lower, upper = (_three_digits(estimate[key]) for key in ("value", "lower", "upper"))
    return f"{value} mJ ({lower} – {upper}), {estimate['method']}"


def measured_energy(found: EnergyMeasurement | None) -> str:
    """``41.0 ± 0.6 mJ net, 55.2 gross, package+dram by rapl``; a dash where there is none."""
    if found is None:
        return "–"
    spread = "" if found.net_half_width_mj is None else f" ± {_three_digits(found.net_half_width_mj)}"
    net, gross = _three_digits(found.net_mj), _three_digits(found.gross_mj)
    return f"{net}{spread} mJ net, {gross} gross, {found.scope} by {found.meter}"


def _three_digits(value: float) -> str:
    return f"{value:.3g}" if value < 999.5 else f"{value:,.0f}"


def _facts(prediction: Mapping[str, Any]) -> list[tuple[str, str]]:
    latency = interval(prediction["latency_ms"])
    bound = "" if prediction["complete"] else ", a lower bound: some kernels have no price"
    facts = [
        ("latency", f"{latency} ms at {prediction['confidence']:.0%}{bound}"),
        ("throughput", f"{prediction['throughput_per_s']:.4g} samples per second"),
        ("energy", energy(prediction["energy_mj"])),
        ("memory", f"{prediction['peak_memory_bytes'] / 2**20:.1f} MiB at the peak, constants included"),
        ("size", f"{prediction['flops'] / 1e9:.3g} GFLOPs, {prediction['parameters'] / 1e6:.3g} M parameters"),
        ("answered by", coverage(prediction["coverage"])),
        ("made by", _made_by(prediction["provenance"])),
    ]
    return facts + [("warning", text) for text in prediction["warnings"]]


def _made_by(provenance: Mapping[str, Any]) -> str:
    whose = ", from a reference that came with ArchGauge" if provenance.get("origin") == "reference" else ""
    return f"predictor {provenance['predictor']}, {provenance['runtime']}{whose}"


def _kernels(kernels: list[Mapping[str, Any]]) -> Any:
    result = table("kernel", "ms", "low", "high", "source", "bound", "nodes", words=("source", "bound", "nodes"))
    for kernel in kernels:
        nodes = ", ".join(kernel["nodes"])
        result.add_row(
            kernel["kind"], *(milliseconds(kernel[key]) for key in ("latency_ms", "lower", "upper")),
            kernel["source"], kernel["bound"] or "–", nodes if len(nodes) < 40 else nodes[:37] + "…",
        )  # fmt: skip
    return result
