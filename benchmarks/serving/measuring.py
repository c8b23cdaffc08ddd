"""What answers of one service process cost, over HTTP and without it."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from archgauge.service_process import running_service
from archgauge_client.wire import PredictionRequest
from benchmarks.data import prepare
from benchmarks.figures import Figure
from benchmarks.serving.bodies import as_json, as_line, as_onnx, mobile_graphs
from benchmarks.serving.loads import Connection, batch, endless, one_by_one
from predictors.regressors import Regressor
from service.batch.windows import TOGETHER, Window
from service.engine import PricingEngine
from service.requests import parse_request
from service.settings import Settings
from service.store import Store
from service.workers import Deadline

Graphs = Sequence[dict[str, Any]]


def measure(data_dir: Path, requests: int = 400, seconds: float = 20.0) -> list[Figure]:
    """Load a service of one process with ``requests`` of each kind, and with a stream for ``seconds``."""
    with tempfile.TemporaryDirectory() as temporary:
        served = Path(temporary) / "data"
        prepare(data_dir, served)
        graphs = mobile_graphs(5 * requests, seed=1)
        alone, seen, fresh, others = (graphs[a * requests : b * requests] for a, b in ((0, 2), (2, 3), (3, 4), (4, 5)))
        with running_service(served) as base_url:
            connection = Connection(base_url)
            figures = [*_single(connection, alone[:requests], alone[requests:])]
            figures += _batches(connection, served, alone, seen, fresh)
            figures += _stream(base_url, seen, seconds)
        return [*figures, *_apart(served, [*alone, *seen, *fresh], others)]


def _single(connection: Connection, for_onnx: Graphs, for_json: Graphs) -> Iterator[Figure]:
    onnx, text = [as_onnx(graph) for graph in for_onnx], [as_json(graph) for graph in for_json]
    for name, path, bodies, media_type, p50, p99 in (
        ("ONNX without weights", "/v1/predictions/onnx", onnx, "application/octet-stream", 5.0, 15.0),
        ("JSON graph", "/v1/predictions", text, "application/json", 4.0, None),
    ):
        size = f"{len(bodies[0]) / 1024:.0f} KiB"
        for state in ("never seen before", "seen before"):
            times = one_by_one(connection, path, bodies, media_type)
            yield Figure(f"{name}, {size}, {state}: p50", times[len(times) // 2], " ms", at_most=p50)
            yield Figure(f"{name}, {size}, {state}: p99", times[int(0.99 * len(times))], " ms", at_most=p99)


def _batches(connection: Connection, served: Path, before: Graphs, seen: Graphs, fresh: Graphs) -> Iterator[Figure]:
    """Batches of ``seen`` and of ``fresh`` after ``before`` was asked for, and the last one in process too."""
    lines, others = [as_line(graph) for graph in seen], [as_line(graph) for graph in fresh]
    batch(connection, lines[:10])
    cold_s, warm_s = batch(connection, lines), batch(connection, lines)
    here_s = _in_process(served, [as_line(graph) for graph in before] + lines, others)
    http_s = batch(connection, others)
    yield Figure("batch of different networks, never seen before", len(lines) / cold_s, "/s", at_least=500.0)
    yield Figure("the same after as many others", len(others) / http_s, "/s", at_least=500.0)
    yield Figure("batch of different networks, seen before", len(lines) / warm_s, "/s", at_least=500.0)
    yield Figure("batch over HTTP, over the same in process", http_s / here_s, " ×", at_most=1.3)


def _stream(base_url: str, graphs: Graphs, seconds: float) -> Iterator[Figure]:
    moments = list(endless(base_url, [as_line(graph) for graph in graphs], seconds))
    yield Figure("stream without end: answers", moments[-1][0])
    middle = moments[len(moments) // 2][1]
    yield Figure("stream without end: resident memory at its end, over its middle", moments[-1][1] / middle, " ×",
                 at_most=1.1)  # fmt: skip


def _in_process(served: Path, before: Sequence[bytes], lines: Sequence[bytes]) -> float:
    """Seconds that the engine takes without HTTP for ``lines``, after ``before``."""
    with _engine(served) as engine:
        _price(engine, before)
        began = time.perf_counter()
        _price(engine, lines)
        return time.perf_counter() - began


def _price(engine: PricingEngine, lines: Sequence[bytes]) -> None:
    for begin in range(0, len(lines), TOGETHER):
        requests = [parse_request(line, PredictionRequest) for line in lines[begin : begin + TOGETHER]]
        for outcome in engine.price_many(requests, Deadline(600.0)):
            if isinstance(outcome, Exception):
                raise outcome


def _apart(served: Path, before: Graphs, graphs: Graphs) -> Iterator[Figure]:
    """Milliseconds per graph from the bytes of a request to those of its answer: in regressors, and in all else."""
    lines = [as_line(graph) for graph in graphs]
    with _engine(served) as engine, _timed_regressors() as regressing:
        _price(engine, [as_line(graph) for graph in before])
        regressing.clear()
        began = time.perf_counter()
        for begin in range(0, len(lines), TOGETHER):
            Window(engine, lines[begin : begin + TOGETHER], 0)(Deadline(600.0))
        took_s = time.perf_counter() - began
    each = 1e3 / len(lines)
    yield Figure("in batches, all but the regressors, per graph", (took_s - sum(regressing)) * each, " ms", at_most=1.0)
    yield Figure("in batches, regressors, per graph", sum(regressing) * each, " ms")


@contextmanager
def _engine(served: Path) -> Iterator[PricingEngine]:
    """As a service process has it."""
    threadpool_limits(1, user_api="blas")
    with Store.open(served) as store:
        engine = PricingEngine(store, Settings(data_dir=served))
        engine.warm_up()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        yield engine


@contextmanager
def _timed_regressors() -> Iterator[list[float]]:
    """Seconds of every call of a regressor's members, which is all that they compute of features."""
    ask, seconds = Regressor.members, []

    def timed(self: Regressor, features: Any) -> Any:
        began = time.perf_counter()
        said = ask(self, features)
        seconds.append(time.perf_counter() - began)
        return said

    Regressor.members = timed  # type: ignore[method-assign]
    try:
        yield seconds
    finally:
        Regressor.members = ask  # type: ignore[method-assign]
