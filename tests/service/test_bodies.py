"""Limits on bodies: sizes, chunks, compression, media types."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from service import examples

Check = Callable[..., dict[str, Any]]
LIMIT = 2_000_000  # as the fixture sets it
GZIP = {"content-encoding": "gzip"}


def chunks(total: int) -> Iterator[bytes]:
    for _ in range(total // 65536 + 1):
        yield bytes(65536)


def test_a_body_that_announces_too_much_is_refused_at_once(http: httpx.Client, check_problem: Check) -> None:
    problem = check_problem(http.post("/v1/predictions/onnx", content=bytes(LIMIT + 1)), 413, "body-too-large")
    assert problem["limit"] == LIMIT and "strips" in problem["detail"]


def test_chunked_bodies_are_counted(http: httpx.Client, check_problem: Check) -> None:
    check_problem(http.post("/v1/predictions/onnx", content=chunks(LIMIT)), 413, "body-too-large")
    tiny = iter([examples.tiny_onnx()[:100], examples.tiny_onnx()[100:]])
    assert http.post("/v1/predictions/onnx", content=tiny).status_code == 200


@pytest.mark.parametrize("members", [1, 3])
def test_gzip_bodies_are_understood(http: httpx.Client, members: int) -> None:
    tiny = examples.tiny_onnx()
    parts = [gzip.compress(tiny[i::1][: len(tiny)]) for i in (0,)]
    if members > 1:
        third = len(tiny) // 3
        parts = [gzip.compress(part) for part in (tiny[:third], tiny[third : 2 * third], tiny[2 * third :])]
    assert http.post("/v1/predictions/onnx", content=b"".join(parts), headers=GZIP).status_code == 200


def test_gzip_in_chunks_of_one_byte(http: httpx.Client) -> None:
    body = gzip.compress(json.dumps(examples.REQUESTS["graph"]["value"]).encode())
    stream = (body[i : i + 1] for i in range(len(body)))
    headers = {**GZIP, "content-type": "application/json"}
    assert http.post("/v1/predictions", content=stream, headers=headers).status_code == 200


def test_a_bomb_is_noticed(http: httpx.Client, check_problem: Check) -> None:
    bomb = gzip.compress(bytes(100 * LIMIT))
    assert len(bomb) < LIMIT
    check_problem(http.post("/v1/predictions/onnx", content=bomb, headers=GZIP), 413, "body-too-large")


@pytest.mark.parametrize(
    "content", [b"not gzip", gzip.compress(bytes(5000))[:-9], zlib.compress(b"x"), gzip.compress(b"x") + b"junk"]
)
def test_broken_gzip(http: httpx.Client, check_problem: Check, content: bytes) -> None:
    check_problem(http.post("/v1/predictions/onnx", content=content, headers=GZIP), 400, "malformed-body")


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_other_encodings_are_refused_with_what_is_taken(
    http: httpx.Client, check_problem: Check, encoding: str
) -> None:
    response = http.post("/v1/predictions/onnx", content=b"x", headers={"content-encoding": encoding})
    check_problem(response, 415, "unsupported-media-type")
    assert "gzip" in response.headers["accept-encoding"]


def test_json_endpoints_take_json(http: httpx.Client, check_problem: Check) -> None:
    body = json.dumps(examples.REQUESTS["graph"]["value"])
    for media_type in ("application/json", "application/json; charset=utf-8", "application/vnd.x+json"):
        answer = http.post("/v1/predictions", content=body, headers={"content-type": media_type})
        assert answer.status_code == 200
    answer = http.post("/v1/predictions", content=body, headers={"content-type": "text/plain"})
    check_problem(answer, 415, "unsupported-media-type")


def test_onnx_endpoints_take_what_curl_sends(http: httpx.Client, check_problem: Check) -> None:
    for media_type in ("application/octet-stream", "application/x-www-form-urlencoded", "application/onnx"):
        headers = {"content-type": media_type}
        assert http.post("/v1/predictions/onnx", content=examples.tiny_onnx(), headers=headers).status_code == 200
    form = http.post("/v1/predictions/onnx", files={"file": examples.tiny_onnx()})
    check_problem(form, 415, "unsupported-media-type")


@pytest.mark.parametrize("content", [b"", b"{", b"nul", b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_json(http: httpx.Client, check_problem: Check, content: bytes) -> None:
    check_problem(http.post("/v1/predictions", content=content), 400, "malformed-json")


@pytest.mark.parametrize("content", [b"[]", b"3", b'"x"', b"null"])
def test_json_that_is_no_object(http: httpx.Client, check_problem: Check, content: bytes) -> None:
    problem = check_problem(http.post("/v1/predictions", content=content), 422, "invalid-request")
    assert problem["errors"][0]["location"] == "body"


def test_a_flood_of_mistakes_costs_little(http: httpx.Client, check_problem: Check) -> None:
    """Telling of every mistake would take a hundred times the memory of the body that makes them."""
    flood = {f"surprise{i}": i for i in range(20_000)}
    problem = check_problem(http.post("/v1/predictions", json=flood), 422, "invalid-request")
    assert "20,001 of" in problem["detail"] and "errors" not in problem
    some = dict(list(flood.items())[:500])
    problem = check_problem(http.post("/v1/predictions", json=some), 422, "invalid-request")
    assert "501 of" in problem["detail"] and len(problem["errors"]) == 100
    rows = {"choices": [[-1] * 100_000]}
    problem = check_problem(http.post("/v1/search-spaces/fbnet/predictions", json=rows), 422, "invalid-request")
    assert len(problem["errors"]) == 1


@pytest.mark.parametrize("change", [{"store": "yes"}, {"batch_size": "2"}, {"batch_size": True}, {"confidence": "0.9"}])
def test_values_of_another_type_are_refused(http: httpx.Client, check_problem: Check, change: dict[str, Any]) -> None:
    response = http.post("/v1/predictions", json={**examples.REQUESTS["graph"]["value"], **change})
    problem = check_problem(response, 422, "invalid-request")
    assert [error["location"] for error in problem["errors"]] == list(change)
