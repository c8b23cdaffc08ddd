"""A store where everything exists that a request can be about, and the names of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from archgauge.state import open_store
from benchmarks.data import has_predictor, profile_here
from lookup_tables import Target, export_table, import_table
from predictors import Predictor
from service import examples, examples_agents, examples_spaces
from service.campaigns.planning import tasks_of
from service.db import Campaigns, Tasks
from service.keys import create_key
from service.store import Store


def copy_predictor(data_dir: Path, store: Store) -> None:
    """The promoted predictor of a data directory with its table; without one, this machine is profiled for a moment."""
    if not has_predictor(data_dir):
        profile_here(store)
        return
    with open_store(data_dir) as source:
        promoted = source.promoted()
        archive = store.root.parent / "table.zip"
        export_table(source.table_version(source.table(promoted.tables[-1], promoted.target_id)), archive)
        table = store.register_table(import_table(store.root, archive))
        predictor = Predictor.load(source.predictor_folder(promoted))
        store.promote(store.register_predictor(predictor, table.target_id, [table.version]).version)


def populate(store: Store) -> str:
    """Work for agents, a second predictor, the name in examples, and an administrator's key; returns its token."""
    promoted = store.promoted()
    store.register_target(Target.from_json(store.target(promoted.target_id).document), alias="example")
    same = Predictor.load(store.predictor_folder(promoted))
    store.promote(store.register_predictor(same, promoted.target_id, promoted.tables).version)
    store.register_target(examples_agents.TARGET)
    with store.database.write() as session:
        document = {"budget_s": 1e6, "rounds": 1, "name": "", "goal": "learn", "architectures": []}
        made = Campaigns(session).add(examples_agents.TARGET.id, document, "me")
        Tasks(session).add(
            made.id, examples_agents.TARGET.id, 1, tasks_of([examples_agents.ITEM] * 40, 1, 1)
        )  # enough to measure for every example
        Campaigns(session).measure(made.id, 1)
    return create_key(store.database, "me", ["admin"])[1]


def things(client: httpx.Client) -> dict[str, str]:
    """Something that exists for every parameter of a path. Streams about it end, since what it is is over."""

    def made(path: str, body: Any) -> dict[str, Any]:
        answer: dict[str, Any] = client.post(path, json=body).raise_for_status().json()
        return answer

    job = made("/v1/predictors", {})["id"]
    client.post(f"/v1/jobs/{job}/cancel").raise_for_status()
    target = str(client.get("/v1/targets").raise_for_status().json()["targets"][0]["id"])
    campaign = made("/v1/campaigns", {"target": target, "kernel_kinds": ["MatMul"]})["id"]
    client.post(f"/v1/campaigns/{campaign}/cancel").raise_for_status()
    made("/v1/agents", examples_agents.AGENT_REQUESTS["key"]["value"])
    return {
        "prediction_id": made("/v1/predictions", examples.REQUESTS["graph"]["value"])["id"],
        "target": target,
        "predictor": client.get("/v1/predictors").json()["predictors"][-1]["version"],
        "table": client.get("/v1/lookup-tables").json()["lookup_tables"][0]["version"],
        "job_id": job,
        "campaign_id": campaign,
        "space": made("/v1/search-spaces", {"space": examples_spaces.SPACE})["id"],
        "lease_id": made("/v1/leases", examples_agents.LEASE_REQUESTS["now"]["value"])["lease"]["id"],
        "chunk": "0",
        "key_id": made("/v1/keys", {"name": "x"})["id"],
    }


def filled(path: str, names: dict[str, str]) -> str:
    """A path of the API's description with ``names`` in it."""
    version = "table" if "lookup-tables" in path else "predictor"
    return path.format_map({**names, "version": names[version]})
