"""Search spaces over HTTP, against a real service with a real predictor."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from archgauge_client import AsyncClient, Client
from archgauge_client.wire_spaces import RowPredictions, SearchSpace, SearchSpaceList
from service import examples_spaces as examples
from service.server import in_background
from service.settings import Settings
from service.spaces import shelf
from service.store import Store

Check = Callable[..., dict[str, Any]]
ARROW = "application/vnd.apache.arrow.stream"
ROWS = [[0, 0, 0, 0], [1, 1, 1, 0], [1, 0, 2, 0]]


@pytest.fixture(scope="module")
def space(http: httpx.Client) -> SearchSpace:
    response = http.post("/v1/search-spaces", json={"space": examples.SPACE})
    assert response.status_code == 201, response.text
    assert response.headers["location"] == f"/v1/search-spaces/{response.json()['id']}"
    return SearchSpace.model_validate(response.json())


def full(http: httpx.Client, space: str, choices: Any, **more: Any) -> dict[str, Any]:
    """The full prediction of an architecture."""
    architecture = {"format": "search_space", "space": space, "choices": choices}
    response = http.post("/v1/predictions", json={"architecture": architecture, **more})
    assert response.status_code == 200, response.text
    (prediction,) = response.json()["predictions"]
    return dict(prediction)


def test_what_compiling_found_is_told(space: SearchSpace) -> None:
    assert (space.status, space.mode, space.architectures, space.encodings) == ("ready", "chain", 12, 12)
    assert [layer.choices for layer in space.layers] == [
        ["16", "32"], ["kernel3", "kernel5"], ["3x3", "5x5", "skip"], ["head"],
    ]  # fmt: skip
    assert space.additivity_error is not None and space.additivity_error.samples == 32
    assert space.additivity_error.latency.max is not None and space.additivity_error.latency.max < 1e-3
    assert not space.model_extra


def test_the_same_space_has_the_same_id(http: httpx.Client, space: SearchSpace) -> None:
    again = http.post("/v1/search-spaces", json={"space": {**examples.SPACE, "description": "in other words"}}).json()
    other = http.post("/v1/search-spaces", json={"space": examples.SPACE, "batch_size": 4}).json()
    assert again["id"] == space.id and other["id"] != space.id and other["batch_size"] == 4
    fetched = http.get(f"/v1/search-spaces/{space.id}", params={"target": "example"})
    assert SearchSpace.model_validate(fetched.json()) == space
    listed = SearchSpaceList.model_validate(http.get("/v1/search-spaces").json())
    assert "ofa-mobilenet-v3" in listed.ready and {space.id, other["id"]} <= {s.id for s in listed.search_spaces}


def test_rows_cost_what_full_predictions_say(http: httpx.Client, space: SearchSpace) -> None:
    response = http.post(f"/v1/search-spaces/{space.id}/predictions", json={"choices": ROWS, "confidence": 0.8})
    assert response.status_code == 200, response.text
    told = RowPredictions.model_validate(response.json())
    assert not told.model_extra and told.predictor == space.predictor and told.confidence == 0.8
    for i, row in enumerate(ROWS):
        expected = full(http, space.id, row, confidence=0.8)
        assert told.latency_ms.value[i] == pytest.approx(expected["latency_ms"]["value"], rel=1e-5)
        assert told.latency_ms.upper[i] == pytest.approx(expected["latency_ms"]["upper"], rel=1e-5)
        assert (told.energy_mj is None) == (expected["energy_mj"] is None)
        if told.energy_mj is not None:
            assert told.energy_mj.value[i] == pytest.approx(expected["energy_mj"]["value"], rel=1e-5)
        assert told.peak_memory_bytes[i] == pytest.approx(expected["peak_memory_bytes"], rel=0.3)


def test_architectures_by_names_of_choices(http: httpx.Client, space: SearchSpace) -> None:
    by_names = full(http, space.id, {"width": "32", "stem": "kernel5", "body": "5x5"}, detail="kernels")
    assert by_names["latency_ms"] == full(http, space.id, [1, 1, 1, 0])["latency_ms"]
    assert {node.partition("/")[0] for kernel in by_names["kernels"] for node in kernel["nodes"]} == {
        "stem", "body", "head",
    }  # fmt: skip
    assert full(http, space.id, [0, 0, 0, 0], batch_size=8)["flops"] == 8 * full(http, space.id, ROWS[0])["flops"]
    assert full(http, "bert-supernet", {"hidden": "256"}, dims={"sequence": 16})["parameters"] > 9_000_000


@pytest.mark.parametrize("layout", ["columns", "lists", "file"])
def test_rows_in_arrow(http: httpx.Client, space: SearchSpace, layout: str) -> None:
    matrix = np.array(ROWS, np.uint8)
    names = [layer.name for layer in space.layers]
    if layout == "lists":
        table = pa.table({"choices": pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), len(names))})
    else:  # in any order
        table = pa.table({name: matrix[:, names.index(name)] for name in reversed(names)})
    sink = io.BytesIO()
    with (pa.ipc.new_file if layout == "file" else pa.ipc.new_stream)(sink, table.schema) as writer:
        writer.write_table(table)
    response = http.post(
        f"/v1/search-spaces/{space.id}/predictions", params={"confidence": 0.8}, content=sink.getvalue(),
        headers={"content-type": ARROW if layout != "file" else "application/vnd.apache.arrow.file"},
    )  # fmt: skip
    assert response.status_code == 200 and response.headers["content-type"] == ARROW, response.text
    answer = pa.ipc.open_stream(response.content).read_all()
    in_json = http.post(f"/v1/search-spaces/{space.id}/predictions", json={"choices": ROWS, "confidence": 0.8}).json()
    assert answer.column("latency_ms").to_pylist() == in_json["latency_ms"]["value"]
    assert answer.column("latency_upper_ms").to_pylist() == in_json["latency_ms"]["upper"]
    assert answer.column("peak_memory_bytes").to_pylist() == in_json["peak_memory_bytes"]
    assert answer.schema.metadata[b"predictor"].decode() == space.predictor


def test_arrow_that_holds_no_rows(http: httpx.Client, space: SearchSpace, check_problem: Check) -> None:
    def send(data: bytes) -> httpx.Response:
        headers = {"content-type": ARROW}
        return http.post(f"/v1/search-spaces/{space.id}/predictions", content=data, headers=headers)

    def stream(table: pa.Table, compression: str | None = None) -> bytes:
        sink, options = io.BytesIO(), pa.ipc.IpcWriteOptions(compression=compression)
        with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
            writer.write_table(table)
        return sink.getvalue()

    names = [layer.name for layer in space.layers]
    whole = {name: pa.array([0, 0]) for name in names}
    halves, gaps = (pa.table({**whole, "body": pa.array(values)}) for values in ([0.5, 1.0], [0, None]))
    for data in (
        b"", b"not arrow at all", stream(pa.table(whole))[:-40], stream(pa.table({"width": [0]})), stream(halves),
        stream(gaps), stream(pa.table({**whole, "body": pa.array([0, 0]).dictionary_encode()})),
        stream(pa.table({name: pa.array([0] * 100_000) for name in names}), "zstd"),  # as a bomb would be
    ):  # fmt: skip
        assert check_problem(send(data), 422, "invalid-request")["errors"][0]["location"] == "body"
    check_problem(send(stream(pa.table({**whole, "body": pa.array([0, 9])}))), 422, "invalid-choices")


def test_the_clients(http: httpx.Client, space: SearchSpace) -> None:
    with Client(str(http.base_url)) as client:
        compiled = client.spaces.compile(examples.SPACE, restrict={"body": ["3x3", "skip"]}, target="example")
        assert compiled.status == "ready" and compiled.architectures == 8
        assert compiled.id in {s.id for s in client.spaces.list().search_spaces}
        told = client.spaces.predict(space.id, np.array(ROWS), confidence=0.8)
        assert client.spaces.get(space.id, predictor=space.predictor).id == space.id

    async def ask() -> tuple[SearchSpace, RowPredictions]:
        async with AsyncClient(str(http.base_url)) as client:
            again = await client.spaces.compile(examples.SPACE)
            assert "fbnet" in (await client.spaces.list()).ready
            return again, await client.spaces.predict(again.id, ROWS, confidence=0.8)

    assert asyncio.run(ask()) == (space, told)


def test_the_lookup_table_adds_up(http: httpx.Client, space: SearchSpace) -> None:
    with Client(str(http.base_url)) as client:
        table = client.latency_table(space.id, fixed={"width": "32"}, target="example")
    assert [len(layer.choices) for layer in table.layers] == [1, 2, 3, 1]
    assert table.error is not None and table.error.max < 0.05
    choices = {"width": "32", "stem": "kernel3", "body": "skip", "head": "head"}
    expected = full(http, space.id, choices)["latency_ms"]["value"]
    assert table.latency_ms(choices) == pytest.approx(expected, rel=0.05)


def test_the_lookup_table_in_other_forms(http: httpx.Client, space: SearchSpace) -> None:
    path = f"/v1/search-spaces/{space.id}/lookup-table"
    in_json = http.get(path).json()
    parquet = http.get(path, params={"format": "parquet"})
    arrow = http.get(path, params={"format": "arrow"})
    tables = [pq.read_table(io.BytesIO(parquet.content)), pa.ipc.open_stream(arrow.content).read_all()]
    flat = [latency for layer in in_json["layers"] for latency in layer["latency_ms"]]
    for table in tables:
        assert table.column("latency_ms").to_pylist() == flat
        assert table.column("position").to_pylist() == [0, 1, 0, 1, 0, 1, 2, 0]
        assert float(table.schema.metadata[b"fixed_latency_ms"]) == in_json["fixed_latency_ms"]
    assert parquet.headers["content-type"] == "application/vnd.apache.parquet"


@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [({}, 422, "invalid-request"), ({"name": "fbnet", "space": {}}, 422, "invalid-request"),
     ({"name": "fbnets"}, 422, "invalid-search-space"), ({"space": {"name": "x"}}, 422, "invalid-graph"),
     ({"space": {**examples.SPACE, "outputs": ["nowhere"]}}, 422, "invalid-search-space"),
     ({"name": "bert-supernet"}, 422, "invalid-search-space"),
     ({"name": "fbnet", "restrict": {"tbs9.9": []}}, 422, "invalid-choices"),
     ({"space": examples.SPACE, "target": "nobody"}, 404, "unknown-target"),
     ({"space": examples.SPACE, "predictor": "v0009-00000000"}, 404, "unknown-predictor")],
)  # fmt: skip
def test_spaces_that_are_refused(
    http: httpx.Client, check_problem: Check, body: dict[str, Any], status: int, slug: str
) -> None:
    check_problem(http.post("/v1/search-spaces", json=body), status, slug)


def test_rows_that_are_refused(http: httpx.Client, space: SearchSpace, check_problem: Check) -> None:
    path = f"/v1/search-spaces/{space.id}/predictions"
    for rows in ([[0, 0, 0]], [[0, 0, 3, 0]], [[0, 0, 0, 0], [0, 0, 0, 0, 0]]):
        check_problem(http.post(path, json={"choices": rows}), 422, "invalid-choices")
    for rows in ([[0, 0, -1, 0]], [0, 0, 0, 0], [[0, 0, 0.5, 0]]):
        check_problem(http.post(path, json={"choices": rows}), 422, "invalid-request")
    assert http.post(path, json={"choices": []}).json()["latency_ms"]["value"] == []
    check_problem(http.post("/v1/search-spaces/none/predictions", json={"choices": []}), 404, "unknown-search-space")
    check_problem(http.get(f"/v1/search-spaces/{space.id}/lookup-table?fix=width"), 422, "invalid-request")
    check_problem(http.get(f"/v1/search-spaces/{space.id}/lookup-table?fix=width=64"), 422, "invalid-choices")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is quick enough for a request."""
    monkeypatch.setattr(shelf, "AT_ONCE_S", -1.0)


