"""``archgauge serve``: predictions over HTTP."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from archgauge import options


@click.command(epilog=options.examples("archgauge serve", "archgauge serve --host 0.0.0.0 --port 8080 --workers 4"))
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, metavar="N", help="Its port.")
@click.option(
    "--workers", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N", help="Processes that answer."
)
@options.data_dir
def command(host: str, port: int, workers: int, data_dir: Path) -> None:
    """Serve predictions over HTTP until stopped: the API under /v1, its documentation under /docs."""
    import uvicorn

    from archgauge.local import settings

    settings(data_dir)  # says now what is wrong with the environment, not in every worker
    os.environ["ARCHGAUGE_DATA_DIR"] = str(data_dir)
    click.echo(f"ArchGauge answers on http://{host}:{port} (documentation: /docs); Ctrl-C stops it", err=True)
    uvicorn.run(
        "archgauge.commands.serve:application", factory=True, host=host, port=port, workers=workers, log_config=None
    )


def application() -> Any:
    """The ASGI application with the settings of the environment; every worker process makes its own."""
    from service import logs
    from service.app import create_app
    from service.settings import Settings

    chosen = Settings.from_environment()
    for_people = sys.stderr.isatty() and "ARCHGAUGE_LOG_FORMAT" not in os.environ
    logs.configure("text" if for_people else chosen.log_format, chosen.log_level)
    return create_app(chosen)
