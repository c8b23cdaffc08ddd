"""Search spaces in a browser."""

from __future__ import annotations

import re

import httpx
from playwright.sync_api import Page, expect

from service import examples_spaces


def test_a_space_that_was_sent_is_shown(page: Page, dashboard: str) -> None:
    sent = httpx.post(
        f"{dashboard}/v1/search-spaces", json={"space": examples_spaces.SPACE, "batch_size": 1}, timeout=30
    ).json()
    page.goto("/search-spaces")
    expect(page.get_by_role("link", name="nas-bench-201")).to_be_visible()
    page.get_by_role("link", name="small", exact=True).click()
    page.wait_for_url(re.compile(f"/search-spaces/{sent['id']}"))
    costs = page.get_by_role("region", name="What each choice costs")
    choosing = [layer["name"] for layer in sent["layers"] if len(layer["choices"]) > 1]
    expect(costs.locator("tbody th")).to_have_text(choosing, timeout=30_000)
    assert "or to the 1 layer without a choice" in page.inner_text("#fixed")
    expect(costs.locator(".heat-7").first).to_be_visible()
    expect(page.locator("#histogram .barlayer .trace")).to_be_attached()
    assert re.search(r"the fastest takes [\d.]+\sms", page.inner_text("#spread"))


def test_what_a_worker_has_to_compile_waits_for_one(page: Page) -> None:
    page.goto("/search-spaces/ofa-mobilenet-v3")
    expect(page.get_by_role("status")).to_contain_text("archgauge worker", timeout=30_000)


def test_a_space_that_does_not_exist(page: Page) -> None:
    page.goto("/search-spaces/nope")
    expect(page.get_by_role("alert")).to_contain_text("nope")
