"""Send what nobody should send, and kill what should not die.

    python -m benchmarks.robustness schema [--examples 100]
    python -m benchmarks.robustness mutated [--number 10000]
    python -m benchmarks.robustness soak [--duration 10m]

Each fails where something was found. All of them serve a copy of the data directory's promoted predictor; without one,
this machine is profiled for a moment first.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import click
import httpx

from archgauge import options
from archgauge.output import stdout, table
from benchmarks.postgres import PostgresServer
from benchmarks.processes import ServerPart
from benchmarks.robustness.conformance import run_schemathesis
from benchmarks.robustness.mutants import mutants
from benchmarks.robustness.sending import send
from benchmarks.robustness.soak import soak as run_soak
from benchmarks.robustness.world import copy_predictor, populate, things
from service.store import Store

#: Of a request, in seconds; and what an answer may take besides when the machine is busy.
TIME_LIMIT_S, GRACE_S = 10.0, 2.0
#: What the service may hold after all requests, over what it held in the middle.
GROWTH = 1.1

database = click.option(
    "--database", type=click.Choice(["sqlite", "postgresql"]), default="postgresql", show_default=True
)


class Served(NamedTuple):
    """A service in a process of its own, with an administrator's key and the names of what exists in it."""

    service: ServerPart
    token: str
    names: dict[str, str]


@click.group()
def main() -> None:
    """The service under stress."""


@main.command()
@options.data_dir
@database
@click.option("--examples", default=100, show_default=True, help="Requests per endpoint that are made up.")
@click.option("--seed", default=1, show_default=True)
def schema(data_dir: Path, database: str, examples: int, seed: int) -> None:
    """schemathesis over the whole OpenAPI document."""
    with served(data_dir, database) as found:
        done = run_schemathesis(found.service.url, found.token, found.names, examples=examples, seed=seed)
        click.echo(done.stdout + done.stderr)
        defects = _defects(found.service.log)
    click.echo(f"defects in the service's log: {len(defects)}")
    _print_defects(defects)
    sys.exit(1 if done.returncode or defects else 0)


@main.command()
@options.data_dir
@database
@click.option("--number", default=10_000, show_default=True, help="Damaged bodies.")
@click.option("--seed", default=1, show_default=True)
def mutated(data_dir: Path, database: str, number: int, seed: int) -> None:
    """Damaged ONNX and JSON bodies: no 5xx, no hang, no crash, memory bounded."""
    with served(data_dir, database) as found:
        document = httpx.get(f"{found.service.url}/openapi.json").raise_for_status().json()
        outcome = send(found.service.url, found.token, mutants(document, found.names, number, seed), found.service)
        dead = found.service.process.poll() is not None
        defects = _defects(found.service.log)
    rows = table("what", "value", words=("value",))
    for what, statuses in outcome.statuses.items():
        counts = ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items()))
        rows.add_row(f"{what} bodies, by status", counts)
    rows.add_row("5xx or no answer", str(len(outcome.failures)))
    rows.add_row("slowest, limit", f"{outcome.slowest[0]:.2f} s ({outcome.slowest[1]}), {TIME_LIMIT_S:g} s")
    rows.add_row("crashes, defects in the log", f"{int(dead)}, {len(defects)}")
    sizes = [outcome.resident[min(i * len(outcome.resident) // 9, len(outcome.resident) - 1)] for i in range(10)]
    rows.add_row("resident MiB", ", ".join(f"{size:.0f}" for size in sizes))
    stdout().print(rows)
    for why, mutant in outcome.failures[:10]:
        click.echo(f"{why}: {mutant.origin}, {mutant.method} {mutant.path}: {mutant.body[:2000]!r}")
    _print_defects(defects)
    slow = outcome.slowest[0] > TIME_LIMIT_S + GRACE_S
    sys.exit(1 if outcome.failures or dead or defects or slow or sizes[-1] > GROWTH * sizes[4] else 0)


@main.command()
@options.data_dir
@click.option("--duration", type=options.duration, default="10m", show_default=True, help="Of the load.")
def soak(data_dir: Path, duration: float) -> None:
    """Mixed load at 80 % of capacity while parts are promoted, killed and restarted."""
    sys.exit(0 if run_soak(data_dir, duration) else 1)


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


if __name__ == "__main__":
    main()
