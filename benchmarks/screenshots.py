"""Pictures of the dashboard's pages, to be looked at after a change and for the documentation.

    python -m benchmarks.screenshots OUT [--data-dir DIR] [--only NAME]…

Serves the data directory, which needs a promoted predictor, predicts the networks that onnx carries, and photographs
every page at 1280 and 390 pixels, light and dark; what is wider than its window is said. Needs Chromium on the PATH.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click
import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from archgauge import options
from graphs.light_models import light_models
from service.server import in_background
from service.settings import Settings

#: Networks that are compared, with their top-1 accuracies on ImageNet as torchvision and their papers report them.
_COMPARED = {"SqueezeNet": 57.5, "ResNet-50": 76.1, "ShuffleNet": 67.4, "DenseNet-121": 74.4, "AlexNet": 56.5}
_SPACE = "nas-bench-201"


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--only", multiple=True, metavar="NAME", help="Pages to photograph; all without.")
@options.data_dir
def main(out: Path, only: tuple[str, ...], data_dir: Path) -> None:
    """Photograph the dashboard."""
    out.mkdir(parents=True, exist_ok=True)
    settings = Settings(data_dir=data_dir, log_format="text", log_level="WARNING")
    with (
        in_background(settings) as url,
        httpx.Client(base_url=url, timeout=120.0) as http,
        sync_playwright() as playwright,
    ):
        addresses = {name: path for name, path in _addresses(http).items() if not only or name in only}
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, page in _pages(browser, url, addresses):
            page.screenshot(path=out / f"{name}.png", full_page=True)
        browser.close()


def _addresses(http: httpx.Client) -> dict[str, str]:
    """Every page, by a name for its picture."""
    targets = [target["id"] for target in http.get("/v1/targets").json()["targets"] if target["predictor"]]
    ids = {name: _predicted(http, name, targets[:1]) for name in _COMPARED}
    compared: list[tuple[str, Any]] = [("p", ids[name]) for name in _COMPARED]
    compared += [("v", accuracy) for accuracy in _COMPARED.values()] + [("label", "Top-1 accuracy, %")]
    newest = http.get("/v1/campaigns?limit=1").json()["campaigns"]
    return {
        "start": "/", "prediction": f"/predictions/{ids['ShuffleNet']}?ms=4.4&mb=20",
        "targets-of-a-prediction": f"/predictions/{_predicted(http, 'ResNet-50', targets)}?ms=50",
        "kernels": f"/predictions/{ids['DenseNet-121']}?kernels=1", "compare": f"/compare?{urlencode(compared)}",
        "compare-nothing": "/compare", "targets": "/targets", "target": f"/targets/{targets[0]}",
        "search-spaces": "/search-spaces", "search-space": f"/search-spaces/{_SPACE}", "agents": "/agents",
        "campaigns": "/campaigns", **({"campaign": f"/campaigns/{newest[0]['id']}"} if newest else {}),
        "sign-in": "/sign-in", "error": "/predictions/none",
    }  # fmt: skip


def _predicted(http: httpx.Client, name: str, targets: list[str]) -> str:
    query = {"name": f"{name.lower()}.onnx", "detail": "kernels", "target": targets}
    content = light_models()[name].read_bytes()
    return str(http.post("/v1/predictions/onnx", params=query, content=content).raise_for_status().json()["id"])


def _pages(browser: Browser, url: str, addresses: dict[str, str]) -> Iterator[tuple[str, Page]]:
    """Each page, with all its charts drawn, in every width and scheme."""
    for scheme in ("light", "dark"):
        for width in (1280, 390):
            options: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
            page = browser.new_page(base_url=url, **options)
            page.on("console", lambda m: click.echo(f"{m.type}: {m.text}") if m.type in ("error", "warning") else None)
            for name, address in addresses.items():
                page.goto(address, wait_until="networkidle")
                if name == "search-space":
                    page.wait_for_selector("#heat tr", timeout=600_000)
                for chart in page.locator(".chart:visible").all():
                    chart.scroll_into_view_if_needed()
                    chart.locator(".main-svg").first.wait_for()
                page.evaluate("scrollTo(0, 0)")
                if (wide := page.evaluate("document.scrollingElement.scrollWidth")) > width:
                    click.echo(f"{name} is {wide} pixels wide in a window of {width}")
                yield f"{name}-{width}-{scheme}", page
            page.close()


if __name__ == "__main__":
    main()
