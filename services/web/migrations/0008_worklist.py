"""The worklist: claims, skips, closed studies, saved views, events, present findings, and indexes for each filter.

Only adds (the version before keeps running on it): new columns have defaults that the database itself fills in. The
present findings of studies that are here already are filled in by the service (`services.web.present`).
"""

import sqlalchemy as sa
from alembic import op

from hilum.storage import UtcDateTime

revision = "0008"
down_revision = "0007"

UNREAD = "status <> 'read'"


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def upgrade() -> None:
    """Add columns, tables and indexes."""
    op.add_column("studies", sa.Column("closed_at", UtcDateTime, nullable=True))
    op.add_column("studies", sa.Column("closed_by", sa.String(length=128), nullable=False, server_default=""))
    op.add_column("studies", sa.Column("closed_reason", sa.Text(), nullable=False, server_default=""))
    op.add_column("studies", sa.Column("skipped_by", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("studies", sa.Column("escalated_at", UtcDateTime, nullable=True))
    op.add_column("studies", sa.Column("present_version", sa.Integer(), nullable=False, server_default="0"))
    _partial("ix_studies_unread_band", "studies", ["band", "due_at", "uid"], UNREAD)
    _partial("ix_studies_unread_site", "studies", ["site", "due_at", "uid"], UNREAD)
    _partial("ix_studies_unread_blind", "studies", ["due_at", "uid"], f"blind AND {UNREAD}")
    op.create_index("ix_studies_site", "studies", ["site", "due_at", "uid"])
    _partial("ix_studies_site_history", "studies", ["site", "last_read_at", "uid"], "last_read_at IS NOT NULL")
    _partial("ix_studies_closed", "studies", ["closed_at", "uid"], "closed_at IS NOT NULL")
    _partial("ix_studies_unsorted", "studies", ["uid"], "answer_version <> present_version")
    # Search by how a number begins, whatever the case. Byte order, so that a prefix is one range of the index; SQLite
    # has that anyhow.
    binary = ' COLLATE "C"' if op.get_bind().dialect.name == "postgresql" else ""
    for column in ("accession", "patient_id"):
        key = f"(lower({column}){binary})"
        op.execute(f"CREATE INDEX ix_prefix_{column} ON studies ({key})")
        op.execute(f"CREATE INDEX ix_prefix_{column}_unread ON studies ({key}) WHERE {UNREAD}")

    op.create_table(
        "claims",
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("reader", sa.String(length=128), nullable=False),
        sa.Column("claimed_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.uid"], name="fk_claims_study_uid"),
        sa.PrimaryKeyConstraint("study_uid", name="pk_claims"),
    )
    op.create_table(
        "skips",
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("reader", sa.String(length=128), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("last_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.uid"], name="fk_skips_study_uid"),
        sa.PrimaryKeyConstraint("study_uid", "reader", name="pk_skips"),
    )
    op.create_table(
        "closures",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=8), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reader", sa.String(length=128), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.uid"], name="fk_closures_study_uid"),
        sa.PrimaryKeyConstraint("id", name="pk_closures"),
    )
    op.create_index("ix_closures_study_uid", "closures", ["study_uid"])
    op.create_table(
        "saved_views",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("reader", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("filters", sa.JSON(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("deleted_at", UtcDateTime, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_saved_views"),
    )
    op.create_index("ix_saved_views_reader", "saved_views", ["reader", "name"])
    op.create_table(
        "list_events",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_list_events"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "present_findings",
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("finding", sa.String(length=64), nullable=False),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("last_read_at", UtcDateTime, nullable=True),
        sa.Column("unread", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.uid"], name="fk_present_findings_study_uid"),
        sa.PrimaryKeyConstraint("study_uid", "finding", name="pk_present_findings"),
    )
    _partial("ix_present_findings_unread", "present_findings", ["finding", "due_at", "study_uid"], "unread")
    op.create_index("ix_present_findings_due", "present_findings", ["finding", "due_at", "study_uid"])
    _partial(
        "ix_present_findings_read", "present_findings", ["finding", "last_read_at", "study_uid"],
        "last_read_at IS NOT NULL",
    )  # fmt: skip
