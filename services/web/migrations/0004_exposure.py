"""Exposure: for which studies canary's answer is the live one."""

import sqlalchemy as sa
from alembic import op

from hilum.storage import UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "exposures",
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("exposed", sa.Boolean(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("release_digest", sa.String(length=64), nullable=False),
        sa.Column("precision", sa.String(length=8), nullable=False),
        sa.Column("decided_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime, nullable=True),
        sa.Column("ended_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.uid"], name="fk_exposures_study_uid"),
        sa.PrimaryKeyConstraint("study_uid", name="pk_exposures"),
    )
    where = sa.text("exposed AND ended_at IS NULL")
    op.create_index("ix_exposures_open", "exposures", ["study_uid"], sqlite_where=where, postgresql_where=where)
