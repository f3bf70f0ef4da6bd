"""Numbers for the lead: one flat row per read, and agreement per finding and hour."""

import sqlalchemy as sa
from alembic import op

from hilum.storage import UtcDateTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the tables, and the index by which reads are followed."""
    op.create_table(
        "read_facts",
        sa.Column("read_id", sa.String(length=128), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("read_at", UtcDateTime, nullable=False),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("reader", sa.String(length=128), nullable=False),
        sa.Column("site", sa.String(length=128), nullable=False),
        sa.Column("band", sa.String(length=16), nullable=False),
        sa.Column("release_digest", sa.String(length=64), nullable=False),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.Column("first", sa.Boolean(), nullable=False),
        sa.Column("second", sa.Boolean(), nullable=False),
        sa.Column("wait_seconds", sa.Float(), nullable=False),
        sa.Column("seconds_spent", sa.Float(), nullable=True),
        sa.Column("agree", sa.Integer(), nullable=False),
        sa.Column("disagree", sa.Integer(), nullable=False),
        sa.Column("uncertain", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("read_id", name="pk_read_facts"),
    )
    op.create_index("ix_read_facts_read_at", "read_facts", ["read_at"])
    op.create_index("ix_read_facts_due_at", "read_facts", ["due_at"])
    op.create_table(
        "agreement_hours",
        sa.Column("hour", UtcDateTime, nullable=False),
        sa.Column("finding", sa.String(length=64), nullable=False),
        sa.Column("release_digest", sa.String(length=64), nullable=False),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.Column("agree", sa.Integer(), nullable=False),
        sa.Column("disagree", sa.Integer(), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("uncertain", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "finding", "release_digest", "blind", name="pk_agreement_hours"),
    )
    op.create_index("ix_study_reads_read_at", "study_reads", ["read_at", "id"])
