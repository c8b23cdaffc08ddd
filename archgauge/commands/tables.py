"""``archgauge tables``: lookup tables, here and on their way to other machines."""

from __future__ import annotations

from pathlib import Path

import click

from archgauge import options

_file = click.Path(dir_okay=False, path_type=Path)


@click.group(no_args_is_help=True)
def command() -> None:
    """List, export and import lookup tables."""


@command.command("list", epilog=options.examples("archgauge tables list", "archgauge tables list --json"))
@options.target
@options.data_dir
@options.json_output
def list_(target: str | None, data_dir: Path, as_json: bool) -> None:
    """List the versions of all targets, or of one, newest first."""
    from archgauge.output import print_json, stdout, table
    from archgauge.state import open_store

    with open_store(data_dir) as store:
        records = store.tables(target)
    if as_json:
        print_json([{"target": r.target_id, "version": r.version, "manifest": dict(r.manifest)} for r in records])
        return
    if not records:
        click.echo("there are no lookup tables yet; make one with: archgauge profile", err=True)
        return
    rows = table("target", "version", "measurements", "kernels", "networks", "made", words=("version", "made"))
    for record in records:
        counts = record.manifest["counts"]
        rows.add_row(
            record.target_id, record.version, f"{record.manifest['rows']:,}", f"{counts['distinct_kernels']:,}",
            f"{counts['contexts']:,}", f"{record.created_at:%Y-%m-%d %H:%M}",
        )  # fmt: skip
    stdout().print(rows)


@command.command(epilog=options.examples("archgauge tables export v0001-1a2b3c4d my-cpu.zip"))
@click.argument("version")
@click.argument("file", type=_file)
@options.target
@options.data_dir
def export(version: str, file: Path, target: str | None, data_dir: Path) -> None:
    """Write a version as one FILE, to be imported elsewhere."""
    from archgauge.state import open_store
    from lookup_tables import export_table

    with open_store(data_dir) as store:
        export_table(store.table_version(store.table(version, target)), file)
    click.echo(f"{file}: {file.stat().st_size:,} bytes")


@command.command("import", epilog=options.examples("archgauge tables import my-cpu.zip --name my-cpu"))
@click.argument("file", type=_file)
@click.option("--name", metavar="ALIAS", help="A name for the table's target.")
@options.data_dir
def import_(file: Path, name: str | None, data_dir: Path) -> None:
    """Check and keep a table that was exported elsewhere."""
    from archgauge.state import open_store
    from lookup_tables import import_table

    with open_store(data_dir) as store:
        table = import_table(store.root, file)
        store.register_table(table, alias=name)
    click.echo(f"{table.version} of {table.target_id}")
    click.echo(f"train on it with: archgauge train --target {name or table.target_id}")