@pytest.fixture
def other(tmp_path: Path, fill: Callable[[Path], Path], slow: None) -> Iterator[tuple[httpx.Client, Path]]:
    """A service of its own that leaves jobs to others."""
    data_dir = fill(tmp_path / "data")
    settings = Settings(data_dir=data_dir, embedded_worker=False, refresh_s=0.0)
    with in_background(settings) as url, httpx.Client(base_url=url, timeout=30.0) as client:
        yield client, data_dir


def test_what_takes_long_is_a_job(other: tuple[httpx.Client, Path], check_problem: Check) -> None:
    client, data_dir = other
    first = client.post("/v1/search-spaces", json={"space": examples.SPACE}).json()
    assert first["status"] == "compiling" and first["additivity_error"] is None
    again = client.get(f"/v1/search-spaces/{first['id']}").json()
    assert again["job"] == first["job"]
    job = client.get(f"/v1/jobs/{first['job']}").json()
    assert (job["kind"], job["state"]) == ("compile", "queued")
    path = f"/v1/search-spaces/{first['id']}/predictions"
    refused = client.post(path, json={"choices": ROWS})
    assert first["job"] in check_problem(refused, 503, "not-compiled")["detail"]
    assert refused.headers["retry-after"] == "1"
    carry_out(data_dir)
    assert client.get(f"/v1/jobs/{first['job']}").json()["state"] == "succeeded"
    assert client.get(f"/v1/search-spaces/{first['id']}").json()["status"] == "ready"
    assert client.post(path, json={"choices": ROWS}).status_code == 200


