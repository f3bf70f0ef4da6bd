"""A reading room with people in it, for pictures: signed-in browsers, films that are sent, rows that are aged."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from services.web.identity.passwords import hashed
from services.web.identity.users import User, write_users
from tests.e2e.reading_room import ROOT, Room, running

SAMPLES = ROOT / "samples"
FILMS = sorted(SAMPLES.glob("nih_0*.jpg"))
PASSWORD = "five wet stones in a row"
PEOPLE = {"anna": {"reader"}, "ben": {"reader"}, "lea": {"reader", "lead"}, "adam": {"admin"}}
WAIT_MS = 60_000
expect.set_options(timeout=30_000)


@dataclass
class Studio:
    """A running room, whose data lie in `folder`, and one browser for each person."""

    browser: Browser
    room: Room
    folder: Path
    viewport: tuple[int, int] = (1366, 768)
    pages: dict[str, Page] = field(default_factory=dict)

    def nobody(self) -> Page:
        """A fresh browser, signed in as nobody."""
        width, height = self.viewport
        context = self.browser.new_context(base_url=self.room.url, viewport={"width": width, "height": height})
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        return page

    def page(self, name: str) -> Page:
        """The person's page."""
        if name not in self.pages:
            page = self.pages[name] = self.nobody()
            page.goto("/")
            sign_in(page, name)
            # An empty list that gets its first study shows itself anew: not while the next page is on its way.
            page.goto("/login")
        # A page behind others is not painted.
        self.pages[name].bring_to_front()
        return self.pages[name]

    def send(self, film: Path | tuple[str, bytes], by: str = "anna", **fields: str) -> str:
        """Upload a film; its study's UID."""
        name, body = (film.name, film.read_bytes()) if isinstance(film, Path) else film
        part: Any = {"name": name, "mimeType": "application/octet-stream", "buffer": body}
        answer = self.page(by).request.post(
            "/v1/studies", multipart={**fields, "file": part}, headers={"Origin": self.room.url}
        )
        assert answer.ok, answer.text()
        return str(answer.json()["uid"])

    def scored(self, uid: str) -> str:
        """Wait for the study's answer."""
        end = time.monotonic() + WAIT_MS / 1000
        while self.study(uid)["status"] == "waiting":
            assert time.monotonic() < end, f"{uid} is not scored"
            time.sleep(0.2)
        return uid

    def study(self, uid: str, by: str = "anna") -> dict[str, Any]:
        """The study as the JSON API gives it."""
        found: dict[str, Any] = self.page(by).request.get(f"/v1/studies/{uid}").json()
        return found

    def read(self, uid: str, labels: dict[str, int], by: str = "anna") -> None:
        """A saved read."""
        study = self.study(uid, by)
        answer = self.page(by).request.post(
            f"/v1/studies/{uid}/reads",
            data={"labels": labels, "answer_version": study["answer_version"]},
            headers={"Origin": self.room.url, "Idempotency-Key": f"{uid}-{by}-{time.monotonic_ns()}"},
        )
        assert answer.ok, answer.text()

    def open(self, uid: str, by: str = "anna", query: str = "") -> Page:
        """The study's page, its first film painted."""
        page = self.page(by)
        page.goto(f"/studies/{uid}{query}")
        expect(page.locator(".film.shown[data-painted]").first).to_be_visible(timeout=WAIT_MS)
        return page

    def rows(self, sql: str, *values: object) -> None:
        """Change a row by hand: time passes for nobody while pictures are taken."""
        with sqlite3.connect(self.folder / "data" / "web.db", timeout=30) as rows:
            rows.execute(sql, values)

    def earlier(self, **since: float) -> str:
        """A moment that lies back, as the rows have it."""
        return (datetime.now(UTC).replace(tzinfo=None) - timedelta(**since)).isoformat(" ")

    def close(self) -> None:
        """Close every person's browser."""
        for page in self.pages.values():
            page.context.close()
        self.pages.clear()


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """Fill the form that is shown."""
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#connection")).to_be_visible(timeout=WAIT_MS)


@contextlib.contextmanager
def studio(browser: Browser, folder: Path, *, samples: bool = False, **settings: str) -> Iterator[Studio]:
    """A room where PEOPLE sign in."""
    folder.mkdir(parents=True, exist_ok=True)
    users, encoded = folder / "users.toml", hashed(PASSWORD)
    write_users(users, {name: User(name, encoded, frozenset(held)) for name, held in PEOPLE.items()})  # type: ignore[arg-type]
    usual = {"HILUM_USERS_FILE": str(users), "HILUM_BLIND_SHARE": "0", "HILUM_LIST_POLL_SECONDS": "0.2"}
    with running(folder, samples=samples, **{**usual, **settings}) as room:
        started = Studio(browser, room, folder)
        try:
            yield started
        finally:
            started.close()


State = Callable[[Studio], Page]
