"""What is deleted in time: jobs that are over, with everything that happened to them.

Versions, promotions, keys, campaigns and measurements are kept for good; predictions have a limit of their own.
"""

from __future__ import annotations

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from service.db.campaigns import CampaignRow
from service.db.jobs import FINAL, JobEventRow, JobRow

#: Deleted in one transaction at most, so that nobody waits long for it.
_AT_ONCE = 500


def forget_old_jobs(session: Session, keep: int) -> int:
    """Delete jobs that are over, all but the ``keep`` newest, within a transaction that the caller opened.

    A job that a campaign names stays, since it may say how the campaign ended. Returns how many were deleted; where
    many are too many, calling it again deletes more.
    """
    over = (
        select(JobRow.id)
        .where(JobRow.state.in_(FINAL), ~exists().where(CampaignRow.job_id == JobRow.id))
        .order_by(JobRow.id.desc())  # ids sort by time
        .offset(keep)
        .limit(_AT_ONCE)
    )
    ids = list(session.scalars(over))
    if ids:
        session.execute(delete(JobEventRow).where(JobEventRow.job_id.in_(ids)))
        session.execute(delete(JobRow).where(JobRow.id.in_(ids)))
    return len(ids)
