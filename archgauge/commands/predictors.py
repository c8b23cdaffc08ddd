"""``archgauge predictors``: who answers for which target."""

from __future__ import annotations

from pathlib import Path

import click

from archgauge import options


@click.group(no_args_is_help=True)
def command() -> None:
    """List and promote predictors."""


@command.command("list", epilog=options.examples("archgauge predictors list", "archgauge predictors list --json"))
@options.target
@options.data_dir
@options.json_output
def list_(target: str | None, data_dir: Path, as_json: bool) -> None:
    """List the versions of all targets, or of one, newest first."""
    from archgauge.output import percent, print_json, stdout, table
    from archgauge.state import open_store

    with open_store(data_dir) as store:
        records = store.predictors(target)
        promoted = {(p.predictor.target_id, p.predictor.version) for p in store.promotions()}
    if as_json:
        print_json([
            {
                "target": r.target_id, "version": r.version, "promoted": (r.target_id, r.version) in promoted,
                "tables": list(r.tables), "created_at": r.created_at.isoformat(), "report": dict(r.report),
            }
            for r in records
        ])  # fmt: skip
        return
    if not records:
        click.echo("there are no predictors yet; make one with: archgauge profile", err=True)
        return
    columns = ("target", "version", "promoted", "tables", "MAPE", "noise floor", "made")
    rows = table(*columns, words=("version", "promoted", "tables", "made"))
    for record in records:
        rows.add_row(
            record.target_id, record.version, "yes" if (record.target_id, record.version) in promoted else "",
            " ".join(record.tables), percent(record.report.get("accuracy", {}).get("mape")),
            percent(record.report.get("noise_floor")), f"{record.created_at:%Y-%m-%d %H:%M}",
        )  # fmt: skip
    stdout().print(rows)


@command.command(epilog=options.examples("archgauge predictors promote v0001-1a2b3c4d"))
@click.argument("version")
@options.target
@options.data_dir
def promote(version: str, target: str | None, data_dir: Path) -> None:
    """Let a version answer for its target from now on, after checking that it can be loaded here."""
    from archgauge.state import open_store
    from predictors import Predictor

    with open_store(data_dir) as store:
        record = store.predictor(version, target)
        Predictor.load(store.predictor_folder(record))
        store.promote(record.version, record.target_id, note="by hand")
    click.echo(f"{record.version} answers for {record.target_id}")


@command.command(
    epilog=options.examples("archgauge predictors rollback", "archgauge predictors rollback --target my-cpu")
)
@options.target
@options.data_dir
def rollback(target: str | None, data_dir: Path) -> None:
    """Promote the version again that answered before the one that answers now."""
    from archgauge.state import open_store
    from predictors import Predictor

    with open_store(data_dir) as store:
        record = store.before(target or store.promoted().target_id)
        Predictor.load(store.predictor_folder(record))
        store.promote(record.version, record.target_id, note="rolled back by hand")
    click.echo(f"{record.version} answers for {record.target_id} again")
