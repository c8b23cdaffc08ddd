"""Rows that may be there already, in one statement, so that two writers cannot fall over each other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Insert, Row
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.db.models import Base


def insert_missing(session: Session, row: type[Base], values: dict[str, Any]) -> Row[Any] | None:
    """Insert a row unless its key is taken; returns the primary key of one that was inserted."""
    return session.connection().execute(_insert_missing(session.get_bind().dialect.name, row), values).first()


def insert_or_update(session: Session, row: type[Base], values: dict[str, Any], keys: Sequence[str]) -> None:
    """Insert a row, or give the one with the same ``keys`` the other values."""
    statement = _insert(session.get_bind().dialect.name, row).values(values)
    changed = {name: statement.excluded[name] for name in values if name not in keys}
    session.connection().execute(statement.on_conflict_do_update(index_elements=list(keys), set_=changed))


@cache
def _insert_missing(dialect: str, row: type[Base]) -> Any:
    """Made once: agents send hundreds of chunks per second."""
    return _insert(dialect, row).on_conflict_do_nothing().returning(*row.__table__.primary_key)


def _insert(dialect_name: str, row: type[Base]) -> Any:
    """The dialect's own INSERT, the only one that knows ON CONFLICT."""
    dialect = postgresql if dialect_name == "postgresql" else sqlite
    statement: Insert = dialect.insert(row.__table__)
    return statement
