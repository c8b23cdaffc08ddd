"""Durable jobs: rows of the database (`service.db.jobs`), each carried out in a process of its own.

A `Supervisor` runs in every server and in ``archgauge worker``. It takes a job, starts ``python -m service.jobs`` for
it, and renews the job's lease while that lives. So a job can neither slow down nor take with it whoever answers
requests, its memory goes back when it is over, and killing any of the processes at any moment only means that the job
goes on in another one:

* the job's process dies: its supervisor lets the lease run out at once;
* the supervisor dies: the pipe to the job's process closes, which gives the job back and ends;
* the machine dies: the lease runs out.

What must not be done twice is done in the same transaction that notes that it was done, and only under the fence of the
job's latest claim.
"""

from service.jobs.supervisor import Supervisor, work

__all__ = ["Supervisor", "work"]
