"""``archgauge worker``: carries out durable jobs."""

from __future__ import annotations

from pathlib import Path

import click

from archgauge import options


@click.command(epilog=options.examples("archgauge worker", "archgauge worker --jobs 2"))
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N", help="Jobs at the same time."
)
@options.data_dir
def command(jobs: int, data_dir: Path) -> None:
    """Carry out training and other jobs until stopped; what is under way then is given back.

    `archgauge serve` does so by itself unless ARCHGAUGE_EMBEDDED_WORKER=no. Any number of workers may share a database.
    """
    from archgauge.state import open_store, service_settings
    from service import logs
    from service.jobs import work

    settings = service_settings(data_dir)
    logs.configure(settings.log_format, settings.log_level)
    with open_store(data_dir) as store:
        work(store.database, settings, jobs)
