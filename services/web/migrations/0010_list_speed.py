"""The list over a million studies: one index that holds its counts, one for site and band, and three in SQLite's words.

The version before keeps running on it: what is dropped is replaced by an index that begins with the same columns.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

UNREAD = "status <> 'read'"
COUNTED = ["due_at", "uid", "band", "status", "blind", "answer_version", "escalated_at", "synthetic"]
# SQLite has no booleans: an index on "blind" serves no query that asks for "blind = 1".
SAID_ANEW = (
    ("ix_studies_unread_blind", "studies", ["due_at", "uid"], f"blind = 1 AND {UNREAD}"),
    ("ix_present_findings_unread", "present_findings", ["finding", "due_at", "study_uid"], "unread = 1"),
    ("ix_exposures_open", "exposures", ["study_uid"], "exposed = 1 AND ended_at IS NULL"),
)


def upgrade() -> None:
    """Replace indexes; no row changes."""
    where = sa.text(UNREAD)
    # The strongest lock first: taken after a weaker one, it waits for writers that wait for that one.
    op.drop_index("ix_studies_unread", "studies")
    op.create_index("ix_studies_unread_counts", "studies", COUNTED, sqlite_where=where, postgresql_where=where)
    columns = ["site", "band", "due_at", "uid"]
    op.create_index("ix_studies_unread_site_band", "studies", columns, sqlite_where=where, postgresql_where=where)
    if op.get_bind().dialect.name == "sqlite":
        for name, table, columns, condition in SAID_ANEW:
            op.drop_index(name, table)
            op.create_index(name, table, columns, sqlite_where=sa.text(condition))
