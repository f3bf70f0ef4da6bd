"""Open pages hear that the list changed: whoever changed it, over whichever process, and only when it did."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select, update

from services.web.context import utc_now
from services.web.list_tables import ListEvent
from services.web.live import Mark, look
from services.web.tables import Film, Study
from services.web.upkeep import tidy
from tests.releases import pattern_film
from tests.servers import serve
from tests.services.web.room import Room, open_room, wait_for
from tests.services.web.rows import NOW, add


@pytest.fixture
def two_rooms(tmp_path: Path, tiny_release: Path, database_url: str) -> Iterator[tuple[Room, Room]]:
    """Two processes' worth of the reading room on one database."""
    quick = {"database_url": database_url, "list_poll_seconds": 0.05}
    with open_room(tmp_path, tiny_release, **quick) as first, open_room(tmp_path, tiny_release, **quick) as second:
        yield first, second


class Page:
    """An open page: collects what it hears."""

    def __init__(self, url: str, last: str | None = None) -> None:
        self.heard: list[str] = []
        self.ids: list[str] = []
        self.status = 0
        self.headers: dict[str, str] = {}
        self._url, self._last = url, last
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def _listen(self) -> None:
        headers = {"Last-Event-ID": self._last} if self._last else {}
        with httpx.stream("GET", f"{self._url}/v1/events", headers=headers, timeout=30) as answer:
            self.headers = dict(answer.headers)
            self.status = answer.status_code
            for text in answer.iter_lines():
                if text.startswith(("event:", ":")):
                    self.heard.append(text)
                if text.startswith("id:"):
                    self.ids.append(text.removeprefix("id: "))
                if self._stop.is_set():
                    return

    def __enter__(self) -> Page:
        self._thread.start()
        wait_for(lambda: self.status)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()

    @property
    def events(self) -> int:
        """How often it was told to look at the list."""
        return self.heard.count("event: list")


@contextmanager
def served(room: Room) -> Iterator[str]:
    """The room's application, which already runs, on a socket."""

    async def app(scope, receive, send):  # type: ignore[no-untyped-def]
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        await room.app(scope, receive, send)

    with serve(app) as server:
        try:
            yield f"http://localhost:{server.port}"
        finally:
            room.web.hub.close()


def test_a_page_hears_of_a_change_that_another_process_made(two_rooms: tuple[Room, Room]) -> None:
    mine, others = two_rooms
    with served(mine) as url, Page(url) as page:
        assert page.headers["content-type"].startswith("text/event-stream")
        assert page.headers["x-accel-buffering"] == "no"
        wait_for(lambda: page.events == 1)
        add(others, 1, NOW)
        wait_for(lambda: page.events >= 2)
        heard = page.events
        others.client.post("/v1/studies/1.2.1/claim")
        wait_for(lambda: page.events > heard)
        quiet = page.events
        # Renewing the claim, looking at the list and scoring's own housekeeping are no news.
        others.client.post("/v1/studies/1.2.1/claim")
        others.listed()
        time.sleep(0.4)
        assert page.events == quiet


def test_a_page_that_comes_back_is_told_at_once_if_it_missed_something_and_else_not(
    two_rooms: tuple[Room, Room],
) -> None:
    room, _ = two_rooms
    add(room, 1, NOW)
    with served(room) as url:
        wait_for(lambda: room.web.hub.mark.newest)
        with Page(url) as first:
            wait_for(lambda: first.ids)
        with Page(url, last=first.ids[-1]) as again, Page(url, last="0") as late, Page(url, last="x" * 99) as odd:
            wait_for(lambda: late.events == 1 and odd.events == 1)
            assert again.events == 0


def test_as_many_pages_as_the_setting_says_are_told_and_further_ones_told_so(
    tmp_path: Path, tiny_release: Path
) -> None:
    with (
        open_room(tmp_path, tiny_release, list_listeners=1, list_poll_seconds=0.05) as room,
        served(room) as url,
        Page(url),
    ):
        refused = httpx.get(f"{url}/v1/events")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
        assert "hilum_list_listeners 1.0" in room.client.get("/metrics").text


def test_a_server_that_stops_ends_the_streams(tmp_path: Path, tiny_release: Path) -> None:
    with open_room(tmp_path, tiny_release, list_poll_seconds=0.05) as room, served(room) as url, Page(url) as page:
        wait_for(lambda: page.events == 1)
        room.web.hub.close()
        wait_for(lambda: not page._thread.is_alive(), seconds=5)
        assert httpx.get(f"{url}/v1/events").status_code == 503


def test_every_change_that_the_list_shows_leaves_an_event_and_nothing_else_does(any_room: Room) -> None:
    def marked() -> Mark:
        with any_room.web.read() as session:
            return look(session)

    uid = any_room.sent(pattern_film(1))
    any_room.settled(uid)
    before = marked()
    assert before.newest >= 2  # it came, and was scored
    with any_room.web.write() as session:
        film = session.scalars(select(Film)).one()
        film.next_try = utc_now()
        session.get_one(Study, uid).settled_reason = "bookkeeping"
    assert marked() == before
    with any_room.web.write() as session:
        session.get_one(Study, uid).site = "North"
    assert marked() != before
    before = marked()
    with pytest.raises(RuntimeError), any_room.web.write() as session:
        session.get_one(Study, uid).site = "South"
        session.flush()
        raise RuntimeError("the transaction fails")
    assert marked() == before


def test_an_event_that_is_committed_after_a_later_one_is_noticed(any_room: Room) -> None:
    """Ids are given before the commit, on PostgreSQL in any order."""
    with any_room.web.write() as session:
        session.add(ListEvent(id=7, at=utc_now()))
    with any_room.web.read() as session:
        before = look(session)
    with any_room.web.write() as session:
        session.add(ListEvent(id=6, at=utc_now()))
    with any_room.web.read() as session:
        assert look(session) != before


def test_old_events_are_dropped_but_not_the_newest(any_room: Room) -> None:
    for number in range(3):
        add(any_room, number, NOW)
    with any_room.web.write() as session:
        session.execute(update(ListEvent).values(at=utc_now() - timedelta(days=1)))
        newest = look(session).newest
        tidy(session, utc_now())
    with any_room.web.read() as session:
        assert session.scalar(select(func.count()).select_from(ListEvent)) == 1
        assert look(session).newest == newest


def test_what_a_page_hears_says_nothing_of_any_study(tmp_path: Path, tiny_release: Path) -> None:
    with open_room(tmp_path, tiny_release, list_poll_seconds=0.05) as room, served(room) as url:
        add(room, 1, NOW, accession="SECRET")
        with httpx.stream("GET", f"{url}/v1/events", timeout=10) as answer:
            lines = answer.iter_lines()
            data = next(text for text in lines if text.startswith("data:"))
        assert json.loads(data.removeprefix("data:")) == {}
