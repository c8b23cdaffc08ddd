"""``archgauge train``: a predictor from a table that is there already."""

from __future__ import annotations

from pathlib import Path

import click

from archgauge import options


@click.command(epilog=options.examples("archgauge train", "archgauge train --target my-cpu --table v0002-1a2b3c4d"))
@options.target
@click.option("--table", "version", metavar="VERSION", help="The table's version (default: the target's newest).")
@options.seed
@options.data_dir
@options.json_output
def command(target: str | None, version: str | None, seed: int, data_dir: Path, as_json: bool) -> None:
    """Train a predictor on a lookup table, and let it answer unless it is worse than the one before.

    Without --target, the table that was made or imported last is taken.
    """
    from archgauge.errors import CommandError
    from archgauge.output import print_json, progress
    from archgauge.state import open_store
    from archgauge.training import print_training, to_json
    from service.training import train

    with open_store(data_dir) as store:
        tables = [store.table(version, target)] if version else store.tables(target)
        if not tables:
            raise CommandError("there is no lookup table to train on; make one with: archgauge profile")
        with progress("Training") as report:
            training = train(store, tables[0], seed=seed, report=report)
    if as_json:
        print_json(to_json(training))
    else:
        print_training(training)
