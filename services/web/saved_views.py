"""A reader's saved views: named filters of the list, one of which may be what `/` shows."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from hilum.problems import Problem
from hilum.storage import writer_lock
from services.web.list_tables import SavedView

# More than this nobody finds again; the list of views stays one line.
MAX_VIEWS = 50


@dataclass(frozen=True)
class ViewRow:
    """A saved view. `filters` is the query of the list's address, without what narrows nothing."""

    id: str
    name: str
    filters: dict[str, str]
    is_default: bool


def _row(view: SavedView) -> ViewRow:
    return ViewRow(view.id, view.name, dict(view.filters), view.is_default)


def views_of(session: Session, reader: str) -> tuple[ViewRow, ...]:
    """The views of `reader`, by name."""
    query = select(SavedView).where(SavedView.reader == reader, SavedView.deleted_at.is_(None))
    return tuple(_row(view) for view in session.scalars(query.order_by(func.lower(SavedView.name), SavedView.id)))


def save_view(
    session: Session, name: str, filters: dict[str, str], *, reader: str, is_default: bool, now: datetime
) -> ViewRow:
    """Keep the view under `name`; one of that name (whatever its case) gets these filters instead.

    Raises a 409 problem where the reader has MAX_VIEWS already.
    """
    writer_lock(session, f"views:{reader}")
    mine = (SavedView.reader == reader, SavedView.deleted_at.is_(None))
    view = session.scalars(select(SavedView).where(*mine, func.lower(SavedView.name) == func.lower(name))).first()
    if view is None:
        if (session.scalar(select(func.count()).select_from(SavedView).where(*mine)) or 0) >= MAX_VIEWS:
            raise Problem(409, "too-many-views", f"There are {MAX_VIEWS} saved views already; delete one first.")
        view = SavedView(id=uuid.uuid4().hex, reader=reader, name=name, filters=filters, made_at=now)
        session.add(view)
    view.name, view.filters = name, filters
    _set_default(session, view, is_default)
    return _row(view)


def delete_view(session: Session, view_id: str, *, reader: str, now: datetime) -> None:
    """Take the view off the reader's list; `restore_view` undoes it. Twice is once. Raises a 404 problem."""
    view = _own(session, view_id, reader)
    view.deleted_at = view.deleted_at or now


def restore_view(session: Session, view_id: str, *, reader: str) -> ViewRow:
    """Undo `delete_view`. A view of the same name that was saved meanwhile keeps it: this one is called "... (2)".

    A default that was set meanwhile stays the default. Raises a 404 problem.
    """
    writer_lock(session, f"views:{reader}")
    view = _own(session, view_id, reader)
    if view.deleted_at is not None:
        others = views_of(session, reader)
        names = {other.name.lower() for other in others}
        number, name = 2, view.name
        while name.lower() in names:
            name, number = f"{view.name[:58]} ({number})", number + 1
        view.name, view.deleted_at = name, None
        view.is_default = view.is_default and not any(other.is_default for other in others)
    session.flush()
    return _row(view)


def default_view(session: Session, reader: str) -> ViewRow | None:
    """What `/` shows to `reader`, None: every unread study."""
    query = select(SavedView).where(
        SavedView.reader == reader, SavedView.deleted_at.is_(None), SavedView.is_default.is_(True)
    )
    view = session.scalars(query).first()
    return None if view is None else _row(view)


def _own(session: Session, view_id: str, reader: str) -> SavedView:
    view = session.get(SavedView, view_id)
    # Another's view is as good as none: that it exists is not said either.
    if view is None or view.reader != reader:
        raise Problem(404, "no-such-view", "You have no such saved view.")
    return view


def _set_default(session: Session, view: SavedView, is_default: bool) -> None:
    session.flush()
    if is_default:
        others = update(SavedView).where(SavedView.reader == view.reader, SavedView.id != view.id)
        session.execute(others.values(is_default=False))
    view.is_default = is_default
    session.flush()
