"""The queue of films at any length: indexes by how often a film was tried, and by when its study is due.

Only adds: the version before keeps running on it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add indexes of what waits alone: they are as small as the queue."""
    for name, table, columns, where in (
        ("ix_studies_waiting", "studies", ["due_at", "uid"], sa.text("status = 'waiting'")),
        ("ix_films_tried", "films", ["attempts", "next_try"], sa.text("state = 'waiting'")),
    ):
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
