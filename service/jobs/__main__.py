"""The process of one job: ``python -m service.jobs JOB FENCE``, with settings as variables, started by a `Supervisor`.

Standard input is a pipe from the supervisor. When that closes, the supervisor wants the job to stop or is gone.
"""

from __future__ import annotations

import os
import sys
import threading

from service import logs
from service.db import Jobs
from service.errors import DatabaseUnavailable, LeaseLost, StoreUnavailable
from service.jobs.context import JobContext
from service.jobs.kinds import RUN
from service.jobs.supervisor import EXIT_AGAIN, EXIT_DONE, EXIT_LOST, EXIT_STOPPED
from service.logs import log
from service.settings import Settings
from service.store import Store

#: Predicting goes before.
_NICENESS = 10


def main(job_id: str, fence: int) -> int:
    """Carry out a job that was claimed under a fence."""
    settings = Settings.from_environment()
    logs.configure(settings.log_format, settings.log_level)
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    with Store.open(settings.data_dir, settings.database_url, settings.store_url) as store:
        with store.database.read() as session:
            job = Jobs(session).get(job_id)
        if job is None or job.fence != fence or job.state != "running":
            return EXIT_LOST
        context = JobContext(job, store, settings)
        threading.Thread(target=_stop_when_asked, args=(context,), name="stop", daemon=True).start()
        try:
            RUN[job.kind](context)
        except LeaseLost as error:
            log.warning("%s", error)
            return EXIT_LOST
        except (DatabaseUnavailable, StoreUnavailable) as error:
            log.warning("job %s is to be tried again: %s", job.id, error)
            return EXIT_AGAIN
        except Exception as error:
            _fail(context, error)
    return EXIT_DONE


def _fail(context: JobContext, error: Exception) -> None:
    """Errors of ours say what to do; of others only the kind is told, the log has the rest."""
    log.error("job %s failed", context.job.id, exc_info=error)
    package = type(error).__module__.partition(".")[0]
    ours = package in ("graphs", "lookup_tables", "predictors", "service")
    text = str(error) if ours else f"{type(error).__name__}; the worker's log has the details"

    def write() -> None:
        with context.store.database.write() as session:
            Jobs(session).fail(context.job, text)

    context.patiently(write)


def _stop_when_asked(context: JobContext) -> None:
    os.read(0, 1)  # standard input; nothing is ever sent: it returns when the pipe closes
    try:
        with context.store.database.write() as session:
            Jobs(session).release(context.job)
    except (LeaseLost, DatabaseUnavailable):
        pass  # it is over, or the lease will run out
    os._exit(EXIT_STOPPED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
