"""Take the pictures of the states of the list anew: `python -m tests.e2e.screenshots_list`. Sample films alone."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e.claims import claim_as
from tests.e2e.reading_room import ROOT, Room, chromium_path, launch, running

IMAGES = ROOT / "docs" / "images"
FILMS = sorted((ROOT / "samples").glob("nih_0*"))
WAIT_MS = 120_000


def filtered(page: Page, room: Room, folder: Path) -> None:
    """One band, saved as a view; another reader has a study of it."""
    expect_scored(page)
    studies = page.request.get("/v1/studies?band=urgent").json()["studies"]
    claim_as(folder, studies[1]["uid"], "Dr. Novak")
    page.goto("/?band=urgent")
    page.fill("#view-name", "Urgent")
    page.click("#save-view button")
    expect(page.locator("#views a[aria-current]")).to_contain_text("Urgent")


def arrivals(page: Page, room: Room, folder: Path) -> None:
    """A reader is in the list, and two studies have come meanwhile."""
    page.goto("/?status=unread")
    page.keyboard.press("j")
    page.keyboard.press("j")
    for number, priority in enumerate(["STAT", "HIGH"]):
        room.upload(FILMS[number], accession=f"NEW-{number}", patient_id=f"NEW-{number}", priority=priority)
    expect(page.locator("#arrivals-text")).to_contain_text("2 new, 1 critical", timeout=WAIT_MS)


def claimed(page: Page, room: Room, folder: Path) -> None:
    """A study that another reader has."""
    uid = page.request.get("/v1/studies").json()["studies"][4]["uid"]
    claim_as(folder, uid, "Dr. Novak")
    page.goto(f"/studies/{uid}")
    expect(page.locator("#claimed")).to_contain_text("Dr. Novak", timeout=WAIT_MS)


def empty(page: Page, room: Room, folder: Path) -> None:
    """A search that nothing fits."""
    page.goto("/?q=ACC-2026-0815")
    expect(page.locator(".empty")).to_be_visible()


def offline(page: Page, room: Room, folder: Path) -> None:
    """The server went away while the list is open."""
    page.goto("/?status=unread")
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_have_text("Server away", timeout=WAIT_MS)


def expect_scored(page: Page) -> None:
    """Every sample film has its score."""
    page.goto("/?status=unread")
    expect(page.locator("#rows tr").nth(20)).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("#rows")).not_to_contain_text("waiting for", timeout=WAIT_MS)


def main() -> None:
    """Write the pictures."""
    path = chromium_path()
    assert path, "no Chromium"
    with (
        tempfile.TemporaryDirectory() as name,
        running(Path(name), samples=True, HILUM_LIST_POLL_SECONDS="0.2") as room,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright, path)
        page = browser.new_page(base_url=room.url, viewport={"width": 1366, "height": 768})
        for take in (filtered, arrivals, claimed, empty, offline):
            take(page, room, Path(name))
            page.wait_for_timeout(500)
            page.screenshot(path=IMAGES / f"list-{take.__name__}.png")
        browser.close()


if __name__ == "__main__":
    main()
