"""The job ``campaign``: decides what a campaign measures next, or makes something of what was measured.

It is queued when a campaign begins and whenever a round of it is over. Argument: ``campaign`` (id).
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphs import Graph
from lookup_tables import Measurement, Target, read_table, write_table
from lookup_tables.drift import correct_all
from predictors import Predictor, PredictorError
from predictors import train as train_predictor
from service.campaigns.planning import graph_tasks, metering_seconds, plan_round, subject_of, tasks_of
from service.campaigns.results import describe_measured, make_table, measured_by
from service.db import Agents, CampaignRecord, Campaigns, PredictorRecord, Tasks, Versions
from service.errors import NoPredictor, ServiceError
from service.jobs.context import JobContext
from service.spaces.library import Library
from service.training import decide, make

_ROWS_OF_SPACE = 32
_PROTOCOL = 1


def run(context: JobContext) -> None:
    """Plan the next round, or finish; a worker that goes on after another one finds what that had noted."""
    with context.store.database.read() as session:
        campaign = Campaigns(session).get(context.job.arguments["campaign"])
    assert campaign is not None
    if campaign.state == "planning" and campaign.round < campaign.document["rounds"] and not _spent(campaign):
        tasks = _plan(context, campaign)
        if tasks:
            context.patiently(lambda: _begin_round(context, campaign, tasks))
            return
    if campaign.state in ("planning", "training"):
        _finish(context, campaign)
    else:
        context.patiently(lambda: _end(context, campaign, None))


def _spent(campaign: CampaignRecord) -> bool:
    return campaign.spent_s >= campaign.budget_s


def _plan(context: JobContext, campaign: CampaignRecord) -> list[dict[str, Any]]:
    store, document = context.store, campaign.document
    with store.database.read() as session:
        agent, before = Agents(session).newest_of(campaign.target_id), Tasks(session).of(campaign.id)
    facts = agent.facts if agent is not None else {}
    protocol, metering_s = int(facts.get("protocol", _PROTOCOL)), metering_seconds(facts)
    if document["goal"] == "measure":
        return graph_tasks(document["architectures"], protocol, metered=metering_s is not None)
    target = Target.from_json(store.target(campaign.target_id).document)
    context.report(0.1, "looking at what is known")
    predictor = _predictor(context, campaign, target)
    known = [item["key"] for task in before for item in task.document["items"]]
    context.report(0.5, "choosing networks")
    subject = subject_of(document, _rows(context, document))
    items = plan_round(campaign.id, document, target.lowering, subject, predictor, known, metering_s)
    return tasks_of(items, document["items_per_task"], protocol)


def _predictor(context: JobContext, campaign: CampaignRecord, target: Target) -> Predictor | None:
    """The one that knows most: trained on what this campaign measured so far, else the promoted one."""
    store, measured = context.store, measured_by(context.store, campaign)
    older = store.tables(campaign.target_id)
    if measured:
        reference = older[0].manifest["report"].get("sentinel_us") if older else None
        rows: list[Measurement] = correct_all(measured, reference)
        if older:
            rows = read_table(store.table_version(older[0])).measurements + rows
        with tempfile.TemporaryDirectory() as folder:
            report = older[0].manifest["report"] if older else {}
            table = read_table(write_table(Path(folder), target, rows, report=report))
        try:
            return train_predictor(table, progress=lambda share, words: context.report(share / 2, words)).predictor
        except PredictorError as error:
            context.log(f"choosing without a predictor: {error}")
            return None
    try:
        return Predictor.load(store.predictor_folder(store.promoted(campaign.target_id)))
    except NoPredictor:
        return None
    except (PredictorError, ServiceError) as error:
        context.log(f"choosing without a predictor: {error}")
        return None


def _rows(context: JobContext, document: Mapping[str, Any]) -> list[Graph]:
    """Architectures drawn from the campaign's search space."""
    if document["search_space"] is None:
        return []
    bound, rng = Library(context.store.database).find(document["search_space"]), random.Random(document["seed"])
    layers = bound.space.layers
    return [bound.graph([rng.randrange(len(layer.choices)) for layer in layers]) for _ in range(_ROWS_OF_SPACE)]


def _begin_round(context: JobContext, campaign: CampaignRecord, tasks: Sequence[Mapping[str, Any]]) -> None:
    """Tasks, state and the job's end are one transaction."""
    with context.store.database.write() as session:
        campaigns = Campaigns(session)
        now = campaigns.get(campaign.id, lock=True)
        if now is not None and now.state == "planning":
            number = campaign.round + 1
            Tasks(session).add(campaign.id, campaign.target_id, number, tasks)
            campaigns.measure(campaign.id, number)
            text = f"round {number}: {sum(len(task['items']) for task in tasks)} networks in {len(tasks)} tasks"
            campaigns.event(campaign.id, "log", {"text": text})
        context.finish(session, {"round": campaign.round + 1, "tasks": len(tasks)})


def _finish(context: JobContext, campaign: CampaignRecord) -> None:
    """Everything was measured: times of architectures, or table → predictor → promoted, unless it is worse."""
    measurements = measured_by(context.store, campaign)
    if campaign.document["goal"] == "measure":
        result: dict[str, Any] = {"measured": describe_measured(context.store, campaign, measurements)}
        context.patiently(lambda: _end(context, campaign, result))
        return
    context.patiently(lambda: _enter_training(context, campaign))
    table = make_table(context.store, campaign, measurements)
    measured = read_table(context.store.table_version(table))
    version = context.job.result.get("predictor")
    if version is None:
        context.log(f"training on {len(measured):,} measurements of {table.version}")
        record = make(
            context.store, measured, seed=campaign.document["seed"], report=context.report,
            within=lambda session, made: context.keep(session, {"predictor": made.version}),
        )  # fmt: skip
    else:
        record = context.store.predictor(version, campaign.target_id)
    promote, why = False, "as asked"
    if campaign.document["promote"] != "never":
        promote, why = decide(context.store, record, measured)
    result = {
        "table": table.version, "predictor": record.version, "promoted": promote, "why": why,
        "accuracy": record.report.get("accuracy"),
    }  # fmt: skip
    context.patiently(lambda: _end(context, campaign, result, record if promote else None))


def _enter_training(context: JobContext, campaign: CampaignRecord) -> None:
    with context.store.database.write() as session:
        now = Campaigns(session).get(campaign.id, lock=True)
        if now is not None and now.state == "planning":
            Campaigns(session).train(campaign.id)


def _end(
    context: JobContext, campaign: CampaignRecord, result: Mapping[str, Any] | None,
    promoted: PredictorRecord | None = None,
) -> None:  # fmt: skip
    """The campaign's end, the promotion and the end of the job are one transaction."""
    with context.store.database.write() as session:
        Campaigns(session).lock(campaign.id)
        if promoted is not None:
            Versions(session).promote(
                promoted.target_id, promoted.version, f"campaign {campaign.id}: {(result or {})['why']}"
            )
        if result is not None:
            Campaigns(session).end(campaign.id, "succeeded", result)
        context.finish(session, dict(result or {}))
