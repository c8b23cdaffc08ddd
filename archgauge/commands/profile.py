"""``archgauge profile``: measure this machine, train, promote."""

from __future__ import annotations

from pathlib import Path

import click

from archgauge import options

PRECISIONS = ("fp32", "int8", "fp16")


def _precisions(text: str) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if not set(chosen) <= set(PRECISIONS):
        raise click.BadParameter(f"{text!r} should name some of {', '.join(PRECISIONS)}, separated by commas")
    return chosen


@click.command(
    epilog=options.examples(
        "archgauge profile --budget 10m",
        "archgauge profile --threads 2 --name my-laptop-2t",
        "archgauge profile --provider cuda --precision fp32,fp16",
    )
)
@options.executor
@click.option(
    "--budget", type=options.duration, default="10m", show_default=True, metavar="TIME",
    help="Time to spend on measuring, all precisions together: 10m, 90s, 1h30m.",
)  # fmt: skip
@click.option(
    "--precision", "precisions", type=_precisions, default="fp32", show_default=True, metavar="LIST",
    help="What to measure: fp32, int8, fp16 or several, separated by commas.",
)  # fmt: skip
@click.option("--name", metavar="ALIAS", help="A name for this target, beside its id.")
@options.meter
@options.data_dir
@options.json_output
def command(
    threads: int | None, provider: str | None, runtime: str | None, runtime_options: dict[str, str], budget: float,
    precisions: tuple[str, ...], name: str | None, meter: str, data_dir: Path, as_json: bool,
) -> None:  # fmt: skip
    """Measure this machine into a lookup table, train on it, and let it answer unless it is worse than before.

    Prints the error on networks that were not trained on, and the noise floor. A run that was stopped (Ctrl-C loses at
    most the network under way) is continued by the same command. Profiling again extends the last version. With a meter
    of energy, up to a quarter of the time goes to windows from which the power of kernels is fitted.
    """
    from archgauge.executors import Executor
    from archgauge.output import print_json, progress
    from archgauge.profiling import profile
    from archgauge.state import open_store
    from archgauge.training import print_training, to_json
    from service.training import train

    with open_store(data_dir) as store:
        with progress("Profiling") as report:
            table = profile(
                store,
                executor=Executor().changed(threads, provider, runtime, runtime_options),
                budget_s=budget,
                precisions=precisions,
                alias=name,
                meter=meter,
                report=report,
            )
        with progress("Training") as report:
            training = train(store, store.table(table.version, table.target_id), report=report)
    if as_json:
        print_json(to_json(training))
    else:
        print_training(training)
