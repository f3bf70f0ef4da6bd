"""Which waiting film is scored next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from hilum.storage import make_engine, session_factory
from services.web.queue import claim_film, put_back
from services.web.tables import Base, Film, Study

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path, database_url: str) -> Iterator[Engine]:
    made = make_engine(database_url or f"sqlite:///{tmp_path}/web.db")
    Base.metadata.create_all(made)
    yield made
    made.dispose()


def add(session: Session, name: str, due_minutes: int, *, status: str = "waiting", attempts: int = 0) -> None:
    """A study `name` with one waiting film."""
    due = NOW + timedelta(minutes=due_minutes)
    session.add(Study(uid=name, arrived_at=NOW, status=status, band="urgent", score=0.0, reason="", due_at=due))
    session.flush()
    session.add(
        Film(
            uid=f"{name}.1", study_uid=name, number=1, sha256="0", blob_key="k", byte_count=1, media_type="image/png",
            file_name="film.png", width=1, height=1, bits=8, lossy=False, arrived_at=NOW, warnings=[],
            state="waiting", attempts=attempts, next_try=NOW,
        )
    )  # fmt: skip


def test_the_film_tried_least_comes_first_then_the_one_due_first_then_what_was_read_already(engine: Engine) -> None:
    factory = session_factory(engine)
    with factory.begin() as session:
        add(session, "late", 60)
        add(session, "soon", 5)
        add(session, "tried", -10, attempts=3)
        add(session, "read", -20, status="read")
    order = []
    for _ in range(5):
        with factory.begin() as session:
            claimed = claim_film(session, NOW, 30)
        order.append(claimed.study_uid if claimed else None)
    assert order == ["soon", "late", "read", "tried", None]
    # A lease ends by itself; a film that was put back waits for its time.
    with factory.begin() as session:
        put_back(session, "soon.1", NOW + timedelta(seconds=31), 1, 60.0)
        again = claim_film(session, NOW + timedelta(seconds=31), 30)
    assert again is not None
    assert (again.study_uid, again.attempts) == ("late", 2)
