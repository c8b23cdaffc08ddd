"""The interactive documentation in a real browser: it shows everything, and what is tried works, with a key too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from service.keys import create_key
from service.server import in_background
from service.settings import Settings
from service.store import Store


def operation(page: Page, operation_id: str) -> Any:
    """An endpoint's part of the page, opened."""
    part = page.locator(f"[id$='-{operation_id}'].opblock")
    part.locator(".opblock-summary").first.click()
    return part


def try_out(part: Any) -> None:
    part.get_by_role("button", name="Try it out").click()
    part.get_by_role("button", name="Execute").click()


def test_every_endpoint_is_shown(page: Page, dashboard: str) -> None:
    document = httpx.get(f"{dashboard}/openapi.json").json()
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    page.goto("/docs")
    expect(page.locator(".opblock")).to_have_count(len(ids))
    for operation_id in ids:
        expect(page.locator(f"[id$='-{operation_id}'].opblock")).to_have_count(1)
    expect(page.locator(".opblock.opblock-deprecated, .errors-wrapper")).to_have_count(0)


def test_an_example_can_be_sent(page: Page) -> None:
    page.goto("/docs")
    part = operation(page, "predict")
    try_out(part)
    answer = part.locator(".live-responses-table")
    expect(answer.locator(".response-col_status").last).to_contain_text("200")
    expect(answer).to_contain_text("latency_ms")


def test_a_key_opens_what_wants_one(tmp_path: Path, fill: Callable[..., Path], open_page: Callable[..., Page]) -> None:
    with Store.open(fill(tmp_path)) as store:
        _, token = create_key(store.database, "me", ["admin"])
    with in_background(Settings(data_dir=tmp_path, embedded_worker=False)) as url:
        page = open_page(url)
        page.goto("/docs")
        part = operation(page, "list_keys")
        try_out(part)
        status = part.locator(".live-responses-table .response-col_status").last
        expect(status).to_contain_text("401")
        page.locator(".scheme-container").get_by_role("button", name="Authorize").click()
        dialog = page.locator(".dialog-ux")
        dialog.locator("input").fill(token)
        dialog.get_by_role("button", name="Apply credentials").or_(dialog.locator("button.authorize")).first.click()
        dialog.locator("button.btn-done").click()
        part.get_by_role("button", name="Execute").click()
        expect(status).to_contain_text("200")
