"""What keeps the list's own tables small and whole, now and then."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from hilum.storage import DatabaseUnavailable
from services.web.claims import forget_expired
from services.web.context import Web, utc_now
from services.web.list_tables import ListEvent, SavedView
from services.web.present import catch_up

log = structlog.get_logger("hilum.web.upkeep")
EVERY_SECONDS = 60.0
KEEP_EVENTS = timedelta(hours=1)
KEEP_DELETED_VIEWS = timedelta(days=30)


def tidy(session: Session, now: datetime) -> None:
    """Drop events that no open page can ask for (the newest stays), claims long over and views long deleted."""
    newest = select(func.max(ListEvent.id)).scalar_subquery()
    session.execute(delete(ListEvent).where(ListEvent.at < now - KEEP_EVENTS, ListEvent.id < newest))
    session.execute(delete(SavedView).where(SavedView.deleted_at < now - KEEP_DELETED_VIEWS))
    forget_expired(session, now)


def _round(web: Web) -> int:
    with web.write() as session:
        found = catch_up(session)
        if not found:
            tidy(session, utc_now())
    return found


async def run_upkeep(web: Web) -> None:
    """Until cancelled. A database that is away is tried again at the next round."""
    while True:
        found = 0
        try:
            found = await asyncio.to_thread(_round, web)
        except DatabaseUnavailable as error:
            log.warning("upkeep waits for the database", reason=str(error))
        except Exception:
            # The list works without it; the next round tries again.
            log.exception("upkeep failed")
        await asyncio.sleep(0.2 if found else EVERY_SECONDS)
