"""How much and how fast one client may ask, and what the service shows of itself."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from service import examples
from service.errors import ClientGone, TimeLimitExceeded
from service.rates import Rates
from service.server import in_background
from service.settings import Settings
from service.workers import Deadline

Check = Callable[..., dict[str, Any]]
REQUEST = examples.REQUESTS["graph"]["value"]


def test_a_bucket_empties_and_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("service.rates.time.monotonic", lambda: now)
    rates = Rates()
    assert [rates.take("a", 2.0, 1.0) for _ in range(4)] == [0.0] * 4
    assert rates.take("a", 2.0, 1.0) == pytest.approx(0.5)
    assert rates.take("b", 2.0, 1.0) == 0.0
    now += 0.5
    assert rates.take("a", 2.0, 1.0) == 0.0
    assert rates.take("a", 2.0, 10.0, on_credit=True) == pytest.approx(5.0)
    now += 5.0
    assert rates.take("a", 2.0, 1.0) == pytest.approx(0.5)
    assert rates.take("a", 0.0, 1e9) == 0.0


def test_of_too_many_clients_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.rates._CLIENTS", 2)
    rates = Rates()
    for client in "abcab":
        rates.take(client, 0.001, 1.0)
    assert len(rates._buckets) == 2


def test_who_asks_too_fast_is_told_when_to_come_back(
    tmp_path: Path, fill: Callable[..., Path], check_problem: Check
) -> None:
    fill(tmp_path)
    with (
        in_background(Settings(data_dir=tmp_path, rate_per_address=0.01)) as base,
        httpx.Client(base_url=base) as client,
    ):
        assert client.post("/v1/predictions", json=REQUEST).status_code == 200
        refused = client.post("/v1/predictions", json=REQUEST)
        check_problem(refused, 429, "too-many-requests")
        assert 90 < int(refused.headers["retry-after"]) <= 100
        assert client.get("/readyz").status_code == 200


def test_a_batch_is_slowed_down_instead(tmp_path: Path, fill: Callable[..., Path]) -> None:
    fill(tmp_path)
    with in_background(Settings(data_dir=tmp_path, rate_per_address=1000.0)) as base:
        response = httpx.post(f"{base}/v1/predictions/batch", json=[REQUEST] * 20)
        assert all("predictions" in json.loads(line) for line in response.text.splitlines())


def test_bombs_are_noticed(http: httpx.Client, check_problem: Check) -> None:
    """2 MB are accepted; these are 50 kB that become 50 MB."""
    bomb = gzip.compress(bytes(50_000_000), 9)
    response = http.post("/v1/predictions", content=bomb, headers={"content-encoding": "gzip"})
    check_problem(response, 413, "body-too-large")


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, 1_000_003])
def test_gzip_of_any_size_arrives_whole(http: httpx.Client, size: int) -> None:
    text = json.dumps(REQUEST).encode() + b" " * size
    halves = gzip.compress(text[: size // 2]) + gzip.compress(text[size // 2 :])
    for data in (gzip.compress(text, 9), halves):
        response = http.post("/v1/predictions", content=data, headers={"content-encoding": "gzip"})
        assert response.status_code == 200, response.text
    assert zlib.decompress(gzip.compress(text), 31) == text


def test_a_deadline_is_cancelled_renewed_and_passes() -> None:
    deadline = Deadline(10.0)
    deadline.check()
    assert 9.0 < deadline.left_s <= 10.0
    deadline.cancel()
    with pytest.raises(ClientGone):
        deadline.check()
    late = Deadline(-1.0)
    assert late.left_s == 0.0
    with pytest.raises(TimeLimitExceeded):
        late.check()


def test_metrics_count_what_happens(tmp_path: Path, fill: Callable[..., Path]) -> None:
    fill(tmp_path)
    with in_background(Settings(data_dir=tmp_path)) as base, httpx.Client(base_url=base) as client:
        for _ in range(3):
            client.post("/v1/predictions", json=REQUEST)
        client.post("/v1/predictions", json={**REQUEST, "targets": ["phone"]})
        client.get("/made/up/path")
        response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    found = dict(line.rsplit(" ", 1) for line in response.text.splitlines() if not line.startswith("#"))
    requests = 'archgauge_http_requests_total{{method="POST",route="/v1/predictions",status="{}"}}'
    assert float(found[requests.format(200)]) == 3 and float(found[requests.format(404)]) == 1
    assert float(found['archgauge_http_requests_total{method="GET",route="none",status="404"}']) == 1
    assert float(found['archgauge_predictions_total{outcome="answered"}']) == 3
    assert float(found['archgauge_predictions_total{outcome="refused"}']) == 1
    for stage in ("wait", "read", "infer", "lower", "estimate", "compose", "store"):
        assert float(found[f'archgauge_stage_seconds_count{{stage="{stage}"}}']) >= 3
    computed, remembered = (
        float(found[f'archgauge_kernel_estimates_total{{found="{place}"}}']) for place in ("regressors", "memory")
    )
    assert computed > 0 and remembered == 2 * computed
    assert sum(float(found[f'archgauge_predicted_seconds_total{{source="{s}"}}']) for s in ("table", "regressor")) > 0
    assert float(found["archgauge_queue_waiting"]) == float(found["archgauge_queue_running"]) == 0
