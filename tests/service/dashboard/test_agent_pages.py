"""Agents and campaigns as they are now, in a browser, with an agent that measures with the fake runtime."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from archgauge_client import Client
from archgauge_client.wire_agents import CampaignRequest, HeartbeatRequest
from graphs import write_json
from graphs.spaces import sample
from lookup_tables import DeviceFingerprint, PlanItem, Target
from service.agents import leasing
from service.campaigns.planning import tasks_of
from service.db import Agents, Campaigns, Leases, Tasks
from service.keys import Principal, create_key
from service.server import in_background
from service.settings import Settings
from service.store import Store

BOARD = Target(DeviceFingerprint("Board", cores=4), runtime_version="1.31.1")


@pytest.fixture
def start_agent(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """``archgauge agent`` in a process of its own."""
    running: list[subprocess.Popen[bytes]] = []

    def start(url: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "archgauge", "agent", "--server", url, "--data-dir", str(tmp_path / "device")]
        fake = ["--runtime", "fake", "--provider", "FakeProvider"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(
            [*command, *fake, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.terminate()
        process.wait(20)


def add_campaign(store: Store, name: str, items: int = 2) -> str:
    """A campaign that is being measured; no job has a part in it."""
    store.register_target(BOARD)
    plan = [PlanItem("resnet", seed, "whole_model") for seed in range(items)]
    document = CampaignRequest(name=name, budget_s=600.0).model_dump(mode="json", exclude={"target"})
    with store.database.write() as session:
        made = Campaigns(session).add(BOARD.id, document, "test")
        Tasks(session).add(made.id, BOARD.id, 1, tasks_of(plan, items, 1))
        Campaigns(session).measure(made.id, 1)
    return made.id


def graph_file(tmp_path: Path, seed: int) -> Path:
    file = tmp_path / f"finalist-{seed}.json"
    file.write_text(json.dumps(write_json(sample("resnet", seed))))
    return file


def test_a_device_measures_models_and_everything_is_seen(
    open_page: Callable[..., Page], start_agent: Callable[..., Any], tmp_path: Path
) -> None:
    with in_background(Settings(tmp_path / "state", job_poll_s=0.1)) as url:
        page = open_page(url)
        page.goto("/campaigns")
        expect(page.get_by_role("heading", name="No campaign yet")).to_be_visible()
        page.get_by_role("link", name="add a device").click()
        expect(page.get_by_role("heading", name="No agent yet")).to_be_visible()
        assert f"archgauge agent --server {url}" in page.inner_text("main")
        start_agent(url)
        row = page.get_by_role("region", name="Agents").locator("tbody tr")
        expect(row).to_contain_text("waits for work", timeout=60_000)  # without asking again

        page.get_by_role("link", name="Campaigns", exact=True).click()
        page.get_by_role("radio", name="To measure models").check()
        expect(page.get_by_label("Rounds")).to_be_hidden()
        page.locator("#models").set_input_files([graph_file(tmp_path, 3), graph_file(tmp_path, 5)])
        page.get_by_label("Name").fill("finalists")
        page.get_by_role("button", name="Start").click()
        page.wait_for_url(re.compile("/campaigns/[0-9a-f-]{36}"))
        expect(page.get_by_role("heading", level=1)).to_have_text("finalists")
        seen = page.context.new_page()
        seen.goto("/agents")
        # What it measures is there for a moment only, how much it measured remains.
        networks_a_minute = seen.get_by_role("region", name="Agents").locator("tbody td").nth(4)
        expect(networks_a_minute).to_have_text(re.compile(r"\d"), timeout=60_000)
        times = page.get_by_role("region", name="Measured models").locator("tbody tr")
        expect(times).to_have_count(2, timeout=60_000)  # it came by itself
        assert re.search(r"[\d.]+ ms", times.first.inner_text())
        assert page.get_by_role("button").count() == 0 and "succeeded" in page.inner_text("#live")
        expect(seen.get_by_role("region", name="Agents")).to_contain_text("waits for work")
        seen.close()


@pytest.fixture
def board(tmp_path: Path) -> Iterator[tuple[str, Store]]:
    """A service, and its store to change things behind its back."""
    with Store.open(tmp_path) as store, in_background(Settings(tmp_path, embedded_worker=False)) as url:
        yield url, store


def test_a_campaign_is_paused_resumed_and_cancelled_by_keyboard(
    open_page: Callable[..., Page], board: tuple[str, Store]
) -> None:
    url, store = board
    add_campaign(store, "attention")
    page = open_page(url)
    page.goto("/campaigns")
    expect(page.locator("#connection")).to_have_text("Live")
    page.get_by_role("link", name="attention").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/campaigns/[0-9a-f-]{36}"))
    expect(page.locator("#connection")).to_have_text("Live")
    page.get_by_role("button", name="Pause attention").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Resume attention")).to_be_focused()
    expect(page.locator("#live")).to_contain_text("paused")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Pause attention")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Cancel attention")).to_be_focused()
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Yes").press("Enter")
    expect(page.locator("#live .headline")).to_contain_text("cancelled")
    expect(page.get_by_role("button", name="Cancel attention")).to_have_count(0)
    expect(page.locator("#live")).to_be_focused()


def test_what_agents_do_is_seen_as_it_happens(open_page: Callable[..., Page], board: tuple[str, Store]) -> None:
    url, store = board
    campaign = add_campaign(store, "", items=3)
    with store.database.write() as session:
        agent = Agents(session).add("board 7", None, BOARD.id, {})
    page = open_page(url)
    page.goto("/agents")
    row = page.get_by_role("region", name="Agents").locator("tbody tr")
    expect(row).to_contain_text("waits for work")
    row.get_by_role("link").focus()
    with store.database.write() as session:
        (lease,) = Leases(session).grant(BOARD.id, [agent.id], 60.0)
    said = HeartbeatRequest(fence=lease.fence, temperature_c=51.5, sentinel_us=1240.0)
    leasing.beat(store.database, 60.0, [leasing.Beat(lease.id, said, Principal(None))])
    for text in ("measuring", "resnet:0, 1 of 3", "51.5 °C", "1.24 ms"):
        expect(row).to_contain_text(text)
    expect(row.get_by_role("link", name=BOARD.id)).to_be_focused()  # the row is still the same one
    item = lease.task.document["items"][0]
    record = {"mode": "whole_model", "error": "oom", "detail": "no memory", "context": item["context"]}
    body = {"fence": lease.fence, "item": item["key"], "seconds": 4.0, "records": [{**record, "split": "train"}]}
    answer = httpx.put(f"{url}/v1/leases/{lease.id}/results/0", json=body)
    assert answer.status_code == 200, answer.text
    for text in ("resnet:1, 2 of 3", "oom 1"):
        expect(row).to_contain_text(text)
    row.get_by_role("link", name="Whatever teaches most").click()
    page.wait_for_url(re.compile(campaign))
    expect(page.get_by_role("heading", name="Failures by kind")).to_be_visible()
    expect(page.get_by_role("region", name="Agents at work")).to_contain_text("board 7")
    assert re.search(r"Time left\s+\d+", page.inner_text("#live"))


def test_a_device_that_may_not_measure_says_why(open_page: Callable[..., Page], board: tuple[str, Store]) -> None:
    url, store = board
    campaign = add_campaign(store, "by day")
    with store.database.write() as session:
        agent = Agents(session).add("board 7", None, BOARD.id, {})
    page = open_page(url)
    page.goto("/agents")
    row = page.get_by_role("region", name="Agents").locator("tbody tr")
    expect(row).to_contain_text("waits for work")
    with Client(url) as client:
        client.agents.rest(agent.id, BOARD.to_json(), {}, "quiet hours until 19:00")
    expect(row).to_contain_text("quiet hours until 19:00")
    expect(page.locator(".stats")).to_contain_text("1 may not measure now")
    lease = httpx.post(f"{url}/v1/leases", json={"agent": agent.id, "target": BOARD.to_json()}).json()["lease"]
    assert lease["campaign"] == campaign
    expect(row).to_contain_text("measuring")


def test_a_campaign_without_an_agent_says_what_to_do(open_page: Callable[..., Page], board: tuple[str, Store]) -> None:
    url, store = board
    campaign = add_campaign(store, "alone")
    page = open_page(url)
    page.goto("/campaigns")
    page.get_by_label("Rounds").fill("21")
    page.get_by_role("button", name="Start").click()
    assert page.evaluate("document.activeElement.id") == "rounds"  # the browser says what is wrong with it
    page.get_by_label("Rounds").fill("2")
    page.get_by_label("fp32").uncheck()
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert")).to_contain_text("precisions")
    page.get_by_label("fp32").check()
    page.get_by_label("Search space").select_option("nas-bench-201")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile("/campaigns/[0-9a-f-]{36}"))
    expect(page.locator("#live")).to_contain_text("waits for a worker")
    assert "nas-bench-201" in page.inner_text("h1")
    page.goto(f"/campaigns/{campaign}")  # agents have had their time by now
    expect(page.locator(".warning")).to_contain_text("archgauge agent", timeout=15_000)
    with store.database.write() as session:
        agent = Agents(session).add("board 7", None, BOARD.id, {})
    with Client(url) as client:
        client.agents.rest(agent.id, BOARD.to_json(), {}, "quiet hours until 19:00")
    expect(page.locator(".warning")).to_contain_text("may not measure now: quiet hours until 19:00")


def test_a_token_for_another_device(open_page: Callable[..., Page], board: tuple[str, Store]) -> None:
    url, store = board
    _, admin = create_key(store.database, "me", ["admin"])
    page = open_page(url, 390)
    page.goto("/agents")
    page.get_by_label("API key").fill(admin)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile("/agents"))
    page.get_by_label("Name of the device").fill("<b>board</b>")
    page.keyboard.press("Enter")
    code = page.locator("#invited pre code")
    expect(code).to_contain_text("--token ae_")
    assert "<b>board</b>" in page.inner_text("#invited-words")
    token = code.inner_text().split()[-1]
    made = httpx.post(f"{url}/v1/agents", json={"token": token, "target": BOARD.to_json()})
    assert made.status_code == 201
    expect(page.get_by_role("region", name="Agents")).to_contain_text("<b>board</b>")


def test_a_lost_connection_is_told_and_made_again(open_page: Callable[..., Page], tmp_path: Path) -> None:
    with in_background(Settings(tmp_path, embedded_worker=False)) as url:
        page = open_page(url)
        page.goto("/agents")
        expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#connection")).to_contain_text("lost")
    with Store.open(tmp_path) as store:
        store.register_target(BOARD)
        with store.database.write() as session:
            Agents(session).add("board 7", None, BOARD.id, {})
    with in_background(Settings(tmp_path, embedded_worker=False), port=int(url.rpartition(":")[2])):
        expect(page.get_by_role("region", name="Agents")).to_contain_text("board 7", timeout=20_000)
        expect(page.locator("#connection")).to_have_text("Live")
