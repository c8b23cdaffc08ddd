"""Load a service of one process over HTTP and compare with the same in process.

    python -m benchmarks.serving [--data-dir DIR] [--requests N] [--seconds S]

Serves a copy of the data directory with its promoted predictor; without one, this machine is profiled for a moment
first. Every figure is of one run beside nothing else; ratios are of the same run.
"""

from __future__ import annotations

from pathlib import Path

import click

from archgauge import options
from archgauge.output import stdout
from benchmarks.figures import as_table
from benchmarks.serving.measuring import measure


@click.command()
@options.data_dir
@click.option("--requests", type=click.IntRange(50), default=400, show_default=True, help="Per load.")
@click.option("--seconds", type=click.FloatRange(1), default=20.0, show_default=True, help="Of the endless stream.")
def main(data_dir: Path, requests: int, seconds: float) -> None:
    """Load a service and print what it took."""
    stdout().print(as_table(measure(data_dir, requests, seconds)))


if __name__ == "__main__":
    main()
