"""A server for which nothing was measured: references answer who names them, and pages say what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from archgauge.publishing import publish
from lookup_tables import Table, write_table
from lookup_tables.references import REFERENCES_VARIABLE
from service import examples_spaces
from service.server import in_background
from service.settings import Settings
from service.store import Store

NAME = "some-cpu-1t"


@pytest.fixture(scope="module")
def references(table: Table, trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a reference."""
    root = tmp_path_factory.mktemp("references")
    with Store.open(tmp_path_factory.mktemp("elsewhere")) as store:
        measured = [replace(m, started_at=1.7e9 + i) for i, m in enumerate(table.measurements)]
        record = store.register_table(write_table(store.root, table.target, measured))
        store.register_predictor(trained, table.target.id, [record.version])
        publish(store, record, root, NAME)
    return root


@pytest.fixture
def url(references: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv(REFERENCES_VARIABLE, str(references))
    with in_background(Settings(data_dir=tmp_path, embedded_worker=False)) as url:
        yield url


def test_a_server_with_references_only_says_what_to_do(open_page: Callable[..., Page], url: str) -> None:
    assert httpx.get(f"{url}/readyz").status_code == 503
    page = open_page(url)
    for path in ("/compare", "/search-spaces", "/search-spaces/nas-bench-201", "/targets", "/"):
        page.goto(path)
        told = page.get_by_role("region", name="Nothing was measured here yet")
        expect(told).to_contain_text("archgauge profile")
        assert "not ready" in told.inner_text()
    expect(page.get_by_label(NAME)).to_be_checked()
    page.get_by_role("button", name="SqueezeNet", exact=True).click()
    page.get_by_role("button", name="Predict", exact=True).click()
    page.wait_for_url(re.compile("/predictions/"))
    expect(page.locator(".warning").first).to_contain_text("another machine")
    page.get_by_role("link", name=NAME).first.click()
    expect(page.locator(".warning")).to_contain_text("archgauge profile")
    page.goto("/targets")
    row = page.get_by_role("region", name="Targets").locator("tbody tr")
    expect(row).to_contain_text("answers whoever names it")
    assert "by default" not in row.inner_text()


def test_a_search_space_is_shown_for_a_reference(open_page: Callable[..., Page], url: str) -> None:
    body = {"space": examples_spaces.SPACE, "batch_size": 1, "target": NAME}
    sent = httpx.post(f"{url}/v1/search-spaces", json=body, timeout=30).json()
    page = open_page(url)
    page.goto(f"/search-spaces/{sent['id']}")
    expect(page.get_by_role("region", name="What each choice costs").locator("tbody th").first).to_be_visible()
    expect(page.locator("#spread")).to_contain_text("the fastest takes")
