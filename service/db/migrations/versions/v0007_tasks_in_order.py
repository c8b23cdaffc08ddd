"""Indexes by which the next task of a campaign is found among many thousands."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_tasks_campaign_id", "tasks")
    op.create_index("ix_tasks_campaign_id", "tasks", ["campaign_id", "state", "round", "position"])
    op.create_index("ix_tasks_lease_until", "tasks", ["campaign_id", "state", "lease_until"])


def downgrade() -> None:
    op.drop_index("ix_tasks_lease_until", "tasks")
    op.drop_index("ix_tasks_campaign_id", "tasks")
    op.create_index("ix_tasks_campaign_id", "tasks", ["campaign_id"])
