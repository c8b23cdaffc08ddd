"""Measurements as devices send them, in chunks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "measurement_chunks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target_id", sa.String(200), nullable=False),
        sa.Column("origin", sa.String(200), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name="fk_measurement_chunks_target_id_targets"),
        sa.PrimaryKeyConstraint("id", name="pk_measurement_chunks"),
        sa.UniqueConstraint("origin", "number", name="uq_measurement_chunks_origin"),
    )
    op.create_index("ix_measurement_chunks_target_id", "measurement_chunks", ["target_id"])
    op.create_table(
        "measurements",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("chunk_id", sa.Integer(), nullable=False),
        sa.Column("kernel_key", sa.String(64)),
        sa.Column("mode", sa.String(20), nullable=False),
        sa.Column("latency_us", sa.Double()),
        sa.Column("error", sa.String(20)),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["chunk_id"], ["measurement_chunks.id"], name="fk_measurements_chunk_id_measurement_chunks"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_measurements"),
    )
    op.create_index("ix_measurements_chunk_id", "measurements", ["chunk_id"])


def downgrade() -> None:
    op.drop_table("measurements")
    op.drop_table("measurement_chunks")
