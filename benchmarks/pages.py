"""How long the dashboard takes to show a model of 2,000 kernels.

    python -m benchmarks.pages [--data-dir DIR]

Asks a service on the data directory, which needs a promoted predictor, over the loopback. With Chromium on the PATH and
Playwright installed, it also says what a browser that has nothing in its cache does: when the document is there and its
scripts have run, when the last task ended that kept it from answering for more than 50 ms, how long the longest of
them was (all as medians), what was loaded besides plotly.js, and how long the roofline takes to appear after scrolling
to it. Pages that begin with charts draw them meanwhile.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click
import httpx

from archgauge import options
from service.server import in_background
from service.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Page

BLOCKS = 500
RUNS = 10
VISITS = 5

_OBSERVE = """
    window.busyUntil = window.longest = 0;
    new PerformanceObserver((list) => {
        for (const task of list.getEntries()) {
            busyUntil = Math.max(busyUntil, task.startTime + task.duration);
            longest = Math.max(longest, task.duration);
        }
    }).observe({ type: "longtask", buffered: true });
"""
_FIRST_VIEW = """() => {
    const [page] = performance.getEntriesByType("navigation");
    const own = performance.getEntriesByType("resource").filter((entry) => !entry.name.includes("plotly"));
    const bytes = own.reduce((sum, entry) => sum + entry.transferSize, page.transferSize);
    const usable = page.domContentLoadedEventEnd;
    return { bytes, usable, quiet: Math.max(usable, busyUntil), longest };
}"""


@click.command()
@options.data_dir
def main(data_dir: Path) -> None:
    """Time the page of a large model."""
    settings = Settings(data_dir=data_dir, log_format="text", log_level="WARNING")
    with in_background(settings) as url, httpx.Client(base_url=url, timeout=60.0) as http:
        body = {"architecture": {"format": "graph", "graph": large_graph()}, "name": "large", "detail": "kernels"}
        begun = time.perf_counter()
        answer = http.post("/v1/predictions", json=body).raise_for_status().json()
        click.echo(f"{len(answer['predictions'][0]['kernels']):,} kernels, predicted in {_ms(begun):.0f} ms")
        page, target = f"/predictions/{answer['id']}", answer["predictions"][0]["target"]
        pages = {
            "page": page, "page with 200 kernels": f"{page}?kernels=1", "start": "/",
            "compare": f"/compare?p={answer['id']}", "target": f"/targets/{target}",
        }  # fmt: skip
        for name, path in {**pages, "charts' data": f"{page}/charts?target={target}"}.items():
            times, size = _times(lambda path=path: http.get(path).raise_for_status())  # type: ignore[misc]
            click.echo(f"{name}: {median(times):.0f} ms (slowest of {RUNS}: {max(times):.0f} ms), {size / 1e3:,.0f} kB")
        _browse(url, pages)


def large_graph() -> dict[str, Any]:
    """A JSON graph of blocks of a product, a sine, a gate and a normalisation: four kernels each."""
    width = 64
    nodes, parameters, last = [], [], "x"
    for i in range(BLOCKS):
        parameters += [
            {"name": f"w{i}", "dtype": "float32", "shape": [width, width]},
            {"name": f"s{i}", "dtype": "float32", "shape": [width]},
            {"name": f"b{i}", "dtype": "float32", "shape": [width]},
        ]
        nodes += [
            {"op": "MatMul", "name": f"product{i}", "inputs": [last, f"w{i}"], "outputs": [f"p{i}"]},
            {"op": "Sin", "name": f"wave{i}", "inputs": [f"p{i}"], "outputs": [f"q{i}"]},
            {"op": "Mul", "name": f"gate{i}", "inputs": [f"q{i}", f"p{i}"], "outputs": [f"r{i}"]},
            {
                "op": "LayerNormalization",
                "name": f"norm{i}",
                "inputs": [f"r{i}", f"s{i}", f"b{i}"],
                "outputs": [f"n{i}"],
            },
        ]
        last = f"n{i}"
    inputs = [{"name": "x", "dtype": "float32", "shape": [1, 32, width]}]
    return {"name": "large", "opset": {"": 17}, "inputs": inputs, "parameters": parameters, "nodes": nodes,
            "outputs": [last]}  # fmt: skip


def _times(call: Callable[[], httpx.Response]) -> tuple[list[float], int]:
    """Milliseconds of each run, and the bytes of an answer."""
    times, size = [], 0
    for _ in range(RUNS):
        begun = time.perf_counter()
        size = len(call().content)
        times.append(_ms(begun))
    return times, size


def _browse(url: str, pages: dict[str, str]) -> None:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        click.echo("no Chromium on the PATH: not measured in a browser")
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, address in pages.items():
            views, drawn = [], []
            for _ in range(VISITS):
                page = browser.new_page(viewport={"width": 1280, "height": 800})
                page.add_init_script(_OBSERVE)
                page.goto(url + address, wait_until="load")
                page.wait_for_timeout(2000)
                views.append(page.evaluate(_FIRST_VIEW))
                if page.locator("#roofline").count():
                    drawn.append(_roofline(page))
                page.close()
            usable, quiet, longest = (median(view[key] for view in views) for key in ("usable", "quiet", "longest"))
            click.echo(
                f"{name} in a browser: usable after {usable:.0f} ms, answers at once after {quiet:.0f} ms "
                f"(longest wait {longest:.0f} ms), "
                f"{views[0]['bytes'] / 1e3:,.0f} kB"
                + (f"; roofline {median(drawn):.0f} ms after scrolling to it" if drawn else "")
            )
        browser.close()


def _roofline(page: Page) -> float:
    """Milliseconds from scrolling to the chart until it is drawn."""
    begun = time.perf_counter()
    page.locator("#roofline").scroll_into_view_if_needed()
    page.wait_for_selector("#roofline .scatterlayer .trace", state="attached")
    return _ms(begun)


def _ms(begun: float) -> float:
    return (time.perf_counter() - begun) * 1e3


if __name__ == "__main__":
    main()
