"""``archgauge db``: the database's schema."""

from __future__ import annotations

from pathlib import Path

import click

from archgauge import options


@click.group(no_args_is_help=True)
def command() -> None:
    """Look after the database."""


@command.command(epilog=options.examples("archgauge db upgrade"))
@options.data_dir
def upgrade(data_dir: Path) -> None:
    """Bring the database to the schema of this version (other commands do it by themselves)."""
    from archgauge.state import open_store
    from service.db import current_revision

    with open_store(data_dir) as store:
        click.echo(f"the database is at revision {current_revision(store.database)}")
