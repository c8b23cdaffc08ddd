"""What was acknowledged is there, whoever is killed; and who is left answers or says to come back."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from service import examples
from service.db import Predictions
from service.store import Store

Fill = Callable[..., Path]
REQUEST = examples.REQUESTS["graph"]["value"]


@dataclass
class Clients:
    """Ask all the time; keep the ids that they were given and the statuses that they met."""

    url: str
    number: int = 4
    ids: list[str] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self.threads = [threading.Thread(target=self._ask) for _ in range(self.number)]
        for thread in self.threads:
            thread.start()

    def finish(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def wait_for(self, answers: int) -> None:
        """Until there are so many more."""
        before, end = len(self.ids), time.monotonic() + 120.0
        while len(self.ids) < before + answers:
            assert time.monotonic() < end, self.statuses
            time.sleep(0.02)

    def _ask(self) -> None:
        with httpx.Client(base_url=self.url, timeout=30.0) as client:
            while not self.stop.is_set():
                try:
                    response = client.post("/v1/predictions", json=REQUEST)
                except httpx.TransportError:
                    time.sleep(0.05)
                    continue
                self.statuses.add(response.status_code)
                if response.status_code == 200:
                    self.ids.append(response.json()["id"])


def assert_kept(data_dir: Path, database_url: str, ids: list[str]) -> None:
    with Store.open(data_dir, database_url) as store, store.database.read() as session:
        assert ids and all(Predictions(session).get(i) is not None for i in ids)


def test_what_a_killed_server_acknowledged_is_there(
    tmp_path: Path, database_url: str, fill: Fill, start_service: Callable[..., Any]
) -> None:
    fill(tmp_path, database_url=database_url)
    service = start_service(data_dir=tmp_path, database_url=database_url, embedded_worker="no")
    clients = Clients(service.url)
    clients.start()
    clients.wait_for(20)
    service.process.send_signal(signal.SIGKILL)
    service.process.wait()
    clients.finish()
    assert clients.statuses == {200}
    assert_kept(tmp_path, database_url, clients.ids)


def test_a_killed_database_loses_nothing_and_the_server_goes_on(
    tmp_path: Path, own_postgres: Any, fill: Fill, start_service: Callable[..., Any]
) -> None:
    url = own_postgres.create_database()
    fill(tmp_path, database_url=url)
    service = start_service(data_dir=tmp_path, database_url=url, embedded_worker="no")
    clients = Clients(service.url)
    clients.start()
    for _ in range(2):
        clients.wait_for(20)
        own_postgres.kill()
        time.sleep(0.5)
        own_postgres.start()
    clients.wait_for(20)
    clients.finish()
    assert clients.statuses <= {200, 503} and 503 in clients.statuses
    assert_kept(tmp_path, url, clients.ids)
