"""Load a service of one process over HTTP and compare with the same in process.

    python -m benchmarks.serving [--data-dir DIR] [--requests N] [--seconds S]

Serves a copy of the data directory with its promoted predictor; without one, this machine is profiled for a moment
first. Every figure is of one run beside nothing else; ratios are of the same run.
"""

from __future__ import annotations

import gc
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.table import Table
from threadpoolctl import threadpool_limits

from archgauge import options
from archgauge.output import stdout, table
from archgauge.service_process import running_service
from archgauge.state import open_store
from archgauge_client.wire import PredictionRequest
from benchmarks.serving.bodies import as_json, as_line, as_onnx, mobile_graphs
from benchmarks.serving.loads import Connection, batch, endless, one_by_one
from service.engine import PricingEngine
from service.errors import NoPredictor
from service.requests import parse_request
from service.settings import Settings
from service.store import Store
from service.workers import Deadline

#: Predictions that are priced together in process, as the service does.
_WINDOW = 64


@click.command()
@options.data_dir
@click.option("--requests", type=click.IntRange(50), default=400, show_default=True, help="Per load.")
@click.option("--seconds", type=click.FloatRange(1), default=20.0, show_default=True, help="Of the endless stream.")
def main(data_dir: Path, requests: int, seconds: float) -> None:
    """Load a service and print what it took."""
    with tempfile.TemporaryDirectory() as temporary:
        served = Path(temporary) / "data"
        _prepare(data_dir, served)
        with running_service(served) as base_url:
            connection = Connection(base_url)
            graphs = mobile_graphs(4 * requests, seed=1)
            rows = table("load", "p50", "p99", "target")
            _single(rows, connection, graphs, requests)
            stdout().print("milliseconds from request to answer, one process, one connection")
            stdout().print(rows)
            rows = table("batch of different networks", "value", "target")
            _batches(rows, connection, served, graphs[: 2 * requests], graphs[2 * requests :])
            stdout().print(rows)
            rows = table("stream", "answers", "resident MiB")
            for answers, resident in endless(base_url, [as_line(graph) for graph in graphs[:requests]], seconds):
                rows.add_row("endless", f"{answers:,}", f"{resident:.0f}")
            stdout().print(rows)


def _prepare(data_dir: Path, served: Path) -> None:
    if data_dir.exists():
        with open_store(data_dir) as store:
            try:
                store.promoted()
            except NoPredictor:
                pass
            else:
                shutil.copytree(data_dir, served)
                return
    from benchmarks.__main__ import profile_here

    with open_store(served) as store:
        profile_here(store)


def _single(rows: Table, connection: Connection, graphs: Sequence[dict[str, object]], requests: int) -> None:
    onnx = [as_onnx(graph) for graph in graphs[:requests]]
    graph_bodies = [as_json(graph) for graph in graphs[requests : 2 * requests]]
    for name, path, bodies, media_type, target in (
        ("ONNX without weights", "/v1/predictions/onnx", onnx, "application/octet-stream", "5 / 15"),
        ("JSON graph", "/v1/predictions", graph_bodies, "application/json", "4"),
    ):
        cold = one_by_one(connection, path, bodies, media_type)
        warm = one_by_one(connection, path, bodies, media_type)
        size = f"{len(bodies[0]) / 1024:.0f} KiB"
        for state, times in (("never seen before", cold), ("kernels known", warm)):
            p50, p99 = times[len(times) // 2], times[int(0.99 * len(times))]
            rows.add_row(f"{name}, {size}, {state}", f"{p50:.2f}", f"{p99:.2f}", target)


def _batches(
    rows: Table, connection: Connection, served: Path, seen: Sequence[dict[str, object]],
    graphs: Sequence[dict[str, object]],
) -> None:  # fmt: skip
    half = len(graphs) // 2
    lines = [as_line(graph) for graph in graphs]
    batch(connection, lines[:10])
    stages = ("read", "infer", "lower", "compose")
    before = [connection.metric(f'archgauge_stage_seconds_sum{{stage="{stage}"}}') for stage in stages]
    cold_s, warm_s = batch(connection, lines[:half]), batch(connection, lines[:half])
    after = [connection.metric(f'archgauge_stage_seconds_sum{{stage="{stage}"}}') for stage in stages]
    first_s, here_s = _in_process(served, [as_line(graph) for graph in seen] + lines[:half], lines[half:])
    http_s = batch(connection, lines[half:])
    rows.add_row("graphs per second, never seen before", f"{half / cold_s:.0f}", "500")
    rows.add_row("graphs per second, kernels known", f"{half / warm_s:.0f}", "")
    rows.add_row("graphs per second in process, from an empty memory", f"{(len(seen) + half) / first_s:.0f}", "")
    for stage, a, b in zip(stages, before, after, strict=True):
        rows.add_row(f"{stage}, ms per graph", f"{1e3 * (b - a) / (2 * half):.2f}", "")
    rows.add_row("all but the regressors, ms per graph", f"{1e3 * (sum(after) - sum(before)) / (2 * half):.2f}", "1")
    rows.add_row("HTTP over the same in process", f"{http_s / here_s:.2f} ×", "1.3 ×")


def _in_process(served: Path, before: Sequence[bytes], lines: Sequence[bytes]) -> tuple[float, float]:
    """Seconds that the engine takes without HTTP for what the service has seen ``before``, and then for ``lines``."""
    threadpool_limits(1, user_api="blas")  # as the service
    with Store.open(served) as store:
        engine = PricingEngine(store, Settings(data_dir=served))
        engine.warm_up()
        gc.freeze()  # as the service, too
        gc.set_threshold(50_000, 20, 100)
        began = time.perf_counter()
        _price(engine, before)
        between = time.perf_counter()
        _price(engine, lines)
        return between - began, time.perf_counter() - between


def _price(engine: PricingEngine, lines: Sequence[bytes]) -> None:
    for begin in range(0, len(lines), _WINDOW):
        requests = [parse_request(line, PredictionRequest) for line in lines[begin : begin + _WINDOW]]
        for outcome in engine.price_many(requests, Deadline(600.0)):
            if isinstance(outcome, Exception):
                raise outcome


main()
