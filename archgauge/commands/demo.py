"""``archgauge demo``: the whole way on real networks."""

from __future__ import annotations

from pathlib import Path

import click

from archgauge import options


@click.command(epilog=options.examples("archgauge demo", "archgauge demo --budget 3m --data-dir demo-data"))
@click.option(
    "--budget", type=options.duration, default="80s", show_default=True, metavar="TIME",
    help="Time to spend on measuring for the table.",
)  # fmt: skip
@options.seconds
@click.option(
    "--data-dir", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
    help="Where the tables and predictors go (default: a new folder for temporary files, which is kept).",
)  # fmt: skip
@options.json_output
def command(budget: float, seconds: float, data_dir: Path | None, as_json: bool) -> int:
    """Show that it works: four minutes, one thread, nine real networks.

    Profiles this CPU for a short while, trains on it, starts the service, sends it the nine networks that the onnx
    package carries as ONNX over HTTP, then really measures each and compares.
    """
    import tempfile

    from archgauge.demonstration import demonstrate
    from archgauge.output import print_json

    folder = data_dir or Path(tempfile.mkdtemp(prefix="archgauge-demo-"))
    result = demonstrate(folder.absolute(), budget_s=budget, seconds=seconds, quiet=as_json)
    if as_json:
        print_json(result)
    return 0
