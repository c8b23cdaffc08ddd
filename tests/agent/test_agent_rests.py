"""An agent that may not measure says so to its service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from archgauge_client import Client
from archgauge_client.agents import Agents
from service.keys import create_key
from service.server import in_background
from service.settings import Settings
from service.store import Store


def test_a_service_knows_of_quiet_hours(
    tmp_path: Path, start_agent: Callable[..., Any], wait_for: Callable[[Callable[[], Any]], Any]
) -> None:
    hours = "-".join(f"{datetime.now() + timedelta(hours=h):%H:%M}" for h in (-1, 2))
    with Store.open(tmp_path / "state") as store:
        _, admin = create_key(store.database, "me", ["admin"])
    with (
        in_background(Settings(tmp_path / "state", embedded_worker=False)) as url,
        Client(url, api_key=admin) as client,
    ):
        token = Agents(client).invite("board").token
        start_agent(url, "--token", token, "--quiet-hours", hours)
        (waits,) = wait_for(lambda: [agent.waits for agent in Agents(client).all() if agent.waits])
        assert "quiet hours" in waits
