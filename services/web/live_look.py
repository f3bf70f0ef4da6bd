"""Looks for changes of the list while the service runs, and passes them to the open pages."""

from __future__ import annotations

import asyncio

import structlog

from hilum.storage import DatabaseUnavailable
from services.web.changes import watch_writers
from services.web.context import Web
from services.web.live import Mark, look

log = structlog.get_logger("hilum.web.live")


async def run_live(web: Web) -> None:
    """Look for changes until cancelled. While the database is away, pages hear nothing but heartbeats."""

    watch_writers()

    def read() -> Mark:
        with web.read() as session:
            return look(session)

    try:
        while True:
            try:
                web.hub.tell(await asyncio.to_thread(read))
            except DatabaseUnavailable:
                log.debug("no look at the list: the database is away")
            except Exception:
                log.exception("looking for changes of the list failed")
            await asyncio.sleep(web.settings.list_poll_seconds)
    finally:
        web.hub.close()
