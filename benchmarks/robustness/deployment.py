"""A small deployment, each part of which may be killed: two replicas and a worker over a real PostgreSQL."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.postgres import PostgresServer
from benchmarks.processes import Part, ServerPart

_WATCH_EVERY_S = 1.0
_JOB_START_LIMIT_S = 60.0


class Deployment:
    """Everything in a folder for temporary files. The store is filled before `start`."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="archgauge-soak-"))
        self.postgres = PostgresServer()
        self.database_url = self.postgres.create_database()
        self.data_dir = self.folder / "state"
        self.replicas: list[ServerPart] = []
        self.workers: list[Part] = []
        #: (moment, replica, resident MiB).
        self.resident: list[tuple[float, int, float]] = []
        self._over = threading.Event()

    def start(self) -> None:
        settings = {
            "ARCHGAUGE_DATA_DIR": str(self.data_dir), "ARCHGAUGE_DATABASE_URL": self.database_url,
            "ARCHGAUGE_EMBEDDED_WORKER": "no", "ARCHGAUGE_JOB_LEASE_S": "5",
            "ARCHGAUGE_MAX_STORED_PREDICTIONS": "10000000",  # nothing that was acknowledged may be pruned
        }  # fmt: skip
        self.replicas = [ServerPart(settings, self.folder / f"{name}.log") for name in ("a", "b")]
        self.workers = [Part(["worker"], settings, self.folder / "worker.log")]
        for replica in self.replicas:
            replica.wait_until_ready()
        threading.Thread(target=self._watch, daemon=True).start()

    def kill_job(self) -> bool:
        """Kill the process of a job, as soon as there is one; whether there was."""
        end = time.monotonic() + _JOB_START_LIMIT_S
        while time.monotonic() < end:
            for child in self.workers[0].children():
                if "service.jobs" in child.cmdline():
                    child.kill()
                    return True
            time.sleep(0.05)
        return False

    def close(self) -> None:
        self._over.set()
        for part in (*self.replicas, *self.workers):
            part.stop()
        self.postgres.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _watch(self) -> None:
        while not self._over.wait(_WATCH_EVERY_S):
            for number, replica in enumerate(self.replicas):
                with suppress(psutil.NoSuchProcess):  # it is dead just now
                    self.resident.append((time.monotonic(), number, replica.resident_mib()))
