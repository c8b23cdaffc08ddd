"""Targets with their aliases, versions of tables and predictors, promotions, predictions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "targets",
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("emulated", sa.Boolean(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_targets"),
    )
    op.create_table(
        "aliases",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("target_id", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name="fk_aliases_target_id_targets"),
        sa.PrimaryKeyConstraint("name", name="pk_aliases"),
    )
    op.create_index("ix_aliases_target_id", "aliases", ["target_id"])
    _create_versions("lookup_tables", sa.Column("manifest", sa.JSON(), nullable=False))
    _create_versions(
        "predictors",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
    )
    op.create_table(
        "predictor_tables",
        sa.Column("predictor_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("table_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["predictor_id"], ["predictors.id"], name="fk_predictor_tables_predictor_id_predictors"
        ),
        sa.ForeignKeyConstraint(["table_id"], ["lookup_tables.id"], name="fk_predictor_tables_table_id_lookup_tables"),
        sa.PrimaryKeyConstraint("predictor_id", "position", name="pk_predictor_tables"),
    )
    op.create_index("ix_predictor_tables_table_id", "predictor_tables", ["table_id"])
    _create_promotions()
    op.create_table(
        "predictions",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_predictions"),
    )


def _create_versions(table: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        table,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target_id", sa.String(200), nullable=False),
        sa.Column("version", sa.String(40), nullable=False),
        *columns,
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name=f"fk_{table}_target_id_targets"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint("target_id", "version", name=f"uq_{table}_target_id"),
    )
    op.create_index(f"ix_{table}_version", table, ["version"])


def _create_promotions() -> None:
    op.create_table(
        "promotions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target_id", sa.String(200), nullable=False),
        sa.Column("predictor_id", sa.Integer(), nullable=False),
        sa.Column("promoted_at", _TIME, nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name="fk_promotions_target_id_targets"),
        sa.ForeignKeyConstraint(["predictor_id"], ["predictors.id"], name="fk_promotions_predictor_id_predictors"),
        sa.PrimaryKeyConstraint("id", name="pk_promotions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_promotions_target_id", "promotions", ["target_id"])
    op.create_index("ix_promotions_predictor_id", "promotions", ["predictor_id"])


def downgrade() -> None:
    for table in (
        "predictions", "promotions", "predictor_tables", "predictors", "lookup_tables", "aliases", "targets",
    ):  # fmt: skip
        op.drop_table(table)
