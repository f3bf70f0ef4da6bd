"""Studies, films, predictions, answers, reads and the outbox."""

import sqlalchemy as sa
from alembic import op

from hilum.storage import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "releases",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("precision", sa.String(length=8), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("digest", "precision", name="pk_releases"),
    )
    op.create_table(
        "studies",
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("accession", sa.String(length=64), nullable=False),
        sa.Column("accession_issuer", sa.String(length=128), nullable=False),
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("patient_id_issuer", sa.String(length=128), nullable=False),
        sa.Column("site", sa.String(length=128), nullable=False),
        sa.Column("priority", sa.String(length=16), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("arrived_at", UtcDateTime, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("band", sa.String(length=16), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("settled_band", sa.String(length=16), nullable=True),
        sa.Column("settled_score", sa.Float(), nullable=True),
        sa.Column("settled_reason", sa.Text(), nullable=True),
        sa.Column("settled_due_at", UtcDateTime, nullable=True),
        sa.Column("answer_version", sa.Integer(), nullable=False),
        sa.Column("reopened_at", UtcDateTime, nullable=True),
        sa.Column("last_read_at", UtcDateTime, nullable=True),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("uid", name="pk_studies"),
    )
    op.create_index("ix_studies_accession", "studies", ["accession"])
    op.create_index("ix_studies_arrival", "studies", ["arrived_at", "uid"])
    op.create_index("ix_studies_due", "studies", ["due_at", "uid"])
    op.create_index("ix_studies_history", "studies", ["last_read_at", "uid"])
    op.create_index("ix_studies_patient_id", "studies", ["patient_id"])
    op.create_index(
        "ix_studies_unread",
        "studies",
        ["due_at", "uid"],
        sqlite_where=sa.text("status <> 'read'"),
        postgresql_where=sa.text("status <> 'read'"),
    )
    op.create_table(
        "answers",
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("release_digest", sa.String(length=64), nullable=False),
        sa.Column("precision", sa.String(length=8), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.uid"], name="fk_answers_study_uid"),
        sa.PrimaryKeyConstraint("study_uid", "version", name="pk_answers"),
    )
    op.create_table(
        "conflicts",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("film_uid", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("file_name", sa.String(length=128), nullable=False),
        sa.Column("difference", sa.Text(), nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.uid"], name="fk_conflicts_study_uid"),
        sa.PrimaryKeyConstraint("id", name="pk_conflicts"),
        sa.UniqueConstraint("film_uid", "sha256", name="uq_conflicts_film_uid_sha256"),
    )
    op.create_index("ix_conflicts_study_uid", "conflicts", ["study_uid"])
    op.create_table(
        "films",
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("blob_key", sa.String(length=200), nullable=False),
        sa.Column("byte_count", sa.Integer(), nullable=False),
        sa.Column("media_type", sa.String(length=32), nullable=False),
        sa.Column("file_name", sa.String(length=128), nullable=False),
        sa.Column("view", sa.String(length=16), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("bits", sa.Integer(), nullable=False),
        sa.Column("lossy", sa.Boolean(), nullable=False),
        sa.Column("arrived_at", UtcDateTime, nullable=False),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try", UtcDateTime, nullable=False),
        sa.Column("leased_until", UtcDateTime, nullable=True),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.uid"], name="fk_films_study_uid"),
        sa.PrimaryKeyConstraint("uid", name="pk_films"),
        sa.UniqueConstraint("study_uid", "number", name="uq_films_study_uid_number"),
    )
    op.create_index("ix_films_study_uid", "films", ["study_uid"])
    op.create_index(
        "ix_films_waiting",
        "films",
        ["next_try"],
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "study_reads",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("reader", sa.String(length=128), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("answer_version", sa.Integer(), nullable=False),
        sa.Column("release_digest", sa.String(length=64), nullable=True),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.Column("read_at", UtcDateTime, nullable=False),
        sa.Column("seconds_spent", sa.Double(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("request_digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.uid"], name="fk_study_reads_study_uid"),
        sa.PrimaryKeyConstraint("id", name="pk_study_reads"),
    )
    op.create_index("ix_study_reads_study_uid", "study_reads", ["study_uid"])
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try", UtcDateTime, nullable=False),
        sa.Column("delivered_at", UtcDateTime, nullable=True),
        sa.Column("refused", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["id"], ["study_reads.id"], name="fk_outbox_id"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["next_try"],
        sqlite_where=sa.text("delivered_at IS NULL AND refused IS NULL"),
        postgresql_where=sa.text("delivered_at IS NULL AND refused IS NULL"),
    )
    op.create_table(
        "predictions",
        sa.Column("film_uid", sa.String(length=64), nullable=False),
        sa.Column("release_digest", sa.String(length=64), nullable=False),
        sa.Column("precision", sa.String(length=8), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["film_uid"], ["films.uid"], name="fk_predictions_film_uid"),
        sa.PrimaryKeyConstraint("film_uid", "release_digest", "precision", name="pk_predictions"),
    )
