"""What becomes of what was measured: a table version with the drift divided out, or the times of architectures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lookup_tables import Measurement, Target, write_table
from lookup_tables.drift import correct_all, reference_of
from predictors.errors import NotEnoughMeasurements
from service.db import Agents, CampaignRecord, Measurements, TableRecord, Tasks
from service.store import Store


def measured_by(store: Store, campaign: CampaignRecord) -> list[Measurement]:
    """What counts of a campaign, as it came in: drift not divided out."""
    with store.database.read() as session:
        origins = [task.origin for task in Tasks(session).of(campaign.id)]
        found: list[Measurement] = []
        for start in range(0, len(origins), 200):  # databases limit the parameters of a statement
            found += Measurements(session).of(origins[start : start + 200])
    return found


def make_table(store: Store, campaign: CampaignRecord, measurements: Sequence[Measurement]) -> TableRecord:
    """The next version of the target's table; the same one if it was made before.

    Raises:
        NotEnoughMeasurements: nothing could be measured.
    """
    older = store.tables(campaign.target_id)
    made = next((t for t in older if t.manifest["report"].get("campaign") == campaign.id), None)
    if made is not None:
        return made
    if not any(m.ok for m in measurements):
        why = next((m.detail for m in measurements if m.detail), "no agent measured anything")
        raise NotEnoughMeasurements(f"nothing could be measured: {why}")
    known: Mapping[str, Any] = older[0].manifest["report"] if older else {}
    facts = _facts(store, campaign, known, measurements)
    parent = store.table_version(older[0]) if older else None
    target = Target.from_json(store.target(campaign.target_id).document)
    corrected = correct_all(measurements, facts["sentinel_us"])
    return store.register_table(write_table(store.root, target, corrected, parent, facts))


def describe_measured(
    store: Store, campaign: CampaignRecord, measurements: Sequence[Measurement]
) -> list[dict[str, Any]]:
    """The times of a campaign's architectures; an error where one could not be measured.

    ``drift`` was divided out, relative to the target's table as in evaluations: predictions are for a machine that is
    as fast as it was then.
    """
    older = store.tables(campaign.target_id)
    reference = older[0].manifest["report"].get("sentinel_us") if older else None
    by_context = {m.context: m for m in correct_all(measurements, reference) if m.mode == "whole_model"}
    described = []
    for architecture in campaign.document["architectures"]:
        m = by_context.get(f"graph-{architecture['hash'][:16]}:0")
        told: dict[str, Any] = {"name": architecture["name"], "hash": architecture["hash"]}
        if m is None or m.latency_us is None:
            told |= {"latency_ms": None, "error": "not measured" if m is None else m.error}
            told |= {"detail": None if m is None else m.detail}
        else:
            middle, low, high = (None if t is None else t / 1000 for t in (m.latency_us, m.p10_us, m.p90_us))
            told |= {"latency_ms": {"median": middle, "p10": low, "p90": high, "runs": m.runs}, "error": None}
            told |= {"drift": m.drift, "energy_mj": _energy(m), "peak_memory_bytes": m.peak_memory_bytes}
        described.append(told)
    return described


def _energy(m: Measurement) -> dict[str, Any] | None:
    """Of one run; None where it was not metered."""
    if m.energy_mj is None:
        return None
    return {"value": m.energy_mj, "gross": m.energy_gross_mj, "method": m.energy_method, "scope": m.energy_scope}


def _facts(
    store: Store, campaign: CampaignRecord, known: Mapping[str, Any], measurements: Sequence[Measurement]
) -> dict[str, Any]:
    """What a table's manifest says beside its rows; peaks and reference are those of the first version."""
    with store.database.read() as session:
        agent = Agents(session).newest_of(campaign.target_id)
    peaks = known.get("peaks") or (agent.facts.get("peaks") if agent is not None else None)
    return {
        "campaign": campaign.id, "budget_s": campaign.budget_s, "peaks": peaks,
        "sentinel_us": known.get("sentinel_us") or reference_of(measurements),
    }  # fmt: skip
