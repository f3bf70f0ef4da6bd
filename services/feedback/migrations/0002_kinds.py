"""What kind of read a row is, which one it corrects or withdraws; how far the ledger's workers have come."""

import sqlalchemy as sa
from alembic import op

from hilum.storage import UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add two columns and a table; a row's body stays what was hashed."""
    op.add_column("reads", sa.Column("kind", sa.String(16), server_default="read", nullable=False))
    op.add_column("reads", sa.Column("replaces", sa.String(200), nullable=True))
    op.create_index("ix_reads_replaces", "reads", ["replaces"])
    op.create_table(
        "ledger_marks",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("held_until", UtcDateTime, nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_ledger_marks"),
    )
