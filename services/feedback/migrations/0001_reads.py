"""The ledger: reads, which neither database lets anyone change or remove."""

import sqlalchemy as sa
from alembic import op

from hilum.storage import UtcDateTime

revision = "0001"
down_revision = None

_SQLITE = (
    """CREATE TRIGGER reads_refuse_update BEFORE UPDATE ON reads
    BEGIN SELECT RAISE(ABORT, 'the ledger of reads is append-only'); END""",
    """CREATE TRIGGER reads_refuse_delete BEFORE DELETE ON reads
    BEGIN SELECT RAISE(ABORT, 'the ledger of reads is append-only'); END""",
    # INSERT OR REPLACE removes the old row without a DELETE trigger unless the connection asks for it.
    """CREATE TRIGGER reads_refuse_replace BEFORE INSERT ON reads
    WHEN EXISTS (SELECT 1 FROM reads WHERE id = NEW.id)
      OR NEW.sequence IS NOT (SELECT coalesce(max(sequence), 0) + 1 FROM reads)
    BEGIN SELECT RAISE(ABORT, 'the ledger of reads is append-only'); END""",
)
_POSTGRESQL = (
    """CREATE FUNCTION reads_refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the ledger of reads is append-only' USING ERRCODE = 'integrity_constraint_violation';
    END $$""",
    """CREATE TRIGGER reads_refuse_change BEFORE UPDATE OR DELETE ON reads
    FOR EACH ROW EXECUTE FUNCTION reads_refuse_change()""",
    """CREATE TRIGGER reads_refuse_truncate BEFORE TRUNCATE ON reads
    FOR EACH STATEMENT EXECUTE FUNCTION reads_refuse_change()""",
)


def upgrade() -> None:
    """Create the table and the triggers."""
    op.create_table(
        "reads",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("study_uid", sa.String(128), nullable=False),
        sa.Column("reader", sa.String(128), nullable=False),
        sa.Column("read_at", UtcDateTime, nullable=False),
        sa.Column("release_digest", sa.Text, nullable=True),
        sa.Column("blind", sa.Boolean, nullable=False),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("findings", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_reads"),
        sa.UniqueConstraint("id", name="uq_reads_id"),
    )
    op.create_index("ix_reads_received_at", "reads", ["received_at"])
    op.create_index("ix_reads_study_uid", "reads", ["study_uid"])
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(statement)
