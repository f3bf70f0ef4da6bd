"""A list costs the same work however many studies there are: the steps of SQLite are counted, not seconds."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from bench.worklist_rows import SITES, Size, accession_of, fill, patient_of, uid_of
from hilum.storage import make_engine, reading, session_factory, upgrade
from services.web.cursor import encode_cursor
from services.web.filters import ListFilters
from services.web.settings import WebSettings
from services.web.shadow.exposure import must_end
from services.web.work import MIGRATIONS
from services.web.worklist import list_studies, next_unread

STEP = 100
NOW = datetime.now(UTC)


@contextmanager
def filled(folder: Path, size: Size) -> Iterator[Session]:
    """A database with so many studies, to be read."""
    engine = make_engine(f"sqlite:///{folder}/{size.studies}.db")
    upgrade(engine, "web", MIGRATIONS)
    with engine.begin() as connection:
        fill(connection, size)
    with session_factory(reading(engine))() as session:
        yield session
    engine.dispose()


@dataclass
class Steps:
    """How often SQLite said that it did STEP more of them."""

    count: int = 0

    def step(self) -> int:
        """One more; 0 lets SQLite go on."""
        self.count += 1
        return 0


def work(session: Session, size: Size) -> dict[str, int]:
    """Steps of the database by kind of list, in hundreds."""
    middle = size.studies - size.unread // 2

    def page(cursor: str | None = None, **filters: Any) -> None:
        list_studies(session, ListFilters(**filters), reader="reader 1", cursor=cursor)

    due = encode_cursor("due", NOW - timedelta(seconds=80 * (size.studies - middle)), uid_of(middle))
    read = encode_cursor("read", NOW - timedelta(seconds=80 * (size.unread + 300)), uid_of(0))
    kinds: dict[str, Callable[[], Any]] = {
        "first page": page,
        "deep page": lambda: page(due),
        "all": lambda: page(due, status="all"),
        "history": lambda: page(status="read"),
        "history, deep page": lambda: page(read, status="read"),
        "band": lambda: page(band="urgent"),
        "site": lambda: page(site=SITES[1]),
        "site, history": lambda: page(site=SITES[1], status="read"),
        "finding": lambda: page(finding="Effusion"),
        "finding, history": lambda: page(finding="Effusion", status="read"),
        "accession": lambda: page(text=accession_of(middle)),
        "patient": lambda: page(text=patient_of(middle), status="all"),
        "not being read": lambda: page(unclaimed=True),
        "next": lambda: next_unread(session, uid_of(middle)),
        "exposures that must end": lambda: must_end(session, None, WebSettings(), NOW),
    }
    raw = session.connection().connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    found = {}
    for name, ask in kinds.items():
        ask()
        steps = Steps()
        raw.set_progress_handler(steps.step, STEP)
        ask()
        raw.set_progress_handler(None, 0)
        found[name] = steps.count
    return found


def test_a_list_costs_the_same_work_with_four_times_the_studies(tmp_path: Path) -> None:
    small, large = Size(2_000, 700), Size(8_000, 2_800)
    with filled(tmp_path, small) as few, filled(tmp_path, large) as many:
        before, after = work(few, small), work(many, large)
    grown = {name: (before[name], after[name]) for name in before if after[name] > 1.5 * before[name] + 20}
    assert not grown
