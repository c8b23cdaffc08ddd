"""How fast search spaces compile and are priced, and how far they are from full predictions.

    python -m benchmarks.search_spaces [--data-dir DIR] [--space NAME …] [--rows N]

Uses the promoted predictor of the data directory; without one, this machine is profiled for a moment first. Rows per
second in process are set against a NumPy gather and sum of a table of choices and layers, and measured over HTTP with
Arrow. Every figure is of one run beside nothing else.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import httpx
import numpy as np
import pyarrow as pa

from archgauge import options
from archgauge.output import stdout, table
from archgauge.service_process import running_service
from benchmarks.data import prepare, promoted
from benchmarks.figures import Figure, as_table
from graphs.search_spaces import READY, ready_space
from predictors import Predictor
from predictors.compiled import CompiledSpace, compile_space
from predictors.compiled.space import draw_rows

DIMS = {"bert-supernet": {"sequence": 128}}
RUNS = 5
#: Rows per request.
AT_ONCE = 100_000


@click.command()
@options.data_dir
@click.option("--space", "spaces", multiple=True, type=click.Choice(READY), help="All by default.")
@click.option("--rows", type=click.IntRange(10_000), default=1_000_000, show_default=True)
def main(data_dir: Path, spaces: tuple[str, ...], rows: int) -> None:
    """Compile spaces, price rows, and print what it took."""
    stdout().print(as_table(measure(data_dir, spaces or tuple(READY), rows)))


def measure(data_dir: Path, spaces: Sequence[str] = tuple(READY), rows: int = 1_000_000) -> list[Figure]:
    """Compile ``spaces`` and price ``rows`` of each; prints what each took."""
    with tempfile.TemporaryDirectory() as temporary:
        served = Path(temporary) / "data"
        prepare(data_dir, served)
        predictor = promoted(served)
        columns = ("mode", "seconds", "lowered", "error", "worst", "memory", "rows/s", "plain", "ratio")
        shown = table("space", *columns)
        figures = []
        for name in spaces:
            cells, found = _compile(predictor, name, rows)
            shown.add_row(name, *cells)
            figures += found
        stdout().print("compiled in process; errors are shares of full predictions; plain: NumPy gather and sum")
        stdout().print(shown)
        with running_service(served) as base_url:
            rate = _over_http(base_url, "proxylessnas")
        return [*figures, Figure("proxylessnas, rows over HTTP with Arrow", rate, "/s", at_least=300_000)]


def _compile(predictor: Predictor, name: str, count: int) -> tuple[list[str], list[Figure]]:
    begun = time.perf_counter()
    compiled = compile_space(predictor, ready_space(name), dims=DIMS.get(name))
    took_s = time.perf_counter() - begun
    errors = compiled.errors
    assert errors is not None
    mine, plain = _rates(compiled, count)
    cells = [
        compiled.mode, f"{took_s:.1f}", f"{compiled.report['lowered']:,}", f"{errors.latency_mean:.1e}",
        f"{errors.latency_max:.1e}", f"{errors.memory_mean:.1%}", f"{mine:,.0f}", f"{plain:,.0f}",
        f"{plain / mine:.2f}",
    ]  # fmt: skip
    return cells, [
        Figure(f"{name}, compiled", took_s, " s"),
        Figure(f"{name}, rows in process", mine, "/s", at_least=2e6),
        Figure(f"{name}, over a plain gather and sum", plain / mine, " ×", at_most=2.0),
        Figure(f"{name}, largest additivity error", 100.0 * errors.latency_max, " %", at_most=1.0),
    ]


def _rates(compiled: CompiledSpace, count: int) -> tuple[float, float]:
    """Rows per second: latency, energy, memory and intervals of ours; latency alone of the gather and sum."""
    space = compiled.space
    rows = draw_rows(space, count, 1).astype(np.uint8)
    costs = np.random.default_rng(0).random((len(space.layers), max(space.choices)))
    layers = np.arange(len(space.layers))
    return _rate(count, lambda: compiled.predict(rows)), _rate(count, lambda: costs[layers, rows].sum(axis=1))


def _rate(count: int, work: Any) -> float:
    best = float("inf")
    for _ in range(RUNS):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return count / best


def _over_http(base_url: str, name: str) -> float:
    space = ready_space(name)
    rows = draw_rows(space, AT_ONCE, 2).astype(np.uint8)
    columns = {layer.name: np.ascontiguousarray(rows[:, i]) for i, layer in enumerate(space.layers)}
    sink = io.BytesIO()
    arrow = pa.table(columns)
    with pa.ipc.new_stream(sink, arrow.schema) as writer:
        writer.write_table(arrow)
    headers = {"content-type": "application/vnd.apache.arrow.stream"}
    with httpx.Client(base_url=base_url, timeout=600.0) as client:
        while client.get(f"/v1/search-spaces/{name}").json()["status"] != "ready":
            time.sleep(0.5)

        def ask() -> None:
            path = f"/v1/search-spaces/{name}/predictions"
            response = client.post(path, content=sink.getvalue(), headers=headers).raise_for_status()
            assert pa.ipc.open_stream(response.content).read_all().num_rows == AT_ONCE

        return _rate(AT_ONCE, ask)


if __name__ == "__main__":
    main()
