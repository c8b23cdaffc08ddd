"""Campaigns that agents measure without any job having a part in them."""

from __future__ import annotations

from lookup_tables import PlanItem, Target
from service.campaigns.planning import tasks_of
from service.db import Campaigns, Tasks
from service.store import Store

#: Of a task.
ITEMS = 8


def add_campaign(store: Store, target: Target, tasks: int) -> str:
    """A campaign with its tasks, which no job has a part in; nothing of it is handed out yet."""
    store.register_target(target)
    plan = [PlanItem("resnet", seed, "in_network") for seed in range(tasks * ITEMS)]
    with store.database.write() as session:
        document = {"budget_s": 1e9, "rounds": 1, "goal": "learn", "name": "", "architectures": []}
        made = Campaigns(session).add(target.id, document, "benchmark")
        Tasks(session).add(made.id, target.id, 1, tasks_of(plan, ITEMS, 1))
    return made.id


def begin_campaign(store: Store, campaign_id: str) -> None:
    """Hand out its tasks from now on."""
    with store.database.write() as session:
        Campaigns(session).measure(campaign_id, 1)


def is_done(store: Store, campaign_id: str) -> bool:
    """Whether all of its tasks are."""
    with store.database.read() as session:
        return Tasks(session).count(campaign_id).keys() == {"done"}
