"""What time it is for everybody: the database's clock where it has one of its own, since machines' clocks differ."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session


def now_of(session: Session) -> datetime:
    """The present moment, also in the middle of a transaction."""
    if session.get_bind().dialect.name == "postgresql":
        moment = session.scalar(select(func.clock_timestamp()))
        assert isinstance(moment, datetime)
        return moment.astimezone(UTC)
    return datetime.now(UTC)
