"""``archgauge evaluate``: how right are the predictions?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from archgauge import options


@click.command(
    epilog=options.examples("archgauge evaluate model.onnx", "archgauge evaluate --rounds 3 --json models/*.onnx")
)
@options.files
@options.target
@options.model_options
@options.seconds
@click.option(
    "--rounds", type=click.IntRange(1, 100), default=2, show_default=True, metavar="N",
    help="Times that every model is measured; the differences are the noise.",
)  # fmt: skip
@options.meter
@options.data_dir
@options.json_output
def command(
    files: tuple[Path, ...], target: str | None, seconds: float, rounds: int, meter: str, data_dir: Path,
    as_json: bool, **bindings: Any,
) -> int:  # fmt: skip
    """Predict models, measure them here, and compare.

    The target must be this machine with its present runtime. Slow drift of the machine's speed is divided out of the
    measurements. Exit status 1 if any model cannot be predicted or measured; the others are compared.
    """
    from archgauge.comparing import print_comparisons, print_summary
    from archgauge.errors import about
    from archgauge.evaluating import evaluate
    from archgauge.output import print_json

    result = evaluate(files, target, bindings, seconds=seconds, rounds=rounds, meter=meter, data_dir=data_dir)
    for file, error in result.failures.items():
        click.echo(f"error: {about(file, error)}", err=True)
    if as_json:
        print_json(result.to_json())
    else:
        print_comparisons(result.comparisons, with_energy=result.metered)
        print_summary(result.summary, result.noise_floor)
    return 1 if result.failures else 0
