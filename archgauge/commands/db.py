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


@command.command(epilog=options.examples("archgauge db check"))
@options.data_dir
def check(data_dir: Path) -> None:
    """Fail unless the database answers and has the schema of this version; changes nothing."""
    from archgauge.errors import CommandError
    from archgauge.state import settings
    from service.db import HEAD, Database, current_revision, sqlite_url
    from service.store import DATABASE_FILE

    chosen = settings(data_dir)
    database = Database(chosen.database_url or sqlite_url(chosen.data_dir / DATABASE_FILE))
    try:
        database.ping()
        revision = current_revision(database)
    finally:
        database.close()
    if revision != HEAD:
        raise CommandError(f"the database is at revision {revision}, not {HEAD}; run `archgauge db upgrade`")
    click.echo(f"the database answers, at revision {revision}")
