"""What is sent that nobody should send, and what came of it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import click
import httpx

from archgauge.output import stdout, table
from benchmarks.figures import Figure
from benchmarks.postgres import PostgresServer
from benchmarks.processes import ServerPart
from benchmarks.robustness.conformance import run_schemathesis
from benchmarks.robustness.mutants import mutants
from benchmarks.robustness.sending import Outcome, send
from benchmarks.robustness.world import copy_predictor, populate, things
from service.store import Store

#: Of a request, in seconds; and what an answer may take besides when the machine is busy.
TIME_LIMIT_S, GRACE_S = 10.0, 2.0
#: What the service may hold after all requests, over what it held in the middle.
GROWTH = 1.1


class Served(NamedTuple):
    """A service in a process of its own, with an administrator's key and the names of what exists in it."""

    service: ServerPart
    token: str
    names: dict[str, str]


def schema(data_dir: Path, database: str = "postgresql", examples: int = 100, seed: int = 1) -> list[Figure]:
    """schemathesis over the whole OpenAPI document, with ``examples`` requests per endpoint that are made up."""
    with served(data_dir, database) as found:
        done = run_schemathesis(found.service.url, found.token, found.names, examples=examples, seed=seed)
        defects = _defects(found.service.log)
    click.echo(done.stdout + done.stderr)
    _print_defects(defects)
    return [
        Figure("schemathesis: its exit status (0: nothing found)", done.returncode, at_most=0),
        Figure("schemathesis: defects in the log of the service", len(defects), at_most=0),
    ]


def mutated(data_dir: Path, database: str = "postgresql", number: int = 10_000, seed: int = 1) -> list[Figure]:
    """Damaged ONNX and JSON bodies: no 5xx, no hang, no crash, memory bounded."""
    with served(data_dir, database) as found:
        document = httpx.get(f"{found.service.url}/openapi.json").raise_for_status().json()
        outcome = send(found.service.url, found.token, mutants(document, found.names, number, seed), found.service)
        dead = found.service.process.poll() is not None
        defects = _defects(found.service.log)
    sizes = [outcome.resident[min(i * len(outcome.resident) // 9, len(outcome.resident) - 1)] for i in range(10)]
    _print_outcome(outcome, sizes)
    _print_defects(defects)
    return [
        Figure("damaged bodies sent", sum(sum(counts.values()) for counts in outcome.statuses.values())),
        Figure("damaged bodies: 5xx or no answer", len(outcome.failures), at_most=0),
        Figure("damaged bodies: crashes, and defects in the log", int(dead) + len(defects), at_most=0),
        Figure("damaged bodies: slowest answer", outcome.slowest[0], " s", at_most=TIME_LIMIT_S + GRACE_S),
        Figure("damaged bodies: memory at the end, over the middle", sizes[-1] / sizes[4], " ×", at_most=GROWTH),
    ]


def _print_outcome(outcome: Outcome, sizes: list[float]) -> None:
    rows = table("what", "value", words=("value",))
    for what, statuses in outcome.statuses.items():
        counts = ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items()))
        rows.add_row(f"{what} bodies, by status", counts)
    rows.add_row("slowest", f"{outcome.slowest[0]:.2f} s ({outcome.slowest[1]})")
    rows.add_row("resident MiB", ", ".join(f"{size:.0f}" for size in sizes))
    stdout().print(rows)
    for why, mutant in outcome.failures[:10]:
        click.echo(f"{why}: {mutant.origin}, {mutant.method} {mutant.path}: {mutant.body[:2000]!r}")


def _defects(log: Path) -> list[str]:
    """Traces of what the service did not foresee."""
    lines = (json.loads(line) for line in log.read_text().splitlines() if line.startswith("{"))
    return [line.get("exception", line["message"]) for line in lines if line["message"] == "unforeseen error"]


def _print_defects(traces: list[str]) -> None:
    """Each place once."""
    for trace in {trace[-500:]: trace for trace in traces}.values():
        click.echo(trace[-1500:])


@contextmanager
def served(data_dir: Path, database: str) -> Iterator[Served]:
    """Serve a copy of a data directory's predictor, with everything that requests can be about."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="archgauge-robust-")))
        url = ""
        if database == "postgresql":
            server = PostgresServer()
            stack.callback(server.close)
            url = server.create_database()
        with Store.open(folder / "state", url) as store:
            copy_predictor(data_dir, store)
            token = populate(store)
        settings = {
            "ARCHGAUGE_DATA_DIR": str(folder / "state"), "ARCHGAUGE_DATABASE_URL": url,
            "ARCHGAUGE_EMBEDDED_WORKER": "no", "ARCHGAUGE_REQUEST_TIME_LIMIT_S": str(TIME_LIMIT_S),
            "ARCHGAUGE_MAX_WAITING": "1000",
        }  # fmt: skip
        service = ServerPart(settings, folder / "service.log")
        stack.callback(service.stop)
        service.wait_until_ready()
        with httpx.Client(base_url=service.url, headers={"authorization": f"Bearer {token}"}, timeout=60) as client:
            names = things(client)
        yield Served(service, token, names)
