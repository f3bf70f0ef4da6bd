"""DICOM instances, withdrawn films, and results on their way out."""

import sqlalchemy as sa
from alembic import op

from hilum.storage import UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create three tables; nothing that the previous version uses is touched."""
    op.create_table(
        "instances",
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("series_uid", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("sop_class_uid", sa.String(length=64), nullable=False),
        sa.Column("transfer_syntax_uid", sa.String(length=64), nullable=False),
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.Column("study_date", sa.String(length=8), nullable=False),
        sa.Column("sender", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("blob_key", sa.String(length=200), nullable=False),
        sa.Column("byte_count", sa.Integer(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("arrived_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("uid", name="pk_instances"),
    )
    op.create_index("ix_instances_study", "instances", ["study_uid", "series_uid", "uid"])
    op.create_index("ix_instances_series", "instances", ["series_uid"])
    op.create_table(
        "withdrawals",
        sa.Column("film_uid", sa.String(length=64), nullable=False),
        sa.Column("note_uid", sa.String(length=64), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["note_uid"], ["instances.uid"], name="fk_withdrawals_note_uid"),
        sa.PrimaryKeyConstraint("film_uid", "note_uid", name="pk_withdrawals"),
    )
    op.create_table(
        "deliveries",
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("answer_version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try", UtcDateTime, nullable=False),
        sa.Column("sent_at", UtcDateTime, nullable=True),
        sa.Column("refused", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.uid"], name="fk_deliveries_study_uid"),
        sa.PrimaryKeyConstraint("uid", name="pk_deliveries"),
        sa.UniqueConstraint("study_uid", "answer_version", "kind", name="uq_deliveries_study_uid_answer_version_kind"),
    )
    op.create_index(
        "ix_deliveries_waiting",
        "deliveries",
        ["next_try"],
        sqlite_where=sa.text("sent_at IS NULL AND refused IS NULL"),
        postgresql_where=sa.text("sent_at IS NULL AND refused IS NULL"),
    )
