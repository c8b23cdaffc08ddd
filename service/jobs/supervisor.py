"""Takes jobs and has them carried out, one after the other, each in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

from service.db import Database, JobRecord, Jobs
from service.db.retention import forget_old_jobs
from service.errors import DatabaseUnavailable, LeaseLost
from service.logs import log
from service.settings import Settings

#: How a job's process says how it went: the job is over, it is somebody else's, it was given back. Any other status, as
#: the one for trying again, counts as a crash.
EXIT_DONE, EXIT_LOST, EXIT_STOPPED, EXIT_AGAIN = 0, 3, 4, 5

_STOP_LIMIT_S = 5.0
_WATCH_EVERY_S = 0.1
_TRY_AGAIN_S = 1.0


def work(database: Database, settings: Settings, jobs: int = 1) -> None:
    """Carry out so many jobs at the same time, until SIGTERM or SIGINT; then give back what is under way."""
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    supervisors = [Supervisor(database, settings) for _ in range(jobs)]
    for supervisor in supervisors:
        supervisor.start()
    log.info("worker ready", extra={"fields": {"jobs": jobs}})
    asked.wait()
    for supervisor in supervisors:
        supervisor.stop()


class Supervisor:
    """A thread that works through the jobs of a database until it is told to stop."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self.run, name="jobs", daemon=True)

    def start(self) -> None:
        """Work in a thread of this process."""
        self._thread.start()

    def stop(self) -> None:
        """Give back the job under way; returns when it is done."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def run(self) -> None:
        """Work until `stop` is called in another thread."""
        while not self._stopping.is_set():
            try:
                worked = self.run_one()
            except DatabaseUnavailable as error:
                log.warning("no jobs for now: %s", error)
                worked = False
            except Exception:
                log.exception("jobs: unforeseen error")
                worked = False
            if not worked:
                self._stopping.wait(self._settings.job_poll_s)

    def run_one(self) -> bool:
        """Carry out the oldest job that waits; returns False if there is none."""
        with self._database.read() as session:
            if not Jobs(session).is_any_waiting():
                return False
        with self._database.write() as session:
            job = Jobs(session).claim(self._settings.job_lease_s)
        if job is None:
            return False
        log.info("job started", extra={"fields": {"job": job.id, "kind": job.kind, "fence": job.fence}})
        status = self._carry_out(job)
        log.info("job's process ended", extra={"fields": {"job": job.id, "fence": job.fence, "status": status}})
        with self._database.write() as session:
            forget_old_jobs(session, self._settings.max_finished_jobs)
        return True

    def _carry_out(self, job: JobRecord) -> int:
        process = self._start(job)
        try:
            status = self._watch(job, process)
        finally:
            self._end(process)
        if status not in (EXIT_DONE, EXIT_LOST, EXIT_STOPPED):
            try:
                with self._database.write() as session:
                    Jobs(session).abandon(job)
            except (LeaseLost, DatabaseUnavailable):
                pass  # it is over; or its lease runs out by itself
        return status

    def _start(self, job: JobRecord) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "service.jobs", job.id, str(job.fence)]
        paths = os.pathsep.join(path for path in sys.path if path)
        environment = {**os.environ, "PYTHONPATH": paths, **self._settings.to_environment()}
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment)

    def _watch(self, job: JobRecord, process: subprocess.Popen[bytes]) -> int:
        """Renew the lease until the process ends, its job is lost or this one is to stop; returns its status."""
        renewed_at = time.monotonic()
        while (status := process.poll()) is None:
            if self._stopping.wait(_WATCH_EVERY_S):
                return self._end(process)
            if time.monotonic() - renewed_at < self._settings.job_lease_s / 3:
                continue
            try:
                with self._database.write() as session:
                    Jobs(session).renew(job, self._settings.job_lease_s)
                renewed_at = time.monotonic()
            except LeaseLost:
                process.kill()
                process.wait()
                return EXIT_LOST
            except DatabaseUnavailable as error:
                log.warning("the lease of job %s could not be renewed: %s", job.id, error)
                renewed_at += _TRY_AGAIN_S
        return status

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> int:
        """Close the pipe, upon which the process gives its job back."""
        if process.stdin is not None and not process.stdin.closed:
            process.stdin.close()
        try:
            return process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
