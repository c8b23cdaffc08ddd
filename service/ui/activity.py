"""Agents and campaigns in words and figures: who is on, what it measures, how fast, how far, how long still."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.agents.watching import Sight, Work
from service.db import AgentRecord, CampaignRecord, JobRecord, ProgressRecord
from service.db.campaigns import FINAL

#: Agents are heard of this often at least, as long as nothing keeps them from measuring.
_SILENT_AFTER = timedelta(seconds=30)
#: Rates are those of the last ten minutes.
RECENT = timedelta(minutes=10)
#: Agents that are on have a task, and workers that run have a job, after this long at most.
_PROMPT = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class AgentRow:
    """An agent: ``status`` is ``measuring``, ``waiting`` (for work), ``resting`` (it may not measure now) or
    ``silent``; ``failures`` are those of the last hour.
    """

    record: AgentRecord
    status: str
    work: Work | None
    per_minute: float | None
    failures: Sequence[tuple[str, int]]

    @property
    def on(self) -> bool:
        return self.status != "silent"

    @property
    def why(self) -> str:
        """Why it rests."""
        return str(self.record.state.get("waits") or "")

    @property
    def seen_at(self) -> str:
        return self.record.seen_at.isoformat()


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A campaign: ``share`` of its measuring is done, which takes ``left_s`` more (None where nobody knows)."""

    record: CampaignRecord
    title: str
    words: str
    share: float
    left_s: float | None
    per_minute: float | None
    #: Agents that measure for it now.
    at_work: int
    #: For whom it waits, who should have come by now: ``agent``, ``worker``, or nobody.
    waits: str

    @property
    def over(self) -> bool:
        return self.record.state in FINAL

    @property
    def created_at(self) -> str:
        return self.record.created_at.isoformat()


def agent_rows(sight: Sight, lease_ttl_s: float) -> list[AgentRow]:
    """Those that are on by name, then the others, heard of last first."""
    lately: dict[str | None, list[ProgressRecord]] = {}
    for item in sight.lately:
        lately.setdefault(item.agent_id, []).append(item)
    oldest = sight.at - max(timedelta(seconds=lease_ttl_s), _SILENT_AFTER) - _SILENT_AFTER
    rows = []
    for record in sight.agents:
        work, mine = sight.work.get(record.id), lately.get(record.id, [])
        doing = "measuring" if work else "resting" if record.state.get("waits") else "waiting"
        status = doing if record.seen_at >= oldest else "silent"
        rows.append(AgentRow(record, status, work, rate_per_minute(mine, sight.at), failures(mine)))
    on = sorted((row for row in rows if row.on), key=lambda row: (row.record.name, row.record.id))
    return on + sorted((row for row in rows if not row.on), key=lambda row: row.record.seen_at, reverse=True)


def campaign_row(
    record: CampaignRecord, tasks: Mapping[str, int], sight: Sight, job: JobRecord | None = None
) -> CampaignRow:
    """``tasks`` are numbers of the campaign's tasks by state, ``job`` is the one that works on it."""
    over = record.state in FINAL
    mine = [] if over else [item for item in sight.lately if item.campaign_id == record.id]
    at_work = sum(work.record.campaign_id == record.id for work in sight.work.values())
    measuring = record.state == "measuring"
    return CampaignRow(
        record, title(record), _words(record, tasks, job), share_done(record, tasks),
        seconds_left(record, tasks, mine, sight.at, at_work) if measuring else None,
        rate_per_minute(mine, sight.at), at_work,
        _waits(record, mine, sight, at_work, job),
    )  # fmt: skip


def title(record: CampaignRecord) -> str:
    """The name that somebody gave it, else what it is about."""
    document = record.document
    models = ", ".join(a["name"] or "a model" for a in document["architectures"])
    about = ", ".join(filter(None, (*document["kernel_kinds"], document["search_space"], models)))
    return document["name"] or about[:200] or "Whatever teaches most"


def share_done(record: CampaignRecord, tasks: Mapping[str, int]) -> float:
    """Which share of the measuring is done. Rounds may run out of networks before their time is over."""
    if record.state in ("training", "succeeded"):
        return 1.0
    if record.document["goal"] == "measure":
        total = sum(tasks.values())
        return 1.0 - _open(tasks) / total if total else 0.0
    rounds_over: float = max(record.round - (record.state != "planning"), 0) / record.document["rounds"]
    return min(max(record.spent_s / record.budget_s, rounds_over), 1.0)


def seconds_left(
    record: CampaignRecord, tasks: Mapping[str, int], lately: Sequence[ProgressRecord], now: datetime, at_work: int
) -> float | None:
    """How long measuring will take if agents go on as they did lately; None where nothing tells."""
    left_s = max(record.budget_s - record.spent_s, 0.0)
    if record.document["goal"] == "measure":  # a task each, whatever the budget
        done = sum(tasks.values()) - _open(tasks)
        if not done:
            return None
        left_s = min(left_s, _open(tasks) * record.spent_s / done)
    recent, span_s = _recent(lately, now)
    speed = sum(item.seconds for item in recent) / span_s if recent else float(at_work)
    return left_s / speed if speed > 0 else None


def rate_per_minute(items: Sequence[ProgressRecord], now: datetime) -> float | None:
    """Networks per minute since the first of those that came in within `RECENT` was begun; None if none did."""
    recent, span_s = _recent(items, now)
    return 60.0 * len(recent) / span_s if recent else None


def failures(items: Iterable[ProgressRecord]) -> list[tuple[str, int]]:
    """Failed measurements by kind, the most frequent first."""
    counts: Counter[str] = Counter()
    for item in items:
        counts.update(item.errors)
    return counts.most_common()


def _recent(items: Sequence[ProgressRecord], now: datetime) -> tuple[list[ProgressRecord], float]:
    """What came in within `RECENT`, and the seconds since the first of it was begun."""
    recent = [item for item in items if item.at > now - RECENT]
    if not recent:
        return [], 0.0
    return recent, max((now - recent[0].at).total_seconds() + recent[0].seconds, 1.0)


def _open(tasks: Mapping[str, int]) -> int:
    return tasks.get("queued", 0) + tasks.get("leased", 0)


def _waits(
    record: CampaignRecord, lately: Sequence[ProgressRecord], sight: Sight, at_work: int, job: JobRecord | None
) -> str:
    """Who should do something for a campaign, and does not."""
    if job is not None:
        return "worker" if job.state == "queued" and job.created_at < sight.at - _PROMPT else ""
    begun = max([record.created_at, *(item.at for item in lately[-1:])])
    return "agent" if record.state == "measuring" and not at_work and begun < sight.at - _PROMPT else ""


def _words(record: CampaignRecord, tasks: Mapping[str, int], job: JobRecord | None) -> str:
    """What is going on, in a few words."""
    if record.state in ("planning", "training"):
        if job is None or job.state == "queued":
            return "waits for a worker"
        share = f" ({job.progress:.0%})".replace("%", " %") if job.progress else ""
        return f"{job.words}{share}" if job.words else "a worker begins"
    if record.state in ("measuring", "paused"):
        if record.document["goal"] == "measure":
            total = sum(tasks.values())
            return f"{total - _open(tasks)} of {total} model{'s' if total != 1 else ''} done"
        return f"round {record.round} of {record.document['rounds']}"
    if record.state != "succeeded":
        return ""
    if "measured" in record.result:
        return f"{len(record.result['measured'])} measured"
    return "promoted" if record.result.get("promoted") else "not promoted"
