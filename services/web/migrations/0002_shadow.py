"""Shadow answers: canary's releases, what they say of films, pairs, and pairs that are owed."""

import sqlalchemy as sa
from alembic import op

from hilum.storage import UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "shadow_releases",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("precision", sa.String(length=8), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("first_seen_at", UtcDateTime, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("digest", "precision", name="pk_shadow_releases"),
    )
    op.create_table(
        "shadow_predictions",
        sa.Column("film_uid", sa.String(length=64), nullable=False),
        sa.Column("release_digest", sa.String(length=64), nullable=False),
        sa.Column("precision", sa.String(length=8), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["film_uid"], ["films.uid"], name="fk_shadow_predictions_film_uid"),
        sa.PrimaryKeyConstraint("film_uid", "release_digest", "precision", name="pk_shadow_predictions"),
    )
    op.create_table(
        "shadow_pairs",
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("live_digest", sa.String(length=64), nullable=False),
        sa.Column("live_precision", sa.String(length=8), nullable=False),
        sa.Column("shadow_digest", sa.String(length=64), nullable=False),
        sa.Column("shadow_precision", sa.String(length=8), nullable=False),
        sa.Column("answer_version", sa.Integer(), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=128), nullable=False),
        sa.Column("arrived_at", UtcDateTime, nullable=False),
        sa.Column("exposed", sa.Boolean(), nullable=False),
        sa.Column("live_band", sa.String(length=16), nullable=False),
        sa.Column("shadow_band", sa.String(length=16), nullable=False),
        sa.Column("live_scores", sa.JSON(), nullable=False),
        sa.Column("shadow_scores", sa.JSON(), nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.uid"], name="fk_shadow_pairs_study_uid"),
        sa.PrimaryKeyConstraint(
            "study_uid", "live_digest", "live_precision", "shadow_digest", "shadow_precision", name="pk_shadow_pairs"
        ),
    )
    op.create_index(
        "ix_shadow_pairs_releases", "shadow_pairs", ["live_digest", "shadow_digest", "arrived_at", "study_uid"]
    )
    op.create_table(
        "shadow_debts",
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("shadow_digest", sa.String(length=64), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try", UtcDateTime, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.uid"], name="fk_shadow_debts_study_uid"),
        sa.PrimaryKeyConstraint("study_uid", "shadow_digest", name="pk_shadow_debts"),
    )
