"""Mixed load at 80 % of capacity, while predictors are promoted and every part of a deployment is killed once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx

from archgauge.output import stdout, table
from benchmarks.figures import Figure
from benchmarks.robustness.answers import expect
from benchmarks.robustness.deployment import Deployment
from benchmarks.robustness.load import Load
from benchmarks.robustness.world import copy_predictor
from benchmarks.serving.bodies import as_json, as_onnx, mobile_graphs
from lookup_tables import read_table
from service.db import Predictions
from service.examples_spaces import SPACE
from service.keys import create_key
from service.store import Store
from service.training import make

NETWORKS = 200
LOAD = 0.8
#: Seconds at full speed, before and while capacity is measured.
_WARM_UP_S, _MEASURE_S = 10.0, 15.0
_JOB_LIMIT_S = 600.0
#: What a replica may hold at the end, over what it held in the middle.
GROWTH = 1.1


@dataclass
class Events:
    """What was done to the deployment."""

    capacity: float = 0.0
    job: str = ""
    job_killed: bool = False
    began: float = 0.0
    ended: float = 0.0
    #: Load of the machine (processes that want to run) before the first request: what others do.
    others: float = 0.0
    #: Seconds of processors that clients took, and the replica that was not killed.
    clients_s: float = 0.0
    replica_s: float = 0.0


def soak(data_dir: Path, duration_s: float = 600.0) -> list[Figure]:
    """Run all of it and print what came of it."""
    deployment, events = Deployment(), Events(others=os.getloadavg()[0])
    try:
        load, token, first, second = _prepare(deployment, data_dir)
        client = httpx.Client(headers={"authorization": f"Bearer {token}"}, timeout=60)
        load.tally.promotions.append((float("-inf"), first))
        load.start()
        _set_pace(load, events)
        before = time.process_time(), deployment.replicas[1].processor_s()
        _make_trouble(deployment, load, client, second, duration_s, events)
        events.ended = time.monotonic()
        events.clients_s = time.process_time() - before[0]
        events.replica_s = deployment.replicas[1].processor_s() - before[1]
        load.finish()
        return _report(deployment, load, client, events)
    finally:
        deployment.close()


def _prepare(deployment: Deployment, data_dir: Path) -> tuple[Load, str, str, str]:
    """The deployment serves the first of two predictors that differ; also what clients must be told by each."""
    with Store.open(deployment.data_dir, deployment.database_url) as store:
        copy_predictor(data_dir, store)
        first = store.promoted()
        measured = read_table(store.table_version(store.table(first.tables[0], first.target_id)))
        second = make(store, measured, seed=1, report=lambda *_: None)
        graphs = mobile_graphs(NETWORKS, seed=3)
        bodies = [as_json(graph) for graph in graphs]
        expected = expect(store, [first.version, second.version], bodies)
        _, token = create_key(store.database, "soak", ["admin"])
    deployment.start()
    urls = [replica.url for replica in deployment.replicas]
    headers = {"authorization": f"Bearer {token}"}
    body = {"space": SPACE, "batch_size": 1}
    made = httpx.post(f"{urls[0]}/v1/search-spaces", json=body, headers=headers, timeout=60)
    space = made.raise_for_status().json()["id"]
    load = Load(urls, token, bodies, [as_onnx(graph) for graph in graphs], space, expected)
    return load, token, first.version, second.version


def _set_pace(load: Load, events: Events) -> None:
    """Ask as fast as possible for a while, then at `LOAD` of that."""
    time.sleep(_WARM_UP_S)
    before = load.sent
    time.sleep(_MEASURE_S)
    events.capacity = (load.sent - before) / _MEASURE_S
    load.rate = LOAD * events.capacity
    stdout().print(f"capacity {events.capacity:.0f} requests per second; load from here on {load.rate:.0f}")


def _make_trouble(
    deployment: Deployment, load: Load, client: httpx.Client, second: str, duration_s: float, events: Events
) -> None:
    """Everything that happens, each at its share of the duration."""
    a, b = deployment.replicas
    worker, postgres = deployment.workers[0], deployment.postgres

    def promote() -> None:
        _acknowledged(load, client.post(f"{a.url}/v1/predictors/{second}/promote"))

    def roll_back() -> None:
        target = client.get(f"{b.url}/v1/targets").json()["targets"][0]["id"]
        _acknowledged(load, client.post(f"{b.url}/v1/targets/{target}/rollback"))

    def train() -> None:
        answer = client.post(f"{a.url}/v1/predictors", json={"promote": "never"})
        events.job = answer.raise_for_status().json()["id"]
        events.job_killed = deployment.kill_job()

    def again(*steps: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            steps[0]()
            time.sleep(1.0)
            steps[1]()

        return run

    steps: list[tuple[float, str, Callable[[], None]]] = [
        (0.10, "promote the other predictor", promote),
        (0.20, "train, and kill the job's process", train),
        (0.25, "kill the worker", again(worker.kill, worker.start)),
        (0.40, "kill the database", again(postgres.kill, postgres.start)),
        (0.50, "restart the database", again(postgres.stop, postgres.start)),
        (0.60, "kill a replica", again(a.kill, a.start)),
        (0.75, "roll back", roll_back),
        (0.85, "stop the replica as an operator would, and start it", again(a.stop, a.start)),
    ]
    events.began = time.monotonic()
    for share, what, do in steps:
        time.sleep(max(events.began + share * duration_s - time.monotonic(), 0.0))
        stdout().print(f"{time.monotonic() - events.began:6.1f} s  {what}")
        do()
    time.sleep(max(events.began + duration_s - time.monotonic(), 0.0))


def _acknowledged(load: Load, answer: httpx.Response) -> None:
    version = answer.raise_for_status().json()["version"]
    with load.tally.lock:
        load.tally.promotions.append((time.monotonic(), version))


def _report(deployment: Deployment, load: Load, client: httpx.Client, events: Events) -> list[Figure]:
    tally, url = load.tally, deployment.replicas[1].url
    job = _finished(client, f"{url}/v1/jobs/{events.job}")
    keys = {key["id"] for key in client.get(f"{url}/v1/keys").raise_for_status().json()["keys"]}
    with Store.open(deployment.data_dir, deployment.database_url) as store, store.database.read() as session:
        lost = sum(Predictions(session).get(given) is None for given in tally.ids)
        target = store.targets()[0].id
    history = client.get(f"{url}/v1/targets/{target}/promotions").raise_for_status().json()["promotions"]
    promoted = [promotion["version"] for promotion in reversed(history)]
    lost_keys = len(set(tally.keys) - keys)
    kept = promoted == [version for _, version in tally.promotions]
    _print(deployment, load, events)
    return [
        Figure("mixed load: requests per second", load.rate, "/s"),
        Figure("mixed load: wrong answers", len(tally.wrong), at_most=0),
        Figure("mixed load: statuses other than 429 and 503", len(tally.refused), at_most=0),
        Figure("mixed load: requests that nobody answered", tally.nobody, at_most=0),
        Figure("mixed load: answers by a version no longer promoted", tally.stale, at_most=0),
        Figure(f"mixed load: of {len(tally.ids):,} acknowledged predictions, lost", lost, at_most=0),
        Figure(f"mixed load: of {len(tally.keys):,} acknowledged keys, lost", lost_keys, at_most=0),
        Figure("mixed load: acknowledged promotions, not kept", int(not kept), at_most=0),
        Figure(f"mixed load: jobs killed that did not end well ({job})", int(job != "succeeded"), at_most=0),
        Figure("mixed load: memory at the end, over the middle", _growth(deployment, events, 1), " ×", at_most=GROWTH),
    ]


def _print(deployment: Deployment, load: Load, events: Events) -> None:
    """What clients saw, and what it took."""
    tally = load.tally
    rows = table("what", "value", words=("value",))
    rows.add_row("requests per second, of capacity", f"{load.rate:.0f}, {events.capacity:.0f}")
    for kind, counter in sorted(tally.statuses.items()):
        times = sorted(tally.seconds[kind]) or [0.0]
        p50, p99 = (1e3 * times[int(share * len(times))] for share in (0.5, 0.99))
        counts = ", ".join(f"{status}: {count:,}" for status, count in sorted(counter.items()))
        rows.add_row(kind, counts + (f"; p50 {p50:.1f} ms, p99 {p99:.1f} ms" if tally.seconds[kind] else ""))
    reasons = ", ".join(f"{reason}: {count:,}" for reason, count in tally.reasons.most_common())
    rows.add_row("refused with 429 or 503, by reason", reasons)
    for what, found in (("wrong answers", tally.wrong), ("other statuses than 429 and 503", tally.refused)):
        if found:
            rows.add_row(what, str(found[:3]))
    rows.add_row("connections that broke or were refused, asked elsewhere", str(tally.elsewhere))
    rows.add_row("answers by version", ", ".join(f"{v}: {n:,}" for v, n in sorted(tally.versions.items())))
    rows.add_row("the training job's process was killed", str(events.job_killed))
    rows.add_row("resident MiB of the replica that was not killed", _minutes(deployment, events, 1))
    busy = ", ".join(f"{s / (events.ended - events.began):.2f}" for s in (events.clients_s, events.replica_s))
    rows.add_row("processors busy with clients, with that replica", busy)
    rows.add_row("load of the machine before", f"{events.others:.1f}")
    stdout().print(rows)


def _finished(client: httpx.Client, url: str) -> str:
    """The state of a job once it is over."""
    end = time.monotonic() + _JOB_LIMIT_S
    while (state := str(client.get(url).raise_for_status().json()["state"])) in ("queued", "running"):
        if time.monotonic() > end:
            return f"still {state}"
        time.sleep(0.5)
    return state


def _resident(deployment: Deployment, events: Events, number: int) -> list[float]:
    """Of a replica, from the first to the last second of the load."""
    return [size for at, of, size in deployment.resident if of == number and events.began <= at <= events.ended]


def _growth(deployment: Deployment, events: Events, number: int) -> float:
    """What a replica holds in the last tenth over the tenth in the middle."""
    sizes = _resident(deployment, events, number)
    tenth = max(len(sizes) // 10, 1)
    return median(sizes[-tenth:]) / median(sizes[len(sizes) // 2 : len(sizes) // 2 + tenth])


def _minutes(deployment: Deployment, events: Events, number: int) -> str:
    """Ten sizes over the time of the load."""
    sizes = _resident(deployment, events, number)
    return ", ".join(f"{sizes[min(i * len(sizes) // 9, len(sizes) - 1)]:.0f}" for i in range(10))
