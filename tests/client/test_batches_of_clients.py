"""Batches of both clients: chunks, order, errors in place, interruptions that nobody notices."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from archgauge_client import (
    AsyncClient,
    BatchAnswer,
    BatchRequest,
    Client,
    NotAModel,
    NotFound,
    Overloaded,
    ProblemError,
    RetryPolicy,
    ServiceUnreachable,
)
from archgauge_client.wire import GraphArchitecture

QUICK = RetryPolicy(attempts=3, base_s=0.001, cap_s=0.002)
Handler = Callable[[httpx.Request], httpx.Response]
Run = Callable[..., list[Any]]


def blocking(handler: Handler, models: Any, **options: Any) -> list[Any]:
    with Client("http://service", retries=QUICK, transport=httpx.MockTransport(handler)) as client:
        return list(client.predict_many(models, **options))


def asynchronous(handler: Handler, models: Any, **options: Any) -> list[Any]:
    async def run() -> list[Any]:
        async with AsyncClient("http://service", retries=QUICK, transport=httpx.MockTransport(handler)) as client:
            return [outcome async for outcome in client.predict_many(models, **options)]

    return asyncio.run(run())


BOTH = pytest.mark.parametrize("run", [blocking, asynchronous], ids=["Client", "AsyncClient"])


def model(number: int) -> dict[str, Any]:
    return {"name": f"n{number}", "nodes": []}


def answer(index: int, name: str, **extra: Any) -> dict[str, Any]:
    return {"id": "1", "name": name, "predictions": [], "index": index, **extra}


def problem(index: int, status: int, **extra: Any) -> dict[str, Any]:
    return {"type": "about:blank", "title": "T", "status": status, "index": index, **extra}


class Service:
    """Answers every request with its name; ``spoil`` may change or drop the lines of the n-th call."""

    def __init__(self, spoil: Callable[[int, list[dict[str, Any]]], list[dict[str, Any]]] | None = None) -> None:
        self.bodies: list[list[dict[str, Any]]] = []
        self.spoil = spoil or (lambda call, lines: lines)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert (request.url.path, request.headers["content-type"]) == ("/v1/predictions/batch", "application/x-ndjson")
        asked = [json.loads(line) for line in request.content.splitlines()]
        self.bodies.append(asked)
        lines = []
        for index, one in enumerate(asked):
            name = one["architecture"]["graph"]["name"]
            sizes = one.get("batch_sizes")
            lines += [answer(index, name, batch_size=n) for n in sizes] if sizes else [answer(index, name)]
        lines = self.spoil(len(self.bodies), lines)
        return httpx.Response(200, content=b"".join(json.dumps(line).encode() + b"\n" for line in lines))


@BOTH
def test_many_models_come_back_in_order(run: Run) -> None:
    service = Service()
    outcomes = run(service, [model(i) for i in range(150)], targets="laptop", confidence=0.8)
    assert [o.name for o in outcomes] == [f"n{i}" for i in range(150)]
    assert [o.index for o in outcomes] == list(range(150))
    assert sorted(map(len, service.bodies)) == [22, 64, 64]
    first = service.bodies[0][0]
    assert (first["targets"], first["confidence"], first["store"]) == (["laptop"], 0.8, False)


@BOTH
def test_sweeps_and_requests_of_their_own(run: Run) -> None:
    own = BatchRequest(architecture=GraphArchitecture(format="graph", graph=model(7)), batch_size=3)
    outcomes = run(Service(), [model(1), own], batch_sizes=[1, 8])
    assert [(o.name, o.index, o.batch_size) for o in outcomes] == [("n1", 0, 1), ("n1", 0, 8), ("n7", 1, None)]


@BOTH
def test_a_bad_model_is_an_error_in_its_place(run: Run) -> None:
    service = Service(lambda call, lines: [lines[0], problem(1, 404), lines[2]])
    first, second, third = run(service, [model(i) for i in range(3)])
    assert isinstance(first, BatchAnswer) and isinstance(second, NotFound) and third.name == "n2"
    assert len(service.bodies) == 1


@BOTH
@pytest.mark.parametrize("end", [[], [problem(1, 503)]], ids=["broken off", "stopping"])
def test_what_was_not_answered_is_sent_again(run: Run, end: list[dict[str, Any]]) -> None:
    service = Service(lambda call, lines: [*lines[:1], *end] if call == 1 else lines)
    outcomes = run(service, [model(i) for i in range(4)])
    assert [(o.name, o.index) for o in outcomes] == [(f"n{i}", i) for i in range(4)]
    assert [len(body) for body in service.bodies] == [4, 3]


@BOTH
def test_half_a_sweep_is_asked_for_again(run: Run) -> None:
    service = Service(lambda call, lines: lines[:3] if call == 1 else lines)
    outcomes = run(service, [model(0), model(1)], batch_sizes=[1, 2])
    assert [(o.index, o.batch_size) for o in outcomes] == [(0, 1), (0, 2), (1, 1), (1, 2)]


@BOTH
def test_patience_ends(run: Run) -> None:
    with pytest.raises(Overloaded):
        run(Service(lambda call, lines: [problem(0, 503)]), [model(0)])
    with pytest.raises(ServiceUnreachable, match="again and again"):
        run(Service(lambda call, lines: []), [model(0)])


@BOTH
def test_a_refused_batch_is_raised(run: Run) -> None:
    with pytest.raises(ProblemError):
        run(lambda request: httpx.Response(401, json=problem(0, 401)), [model(0)])
    with pytest.raises(ServiceUnreachable, match="not as ArchGauge does"):
        run(lambda request: httpx.Response(200, content=b'{"a": 1}\n'), [model(0)])


@BOTH
def test_what_is_no_model_is_raised_after_the_answers_before_it(run: Run) -> None:
    service = Service()
    with pytest.raises(NotAModel):
        run(service, [model(0), b"no model", model(2)])
    assert [len(body) for body in service.bodies] == [1]


def test_models_are_taken_a_little_ahead() -> None:
    taken = 0

    def models() -> Iterator[dict[str, Any]]:
        nonlocal taken
        while True:
            taken += 1
            yield model(taken)

    with Client("http://service", transport=httpx.MockTransport(Service())) as client:
        stream = client.predict_many(models())
        assert next(stream).name == "n1"  # type: ignore[union-attr]
        assert taken <= 4 * 64
        stream.close()  # type: ignore[attr-defined]
