"""Tasks and leases as rows: one holder each, fences, losses, quarantine, rounds that end; on both databases."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from sqlalchemy.orm import Session

from lookup_tables import Measurement
from service.db import (
    Agents,
    CampaignRecord,
    Campaigns,
    ChunkRecord,
    Database,
    Jobs,
    LeaseRecord,
    Leases,
    Measurements,
    TargetRecord,
    Tasks,
    Versions,
)
from service.db.leases import MAX_DEVICES, MAX_LOSSES, MAX_UNHEARD

T = TypeVar("T")
NOW, LATER = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)


@pytest.fixture
def database(database: Database) -> Database:
    with database.write() as session:
        for name in ("t", "u"):
            Versions(session).add_target(TargetRecord(name, {}, False, NOW))
    return database


def do(database: Database, work: Callable[[Session], T]) -> T:
    with database.write() as session:
        return work(session)


def agent(database: Database, target: str = "t") -> str:
    return do(database, lambda s: Agents(s).add("board", None, target, {})).id


def campaign(database: Database, tasks: int, items: int = 2) -> CampaignRecord:
    def make(session: Session) -> CampaignRecord:
        made = Campaigns(session).add("t", {"budget_s": 60.0}, "anonymous")
        Tasks(session).add(made.id, "t", 1, [{"items": [{}] * items, "number": n} for n in range(tasks)])
        Campaigns(session).measure(made.id, 1)
        return made

    return do(database, make)


def lease(database: Database, agent_id: str, ttl_s: float = 60.0, target: str = "t") -> LeaseRecord | None:
    return next(iter(do(database, lambda s: Leases(s).grant(target, [agent_id], ttl_s))), None)


def hold(database: Database, lease_id: str) -> LeaseRecord:
    return do(database, lambda s: Leases(s).hold([lease_id]))[lease_id]


def granted(database: Database, agent_id: str, ttl_s: float = 60.0) -> LeaseRecord:
    found = lease(database, agent_id, ttl_s)
    assert found is not None
    return found


def arrive(database: Database, lease_id: str, item: int) -> None:
    def add(session: Session) -> None:
        leases = Leases(session)
        held = leases.hold([lease_id], with_campaigns=True)[lease_id]
        origin = held.task.origin if held.holds else held.origin
        chunk = ChunkRecord("t", origin, item, f"{item:064}", NOW)
        Measurements(session).add(chunk, [Measurement("whole_model", latency_us=1.0)])
        leases.arrived(held, item, counts=held.holds)
        Tasks(session).close_round(held.task.campaign_id)

    do(database, add)


def state(database: Database, campaign_id: str) -> str:
    found = do(database, lambda s: Campaigns(s).get(campaign_id))
    assert found is not None
    return found.state


def test_tasks_are_handed_out_in_order_to_agents_of_their_target(database: Database) -> None:
    campaign(database, 2)
    mine, other = agent(database), agent(database, "u")
    assert do(database, lambda s: Leases(s).wanted(["t", "u"])) == {"t"}
    assert lease(database, other, target="u") is None
    first, second = granted(database, mine), granted(database, mine)
    assert [held.task.document["number"] for held in (first, second)] == [0, 1]
    assert first.fence == 1 and first.holds and first.until is not None and first.measured == frozenset()
    assert lease(database, mine) is None
    assert do(database, lambda s: Leases(s).wanted(["t", "u"])) == set()


def test_every_task_has_one_holder(database: Database) -> None:
    campaign(database, 8)
    ids = [agent(database) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        held = list(pool.map(lambda n: lease(database, ids[n % 6]), range(16)))
    assert len({one.task.id for one in held if one is not None}) == 8
    assert sum(one is None for one in held) == 8


def test_a_round_that_is_measured_is_followed_by_a_job(database: Database) -> None:
    made = campaign(database, 1)
    assert do(database, lambda s: Jobs(s).claim(60.0)) is not None  # that of the first round
    held = granted(database, agent(database))
    arrive(database, held.id, 0)
    assert state(database, made.id) == "measuring"
    arrive(database, held.id, 1)
    assert state(database, made.id) == "planning"
    job = do(database, lambda s: Jobs(s).claim(60.0))
    assert job is not None and (job.kind, job.arguments) == ("campaign", {"campaign": made.id})
    assert do(database, lambda s: Tasks(s).count(made.id)) == {"done": 1}
    events = do(database, lambda s: Campaigns(s).events(made.id))
    assert [e.data["state"] for e in events] == ["planning", "measuring", "planning"]


def test_whoever_comes_next_goes_on_where_the_last_one_stopped(database: Database) -> None:
    made = campaign(database, 1)
    late = granted(database, agent(database), ttl_s=0.01)
    arrive(database, late.id, 0)
    time.sleep(0.02)
    other = granted(database, agent(database))
    assert (other.task.id, other.fence, other.measured) == (late.task.id, 2, frozenset({0}))
    arrive(database, late.id, 1)  # too late: evidence
    assert state(database, made.id) == "measuring"
    with database.read() as session:
        assert [c.origin for c in Measurements(session).chunks("t")] == [f"late:{late.id}", f"task:{late.task.id}"]
    again = hold(database, late.id)
    assert not again.holds and again.until is None
    arrive(database, other.id, 1)
    assert state(database, made.id) == "planning"
    assert do(database, lambda s: Tasks(s).of(made.id))[0].state == "done"


def test_an_expired_lease_that_nobody_took_over_still_holds(database: Database) -> None:
    campaign(database, 1)
    held = granted(database, agent(database), ttl_s=0.01)
    time.sleep(0.02)
    assert hold(database, held.id).holds


@pytest.mark.parametrize("devices", [1, MAX_DEVICES])
def test_a_task_that_kills_devices_is_quarantined(database: Database, devices: int) -> None:
    made = campaign(database, 1)
    ids = [agent(database) for _ in range(devices)]
    for attempt in range(MAX_DEVICES if devices > 1 else MAX_LOSSES):
        lost = granted(database, ids[attempt % devices], ttl_s=-1.0)
        do(database, lambda s, lost=lost: Leases(s).renew([lost], -0.5))
    assert lease(database, ids[0], ttl_s=-1.0) is None
    assert do(database, lambda s: Tasks(s).count(made.id)) == {"quarantined": 1}
    assert state(database, made.id) == "planning"
    assert any("quarantined" in str(e.data) for e in do(database, lambda s: Campaigns(s).events(made.id)))


def test_a_lease_that_may_never_have_arrived_is_hardly_held_against_the_task(database: Database) -> None:
    made, mine = campaign(database, 1), agent(database)
    for _ in range(MAX_UNHEARD):
        granted(database, mine, ttl_s=-1.0)
    assert lease(database, mine, ttl_s=-1.0) is None
    assert do(database, lambda s: Tasks(s).count(made.id)) == {"quarantined": 1}


def test_a_loss_that_brought_something_is_nobodys_fault(database: Database) -> None:
    made = campaign(database, 1, items=9)
    for item in range(MAX_LOSSES + 1):
        arrive(database, granted(database, agent(database), ttl_s=-1.0).id, item)
    assert do(database, lambda s: Tasks(s).count(made.id)) == {"leased": 1}


def test_released_renewed_paused_cancelled(database: Database) -> None:
    made, mine = campaign(database, 3), agent(database)
    first = granted(database, mine)
    do(database, lambda s: Leases(s).release([first]))
    again = granted(database, mine, ttl_s=0.01)
    assert (again.task.id, again.fence) == (first.task.id, 2)
    do(database, lambda s: Leases(s).renew([again], 60.0))
    time.sleep(0.02)
    assert granted(database, mine).task.id != again.task.id
    do(database, lambda s: Campaigns(s).pause(made.id))
    assert lease(database, mine) is None
    do(database, lambda s: Campaigns(s).resume(made.id))

    def cancel(session: Session) -> None:
        Campaigns(session).end(made.id, "cancelled")
        Tasks(session).cancel(made.id)

    do(database, cancel)
    assert lease(database, mine) is None and state(database, made.id) == "cancelled"
    assert do(database, lambda s: Jobs(s).count()) == {"cancelled": 1}
    assert not hold(database, again.id).holds
    do(database, lambda s: Campaigns(s).end(made.id, "succeeded"))
    assert state(database, made.id) == "cancelled"


def test_a_campaign_fails_with_its_job(database: Database) -> None:
    made = do(database, lambda s: Campaigns(s).add("t", {"budget_s": 1.0}, "anonymous"))
    job = do(database, lambda s: Jobs(s).claim(60.0))
    assert job is not None
    do(database, lambda s: Jobs(s).fail(job, "no plan"))
    found = do(database, lambda s: Campaigns(s).get(made.id))
    assert found is not None and (found.state, found.error) == ("failed", "no plan")
    assert found.finished_at is not None


def test_an_enrolment_is_used_once(database: Database) -> None:
    from service.db import EnrolmentRecord

    record = EnrolmentRecord("0a", "board", "d" * 64, "me", NOW, NOW)
    do(database, lambda s: Agents(s).add_enrolment(record))
    assert do(database, lambda s: Agents(s).enrolment("0a")) == record
    do(database, lambda s: Agents(s).use_enrolment("0a"))
    used = do(database, lambda s: Agents(s).enrolment("0a"))
    assert used is not None and used.used_at is not None
    assert do(database, lambda s: Agents(s).enrolment("0b")) is None


def test_an_agent_is_what_it_said_last(database: Database) -> None:
    mine = agent(database)
    do(database, lambda s: Agents(s).seen(mine, NOW, target_id="u", facts={"a": 1}, state={"temperature_c": 50.0}))
    do(database, lambda s: Agents(s).seen(mine, LATER))
    found = do(database, lambda s: Agents(s).get(mine))
    assert found is not None and (found.target_id, found.facts, found.state) == ("u", {"a": 1}, {"temperature_c": 50.0})
    assert do(database, lambda s: Agents(s).newest_of("u")) == found and found.seen_at == LATER
    assert do(database, lambda s: Agents(s).newest_of("t")) is None
    assert [one.id for one in do(database, lambda s: Agents(s).all())] == [mine]
