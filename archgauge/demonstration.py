"""The demo: profile, train, serve, ask over HTTP, measure, compare."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from archgauge.comparing import Comparison, print_comparisons, print_summary, summarise
from archgauge.evaluating import sentinel_reference
from archgauge.executors import Executor
from archgauge.measuring import measure_all
from archgauge.networks import real_networks
from archgauge.output import progress
from archgauge.profiling import profile
from archgauge.service_process import running_service
from archgauge.state import open_store
from archgauge.training import print_training
from archgauge_client import Client
from service.training import train

#: How often each network is measured.
ROUNDS = 2


def demonstrate(data_dir: Path, *, budget_s: float, seconds: float, quiet: bool) -> dict[str, Any]:
    """Run the demo in a data directory; returns what ``archgauge evaluate --json`` prints, with the time taken."""
    began = time.monotonic()
    networks = real_networks()
    say = click.echo if not quiet else lambda *_: None
    say(f"1. Profile this CPU with one thread for {budget_s:.0f} s, train on what was measured.")
    with open_store(data_dir) as store:
        with progress("Profiling") as report:
            table = profile(store, executor=Executor(), budget_s=budget_s, report=report)
        with progress("Training") as report:
            training = train(store, store.table(table.version, table.target_id), report=report)
        reference_us = sentinel_reference(store, table.target_id, [table.version])
    if not quiet:
        print_training(training)
    say(f"2. Serve, and send {len(networks)} real networks as ONNX over HTTP; their weights stay here.")
    predictions = _ask(data_dir, networks)
    say(f"3. Really run each of them, {ROUNDS} times over.")
    measured = measure_all(networks, {}, threads=1, seconds=seconds, rounds=ROUNDS, reference_us=reference_us)
    comparisons = [
        Comparison(name, predictions[name], tuple(found[name] for found in measured.rounds))
        for name in networks
        if name not in measured.failures
    ]
    summary = summarise(comparisons, measured.apart_s)
    noise_floor = training.predictor.report.get("noise_floor")
    took_s = time.monotonic() - began
    if not quiet:
        click.echo()
        print_comparisons(comparisons, with_energy=True)
        click.echo()
        print_summary(summary, noise_floor)
        _print_what_next(data_dir, took_s)
    return {
        "target": table.target_id, "predictor": training.predictor.version, "data_dir": str(data_dir),
        "metrics": {**summary, "noise_floor": noise_floor}, "models": [c.to_json() for c in comparisons],
        "failures": [{"file": name, "error": error} for name, error in measured.failures.items()], "seconds": took_s,
    }  # fmt: skip


def _ask(data_dir: Path, networks: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """Predictions by name, from a service that lives as long as it takes."""
    predictions = {}
    with running_service(data_dir) as base_url, Client(base_url) as client, progress("Asking") as report:
        for index, (name, file) in enumerate(networks.items()):
            report(index / len(networks), name)
            predictions[name] = client.predict(file).predictions[0].model_dump(mode="json")
    return predictions


def _print_what_next(data_dir: Path, took_s: float) -> None:
    click.echo(f"\nThat took {took_s:.0f} s. Next, with longer profiling the error goes down:\n")
    click.echo("  .venv/bin/archgauge profile --budget 20m")
    click.echo("  .venv/bin/archgauge predict your-model.onnx")
    click.echo("  .venv/bin/archgauge evaluate your-model.onnx")
    click.echo("  .venv/bin/archgauge serve\n")
    click.echo(f"What the demo made is in {data_dir}; use it with --data-dir, or remove it.")
