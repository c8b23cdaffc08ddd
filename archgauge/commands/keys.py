"""``archgauge keys``: who may use the service."""

from __future__ import annotations

from pathlib import Path

import click

from archgauge import options

SCOPES = ("predict", "agent", "admin")


@click.group(no_args_is_help=True)
def command() -> None:
    """Make, list and revoke API keys.

    As long as there is none, the service answers on this machine only, and whoever uses it.
    """


@command.command(
    epilog=options.examples(
        'archgauge keys create "search job" --days 90', "archgauge keys create me --scope admin --json"
    )
)
@click.argument("name")
@click.option(
    "--scope", "scopes", type=click.Choice(SCOPES), multiple=True, default=("predict",), show_default=True,
    help="What it may do: ask (predict), measure (agent), everything (admin); may be repeated.",
)  # fmt: skip
@click.option("--days", type=click.IntRange(1, 36_500), metavar="N", help="When it expires (default: never).")
@options.data_dir
@options.json_output
def create(name: str, scopes: tuple[str, ...], days: int | None, data_dir: Path, as_json: bool) -> None:
    """Make a key called NAME and print its token, which is shown this once only."""
    from datetime import timedelta

    from archgauge.output import print_json
    from archgauge.state import open_store
    from service.keys import create_key

    with open_store(data_dir) as store:
        record, token = create_key(store.database, name, scopes, timedelta(days=days) if days else None)
    if as_json:
        print_json({"id": record.id, "name": name, "scopes": sorted(record.scopes), "token": token})
    else:
        click.echo(f"key {record.id} may {', '.join(sorted(record.scopes))}; its token is shown this once:", err=True)
        click.echo(token)


@command.command("list", epilog=options.examples("archgauge keys list", "archgauge keys list --json"))
@options.data_dir
@options.json_output
def list_(data_dir: Path, as_json: bool) -> None:
    """List all keys, the newest first."""
    from archgauge.output import print_json, stdout, table
    from archgauge.state import open_store
    from service.keys import list_keys, state_of

    with open_store(data_dir) as store:
        records = list_keys(store.database)
    if as_json:
        print_json([
            {
                "id": r.id, "name": r.name, "scopes": sorted(r.scopes), "state": state_of(r),
                "created_at": r.created_at.isoformat(),
                "expires_at": r.expires_at.isoformat() if r.expires_at else None,
            }
            for r in records
        ])  # fmt: skip
        return
    if not records:
        click.echo("there are no keys; the service answers on this machine only", err=True)
        return
    rows = table("id", "name", "scopes", "state", "made", "expires", words=("name", "scopes", "state"))
    for record in records:
        expires = f"{record.expires_at:%Y-%m-%d}" if record.expires_at else "never"
        scopes = " ".join(sorted(record.scopes))
        rows.add_row(record.id, record.name, scopes, state_of(record), f"{record.created_at:%Y-%m-%d}", expires)
    stdout().print(rows)


@command.command(epilog=options.examples("archgauge keys revoke 0a1b2c3d4e5f"))
@click.argument("key")
@options.data_dir
def revoke(key: str, data_dir: Path) -> None:
    """Make KEY, an id of the list, worthless for ever; running services notice within seconds."""
    from archgauge.state import open_store
    from service.keys import revoke_key

    with open_store(data_dir) as store:
        record = revoke_key(store.database, key)
    click.echo(f"key {record.id} ({record.name}) is revoked")
