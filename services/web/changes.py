"""Every transaction that changes something the list shows leaves one event, committed with it.

Found by looking at what the transaction writes, so that no writer can forget it; on PostgreSQL and SQLite alike, and
across processes. What a reader may see of the change is decided when the list is read, not here.
"""

from __future__ import annotations

from sqlalchemy import event, insert, inspect
from sqlalchemy.orm import Session, UOWTransaction

from services.web.context import utc_now
from services.web.list_tables import Claim, ListEvent
from services.web.tables import Conflict, Film, Study

_MARK = "hilum_list_changed"
# Rows whose change shows in a line of the list; a film's own row changes with every try at scoring it.
_SHOWN = (Study, Claim, Conflict)
# Bookkeeping of a study that no line shows.
_UNSEEN = frozenset({"settled_band", "settled_score", "settled_reason", "settled_due_at", "present_version"})


def _look(session: Session, _: UOWTransaction) -> None:
    if _MARK in session.info:
        return
    written = (*session.new, *session.deleted, *(row for row in session.dirty if _shows(row)))
    if any(isinstance(row, _SHOWN) for row in written) or any(isinstance(row, Film) for row in session.new):
        session.info[_MARK] = True


def _shows(row: object) -> bool:
    """Whether anything changed in `row` that a line of the list could show."""
    return any(attribute.key not in _UNSEEN and attribute.history.has_changes() for attribute in inspect(row).attrs)


def _leave_event(session: Session) -> None:
    session.flush()
    if session.info.pop(_MARK, False):
        session.execute(insert(ListEvent).values(at=utc_now()))


def _forget(session: Session) -> None:
    session.info.pop(_MARK, None)


def watch_writers() -> None:
    """Look at every transaction of this process from now on; calling it again changes nothing."""
    for name, listener in (("after_flush", _look), ("before_commit", _leave_event), ("after_rollback", _forget)):
        if not event.contains(Session, name, listener):
            event.listen(Session, name, listener)
