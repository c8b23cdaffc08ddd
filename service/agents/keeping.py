"""Results in chunks that may arrive twice, late or not at all; those of many agents are kept in one transaction."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from archgauge_client.wire_agents import ResultChunk
from lookup_tables import Measurement
from lookup_tables.errors import InvalidRecord
from service.agents.leasing import owned, stale
from service.db import (
    AgentRecord,
    Agents,
    CampaignRecord,
    Campaigns,
    ChunkRecord,
    Database,
    LeaseRecord,
    Leases,
    Measurements,
    Tasks,
)
from service.db.clocks import now_of
from service.errors import ContentConflict, InvalidRequest, ServiceError
from service.keys import Principal
from service.requests import invalid


class Receipt(NamedTuple):
    """What became of a chunk."""

    new: bool
    counts: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """What came in as the results of the item ``number`` of a task."""

    lease_id: str
    number: int
    content: bytes
    principal: Principal


@dataclass(frozen=True, slots=True)
class _Chunk:
    sent: Sent
    sha256: str
    said: ResultChunk
    records: Sequence[Measurement]


def keep(database: Database, sent: Sequence[Sent]) -> list[Receipt | Exception]:
    """What became of each; on return they are on disk. Or:

    * MalformedJson, InvalidRequest: it is no chunk, or not about that item.
    * UnknownLease, Forbidden: no such lease, or another agent's.
    * ContentConflict: another content was sent for it before.
    * StaleFence: the task is somebody else's by now; the chunk is kept as evidence, and need not be sent again.
    """
    read = [_read(one) for one in sent]  # before others have to wait for the transaction
    with database.write_shared() as session:
        keeping = _Keeping(session, {chunk.sent.lease_id for chunk in read if isinstance(chunk, _Chunk)})
        answers = [keeping.keep(chunk) if isinstance(chunk, _Chunk) else chunk for chunk in read]
        keeping.go_on()
    return answers


def _read(sent: Sent) -> _Chunk | Exception:
    try:
        said = ResultChunk.model_validate_json(sent.content, strict=True)
    except ValidationError as error:
        return invalid(error)
    try:
        records = [Measurement.from_json(record) for record in said.records]
    except InvalidRecord as error:
        return InvalidRequest(str(error), [("records", str(error))])
    for record in records:
        _ = record.kernel and record.kernel.key  # which takes a while, and is remembered
    return _Chunk(sent, hashlib.sha256(sent.content).hexdigest(), said, records)


class _Keeping:
    """A transaction in which chunks are kept, their tasks and campaigns locked."""

    def __init__(self, session: Any, lease_ids: set[str]) -> None:
        self._session = session
        self._campaigns = Campaigns(session)
        self._leases = Leases(session, self._campaigns)
        self._measurements = Measurements(session)
        self._held = self._leases.hold(lease_ids, with_campaigns=True)
        self._owners: Mapping[str, AgentRecord] = Agents(session).of([h.agent_id for h in self._held.values()])
        origins = {origin for lease in self._held.values() for origin in (lease.task.origin, lease.origin)}
        #: What was sent before, by origin and number.
        self._known = self._measurements.known(origins)
        self._now: datetime = now_of(session)
        #: Campaigns that got something.
        self._spent: dict[str, CampaignRecord] = {}

    def keep(self, chunk: _Chunk) -> Receipt | Exception:
        """What became of a chunk; one that is stale is kept nevertheless."""
        try:
            return self._keep(chunk, chunk.sent.number)
        except ServiceError as error:
            return error

    def _keep(self, chunk: _Chunk, number: int) -> Receipt:
        lease = owned(self._held, self._owners, chunk.sent.lease_id, chunk.sent.principal)
        _check(lease, chunk)
        if self._known.get((lease.task.origin, number)) == chunk.sha256:
            return Receipt(False, True)
        mine = lease.task.lease_id == lease.id and lease.fence == chunk.said.fence
        counts = mine and lease.holds
        origin = lease.task.origin if counts else lease.origin
        before = self._known.get((origin, number))
        if before not in (None, chunk.sha256):
            raise ContentConflict(f"chunk {number} of {origin} was sent before with another content")
        if before is None:
            named = ChunkRecord(lease.task.target_id, origin, number, chunk.sha256, self._now)
            self._measurements.add(named, chunk.records)
            self._known[origin, number] = chunk.sha256
            self._leases.arrived(lease, number, counts=counts)
            if counts:
                self._note(lease, chunk)
        if not mine:
            raise stale(lease, kept=True)
        return Receipt(before is None, counts)

    def go_on(self) -> None:
        """Rounds that are over, because everything was measured or the budget is spent, are followed by others."""
        self._session.flush()
        tasks = Tasks(self._session)
        for campaign in self._spent.values():
            if campaign.spent_s >= campaign.budget_s * campaign.round / campaign.document.get("rounds", 1):
                tasks.cancel(campaign.id, spent=True)
            tasks.close_round(campaign.id)

    def _note(self, lease: LeaseRecord, chunk: _Chunk) -> None:
        """What a new chunk means for its campaign."""
        campaign = self._campaigns.spend(lease.task.campaign_id, chunk.said.seconds)
        self._spent[campaign.id] = campaign
        errors = Counter(record.error for record in chunk.records if record.error is not None)
        said = {
            "progress": min(campaign.spent_s / campaign.budget_s, 1.0), "words": chunk.records[0].context,
            "agent": lease.agent_id, "seconds": chunk.said.seconds, "records": len(chunk.records),
            "failed": errors.total(),
        }  # fmt: skip
        self._campaigns.event(campaign.id, "progress", said | ({"errors": dict(errors)} if errors else {}))


def _check(lease: LeaseRecord, chunk: _Chunk) -> None:
    """Raises InvalidRequest unless a chunk is about the item that it is named after."""
    items, said = lease.task.document["items"], chunk.said
    if not 0 <= chunk.sent.number < len(items):
        raise InvalidRequest(f"the task has {len(items)} items, numbered from 0; there is no {chunk.sent.number}")
    item = items[chunk.sent.number]
    if (said.item, said.repetition) != (item["key"], item["repetition"]):
        raise InvalidRequest(
            f"item {chunk.sent.number} of the task is {item['key']} (repetition {item['repetition']}), not {said.item} "
            f"({said.repetition})", [("item", "is not what the task has there")],
        )  # fmt: skip
    expected = (item["context"], item["item"]["split"])
    wrong = next((r for r in chunk.records if (r.context, r.split) != expected), None)
    if wrong is not None:
        message = f"a record is about {wrong.context!r} ({wrong.split}), not about {item['context']!r}"
        raise InvalidRequest(message, [("records", message)])
