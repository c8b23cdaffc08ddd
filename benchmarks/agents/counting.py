"""What came of campaigns: whether everything that was acknowledged is there, and nothing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from lookup_tables import Measurement, read_table
from service.campaigns.results import measured_by
from service.db import Campaigns, Leases, Measurements, Tasks
from service.store import Store


@dataclass
class Count:
    """Numbers, and sentences about what is wrong."""

    campaigns: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)
    items: int = 0
    #: What was acknowledged as evidence only.
    late: int = 0
    #: Records that failed, by why.
    failed: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def count(store: Store, campaigns: Sequence[str], acknowledged: set[tuple[str, int]]) -> Count:
    """Look at campaigns that are over; ``acknowledged`` are leases with places of items."""
    found = Count()
    for campaign in campaigns:
        _count_campaign(store, campaign, found)
    with store.database.write() as session:  # a lease is read with its task locked
        kept = Measurements(session)
        for lease_id, place in sorted(acknowledged):
            lease = Leases(session).hold([lease_id]).get(lease_id)
            if lease is None:
                found.wrong.append(f"lease {lease_id} is gone")
            elif kept.sha256(lease.task.origin, place) is None and kept.sha256(lease.origin, place) is None:
                found.wrong.append(f"item {place} of lease {lease_id} was acknowledged and is not there")
            elif kept.sha256(lease.origin, place) is not None:
                found.late += 1
    return found


def _count_campaign(store: Store, campaign_id: str, found: Count) -> None:
    with store.database.read() as session:
        campaign, tasks = Campaigns(session).get(campaign_id), Tasks(session).of(campaign_id)
    assert campaign is not None
    found.campaigns[campaign.state] += 1
    found.tasks.update(task.state for task in tasks)
    if campaign.state != "succeeded":
        found.wrong.append(f"campaign {campaign_id} is {campaign.state}: {campaign.error}")
        return
    measured = measured_by(store, campaign)
    found.failed.update(f"{m.error}: {(m.detail or '')[:80]}" for m in measured if m.error is not None)
    here, planned = Counter(map(_identity, measured)), Counter[tuple[str, int]]()
    for task in tasks:
        planned.update((item["context"], item["repetition"]) for item in task.document["items"])
        missing = {(i["context"], i["repetition"]) for i in task.document["items"]} - {key[:2] for key in here}
        if task.state == "done" and missing:
            found.wrong.append(f"task {task.id} is done without {missing}")
    found.items += len({key[:2] for key in here})
    found.wrong += [f"{key} was measured {n} times" for key, n in here.items() if n > 1]
    found.wrong += [f"{key} was planned {n} times" for key, n in planned.items() if n > 1]
    table = read_table(store.table_version(store.table(campaign.result["table"], campaign.target_id)))
    there = Counter(_identity(m) for m in table.measurements if m.ok)
    wanted = Counter(_identity(m) for m in measured if m.ok)
    found.wrong += [f"{key} is in the table {there[key]} times" for key in wanted if there[key] != 1]


def _identity(m: Measurement) -> tuple[str, int, str, int | None, str | None]:
    """What there may be one record of."""
    return str(m.context), m.repetition, m.mode, m.position, None if m.kernel is None else m.kernel.key
