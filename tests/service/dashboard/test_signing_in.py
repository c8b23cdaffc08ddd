"""A service with keys, in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from service.keys import create_key
from service.server import in_background
from service.settings import Settings
from service.store import Store


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory, fill: Callable[[Path], Path]) -> Iterator[dict[str, str]]:
    """Tokens by scope, and the service's ``url``."""
    folder = fill(tmp_path_factory.mktemp("locked"))
    with Store.open(folder) as store:
        tokens = {scope: create_key(store.database, f"<b>{scope}</b>", [scope])[1] for scope in ("predict", "admin")}
        (first,) = store.predictors("example")
        from predictors import Predictor, TrainedPredictor

        store.register_predictor(
            TrainedPredictor(Predictor.load(store.predictor_folder(first))), "example", list(first.tables)
        )
    with in_background(Settings(data_dir=folder, refresh_s=0.05)) as url:
        yield {**tokens, "url": url}


def sign_in(page: Page, token: str) -> None:
    page.get_by_label("API key").fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_signing_in_leads_back_and_lets_predict(open_page: Callable[..., Page], keys: dict[str, str]) -> None:
    page = open_page(keys["url"])
    page.goto("/targets/example?predictor=")
    assert page.url.startswith(f"{keys['url']}/sign-in?next=")
    sign_in(page, "ag_000000000000_" + "x" * 43)
    expect(page.get_by_role("alert")).to_contain_text("not one of this service")
    sign_in(page, keys["predict"])
    page.wait_for_url(re.compile("/targets/example"))
    assert page.get_by_role("button", name="Promote").count() == 0  # that takes the scope admin
    assert page.evaluate("document.cookie") == ""  # no script can read the key
    assert "<b>predict</b>" in page.inner_text("header")
    page.goto("/")
    page.get_by_role("button", name="SqueezeNet", exact=True).click()
    page.get_by_role("button", name="Predict", exact=True).click()
    page.wait_for_url(re.compile("/predictions/"))
    page.locator("#roofline").scroll_into_view_if_needed()
    expect(page.locator("#roofline .scatterlayer .trace").first).to_be_visible()
    assert all("ARCHGAUGE_API_KEY" in command for command in page.locator(".copyable code").all_inner_texts())
    page.get_by_role("button", name="Sign out").click()
    page.goto("/")
    assert "/sign-in" in page.url


def test_an_administrator_promotes(open_page: Callable[..., Page], keys: dict[str, str]) -> None:
    page = open_page(keys["url"])
    page.goto("/targets/example")
    sign_in(page, keys["admin"])
    page.wait_for_url(re.compile("/targets/example"))
    page.wait_for_load_state("networkidle")
    page.get_by_role("button", name="Promote").click()
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_role("button", name="Roll back to it")).to_be_visible()


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_leads_nowhere_else(keys: dict[str, str], to: str) -> None:
    response = httpx.post(f"{keys['url']}/sign-in", data={"key": keys["predict"], "next": to})
    assert (response.status_code, response.headers["location"]) == (303, "/")


def test_the_cookie_is_for_us_alone(keys: dict[str, str]) -> None:
    cookie = httpx.post(f"{keys['url']}/sign-in", data={"key": keys["predict"], "next": "/"}).headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Secure" not in cookie
    elsewhere = {"origin": "https://evil.example"}
    for path in ("/sign-in", "/sign-in/out"):
        response = httpx.post(f"{keys['url']}{path}", data={"key": keys["predict"]}, headers=elsewhere)
        assert response.status_code == 403 and "set-cookie" not in response.headers
