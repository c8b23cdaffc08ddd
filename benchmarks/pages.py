"""How long the dashboard takes to show a model of 2,000 kernels.

    python -m benchmarks.pages [--data-dir DIR]

Asks a service on the data directory, which needs a promoted predictor, over the loopback. With Chromium on the PATH and
Playwright installed, it also says how long a browser takes until the page can be used and until its charts are drawn.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import click
import httpx

from archgauge import options
from service.server import in_background
from service.settings import Settings

BLOCKS = 500
RUNS = 10


@click.command()
@options.data_dir
def main(data_dir: Path) -> None:
    """Time the page of a large model."""
    settings = Settings(data_dir=data_dir, log_format="text", log_level="WARNING")
    with in_background(settings) as url, httpx.Client(base_url=url, timeout=60.0) as http:
        body = {"architecture": {"format": "graph", "graph": _graph()}, "name": "large", "detail": "kernels"}
        begun = time.perf_counter()
        answer = http.post("/v1/predictions", json=body).raise_for_status().json()
        click.echo(f"{len(answer['predictions'][0]['kernels']):,} kernels, predicted in {_ms(begun):.0f} ms")
        page = f"/predictions/{answer['id']}"
        for name, path in (("page", page), ("page with all kernels", f"{page}?kernels=all"), ("start", "/")):
            times, size = _times(lambda path=path: http.get(path).raise_for_status())  # type: ignore[misc]
            click.echo(f"{name}: {median(times):.0f} ms (slowest of {RUNS}: {max(times):.0f} ms), {size / 1e3:,.0f} kB")
        _browse(url, (("page", page), ("page with all kernels", f"{page}?kernels=all"), ("start", "/")))


def _graph() -> dict[str, Any]:
    """Blocks of a product, a sum, an activation and a normalisation: four kernels each."""
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


def _browse(url: str, pages: tuple[tuple[str, str], ...]) -> None:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        click.echo("no Chromium on the PATH: not measured in a browser")
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, address in pages:
            page = browser.new_page()
            begun = time.perf_counter()
            page.goto(url + address, wait_until="domcontentloaded")
            usable = _ms(begun)
            page.wait_for_load_state("networkidle")
            if page.locator("#roofline").count():
                page.wait_for_selector("#roofline .scatterlayer .trace", state="attached")
            click.echo(f"{name} in a browser: usable after {usable:.0f} ms, complete after {_ms(begun):.0f} ms")
            page.close()
        browser.close()


def _ms(begun: float) -> float:
    return (time.perf_counter() - begun) * 1e3


if __name__ == "__main__":
    main()
