"""Second reads, adjudication, and reads that their readers take back."""

import sqlalchemy as sa
from alembic import op

from hilum.storage import UtcDateTime

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add three columns with defaults, so that the previous version goes on, and one table."""
    op.add_column("study_reads", sa.Column("kind", sa.String(length=16), server_default="read", nullable=False))
    op.add_column("study_reads", sa.Column("replaces", sa.String(length=128), nullable=True))
    op.add_column("study_reads", sa.Column("withdrawn", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "reviews",
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("why", sa.String(length=16), nullable=False),
        sa.Column("asked_by", sa.String(length=128), nullable=False),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("differs", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.uid"], name="fk_reviews_study_uid"),
        sa.PrimaryKeyConstraint("study_uid", name="pk_reviews"),
    )
    op.create_index("ix_reviews_state", "reviews", ["state", "asked_at", "study_uid"])
