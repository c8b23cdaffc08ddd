"""``archgauge serve``: predictions over HTTP."""

from __future__ import annotations

from pathlib import Path

import click

from archgauge import options


@click.command(epilog=options.examples("archgauge serve", "archgauge serve --host 0.0.0.0 --port 8080 --workers 4"))
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, metavar="N",
    help="Where to listen; 0 takes a free port.",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N", help="Processes that answer."
)
@options.data_dir
def command(host: str, port: int, workers: int, data_dir: Path) -> None:
    """Serve predictions over HTTP until stopped: the API under /v1, its documentation under /docs."""
    from archgauge.errors import CommandError
    from archgauge.state import service_settings
    from service import listen, serve
    from service.server import check_exposure, url

    chosen = service_settings(data_dir)
    try:
        listener = listen(host, port)
    except OSError as error:
        raise CommandError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port") from error
    with listener:
        check_exposure(chosen, listener)
        click.echo(
            f"ArchGauge answers on {url(listener)} (a dashboard; for programs: /docs); Ctrl-C stops it", err=True
        )
        serve(chosen, listener, workers)
