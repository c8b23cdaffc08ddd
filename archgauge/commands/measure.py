"""``archgauge measure``: how long models really take here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from archgauge import options


@click.command(
    epilog=options.examples(
        "archgauge measure model.onnx",
        "archgauge measure --threads 2 --batch-size 8 --json *.onnx",
        "archgauge measure --meter rapl model.onnx",
        "archgauge measure --provider cuda --option use_tf32=0 model.onnx",
    )
)
@options.files
@options.target
@options.model_options
@options.executor
@options.seconds
@options.meter
@options.data_dir
@options.json_output
def command(
    files: tuple[Path, ...], target: str | None, threads: int | None, provider: str | None, runtime: str | None,
    runtime_options: dict[str, str], seconds: float, meter: str, data_dir: Path, as_json: bool, **bindings: Any,
) -> int:  # fmt: skip
    """Run whole models here under the measuring protocol, with the target's provider and threads.

    Models whose weights are missing run with stand-in weights. Exit status 1 if any model cannot be measured; the
    others are.
    """
    from archgauge import models
    from archgauge.errors import about
    from archgauge.measuring import executor_of, measure_all
    from archgauge.output import milliseconds, print_json, stdout, table
    from archgauge.prediction_text import measured_energy

    chosen = executor_of(target, data_dir).changed(threads, provider, runtime, runtime_options)
    every = dict(zip(files, files, strict=True))
    found = measure_all(every, bindings, executor=chosen, seconds=seconds, meter=meter)
    for file, error in found.failures.items():
        click.echo(f"error: {about(file, error)}", err=True)
    if as_json:
        rows = [
            {"file": str(file), **found.rounds[0][file].to_json()}
            if file in found.rounds[0]
            else {"file": str(file), "error": found.failures[file]}
            for file in files
        ]
        print_json(rows)
    elif found.rounds[0]:
        names = models.names(files)
        rows_for_people = table(
            "model", "median ms", "p10", "p90", "MAD", "runs", "peak MiB", "energy", "notes", words=("energy", "notes")
        )
        for file, m in found.rounds[0].items():
            memory = "–" if m.peak_memory_bytes is None else f"{m.peak_memory_bytes / 2**20:.1f}"
            notes = "; ".join(filter(None, ["" if m.settled else "unsettled", m.perturbation, m.energy_note]))
            times = (milliseconds(value) for value in (m.median_ms, m.p10_ms, m.p90_ms, m.mad_ms))
            rows_for_people.add_row(names[file], *times, f"{m.runs:,}", memory, measured_energy(m.energy), notes)
        stdout().print(rows_for_people)
    return 1 if found.failures else 0
