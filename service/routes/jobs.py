"""Jobs: how they are doing, as it is now and as a stream of events."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query
from starlette.responses import StreamingResponse

from archgauge_client.wire_admin import Job, JobList, LogLine
from service import examples_admin as examples
from service.auth import CurrentPrincipal, requires
from service.db import JobEvent, JobRecord, Jobs
from service.errors import UnknownJob
from service.logs import log
from service.openapi import answer, problem_responses
from service.routes._events import event_stream, event_stream_answer
from service.routes.targets import timestamp
from service.state import CurrentService, Service

router = APIRouter(tags=["jobs"])

FINAL = ("succeeded", "failed", "cancelled")

JobId = Annotated[str, Path(examples=[examples.JOB["id"]])]


@router.get(
    "/v1/jobs",
    summary="List jobs",
    operation_id="list_jobs",
    responses=answer("The newest jobs", {"jobs": [examples.JOB]}),
)
def list_jobs(
    service: CurrentService, limit: Annotated[int, Query(ge=1, le=1000, description="How many.")] = 100
) -> JobList:
    """The newest jobs, the newest first."""
    with service.store.database.read() as session:
        return JobList(jobs=[describe(job) for job in Jobs(session).newest(limit)])


@router.get(
    "/v1/jobs/{job_id}",
    summary="One job",
    operation_id="get_job",
    responses=answer("The job with its log", {**examples.JOB, "log": examples.JOB_LOG}) | problem_responses(404),
)
def get_job(job_id: JobId, service: CurrentService) -> Job:
    """State, progress, result and log of a job."""
    job, events = _read(service, job_id, 0)
    lines = [LogLine(at=timestamp(e.at), text=str(e.data["text"])) for e in events if e.kind == "log"]
    return describe(job).model_copy(update={"log": lines})


@router.get(
    "/v1/jobs/{job_id}/events",
    summary="Follow a job",
    operation_id="follow_job",
    response_class=StreamingResponse,
    responses=event_stream_answer("job", examples.EVENT_STREAM) | problem_responses(404, 422),
)
async def follow_job(
    job_id: JobId,
    service: CurrentService,
    last_event_id: Annotated[int, Header(ge=0, le=2**62, description="Go on after this event.")] = 0,
) -> StreamingResponse:
    """Events named `state`, `progress` and `log`, each with JSON; from the beginning, or after the `Last-Event-ID`.

    Browsers' `EventSource` reconnects by itself. The stream ends with the job.
    """

    def read(after: int) -> tuple[bool, list[JobEvent]]:
        job, events = _read(service, job_id, after)
        return job.state in FINAL, events

    return await event_stream(service, read, last_event_id)


@router.post(
    "/v1/jobs/{job_id}/cancel",
    summary="Cancel a job",
    operation_id="cancel_job",
    responses=answer("The job", {**examples.JOB, "state": "cancelled"}) | problem_responses(404),
)
@requires("admin")
def cancel_job(job_id: JobId, service: CurrentService, principal: CurrentPrincipal) -> Job:
    """Its worker stops within seconds. A job that is over stays as it is."""
    with service.store.database.write() as session:
        job = Jobs(session).cancel(job_id)
    if job is None:
        raise _unknown(job_id)
    log.info("job cancelled", extra={"fields": {"job": job.id, "by": principal.id}})
    return describe(job)


def describe(job: JobRecord) -> Job:
    """A job without its log."""
    return Job(
        id=job.id, kind=job.kind, arguments=dict(job.arguments), state=job.state, progress=job.progress,  # type: ignore[arg-type]
        words=job.words, result=dict(job.result), error=job.error, requested_by=job.requested_by,
        created_at=timestamp(job.created_at), started_at=_when(job.started_at), finished_at=_when(job.finished_at),
    )  # fmt: skip


def _read(service: Service, job_id: str, after: int) -> tuple[JobRecord, list[JobEvent]]:
    with service.store.database.read() as session:
        job = Jobs(session).get(job_id)
        if job is None:
            raise _unknown(job_id)
        return job, Jobs(session).events(job_id, after)


def _unknown(job_id: str) -> UnknownJob:
    return UnknownJob(f"there is no job {job_id!r}; GET /v1/jobs lists the newest ones")


def _when(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)
