"""Readiness, promotions while running, overload, several processes, sudden death."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from service import examples
from service.db import Predictions
from service.server import in_background, listen, url
from service.settings import Settings
from service.store import DATABASE_FILE, Store
from service.training import decide

Check = Callable[..., dict[str, Any]]
Fill = Callable[..., Path]
REQUEST = examples.REQUESTS["graph"]["value"]


def test_ready_when_everything_is_there(http: httpx.Client) -> None:
    assert http.get("/healthz").json()["status"] == "ok"
    response = http.get("/readyz")
    assert response.status_code == 200
    assert response.json()["checks"] == {"process": "ok", "database": "ok", "migrations": "ok", "predictor": "ok"}


def test_without_a_predictor_the_service_says_what_to_do(tmp_path: Path, check_problem: Check) -> None:
    with in_background(Settings(data_dir=tmp_path)) as base:
        problem = check_problem(httpx.get(f"{base}/readyz"), 503, "not-ready")
        assert "archgauge profile" in problem["checks"]["predictor"] and problem["checks"]["database"] == "ok"
        assert httpx.get(f"{base}/healthz").status_code == 200
        problem = check_problem(httpx.post(f"{base}/v1/predictions", json=REQUEST), 409, "no-predictor")
        assert "archgauge profile" in problem["detail"]


def test_a_target_without_a_promoted_predictor(tmp_path: Path, fill: Fill, check_problem: Check) -> None:
    fill(tmp_path, promote=False)
    with in_background(Settings(data_dir=tmp_path)) as base:
        body = {**REQUEST, "targets": ["example"]}
        check_problem(httpx.post(f"{base}/v1/predictions", json=body), 409, "no-predictor")
        version = httpx.get(f"{base}/v1/predictors").json()["predictors"][0]["version"]
        assert httpx.post(f"{base}/v1/predictions", json={**body, "predictor": version}).status_code == 200


def test_a_promotion_is_picked_up(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path, promote=False)
    with in_background(Settings(data_dir=tmp_path, refresh_s=0.0)) as base:
        assert httpx.get(f"{base}/readyz").status_code == 503
        with Store.open(tmp_path) as store:
            store.promote(store.predictors()[0].version)
        assert httpx.get(f"{base}/readyz").status_code == 200
        assert httpx.post(f"{base}/v1/predictions", json=REQUEST).status_code == 200


def test_a_damaged_predictor_does_not_answer(tmp_path: Path, fill: Fill, check_problem: Check) -> None:
    fill(tmp_path)
    with Store.open(tmp_path) as store:
        (store.predictor_folder(store.promoted()) / "manifest.json").write_text("{}")
    with in_background(Settings(data_dir=tmp_path)) as base:
        problem = check_problem(httpx.get(f"{base}/readyz"), 503, "not-ready")
        assert "damaged" in problem["checks"]["predictor"]
        response = httpx.post(f"{base}/v1/predictions", json=REQUEST)
        check_problem(response, 503, "predictor-unavailable")
        assert str(tmp_path) not in response.text


def test_a_damaged_predictor_makes_way_for_a_new_one(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path)
    with Store.open(tmp_path) as store:
        record = store.promoted()
        (store.predictor_folder(record) / "manifest.json").write_text("{}")
        measured: Any = SimpleNamespace(target=SimpleNamespace(emulated=False))
        promoted, why = decide(store, record, measured)
    assert promoted and "damaged" in why and str(tmp_path) not in why


def test_readiness_notices_a_lost_database(tmp_path: Path, check_problem: Check) -> None:
    with in_background(Settings(data_dir=tmp_path)) as base:
        for file in tmp_path.glob(f"{DATABASE_FILE}*"):
            file.unlink()
        assert "FileNotFoundError" in check_problem(httpx.get(f"{base}/readyz"), 503, "not-ready")["checks"]["database"]
        (tmp_path / DATABASE_FILE).touch()  # an empty one in its place
        checks = check_problem(httpx.get(f"{base}/readyz"), 503, "not-ready")["checks"]
        assert checks["database"] == "ok" and "archgauge db upgrade" in checks["migrations"]


def test_large_graphs_are_refused(tmp_path: Path, fill: Fill, check_problem: Check) -> None:
    fill(tmp_path)
    with in_background(Settings(data_dir=tmp_path, max_graph_nodes=4)) as base:
        problem = check_problem(httpx.post(f"{base}/v1/predictions", json=REQUEST), 413, "graph-too-large")
        assert problem["limit"] == 4


def test_a_request_has_a_time_limit(tmp_path: Path, fill: Fill, check_problem: Check) -> None:
    fill(tmp_path)
    with in_background(Settings(data_dir=tmp_path, request_time_limit_s=1e-6)) as base:
        check_problem(httpx.post(f"{base}/v1/predictions", json=REQUEST), 504, "time-limit")


def test_a_body_that_does_not_arrive(tmp_path: Path) -> None:
    with in_background(Settings(data_dir=tmp_path, request_time_limit_s=0.2)) as base:
        host, port = base.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(b"POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
            assert b" 408 " in connection.recv(1000).split(b"\r\n")[0]


def test_a_full_queue_refuses_and_says_when_to_come_back(tmp_path: Path, fill: Fill, check_problem: Check) -> None:
    fill(tmp_path)
    settings = Settings(data_dir=tmp_path, threads=1, max_waiting=0)
    with in_background(settings) as base, httpx.Client(base_url=base) as client:
        refused = [answer for answer in _at_once(client, 12) if answer.status_code != 200]
    for answer in refused:
        check_problem(answer, 503, "overloaded")
        assert answer.headers["retry-after"] == "1"


def _at_once(client: httpx.Client, number: int) -> list[httpx.Response]:
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(lambda _: client.post("/v1/predictions", json=REQUEST), range(number)))


@contextmanager
def process(data_dir: Path, workers: int) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The service in processes of its own, on a socket that they inherit."""
    listener = listen()
    code = (
        "import socket, sys; from pathlib import Path; from service.server import serve; "
        "from service.settings import Settings; "
        "serve(Settings(data_dir=Path(sys.argv[1])), socket.socket(fileno=int(sys.argv[2])), int(sys.argv[3]))"
    )
    command = [sys.executable, "-c", code, str(data_dir), str(listener.fileno()), str(workers)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (data_dir / "log").open("wb") as log:
        child = subprocess.Popen(command, pass_fds=[listener.fileno()], stderr=log, env=environment)
    try:
        base = url(listener)
        _wait_until_ready(base, child)
        yield child, base
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(30)
        listener.close()


def _wait_until_ready(base: str, child: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        try:
            if httpx.get(f"{base}/readyz", timeout=10).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert child.poll() is None
        time.sleep(0.05)
    raise AssertionError("the service did not become ready")


def test_an_acknowledged_prediction_survives_kill_9(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path)
    with process(tmp_path, workers=1) as (child, base):
        ids = [httpx.post(f"{base}/v1/predictions", json=REQUEST).json()["id"] for _ in range(3)]
        child.kill()
        child.wait()
    with Store.open(tmp_path) as store, store.database.read() as session:
        assert all(Predictions(session).get(i) is not None for i in ids)


def test_several_processes_share_a_port_and_a_store(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path)
    with process(tmp_path, workers=2) as (child, base):
        made = httpx.post(f"{base}/v1/predictions", json=REQUEST)
        for _ in range(10):
            assert httpx.get(f"{base}/v1/predictions/{made.json()['id']}").content == made.content
        for _ in range(6):  # whoever answers counts for all
            fetched = 'http_requests_total{method="GET",route="/v1/predictions/{prediction_id}",status="200"} 10.0'
            assert fetched in httpx.get(f"{base}/metrics").text
    assert child.returncode in (0, -signal.SIGTERM)


def test_streams_end_when_the_process_is_asked_to(tmp_path: Path, fill: Fill) -> None:
    """What was asked is answered. In a stream without end the last line says why there is no more, in a batch that has
    arrived nothing is missing, and the process is soon gone.
    """
    fill(tmp_path)
    line = json.dumps(REQUEST).encode() + b"\n"
    with process(tmp_path, workers=1) as (child, base):
        host, port = base.removeprefix("http://").split(":")
        head = f"POST /v1/predictions/batch HTTP/1.1\r\nHost: {host}\r\n".encode()
        endless, whole = (socket.create_connection((host, int(port)), timeout=20) for _ in range(2))
        with endless, whole:
            endless.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(line), line))
            whole.sendall(head + b"Content-Length: %d\r\n\r\n%s" % (200 * len(line), 200 * line))
            begun = [received_until(connection, b'"predictions"') for connection in (endless, whole)]
            child.send_signal(signal.SIGTERM)
            of_endless, of_whole = (
                some + received_until(connection, b"0\r\n\r\n")
                for some, connection in zip(begun, (endless, whole), strict=True)
            )
        assert b"urn:archgauge:problem:stopping" in of_endless
        assert of_whole.count(b'"predictions"') == 200 and b"urn:archgauge:problem" not in of_whole
        assert child.wait(20) in (0, -signal.SIGTERM)


def received_until(connection: socket.socket, end: bytes) -> bytes:
    received = b""
    while end not in received and (data := connection.recv(65536)):
        received += data
    return received


def test_the_data_directory_can_be_moved(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there")
    with Store.open(tmp_path / "there") as store:
        assert store.predictor_folder(store.promoted("example")).is_dir()


def test_a_taken_port_is_an_error() -> None:
    listener = listen()
    with pytest.raises(OSError):
        listen(port=listener.getsockname()[1])
    listener.close()
