"""Tells open pages that the list changed: one look at the rows per process and tick, however many pages are open.

A page is told *that* something changed, never what: what its reader may see is decided when it asks for the list.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from prometheus_client import Gauge
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.web.list_tables import ListEvent

LISTENERS = Gauge("hilum_list_listeners", "Pages that this process tells of changes of the list.")
# Proxies close a connection on which nothing comes, most after a minute.
HEARTBEAT_SECONDS = 15.0
# A stream ends after this and the page opens another: whoever is signed out by then gets no further one.
STREAM_SECONDS = 600.0
# Ids are given before the commit: an event may appear below one that was seen. So many ids back it is still noticed.
_WINDOW = 1_000
_hubs: weakref.WeakSet[Hub] = weakref.WeakSet()


@dataclass(frozen=True)
class Mark:
    """Where the list's history stands: the newest event, and how many there are of the last ids."""

    newest: int
    recent: int


def look(session: Session) -> Mark:
    """The list's mark now."""
    newest = session.scalar(select(func.max(ListEvent.id))) or 0
    recent = session.scalar(select(func.count()).where(ListEvent.id > newest - _WINDOW)) or 0
    return Mark(newest, recent)


class Hub:
    """The open pages of one process, all in its event loop."""

    def __init__(self) -> None:
        self.mark = Mark(0, 0)
        self.closing = False
        self._pages: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        _hubs.add(self)

    @property
    def listeners(self) -> int:
        """How many pages are told."""
        return len(self._pages)

    def tell(self, mark: Mark) -> None:
        """Wake every page, if the list changed since the last call."""
        if mark != self.mark:
            self.mark = mark
            self._wake()

    def close(self) -> None:
        """End every stream; safe from a signal handler."""
        self.closing = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for page in self._pages:
            page.set()

    @contextlib.contextmanager
    def _listening(self) -> Iterator[asyncio.Event]:
        self._loop = asyncio.get_running_loop()
        page = asyncio.Event()
        self._pages.add(page)
        LISTENERS.set(len(self._pages))
        try:
            yield page
        finally:
            self._pages.discard(page)
            LISTENERS.set(len(self._pages))

    async def stream(self, seen: int | None) -> AsyncIterator[bytes]:
        """Server-sent events: `list` with the newest event's id at each change, a comment when nothing changes.

        `seen` is the id that the page saw last (Last-Event-ID); None, and anything else than the newest, is told to
        look at the list at once.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + STREAM_SECONDS
        with self._listening() as page:
            yield b"retry: 3000\n\n"
            if seen != self.mark.newest:
                yield self._event()
            while not self.closing and loop.time() < end:
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await page.wait()
                except TimeoutError:
                    yield b": nothing new\n\n"
                    continue
                page.clear()
                if not self.closing:
                    yield self._event()

    def _event(self) -> bytes:
        return f"event: list\nid: {self.mark.newest}\ndata: {{}}\n\n".encode()


def end_streams() -> None:
    """End the streams of this process: a server that stops would else wait for them."""
    for hub in _hubs:
        hub.close()
