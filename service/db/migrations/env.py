"""Run by Alembic: migrations on the connection that `service.db.migrate` opened, within its transaction."""

from __future__ import annotations

from alembic import context

from service.db.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
