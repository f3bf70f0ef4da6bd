"""Sign-ins under way at an OpenID provider, and the token by which its session is ended."""

import sqlalchemy as sa
from alembic import op

from hilum.storage import UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table, add the column."""
    op.create_table(
        "sign_ins",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("verifier", sa.String(length=128), nullable=False),
        sa.Column("back", sa.String(length=2000), nullable=False),
        sa.Column("wanted", sa.String(length=2000), nullable=False),
        sa.Column("ends_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_sign_ins"),
    )
    op.add_column("sessions", sa.Column("hint", sa.Text(), nullable=True))
