"""Both clients against a scripted transport: what they send, when they ask again, what they raise."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from archgauge_client import (
    AsyncClient,
    Client,
    NotAModel,
    NotFound,
    Overloaded,
    PredictionResponse,
    RetryPolicy,
    ServerError,
    ServiceUnreachable,
)
from archgauge_client.retries import seconds

ANSWER = {"id": "1", "name": "n", "predictions": []}
MODEL = b"\x08\x08\x3a\x00"
QUICK = RetryPolicy(attempts=3, base_s=0.001, cap_s=0.002)

Handler = Callable[[httpx.Request], httpx.Response]


class Script:
    """Answers with its entries in turn and remembers the requests; exceptions are raised."""

    def __init__(self, *entries: httpx.Response | Exception) -> None:
        self.entries = list(entries)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        entry = self.entries.pop(0)
        if isinstance(entry, Exception):
            raise entry
        return entry


def ok(data: Any = ANSWER) -> httpx.Response:
    return httpx.Response(200, json=data)


def problem(status: int, **headers: str) -> httpx.Response:
    document = {"type": "about:blank", "title": "T", "status": status}
    return httpx.Response(status, json=document, headers=headers)


def blocking(script: Script, **arguments: Any) -> PredictionResponse:
    with Client("http://service", retries=QUICK, transport=httpx.MockTransport(script)) as client:
        return client.predict(arguments.pop("model", MODEL), **arguments)


def asynchronous(script: Script, **arguments: Any) -> PredictionResponse:
    async def run() -> PredictionResponse:
        async with AsyncClient("http://service", retries=QUICK, transport=httpx.MockTransport(script)) as client:
            return await client.predict(arguments.pop("model", MODEL), **arguments)

    return asyncio.run(run())


BOTH = pytest.mark.parametrize("predict", [blocking, asynchronous], ids=["Client", "AsyncClient"])
Predict = Callable[..., PredictionResponse]


@BOTH
def test_the_request_carries_all_arguments(predict: Predict) -> None:
    script = Script(ok())
    answer = predict(
        script, targets="laptop", predictor="v1", batch_size=2, dims={"s": 128}, input_shapes={"x": (1, 3)},
        detail="kernels", confidence=0.8, strict=False,
    )  # fmt: skip
    assert answer.id == "1"
    (request,) = script.requests
    assert (request.method, request.url.path) == ("POST", "/v1/predictions")
    assert json.loads(request.content) == {
        "architecture": {"format": "onnx", "onnx": base64.b64encode(MODEL).decode()}, "targets": ["laptop"],
        "name": None, "predictor": "v1", "batch_size": 2,
        "dims": {"s": 128}, "input_shapes": {"x": [1, 3]}, "detail": "kernels",
        "confidence": 0.8, "strict": False, "store": True,
    }  # fmt: skip


@pytest.mark.parametrize("form", ["mapping", "bytes", "file", "path"])
def test_json_graphs_in_any_form(form: str, tmp_path: Path) -> None:
    graph = {"name": "g", "nodes": []}
    file = tmp_path / "g.json"
    file.write_text(json.dumps(graph))
    model = {"mapping": graph, "bytes": file.read_bytes(), "file": str(file), "path": file}[form]
    script = Script(ok())
    blocking(script, model=model)
    assert json.loads(script.requests[0].content)["architecture"] == {"format": "graph", "graph": graph}


@pytest.mark.parametrize("model", [b"{", b"{]", b"no model"])
def test_what_is_no_model_is_not_sent(model: bytes) -> None:
    script = Script()
    with pytest.raises(NotAModel):
        blocking(script, model=model)
    assert not script.requests


@BOTH
@pytest.mark.parametrize("status", [429, 503])
def test_a_service_without_capacity_is_asked_again(predict: Predict, status: int) -> None:
    script = Script(problem(status), problem(status), ok())
    assert predict(script).id == "1"
    assert len(script.requests) == 3


@BOTH
def test_a_broken_connection_is_tried_again(predict: Predict) -> None:
    script = Script(httpx.ConnectError("refused"), httpx.RemoteProtocolError("closed"), ok())
    assert predict(script).id == "1"


@BOTH
def test_patience_ends(predict: Predict) -> None:
    script = Script(*(problem(503) for _ in range(9)))
    with pytest.raises(Overloaded):
        predict(script)
    assert len(script.requests) == QUICK.attempts


@BOTH
def test_nobody_there(predict: Predict) -> None:
    with pytest.raises(ServiceUnreachable, match="http://service"):
        predict(Script(*(httpx.ConnectError("refused") for _ in range(9))))


@BOTH
def test_a_service_that_takes_too_long_is_not_asked_again(predict: Predict) -> None:
    script = Script(httpx.ReadTimeout("slow"))
    with pytest.raises(ServiceUnreachable, match="ReadTimeout"):
        predict(script)


@BOTH
@pytest.mark.parametrize(("status", "kind"), [(404, NotFound), (500, ServerError)])
def test_other_errors_are_raised_at_once(predict: Predict, status: int, kind: type[Exception]) -> None:
    script = Script(problem(status))
    with pytest.raises(kind):
        predict(script)


def test_an_answer_of_a_proxy_is_shown_as_it_is() -> None:
    with pytest.raises(ServerError, match="upstream is away"):
        blocking(Script(httpx.Response(502, text="upstream is away")))


def test_an_answer_of_something_else_is_no_prediction() -> None:
    with pytest.raises(ServiceUnreachable, match="not as ArchGauge does"):
        blocking(Script(httpx.Response(200, text="<html>")))


def test_the_key_travels_in_the_header() -> None:
    script = Script(ok({"targets": []}))
    with Client("http://service", api_key="k", transport=httpx.MockTransport(script)) as client:
        assert client.targets() == []
    assert script.requests[0].headers["authorization"] == "Bearer k"


def test_ids_are_quoted() -> None:
    script = Script(ok())
    with Client("http://service", transport=httpx.MockTransport(script)) as client:
        client.prediction("../targets")
    assert script.requests[0].url.raw_path == b"/v1/predictions/..%2Ftargets"


def test_health_is_asked_once() -> None:
    script = Script(problem(503), ok({"status": "ready"}))
    with Client("http://service", retries=QUICK, transport=httpx.MockTransport(script)) as client:
        with pytest.raises(Overloaded):
            client.health()
        assert client.health().status == "ready"


def test_delays_grow_with_jitter_up_to_the_cap() -> None:
    policy = RetryPolicy(attempts=10, base_s=1.0, cap_s=4.0)
    for attempt, highest in ((1, 1.0), (2, 2.0), (3, 4.0), (9, 4.0)):
        delays = [policy.delay_s(attempt) for _ in range(50)]
        assert all(d is not None and 0 <= d <= highest for d in delays)
        assert len(set(delays)) > 40
    assert policy.delay_s(10) is None


def test_retry_after_is_respected_or_given_up() -> None:
    policy = RetryPolicy(base_s=0.5)
    delay = policy.delay_s(1, "7")
    assert delay is not None and 7.0 <= delay <= 7.5
    assert policy.delay_s(1, "3600") is None


def test_retry_after_is_seconds_or_a_date() -> None:
    later = datetime.now(UTC) + timedelta(seconds=100)
    assert 90 < seconds(format_datetime(later, usegmt=True)) <= 100
    assert seconds(format_datetime(later - timedelta(seconds=200), usegmt=True)) == 0.0
    assert seconds("12") == 12.0
    assert seconds("soon") == seconds(None) == 0.0
