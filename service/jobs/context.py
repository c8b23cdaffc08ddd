"""What a job gets to see while it is carried out: its arguments, its store, and where to say how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from service.db import JobRecord, Jobs
from service.errors import DatabaseUnavailable
from service.logs import log
from service.settings import Settings
from service.store import Store

#: Progress is written at most so often.
REPORT_EVERY_S = 0.5
#: How long to try again what must be written while the database does not answer.
PATIENCE_S = 120.0


class JobContext:
    """A claimed job. Methods raise LeaseLost once it is somebody else's."""

    def __init__(self, job: JobRecord, store: Store, settings: Settings) -> None:
        self.job = job
        self.store = store
        self.settings = settings
        self._reported_at = float("-inf")

    def report(self, share: float, words: str = "", /) -> None:
        """Say how far it is; not every word is written, and none is worth failing for."""
        now = time.monotonic()
        if now - self._reported_at < REPORT_EVERY_S:
            return
        self._reported_at = now
        try:
            self._write(lambda jobs: jobs.report(self.job, min(max(share, 0.0), 1.0), words))
        except DatabaseUnavailable as error:
            log.warning("progress of job %s could not be written: %s", self.job.id, error)

    def log(self, text: str) -> None:
        """Say what happened."""
        self.patiently(lambda: self._write(lambda jobs: jobs.log(self.job, text)))

    def keep(self, session: Any, result: Mapping[str, Any]) -> None:
        """Note in a transaction what it did, so that whoever goes on does not do it again."""
        Jobs(session).keep(self.job, result)

    def finish(self, session: Any, result: Mapping[str, Any]) -> None:
        """Note in a transaction that it made the job's end."""
        Jobs(session).finish(self.job, result)

    @staticmethod
    def patiently(work: Callable[[], Any]) -> Any:
        """Do what may be done again until the database answers, for `PATIENCE_S` at most."""
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                return work()
            except DatabaseUnavailable:
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)

    def _write(self, change: Callable[[Jobs], None]) -> None:
        with self.store.database.write() as session:
            change(Jobs(session))
