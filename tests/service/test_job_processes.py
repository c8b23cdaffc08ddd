"""Jobs in real processes: started over HTTP, followed, killed at bad moments, and finished all the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from archgauge_client.wire_admin import Job
from service.store import Store

pytestmark = pytest.mark.slow

Fill = Callable[..., Path]
LIMIT_S = 120.0
#: Short times, so that the tests need not wait for what is not their subject.
QUICK = {"job_poll_s": 0.1, "job_lease_s": 6.0, "refresh_s": 0.1}


def wait_for(what: Callable[[], Any]) -> Any:
    """What it gives, once that is true."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        try:
            if found := what():
                return found
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def train(base: str) -> str:
    response = httpx.post(f"{base}/v1/predictors", json={})
    assert response.status_code == 202, response.text
    job = Job.model_validate(response.json())
    assert response.headers["location"] == f"/v1/jobs/{job.id}" and job.state == "queued"
    return job.id


def job(base: str, job_id: str) -> Job:
    return Job.model_validate(httpx.get(f"{base}/v1/jobs/{job_id}", timeout=30).json())


def worker_of(process: subprocess.Popen[bytes]) -> psutil.Process | None:
    """The process that carries out a job, wherever it is below another one."""
    for child in psutil.Process(process.pid).children(recursive=True):
        if "service.jobs" in child.cmdline():
            return child
    return None


def finished(base: str, job_id: str) -> Job:
    done: Job = wait_for(lambda: (found := job(base, job_id)).finished_at and found)
    assert done.state == "succeeded", done
    return done


@contextmanager
def worker(**settings: object) -> Iterator[subprocess.Popen[bytes]]:
    """``archgauge worker``."""
    variables = {f"ARCHGAUGE_{name.upper()}": str(value) for name, value in settings.items()}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables}
    process = subprocess.Popen(
        [sys.executable, "-m", "archgauge", "worker"], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(30) == 0


def one_new_predictor(data_dir: Path, database_url: str, done: Job) -> None:
    with Store.open(data_dir, database_url) as store:
        assert [p.version for p in store.predictors()][:-1] == [done.result["predictor"]]
        assert [p.predictor.version for p in store.history("example")][:-1] == (
            [done.result["predictor"]] if done.result["promoted"] else []
        )


def test_training_is_followed_while_it_goes_on(tmp_path: Path, fill: Fill, start_service: Callable[..., Any]) -> None:
    service = start_service("--workers", "2", data_dir=fill(tmp_path), **QUICK)
    job_id = train(service.url)
    events = []
    with httpx.stream("GET", f"{service.url}/v1/jobs/{job_id}/events", timeout=LIMIT_S) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("event:"):
                kind = line.removeprefix("event: ")
            elif line.startswith("data:"):
                events.append((kind, json.loads(line.removeprefix("data: "))))
            elif line.startswith("id:") and len(events) == 1:
                second = int(line.removeprefix("id: "))
    assert [data["state"] for kind, data in events if kind == "state"] == ["queued", "running", "succeeded"]
    assert any(kind == "progress" and 0 <= data["progress"] <= 1 and data["words"] for kind, data in events)
    again = httpx.get(f"{service.url}/v1/jobs/{job_id}/events", headers={"last-event-id": str(second)}, timeout=30).text
    assert again.count("event: state") == 1
    done = finished(service.url, job_id)
    assert done.progress == 1.0 and done.log and "measurements" in done.log[0].text
    one_new_predictor(tmp_path, "", done)
    listed = httpx.get(f"{service.url}/v1/jobs").json()["jobs"]
    assert [j["id"] for j in listed] == [job_id]


def test_the_jobs_process_is_killed(
    tmp_path: Path, database_url: str, fill: Fill, start_service: Callable[..., Any]
) -> None:
    fill(tmp_path, database_url=database_url)
    service = start_service(data_dir=tmp_path, database_url=database_url, **QUICK)
    job_id = train(service.url)
    wait_for(lambda: worker_of(service.process)).kill()
    wait_for(lambda: (found := job(service.url, job_id)).progress > 0 or found.finished_at)
    if (second := worker_of(service.process)) is not None:  # it may be done already
        second.kill()
    done = finished(service.url, job_id)
    assert "worker is gone" in str(done.log)
    one_new_predictor(tmp_path, database_url, done)


def test_the_server_is_killed_and_a_worker_goes_on(
    tmp_path: Path, database_url: str, fill: Fill, start_service: Callable[..., Any]
) -> None:
    fill(tmp_path, database_url=database_url)
    first = start_service(data_dir=tmp_path, database_url=database_url, **QUICK)
    job_id = train(first.url)
    child = wait_for(lambda: worker_of(first.process))
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    child.wait(30)  # notices that nobody is there any more
    settings = {"data_dir": tmp_path, "database_url": database_url, **QUICK}
    second = start_service(**settings, embedded_worker="no")
    assert job(second.url, job_id).state in ("queued", "running")
    with worker(**settings):
        done = finished(second.url, job_id)
    one_new_predictor(tmp_path, database_url, done)


def test_the_database_is_killed(
    tmp_path: Path, own_postgres: Any, fill: Fill, start_service: Callable[..., Any]
) -> None:
    url = own_postgres.create_database()
    fill(tmp_path, database_url=url)
    service = start_service(data_dir=tmp_path, database_url=url, **QUICK)
    job_id = train(service.url)
    wait_for(lambda: job(service.url, job_id).log)
    own_postgres.kill()
    refused = wait_for(lambda: (r := httpx.get(f"{service.url}/v1/jobs/{job_id}", timeout=30)).status_code == 503 and r)
    assert refused.headers["retry-after"] and refused.json()["type"].endswith("database-unavailable")
    own_postgres.start()
    done: Job = wait_for(
        lambda: (
            (r := httpx.get(f"{service.url}/v1/jobs/{job_id}", timeout=30)).status_code == 200
            and (found := Job.model_validate(r.json())).finished_at
            and found
        )
    )
    assert done.state == "succeeded", done
    one_new_predictor(tmp_path, url, done)


def test_a_cancelled_job_stops(tmp_path: Path, fill: Fill, start_service: Callable[..., Any]) -> None:
    service = start_service(data_dir=fill(tmp_path), **{**QUICK, "job_lease_s": 1.0})
    job_id = train(service.url)
    child = wait_for(lambda: worker_of(service.process))
    cancelled = httpx.post(f"{service.url}/v1/jobs/{job_id}/cancel").json()
    assert cancelled["state"] == "cancelled"
    child.wait(30)
    with Store.open(tmp_path) as store:
        assert len(store.predictors()) == 1


def test_what_cannot_be_done_fails_with_a_reason(
    tmp_path: Path, fill: Fill, start_service: Callable[..., Any], check_problem: Callable[..., dict[str, Any]]
) -> None:
    service = start_service(data_dir=fill(tmp_path), **QUICK)
    with Store.open(tmp_path) as store:
        (store.table_version(store.tables()[0]).path / "measurements.parquet").write_bytes(b"damaged")
    job_id = train(service.url)
    done: Job = wait_for(lambda: (found := job(service.url, job_id)).finished_at and found)
    assert done.state == "failed" and "not what its manifest describes" in str(done.error)
    check_problem(httpx.get(f"{service.url}/v1/jobs/nothing"), 404, "unknown-job")
    missing = httpx.post(f"{service.url}/v1/predictors", json={"table": "v9999-00000000"})
    check_problem(missing, 404, "unknown-lookup-table")
