"""Durable jobs as rows: claims, leases, fences, events, on both databases."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest

from service.db import Campaigns, Database, JobRecord, Jobs, TargetRecord, Versions
from service.db.jobs import MAX_CRASHES
from service.db.retention import forget_old_jobs
from service.errors import LeaseLost
from service.jobs.context import JobContext
from service.settings import Settings
from service.store import Store

T = TypeVar("T")


def do(database: Database, work: Callable[[Jobs], T]) -> T:
    with database.write() as session:
        return work(Jobs(session))


def add(database: Database) -> JobRecord:
    return do(database, lambda jobs: jobs.add("train", {"seed": 1}, "anonymous"))


def claim(database: Database, lease_s: float = 60.0) -> JobRecord:
    job = do(database, lambda jobs: jobs.claim(lease_s))
    assert job is not None
    return job


def now(database: Database, job: JobRecord) -> JobRecord:
    found = do(database, lambda jobs: jobs.get(job.id))
    assert found is not None
    return found


def test_a_job_from_beginning_to_end(database: Database) -> None:
    assert not do(database, Jobs.is_any_waiting)
    queued = add(database)
    assert do(database, Jobs.is_any_waiting)
    job = claim(database)
    assert (job.id, job.state, job.fence, job.arguments) == (queued.id, "running", 1, {"seed": 1})
    assert do(database, lambda jobs: jobs.claim(60.0)) is None
    do(database, lambda jobs: jobs.report(job, 0.5, "half"))
    do(database, lambda jobs: jobs.log(job, "said"))
    do(database, lambda jobs: jobs.keep(job, {"a": 1}))
    assert (now(database, job).progress, now(database, job).result) == (0.5, {"a": 1})
    do(database, lambda jobs: jobs.finish(job, {"b": 2}))
    done = now(database, job)
    assert (done.state, done.result, done.progress, done.error) == ("succeeded", {"b": 2}, 1.0, None)
    assert done.finished_at is not None and done.started_at is not None and done.created_at <= done.started_at
    events = do(database, lambda jobs: jobs.events(job.id))
    assert [e.kind for e in events] == ["state", "state", "progress", "log", "state"]
    assert [e.id for e in events] == sorted(e.id for e in events)
    assert do(database, lambda jobs: jobs.events(job.id, events[2].id)) == events[3:]
    assert do(database, Jobs.count) == {"succeeded": 1}


def test_every_job_is_claimed_once_and_in_order(database: Database) -> None:
    ids = [add(database).id for _ in range(12)]
    with ThreadPoolExecutor(6) as pool:
        claimed = [job.id for job in pool.map(lambda _: claim(database), range(12))]
    assert sorted(claimed) == sorted(ids)
    assert do(database, lambda jobs: jobs.claim(60.0)) is None


def test_a_worker_that_was_taken_for_dead_changes_nothing_any_more(database: Database) -> None:
    add(database)
    late = claim(database, lease_s=-1.0)
    other = claim(database)
    assert (other.id, other.fence, other.crashes) == (late.id, 2, 1)
    for work in (
        lambda jobs: jobs.renew(late, 60.0), lambda jobs: jobs.report(late, 0.9, ""), lambda jobs: jobs.log(late, "x"),
        lambda jobs: jobs.finish(late, {}), lambda jobs: jobs.fail(late, ""), lambda jobs: jobs.release(late),
        lambda jobs: jobs.keep(late, {}), lambda jobs: jobs.abandon(late),
    ):  # fmt: skip
        with pytest.raises(LeaseLost):
            do(database, work)
    assert now(database, other) == other
    assert [e.data for e in do(database, lambda jobs: jobs.events(late.id)) if e.kind == "log"] == [
        {"text": "its worker is gone; going on with another one"}
    ]


def test_a_renewed_lease_holds(database: Database) -> None:
    add(database)
    job = claim(database, lease_s=0.05)
    do(database, lambda jobs: jobs.renew(job, 60.0))
    time.sleep(0.06)
    assert do(database, lambda jobs: jobs.claim(60.0)) is None


def test_a_job_that_kills_its_workers_is_given_up(database: Database) -> None:
    add(database)
    for _ in range(MAX_CRASHES):
        job = claim(database)
        do(database, lambda jobs, job=job: jobs.abandon(job))
    assert do(database, lambda jobs: jobs.claim(60.0)) is None
    given_up = now(database, job)
    assert given_up.state == "failed" and f"{MAX_CRASHES} times" in str(given_up.error)


def test_a_job_that_is_given_back_did_not_crash(database: Database) -> None:
    add(database)
    for fence in range(1, 2 * MAX_CRASHES):
        job = claim(database)
        assert (job.fence, job.crashes) == (fence, 0)
        do(database, lambda jobs, job=job: jobs.release(job))


def test_cancelling(database: Database) -> None:
    waiting, _ = add(database), add(database)
    assert do(database, lambda jobs: jobs.cancel(waiting.id)).state == "cancelled"  # type: ignore[union-attr]
    running = claim(database)
    do(database, lambda jobs: jobs.cancel(running.id))
    with pytest.raises(LeaseLost):
        do(database, lambda jobs: jobs.renew(running, 60.0))
    add(database)
    done = claim(database)
    do(database, lambda jobs: jobs.finish(done, {}))
    assert do(database, lambda jobs: jobs.cancel(done.id)).state == "succeeded"  # type: ignore[union-attr]
    assert do(database, lambda jobs: jobs.cancel("a\0b")) is None
    assert do(database, lambda jobs: jobs.get("a\0b")) is None


def test_old_jobs_are_forgotten_unless_a_campaign_names_them(database: Database) -> None:
    with database.write() as session:
        Versions(session).add_target(TargetRecord("t", {}, False, datetime.now(UTC)))
        campaign = Campaigns(session).add("t", {"budget_s": 1.0, "architectures": []}, "anonymous")
        Campaigns(session).end(campaign.id, "cancelled")
    ended = [add(database).id for _ in range(6)]
    for job_id in ended:
        do(database, lambda jobs, job_id=job_id: jobs.cancel(job_id))
    waiting = add(database).id
    with database.write() as session:
        assert forget_old_jobs(session, keep=2) == 4
        assert forget_old_jobs(session, keep=2) == 0
    kept = {campaign.job_id, *ended[-2:], waiting}
    assert {job.id for job in do(database, lambda jobs: jobs.newest(100))} == kept
    assert do(database, lambda jobs: jobs.events(ended[0])) == [] != do(database, lambda jobs: jobs.events(ended[-1]))


def test_training_that_was_interrupted_goes_on_from_what_was_kept(
    tmp_path: Path, database_url: str, fill: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, trained: Any
) -> None:
    """The worker dies between keeping the predictor and the end of the job: the next one does not train again."""
    from service import training as service_training
    from service.jobs import training

    fill(tmp_path, promote=False, database_url=database_url)
    monkeypatch.setattr(service_training, "train_predictor", lambda *_, **__: trained)
    with Store.open(tmp_path, database_url) as store:
        table = store.tables()[0]
        arguments = {"target": table.target_id, "table": table.version, "seed": 0, "promote": "unless_worse"}
        do(store.database, lambda jobs: jobs.add("train", arguments, "anonymous"))

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(training, "decide", die)
            training.run(JobContext(claim(store.database, lease_s=-1.0), store, Settings(data_dir=tmp_path)))
        assert len(store.predictors()) == 2 and store.promotions() == []

        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("trained again")

        monkeypatch.setattr(service_training, "train_predictor", refuse)
        job = claim(store.database)
        training.run(JobContext(job, store, Settings(data_dir=tmp_path)))
        made = store.predictors()[0]
        assert len(store.predictors()) == 2 and store.promoted() == made
        done = now(store.database, job)
        assert (done.state, done.result["predictor"], done.result["promoted"]) == ("succeeded", made.version, True)


def test_a_worker_that_lost_its_job_keeps_no_predictor(
    tmp_path: Path, fill: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, trained: Any
) -> None:
    from service import training as service_training
    from service.jobs import training

    fill(tmp_path, promote=False)
    monkeypatch.setattr(service_training, "train_predictor", lambda *_, **__: trained)
    with Store.open(tmp_path) as store:
        table = store.tables()[0]
        arguments = {"target": table.target_id, "table": table.version, "seed": 0, "promote": "unless_worse"}
        do(store.database, lambda jobs: jobs.add("train", arguments, "anonymous"))
        late = claim(store.database, lease_s=-1.0)
        claim(store.database)
        with pytest.raises(LeaseLost):
            training.run(JobContext(late, store, Settings(data_dir=tmp_path)))
        assert len(store.predictors()) == 1