def test_after_a_promotion_the_one_before_serves_until_it_is_compiled(
    other: tuple[httpx.Client, Path], trained: Any
) -> None:
    client, data_dir = other
    space = client.post("/v1/search-spaces", json={"space": examples.SPACE}).json()
    carry_out(data_dir)
    path = f"/v1/search-spaces/{space['id']}/predictions"
    before = client.post(path, json={"choices": ROWS}).json()["predictor"]
    with Store.open(data_dir) as store:
        second = store.register_predictor(trained, "example", [store.tables()[0].version])
        store.promote(second.version)
    assert client.post(path, json={"choices": ROWS}).json()["predictor"] == before
    pinned = client.post(path, json={"choices": ROWS, "predictor": second.version})
    assert pinned.status_code == 503
    carry_out(data_dir)
    assert client.post(path, json={"choices": ROWS}).json()["predictor"] == second.version
    assert client.post(path, json={"choices": ROWS, "predictor": before}).json()["predictor"] == before


def carry_out(data_dir: Path) -> None:
    """What a worker does, in this process."""
    from service.db import Jobs
    from service.jobs.context import JobContext
    from service.jobs.kinds import RUN

    settings = Settings(data_dir=data_dir)
    with Store.open(data_dir) as store:
        while True:
            with store.database.write() as session:
                job = Jobs(session).claim(60.0)
            if job is None:
                return
            RUN[job.kind](JobContext(job, store, settings))
