"""Drift's reports and baselines; the trace that a film and a read began in. Only adds."""

import sqlalchemy as sa
from alembic import op

from hilum.storage import UtcDateTime

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add two tables and two columns."""
    for table in ("films", "outbox"):
        op.add_column(table, sa.Column("trace", sa.String(length=64), nullable=False, server_default=""))
    op.create_table(
        "drift_reports",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("site", sa.String(length=128), nullable=False),
        sa.Column("release_digest", sa.String(length=64), nullable=False),
        sa.Column("precision", sa.String(length=8), nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_drift_reports"),
    )
    op.create_index("ix_drift_reports_site", "drift_reports", ["site", "made_at"])
    op.create_table(
        "drift_baselines",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("site", sa.String(length=128), nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("who", sa.String(length=128), nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_drift_baselines"),
    )
    op.create_index("ix_drift_baselines_site", "drift_baselines", ["site", "since"])
