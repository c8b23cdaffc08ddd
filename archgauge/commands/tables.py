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
    """List the versions of all targets, or of one, newest first; then the references that came with ArchGauge.

    A reference answers whoever names its target and has not measured it: `archgauge predict --target NAME`.
    """
    from archgauge.output import print_json, stdout, table
    from archgauge.state import open_store
    from service.references import is_reference

    with open_store(data_dir) as store:
        wanted = None if target is None else store.target(target).id
        others = [known for known in store.references.all if wanted in (None, known.target.id)]
        records = [*store.tables(target), *(known.table for known in others)]
    if as_json:
        print_json([
            {
                "target": r.target_id, "version": r.version, "reference": is_reference(r.version),
                "manifest": dict(r.manifest),
            }
            for r in records
        ])  # fmt: skip
        return
    if not records:
        click.echo("there are no lookup tables yet; make one with: archgauge profile", err=True)
        return
    columns = ("target", "version", "measurements", "kernels", "networks", "made", "measured")
    rows = table(*columns, words=("version", "made", "measured"))
    names = {known.table.version: known.reference for known in others}
    for record in records:
        counts, reference = record.manifest["counts"], names.get(record.version)
        rows.add_row(
            record.target_id, record.version, f"{record.manifest['rows']:,}", f"{counts['distinct_kernels']:,}",
            f"{counts['contexts']:,}", f"{record.created_at:%Y-%m-%d %H:%M}",
            "here or imported" if reference is None else f"by ArchGauge, reference {reference.name!r}",
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


@command.command(
    epilog=options.examples("archgauge tables publish v0001-1a2b3c4d lookup_tables/reference --name xeon-avx512-1t")
)
@click.argument("version")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", required=True, metavar="NAME", help="What people will call the reference's target.")
@click.option("--predictor", metavar="VERSION", help="Which predictor trained on it (default: the newest).")
@options.target
@options.data_dir
@options.json_output
def publish(
    version: str, folder: Path, name: str, predictor: str | None, target: str | None, data_dir: Path, as_json: bool
) -> None:
    """Make a reference of a version and its predictor, a few megabytes below FOLDER.

    References in the folder lookup_tables/reference come with the package; the variable ARCHGAUGE_REFERENCES names
    other folders. Prints by how much the packed predictor differs from the one that it was made of.
    """
    from archgauge.output import percent, print_json
    from archgauge.publishing import publish
    from archgauge.state import open_store

    with open_store(data_dir) as store:
        made = publish(store, store.table(version, target), folder, name, predictor)
    if as_json:
        print_json({"folder": str(made.reference.folder), **made.to_json()})
        return
    click.echo(f"{made.reference.folder}: {made.size:,} bytes, {made.kernels:,} kernels of {made.reference.target.id}")
    click.echo(
        f"predictor {made.reference.predictor_version} says the same as {made.source} within {percent(made.differs, 3)}"
    )


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
