"""Another reader's claims: one person is signed in on the laptop, so the row is written by hand."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path


def claim_as(folder: Path, uid: str, reader: str) -> None:
    """`reader` has claimed the study, in the room whose data lie in `folder`/data."""
    now = datetime.now(UTC).replace(tzinfo=None)
    with sqlite3.connect(folder / "data" / "web.db", timeout=30) as rows:
        rows.execute("DELETE FROM claims WHERE study_uid = ?", (uid,))
        rows.execute(
            "INSERT INTO claims VALUES (?, ?, ?, ?)",
            (uid, reader, now.isoformat(" "), (now + timedelta(minutes=10)).isoformat(" ")),
        )


def claimant(folder: Path, uid: str) -> str | None:
    """Who has claimed the study."""
    with sqlite3.connect(folder / "data" / "web.db", timeout=30) as rows:
        found = rows.execute("SELECT reader FROM claims WHERE study_uid = ?", (uid,)).fetchone()
    return None if found is None else str(found[0])
