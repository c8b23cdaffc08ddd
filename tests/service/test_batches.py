"""Batches over HTTP: order, errors in place, sweeps, streams that are read while they are written, hanging up."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from archgauge_client.wire import BatchAnswer, Problem
from service import examples
from service.server import in_background
from service.settings import Settings

Check = Callable[..., dict[str, Any]]
URL = "/v1/predictions/batch"
GRAPH = {"format": "graph", "graph": examples.TINY_GRAPH}
NDJSON = {"content-type": "application/x-ndjson"}


def request(**changes: Any) -> dict[str, Any]:
    return {"architecture": GRAPH, **changes}


def lines(requests: list[Any]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in requests)


def answers(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in response.text.splitlines()]


def test_answers_are_those_of_single_requests_in_order(http: httpx.Client) -> None:
    requests = [
        request(batch_size=4, detail="kernels"),
        {"architecture": {"format": "onnx", "onnx": examples.TINY_ONNX}, "dims": {"batch": 2}, "confidence": 0.8},
        request(targets=["example", "example"], name="twice"),
    ]
    singles = [http.post("/v1/predictions", json=one).json() for one in requests]
    for response in (http.post(URL, json=requests), http.post(URL, content=lines(requests), headers=NDJSON)):
        found = answers(response)
        assert [BatchAnswer.model_validate(one).index for one in found] == [0, 1, 2]
        for one, single in zip(found, singles, strict=True):
            assert (one["name"], one["predictions"]) == (single["name"], single["predictions"])


def test_a_bad_request_has_its_problem_in_its_place(http: httpx.Client) -> None:
    broken = {**examples.TINY_GRAPH, "outputs": ["nowhere"]}
    texts = [
        lines([request()]), b"{not json}\n", lines([request(surprise=1)]), lines([request(targets=["phone"])]),
        lines([{"architecture": {"format": "graph", "graph": broken}}]), b"3\n", lines([request(batch_size=2)]),
    ]  # fmt: skip
    found = answers(http.post(URL, content=b"".join(texts), headers=NDJSON))
    assert [one["index"] for one in found] == list(range(7))
    problems = [Problem.model_validate(one) for one in found[1:-1]]
    assert [p.slug for p in problems] == [
        "malformed-json", "invalid-request", "unknown-target", "invalid-graph", "invalid-request",
    ]  # fmt: skip
    assert all(p.request_id for p in problems)
    assert found[0]["predictions"] and found[-1]["predictions"]


def test_a_sweep_has_an_answer_for_every_batch_size(http: httpx.Client) -> None:
    found = answers(http.post(URL, json=[request(batch_sizes=[8, 1, 2]), request()]))
    assert [(one["index"], one.get("batch_size")) for one in found] == [(0, 8), (0, 1), (0, 2), (1, None)]
    flops = [one["predictions"][0]["flops"] for one in found]
    assert flops == [8 * flops[1], flops[1], 2 * flops[1], flops[1]]
    fixed = {**examples.TINY_GRAPH, "inputs": [{"name": "x", "dtype": "float32", "shape": [2, 3, 32, 32]}]}
    found = answers(
        http.post(URL, json=[request(architecture={"format": "graph", "graph": fixed}, batch_sizes=[1, 2])])
    )
    assert found[0]["type"].endswith("invalid-graph") and (found[0]["index"], found[0]["batch_size"]) == (0, 1)
    assert found[1]["predictions"]
    (both,) = answers(http.post(URL, json=[request(batch_sizes=[1], batch_size=1)]))
    assert "not both" in both["errors"][0]["message"]


def test_answers_are_kept_unless_they_shall_not_be(http: httpx.Client) -> None:
    kept, gone = answers(http.post(URL, json=[request(), request(store=False)]))
    assert http.get(f"/v1/predictions/{kept['id']}").json() == kept
    assert http.get(f"/v1/predictions/{gone['id']}").status_code == 404
    single = http.post("/v1/predictions", json=request(store=False)).json()
    assert http.get(f"/v1/predictions/{single['id']}").status_code == 404


@pytest.mark.parametrize("body", [b"", b"[]", b"  \n\n", b" [ ] "])
def test_nothing_asked_nothing_answered(http: httpx.Client, body: bytes) -> None:
    assert answers(http.post(URL, content=body)) == []


def test_an_array_that_breaks_off(http: httpx.Client) -> None:
    first, last = answers(http.post(URL, content=b"[" + json.dumps(request()).encode() + b', {"a'))
    assert first["predictions"] and last["type"].endswith("malformed-json") and last["index"] == 1


def test_other_media_types_are_refused(http: httpx.Client, check_problem: Check) -> None:
    check_problem(http.post(URL, content=b"", headers={"content-type": "text/html"}), 415, "unsupported-media-type")


def test_gzip_and_bodies_beyond_the_limit_of_one(http: httpx.Client) -> None:
    """The service of the tests takes bodies of 2 MB; a batch may be longer, a request in it may not."""
    large = request(name="x" * 2_100_000)
    batch = lines([request(), large, *(request(store=False) for _ in range(2000))])
    assert len(batch) > 2_000_000
    found = answers(http.post(URL, content=gzip.compress(batch), headers={**NDJSON, "content-encoding": "gzip"}))
    assert len(found) == 2002
    assert found[1]["type"].endswith("body-too-large") and found[1]["limit"] == 2_000_000
    assert found[-1]["index"] == 2001 and found[-1]["predictions"]


def test_broken_gzip_ends_the_stream_with_a_problem(http: httpx.Client) -> None:
    whole = gzip.compress(lines([request()]))
    (only,) = answers(http.post(URL, content=whole[:-9], headers={**NDJSON, "content-encoding": "gzip"}))[-1:]
    assert only["type"].endswith("malformed-body")


class Conversation:
    """A batch over a socket, so that what is sent and received can take turns."""

    def __init__(self, base_url: str) -> None:
        host, port = base_url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        head = (
            f"POST {URL} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nContent-Type: application/x-ndjson"
        )
        self.socket.sendall(head.encode() + b"\r\n\r\n")
        self._received = b""

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(f"{len(data):x}\r\n".encode() + data + b"\r\n" if data else b"0\r\n\r\n")

    def lines(self) -> Iterator[dict[str, Any]]:
        """Lines of the answer as they come; chunk sizes stand between them."""
        while True:
            while b"\n" not in self._received:
                piece = self.socket.recv(65536)
                if not piece:
                    return
                self._received += piece
            line, self._received = self._received.split(b"\n", 1)
            if line.startswith(b"{"):
                yield json.loads(line)


def test_an_answer_comes_while_the_request_goes_on(base_url: str) -> None:
    with Conversation(base_url) as conversation:
        received = conversation.lines()
        for index in range(3):
            conversation.send(lines([request(store=False)]))
            assert next(received)["index"] == index
        conversation.send(b"")


def metric(base_url: str, name: str) -> float:
    text = httpx.get(f"{base_url}/metrics").text
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(400):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def test_who_does_not_read_is_not_read_from_and_hanging_up_ends_the_work(
    tmp_path: Path, fill: Callable[..., Path]
) -> None:
    fill(tmp_path)
    with in_background(Settings(data_dir=tmp_path)) as base:
        conversation = Conversation(base)
        conversation.socket.settimeout(1.0)
        batch = lines([request(store=False, detail="kernels", batch_sizes=[1, 2, 3, 4])] * 200)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 4_000:
                conversation.send(batch)
                sent += 1
        assert metric(base, "archgauge_batch_streams") == 1
        conversation.socket.close()
        wait_until(lambda: metric(base, "archgauge_batch_streams") == 0)
        wait_until(lambda: metric(base, "archgauge_queue_running") == 0)
        assert metric(base, 'archgauge_predictions_total{outcome="answered"}') < sent * 800 / 2


def test_a_client_that_falls_silent_is_told(tmp_path: Path, fill: Callable[..., Path]) -> None:
    fill(tmp_path)
    with (
        in_background(Settings(data_dir=tmp_path, request_time_limit_s=0.3)) as base,
        Conversation(base) as conversation,
    ):
        conversation.send(lines([request()]))
        first, last = conversation.lines()
        assert first["predictions"] and last["type"].endswith("slow-body") and last["index"] == 1


def test_more_batches_than_places_are_refused(tmp_path: Path, fill: Callable[..., Path], check_problem: Check) -> None:
    fill(tmp_path)
    with in_background(Settings(data_dir=tmp_path, max_batches=1)) as base:
        conversation = Conversation(base)
        conversation.send(lines([request()]))
        next(conversation.lines())
        refused = httpx.post(f"{base}{URL}", json=[request()])
        check_problem(refused, 503, "overloaded")
        conversation.socket.close()
        wait_until(lambda: metric(base, "archgauge_batch_streams") == 0)
        assert len(answers(httpx.post(f"{base}{URL}", json=[request()]))) == 1
