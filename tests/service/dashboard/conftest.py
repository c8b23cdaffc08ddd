"""A real browser on a real service that has two targets with predictors, one of them under a hostile name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, Playwright, sync_playwright

from archgauge_client.wire_agents import CampaignRequest, HeartbeatRequest, ResultChunk
from lookup_tables import Measurement, PlanItem, Table, Target, write_table
from predictors import TrainedPredictor
from service.agents import keeping, leasing
from service.campaigns.planning import tasks_of
from service.db import Agents, Campaigns, Database, Jobs, Leases, Tasks
from service.keys import Principal
from service.server import in_background
from service.settings import Settings
from service.store import Store

#: A name that does something wherever it is not escaped.
HOSTILE = "\"><img src=x onerror=alert(1)><script>alert(2)</script>'`{{7*7}}"

_INSTALLED = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
_ADVICE = (
    "the dashboard's tests need Chromium, and none could be installed. Install it (Debian: apt install chromium; "
    "others: python -m playwright install --with-deps chromium), or put one on the PATH"
)


@pytest.fixture(scope="session")
def dashboard_dir(tmp_path_factory: pytest.TempPathFactory, fill: Callable[[Path], Path], table: Table) -> Path:
    """A data directory with the target ``example``, promoted twice, and one whose alias is `HOSTILE`."""
    folder = fill(tmp_path_factory.mktemp("dashboard"))
    with Store.open(folder) as store:
        (first,) = store.predictors("example")
        trained = _loaded(store, first)
        other = replace(table.target, threads=2)
        drifting = [
            replace(m, started_at=1.7e9 + i, sentinel_us=1240.0 + i % 40) for i, m in enumerate(table.measurements)
        ]
        version = write_table(store.root, other, drifting)
        store.register_table(version, alias=HOSTILE)
        moved = TrainedPredictor(replace(trained, target=other, tables=(version.version,)))
        record = store.register_predictor(moved, other.id, [version.version])
        store.promote(record.version, other.id, note=HOSTILE)
        second = store.register_predictor(TrainedPredictor(trained), "example", list(first.tables))
        store.promote(second.version, "example")
        _measure(store.database, other)
    return folder


def _measure(database: Database, target: Target) -> None:
    """An agent and a campaign under hostile names: one network came in, another failed, a third is being measured."""
    document = CampaignRequest(name=HOSTILE, kernel_kinds=[HOSTILE]).model_dump(mode="json", exclude={"target"})
    nobody = Principal(None)
    with database.write() as session:
        agent = Agents(session).add(HOSTILE, None, target.id, {"protocol": 1})
        campaign = Campaigns(session).add(target.id, document, "test")
        Jobs(session).cancel(str(campaign.job_id))  # nobody is to plan it
        plan = [PlanItem("resnet", seed, "whole_model") for seed in range(3)]
        Tasks(session).add(campaign.id, target.id, 1, tasks_of(plan, 3, 1))
        Campaigns(session).measure(campaign.id, 1)
        Campaigns(session).event(campaign.id, "log", {"text": HOSTILE})
    with database.write() as session:
        (lease,) = Leases(session).grant(target.id, [agent.id], 86_400.0)
    said = HeartbeatRequest(fence=lease.fence, temperature_c=51.5, sentinel_us=1240.0)
    leasing.beat(database, 86_400.0, [leasing.Beat(lease.id, said, nobody)])
    for place, outcome in enumerate(({"latency_us": 1.0}, {"error": "crash", "detail": HOSTILE})):
        item = lease.task.document["items"][place]
        record = Measurement("whole_model", context=item["context"], split="train", **outcome)  # type: ignore[arg-type]
        chunk = ResultChunk(fence=lease.fence, item=item["key"], seconds=2.0, records=[record.to_json()])
        content = chunk.model_dump_json().encode()
        keeping.keep(database, [keeping.Sent(lease.id, place, content, nobody)])


def _loaded(store: Store, record: Any) -> Any:
    from predictors import Predictor

    return Predictor.load(store.predictor_folder(record))


@pytest.fixture(scope="session")
def dashboard(dashboard_dir: Path) -> Iterator[str]:
    """The address of a service whose requests may have 2 MB."""
    with in_background(Settings(data_dir=dashboard_dir, refresh_s=0.05, max_body_bytes=2_000_000)) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """An installed Chromium, else Playwright's own download, else Debian's package; fails with advice.

    Not for the whole session: Playwright keeps an event loop running, in which other tests could not start their own.
    """
    with sync_playwright() as playwright:
        browser = _launch(playwright)
        yield browser
        browser.close()


def _launch(playwright: Playwright) -> Browser:
    for name in _INSTALLED:
        if (path := shutil.which(name)) is not None and (found := _try(playwright, path)) is not None:
            return found
    if (found := _try(playwright)) is not None:
        return found
    download = [sys.executable, "-m", "playwright", "install", "chromium"]
    if _run(download) and (found := _try(playwright)) is not None:
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        package = ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]
        if _run(["apt-get", "update"]) and _run(package):
            found = _try(playwright, shutil.which("chromium"))
            if found is not None:
                return found
    pytest.fail(_ADVICE, pytrace=False)


def _try(playwright: Playwright, path: str | None = None) -> Browser | None:
    # Chromium's own sandbox needs rights that containers seldom give; these tests open nothing but our own pages.
    try:
        return playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
    except Error:
        return None


def _run(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=600, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Makes pages of a browser of their own. Whatever they complain about fails the test: errors of scripts, dialogs,
    violations of the content security policy, requests to other hosts.
    """
    complaints: list[str] = []
    contexts = []

    def make(base_url: str, width: int = 1280, **options: Any) -> Page:
        context = browser.new_context(base_url=base_url, viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)

        def dialog(shown: Any) -> None:
            complaints.append(f"dialog: {shown.message}")
            shown.dismiss()

        page.on("dialog", dialog)
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("console", lambda message: _listen(message, complaints))
        page.on("request", lambda request: _check(request.url, base_url, complaints))
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


def _listen(message: Any, complaints: list[str]) -> None:
    """Answers that are problem documents are errors to the console, but not to us."""
    if message.type == "error" and not message.text.startswith("Failed to load resource"):
        complaints.append(f"console: {message.text}")


def _check(url: str, base_url: str, complaints: list[str]) -> None:
    if not url.startswith((base_url, "data:", "blob:")):
        complaints.append(f"request to {url}")


@pytest.fixture
def page(open_page: Callable[..., Page], dashboard: str) -> Page:
    """A page of 1280 pixels on the dashboard."""
    return open_page(dashboard)
