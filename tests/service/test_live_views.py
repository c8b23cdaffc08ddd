"""Parts of pages that are sent again whenever they change, without a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from archgauge_client.wire_agents import CampaignRequest
from lookup_tables import DeviceFingerprint, Target
from service.db import Agents, Campaigns, Tasks
from service.keys import create_key
from service.server import in_background
from service.settings import Settings
from service.store import Store

BOARD = Target(DeviceFingerprint("Board", cores=4), runtime_version="1.31.1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as store:
        store.register_target(BOARD)
        yield store


@pytest.fixture
def url(store: Store, tmp_path: Path) -> Iterator[str]:
    with in_background(Settings(tmp_path, embedded_worker=False, refresh_s=0.0)) as url:
        yield url


def add_campaign(store: Store) -> str:
    document = CampaignRequest(name="mine").model_dump(mode="json", exclude={"target"})
    with store.database.write() as session:
        made = Campaigns(session).add(BOARD.id, document, "test")
        Tasks(session).add(made.id, BOARD.id, 1, [{"items": [], "limits": {}, "protocol": 1}])
        Campaigns(session).measure(made.id, 1)
    return made.id


@contextmanager
def following(url: str, path: str, token: str | None = None) -> Iterator[Iterator[tuple[str, str]]]:
    """(kind, HTML) of the events of a stream."""
    headers = {"authorization": f"Bearer {token}"} if token else {}

    def events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
        kind = ""
        for line in lines:
            name, _, value = line.partition(": ")
            kind = value if name == "event" else kind
            if name == "data":
                yield kind, str(json.loads(value))

    with httpx.stream("GET", url + path, headers=headers, timeout=20) as response:
        assert response.status_code == 200 and response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        yield events(response.iter_lines())


def test_a_page_is_sent_when_it_changes(url: str, store: Store) -> None:
    with following(url, "/agents/live") as events:
        kind, html = next(events)
        assert kind == "view" and "No agent yet" in html
        with store.database.write() as session:
            Agents(session).add("<i>board</i>", None, BOARD.id, {})
        kind, html = next(events)
        assert kind == "view" and "&lt;i&gt;board&lt;/i&gt;" in html and "<i>" not in html and "<html" not in html


def test_a_campaign_is_followed_until_it_is_over(url: str, store: Store) -> None:
    campaign = add_campaign(store)
    with following(url, f"/campaigns/{campaign}/live") as events, following(url, "/campaigns/live") as listed:
        assert "measuring" in next(events)[1] and "mine" in next(listed)[1]
        httpx.post(f"{url}/v1/campaigns/{campaign}/cancel")
        assert "cancelled" in next(events)[1] and "cancelled" in next(listed)[1]
        assert next(events) == ("over", "True") and list(events) == []
    assert "data-turn" not in httpx.get(f"{url}/campaigns/{campaign}").text
    missing = httpx.get(f"{url}/campaigns/none/live")
    assert missing.status_code == 404 and missing.headers["content-type"].startswith("text/html")


def test_only_administrators_are_shown_what_changes_something(url: str, store: Store) -> None:
    campaign = add_campaign(store)
    tokens = {scope: create_key(store.database, scope, [scope])[1] for scope in ("predict", "admin")}
    assert httpx.get(f"{url}/agents/live").status_code == 303  # to sign in
    for scope, buttons in (("predict", False), ("admin", True)):
        headers = {"authorization": f"Bearer {tokens[scope]}"}
        for path in ("/campaigns", f"/campaigns/{campaign}", "/agents"):
            text = httpx.get(url + path, headers=headers).text
            marks = ("data-turn", 'id="start"', 'id="invite"')
            assert any(mark in text for mark in marks) == buttons, (scope, path)
        for path in ("/campaigns/live", f"/campaigns/{campaign}/live"):
            with following(url, path, tokens[scope]) as events:
                assert ("data-turn" in next(events)[1]) == buttons


def test_streams_end_with_the_service(tmp_path: Path) -> None:
    with in_background(Settings(tmp_path, embedded_worker=False)) as url:
        response = httpx.Client(timeout=20).send(httpx.Request("GET", f"{url}/agents/live"), stream=True)
        lines = response.iter_lines()
        assert next(lines).startswith("retry")
    assert any("No agent yet" in line for line in lines)
    response.close()
