"""``archgauge predict``: what models will cost, without running them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from archgauge import options


@click.command(
    epilog=options.examples(
        "archgauge predict model.onnx",
        "archgauge predict --batch-size 8 --dim sequence=128 --kernels bert.onnx",
        "archgauge predict --json *.onnx",
    )
)
@options.files
@options.target
@options.model_options
@click.option("--kernels", is_flag=True, help="List every kernel with its estimate and who made it.")
@click.option(
    "--confidence", type=click.FloatRange(0.5, 0.999), default=0.9, show_default=True, metavar="P",
    help="Nominal coverage of the intervals.",
)  # fmt: skip
@click.option("--no-strict", is_flag=True, help="Give a lower bound where some kernels cannot be priced.")
@options.data_dir
@options.json_output
def command(
    files: tuple[Path, ...], target: str | None, kernels: bool, confidence: float, no_strict: bool, data_dir: Path,
    as_json: bool, **bindings: Any,
) -> int:  # fmt: skip
    """Predict what models will cost on a target, without running them.

    Needs a predictor: make one with `archgauge profile`. Exit status 1 if any model cannot be predicted; the others
    are.
    """
    from archgauge.errors import about, explain
    from archgauge.local import LocalPricing
    from archgauge.output import print_json, progress
    from archgauge.prediction_text import print_prediction

    answers: list[dict[str, Any]] = []
    failed = 0
    with LocalPricing(data_dir) as pricing, progress("Predicting") as report:
        pricing.require([target] if target else [])
        for index, file in enumerate(files):
            report(index / len(files), file.name)
            try:
                answer = pricing.answer(
                    file, [target] if target else [], detail="kernels" if kernels else "summary",
                    confidence=confidence, strict=not no_strict, **bindings,
                )  # fmt: skip
            except Exception as error:
                line = explain(error)
                if line is None:
                    raise
                failed += 1
                answer = {"name": str(file), "predictions": [], "error": about(file, line)}
            answers.append(answer)
    if as_json:
        print_json(answers)
    for file, answer in zip(files, answers, strict=True):
        if "error" in answer:
            click.echo(f"error: {answer['error']}", err=True)
        elif not as_json:
            print_prediction(file.name, answer)
    return 1 if failed else 0
