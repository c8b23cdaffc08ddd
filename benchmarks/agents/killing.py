"""Kill whoever comes while campaigns are carried out: agents, server, worker, its jobs, database, network."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from archgauge_client import ArchGaugeError, Client
from archgauge_client.agents import Agents, Campaigns
from archgauge_client.wire_agents import Campaign, CampaignRequest
from benchmarks.agents.network import Network
from benchmarks.agents.parts import FAKE, AgentPart, WorkerPart, settings_of, start_server
from benchmarks.postgres import PostgresServer

#: How often each is chosen.
_WEIGHTS = {"agent": 10, "server": 4, "answers": 3, "cut": 3, "silence": 2, "worker": 1, "job": 1, "database": 2}
_KILLS = ("agent", "server", "worker", "job", "database")
#: Times are short, so that much happens: leases of tasks and jobs, in seconds.
_LEASE_TTL_S, _JOB_LEASE_S = 10.0, 10.0
#: Seconds of measuring of a campaign, and how long to wait for it once nobody is killed any more.
_BUDGET_S, _PATIENCE_S = 240.0, 1500.0


class Scene:
    """A service with its worker and database, agents behind a bad network, and one campaign after the other."""

    def __init__(self, folder: Path, agents: int, database: PostgresServer | None, rng: random.Random) -> None:
        self.folder, self.rng, self.database = folder, rng, database
        self.database_url = "" if database is None else database.create_database()
        settings = settings_of(
            folder / "state", self.database_url, ARCHGAUGE_EMBEDDED_WORKER="no",
            ARCHGAUGE_LEASE_TTL_S=str(_LEASE_TTL_S), ARCHGAUGE_JOB_LEASE_S=str(_JOB_LEASE_S),
            ARCHGAUGE_JOB_POLL_S="0.2",
        )  # fmt: skip
        self.server = start_server(folder, settings)
        self.worker = WorkerPart(settings, folder / "worker.log")
        self.network = Network(int(self.server.url.rpartition(":")[2]))
        self.devices = [AgentPart(self.network.url, folder / f"device-{n}", *FAKE) for n in range(agents)]
        self.done: Counter[str] = Counter()
        self.campaigns: list[str] = []
        with Client(self.server.url) as client:
            _until(lambda: len(Agents(client).all()) == agents, "the agents did not enrol")
        self.current = self._start_campaign()

    @property
    def killed(self) -> int:
        """How many processes were killed."""
        return sum(number for name, number in self.done.items() if name in _KILLS)

    def strike(self) -> str:
        """Let something bad happen; returns what."""
        names = [name for name in _WEIGHTS if name != "database" or self.database is not None]
        name = self.rng.choices(names, [_WEIGHTS[name] for name in names])[0]
        happened: bool | None = getattr(self, f"_{name}")()
        name = name if happened is not False else "nothing"
        self.done[name] += 1
        return name

    def look(self) -> Campaign | None:
        """How the campaign is doing, as far as the server says so; when it is over, another one begins."""
        try:
            with Client(self.server.url, timeout_s=5.0) as client:
                found = Campaigns(client).get(self.current)
            if found.finished_at is not None:
                self.current = self._start_campaign()
        except ArchGaugeError:
            return None
        return found

    def wait(self) -> None:
        """Until the last campaign is over and everything was sent."""
        with Client(self.server.url) as client:
            over = lambda: Campaigns(client).get(self.current).finished_at is not None  # noqa: E731
            _until(over, "the campaign does not end", _PATIENCE_S)
        _until(lambda: not any(device.left() for device in self.devices), "results were not sent", 120.0)

    def close(self) -> None:
        for part in (*self.devices, self.worker, self.server):
            part.stop()
        self.network.close()

    def _start_campaign(self) -> str:
        request = CampaignRequest(budget_s=_BUDGET_S, rounds=2, items_per_task=4)
        with Client(self.server.url, timeout_s=10.0) as client:
            made = Campaigns(client).start(request).id
        self.campaigns.append(made)
        return made

    def _agent(self) -> None:
        device = self.rng.choice(self.devices)
        device.kill()
        device.start()

    def _server(self) -> None:
        self.server.kill()
        time.sleep(self.rng.uniform(0.0, 2.0))
        self.server.start()

    def _worker(self) -> None:
        self.worker.kill()
        self.worker.start()

    def _job(self) -> bool:
        return self.worker.kill_job()

    def _database(self) -> None:
        assert self.database is not None
        self.database.kill()
        time.sleep(self.rng.uniform(0.0, 2.0))
        self.database.start()

    def _cut(self) -> None:
        self.network.cut(self.rng.uniform(0.2, 6.0))

    def _silence(self) -> None:
        self.network.swallow(self.rng.uniform(0.5, 12.0))

    def _answers(self) -> None:
        self.network.lose_answers(self.rng.randint(1, 4))


def _until(true: Callable[[], bool], complaint: str, seconds: float = 120.0) -> None:
    """Wait; errors of a service that was killed a moment ago are borne."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if true():
                return
        except ArchGaugeError:
            pass
        time.sleep(0.5)
    raise RuntimeError(complaint)
