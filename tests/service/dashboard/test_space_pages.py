"""Search spaces in a browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect


def test_a_ready_space_is_compiled_and_shown(page: Page) -> None:
    page.goto("/search-spaces")
    page.get_by_role("link", name="nas-bench-201").click()
    page.wait_for_url(re.compile("/search-spaces/nas-bench-201"))
    cells = page.get_by_role("region", name="What each choice costs").locator("tbody td")
    expect(cells.first).to_be_visible(timeout=60_000)
    expect(page.locator("#histogram .barlayer .trace")).to_be_attached()
    assert re.search(r"the fastest takes [\d.]+ ms", page.inner_text("#spread"))
    assert page.locator(".heat-7").count() >= 1


def test_a_space_that_does_not_exist(page: Page) -> None:
    page.goto("/search-spaces/nope")
    expect(page.get_by_role("alert")).to_contain_text("nope")
