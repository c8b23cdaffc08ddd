"""A service and agents as processes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from benchmarks.processes import START_LIMIT_S, Part, ServerPart

#: Agents that measure with the fake runtime.
FAKE = ("--runtime", "fake", "--provider", "FakeProvider")


class AgentPart(Part):
    """``archgauge agent`` with a folder of its own."""

    def __init__(self, url: str, home: Path, *arguments: str) -> None:
        self._home = home
        super().__init__(["agent", "--server", url, "--data-dir", str(home), *arguments], {}, home / "agent.log")

    def left(self) -> list[Path]:
        """Leases that are not done with."""
        return list((self._home / "agent" / "leases").glob("*"))


class WorkerPart(Part):
    """``archgauge worker``."""

    def __init__(self, settings: Mapping[str, str], log: Path) -> None:
        super().__init__(["worker"], settings, log)

    def kill_job(self) -> bool:
        """Kill the process of the job under way; whether there was one."""
        jobs = self.children()
        for job in jobs:
            job.kill()
        return bool(jobs)


def settings_of(data_dir: Path, database_url: str = "", **more: str) -> dict[str, str]:
    """Variables for a server and its worker."""
    return {
        "ARCHGAUGE_DATA_DIR": str(data_dir), "ARCHGAUGE_DATABASE_URL": database_url, "ARCHGAUGE_LOG_LEVEL": "WARNING",
        **more,
    }  # fmt: skip


def start_server(folder: Path, settings: Mapping[str, str]) -> ServerPart:
    """A server that answers, though there may be nothing to predict with yet."""
    server = ServerPart(settings, folder / "server.log")
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end and server.process.poll() is None:
        try:
            if httpx.get(f"{server.url}/healthz", timeout=10).status_code == 200:
                return server
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"{server.url} does not answer:\n{server.log.read_text()[-3000:]}")
