"""Send what nobody should send, and kill what should not die.

    python -m benchmarks.robustness schema [--examples 100]
    python -m benchmarks.robustness mutated [--number 10000]
    python -m benchmarks.robustness soak [--duration 10m]

Each fails where something was found. All of them serve a copy of the data directory's promoted predictor; without one,
this machine is profiled for a moment first.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from archgauge import options
from archgauge.output import stdout
from benchmarks.figures import Figure, as_table
from benchmarks.robustness import checks
from benchmarks.robustness.soak import soak as run_soak

database = click.option(
    "--database", type=click.Choice(["sqlite", "postgresql"]), default="postgresql", show_default=True
)


@click.group()
def main() -> None:
    """The service under stress."""


@main.command()
@options.data_dir
@database
@click.option("--examples", default=100, show_default=True, help="Requests per endpoint that are made up.")
@click.option("--seed", default=1, show_default=True)
def schema(data_dir: Path, database: str, examples: int, seed: int) -> None:
    """schemathesis over the whole OpenAPI document."""
    _end(checks.schema(data_dir, database, examples, seed))


@main.command()
@options.data_dir
@database
@click.option("--number", default=10_000, show_default=True, help="Damaged bodies.")
@click.option("--seed", default=1, show_default=True)
def mutated(data_dir: Path, database: str, number: int, seed: int) -> None:
    """Damaged ONNX and JSON bodies: no 5xx, no hang, no crash, memory bounded."""
    _end(checks.mutated(data_dir, database, number, seed))


@main.command()
@options.data_dir
@click.option("--duration", type=options.duration, default="10m", show_default=True, help="Of the load.")
def soak(data_dir: Path, duration: float) -> None:
    """Mixed load at 80 % of capacity while parts are promoted, killed and restarted."""
    _end(run_soak(data_dir, duration))


def _end(figures: Sequence[Figure]) -> None:
    stdout().print(as_table(figures))
    sys.exit(1 if any(figure.met is False for figure in figures) else 0)


if __name__ == "__main__":
    main()
