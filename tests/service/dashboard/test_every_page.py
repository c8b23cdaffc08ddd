"""What holds for all pages: accessible, safe, small, usable on a phone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from graphs.light_models import light_models
from service import examples_spaces
from service.examples import TINY_GRAPH

#: A name that does something wherever it is not escaped.
HOSTILE = "\"><img src=x onerror=alert(1)><script>alert(2)</script>'`{{7*7}}"

PAGES = (
    "predict",
    "prediction",
    "compare",
    "compare_empty",
    "targets",
    "target",
    "spaces",
    "space",
    "sign_in",
    "error",
    "api",
)


@pytest.fixture(scope="module")
def addresses(dashboard: str) -> Iterator[dict[str, str]]:
    """The address of every page, on predictions whose names, nodes and targets are hostile."""
    graph = json.loads(json.dumps(TINY_GRAPH))
    graph["name"] = HOSTILE
    for node in graph["nodes"]:
        node["name"] = HOSTILE + node["name"]
    with httpx.Client(base_url=dashboard, timeout=30) as http:
        both = [target["id"] for target in http.get("/v1/targets").json()["targets"]]
        options: dict[str, Any] = {"targets": both, "detail": "kernels"}
        body = {"architecture": {"format": "graph", "graph": graph}, **options, "strict": False}
        hostile = http.post("/v1/predictions", json=body).json()["id"]
        query = {"target": both, "detail": "kernels", "name": "ResNet-50"}
        resnet = http.post("/v1/predictions/onnx", params=query, content=light_models()["ResNet-50"].read_bytes())
        described = {**examples_spaces.SPACE, "description": HOSTILE}
        space = http.post("/v1/search-spaces", json={"space": described, "batch_size": 1}).json()["id"]
        compare = f"/compare?p={hostile}&p={resnet.json()['id']}&v=1&v=2&label=%22%3E%3Cimg%20src%3Dx%3E"
    yield {
        "predict": "/", "prediction": f"/predictions/{hostile}?ms=1&mj=1&mb=1&kernels=all", "compare": compare,
        "compare_empty": "/compare", "targets": "/targets", "target": f"/targets/{both[1]}", "sign_in": "/sign-in",
        "spaces": "/search-spaces", "space": f"/search-spaces/{space}",
        "error": "/predictions/%3Cimg%20src%3Dx%3E", "api": "/docs",
    }  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", [name for name in PAGES if name != "api"])
def test_accessible_and_no_wider_than_the_window(
    open_page: Callable[..., Page], dashboard: str, addresses: dict[str, str], name: str, width: int, scheme: str
) -> None:
    page = open_page(dashboard, width, color_scheme=scheme)
    page.goto(addresses[name])
    page.wait_for_load_state("networkidle")
    found = [
        f"{v['id']}: {v['help']}: {node['html'][:120]}"
        for v in Axe().run(page).response["violations"]
        if v["impact"] in ("serious", "critical")
        for node in v["nodes"]
    ]
    assert found == []
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width


@pytest.mark.parametrize("name", PAGES)
def test_hostile_names_are_only_text(
    open_page: Callable[..., Page], dashboard: str, addresses: dict[str, str], name: str
) -> None:
    page = open_page(dashboard)  # complains of dialogs, violations of the policy and requests to elsewhere
    page.goto(addresses[name])
    page.wait_for_load_state("networkidle")
    assert page.locator("img[src=x]").count() == 0
    assert "49" not in page.title()
    if name in ("predict", "prediction", "compare", "targets", "target", "space"):
        assert "<img src=x onerror=alert(1)>" in page.inner_text("main")


def test_hostile_file_names_are_only_text(page: Page, tmp_path: Path) -> None:
    page.goto("/")
    content = json.dumps(TINY_GRAPH).encode()
    page.get_by_label("Choose files").set_input_files(
        {"name": HOSTILE + ".json", "mimeType": "application/json", "buffer": content}
    )
    expect(page.get_by_role("list", name="Chosen models")).to_contain_text("<script>alert(2)</script>")
    page.get_by_role("button", name="Predict", exact=True).click()
    page.wait_for_url(re.compile("/predictions/"))
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("heading", level=1)).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("name", ["predict", "prediction"])
def test_first_views_are_small(page: Page, addresses: dict[str, str], name: str) -> None:
    sizes: dict[str, int] = {}
    page.on("requestfinished", lambda request: sizes.update({request.url: request.sizes()["responseBodySize"]}))
    page.goto(addresses[name])
    page.wait_for_load_state("networkidle")
    own = {url: size for url, size in sizes.items() if "plotly" not in url}
    assert len(own) >= 3 and sum(own.values()) < 300_000
    plotly = [size for url, size in sizes.items() if "plotly" in url]
    assert all(500_000 < size < 2_000_000 for size in plotly) and len(plotly) == (name == "prediction")


def test_pages_speak_html_of_their_errors(dashboard: str) -> None:
    for path, status in (("/predictions/none", 404), ("/targets/none", 404), ("/compare?v=x&p=none", 200)):
        response = httpx.get(dashboard + path)
        assert response.status_code == status and response.headers["content-type"].startswith("text/html")
    assert httpx.get(f"{dashboard}/compare?{'p=x&' * 101}").status_code == 422
