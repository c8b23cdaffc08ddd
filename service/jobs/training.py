"""The job ``train``: a predictor from a lookup table that is there already."""

from __future__ import annotations

from typing import Any

from lookup_tables import read_table
from service.db import PredictorRecord, Versions
from service.jobs.context import JobContext
from service.training import decide, make


def run(context: JobContext) -> None:
    """Train, keep the predictor, promote it unless it is worse.

    Arguments: ``target`` (id), ``table`` (version), ``seed``, ``promote`` (``unless_worse`` or ``never``). The result
    names the ``predictor``, whether it was ``promoted`` and ``why``. A worker that goes on after another one finds the
    predictor that was registered already in the result, and does not train again.
    """
    arguments, store = context.job.arguments, context.store
    table = store.table(arguments["table"], arguments["target"])
    measured = read_table(store.table_version(table))
    version = context.job.result.get("predictor")
    if version is None:
        context.log(f"training on {len(measured):,} measurements of {table.version}")
        record = make(
            store, measured, seed=arguments["seed"], report=context.report,
            within=lambda session, made: context.keep(session, {"predictor": made.version}),
        )  # fmt: skip
        context.log(f"kept predictor {record.version}")
    else:
        record = store.predictor(version, table.target_id)
        context.log(f"predictor {record.version} was kept before; going on from there")
    promote, why = decide(store, record, measured) if arguments["promote"] != "never" else (False, "as asked")
    context.log(f"{'promoting' if promote else 'not promoting'} {record.version}: {why}")
    context.patiently(lambda: _end(context, record, promote, why))


def _end(context: JobContext, record: PredictorRecord, promote: bool, why: str) -> None:
    """Promotion and end of the job are one transaction."""
    result: dict[str, Any] = {"predictor": record.version, "promoted": promote, "why": why}
    with context.store.database.write() as session:
        if promote:
            Versions(session).promote(record.target_id, record.version, why)
        context.finish(session, result)
