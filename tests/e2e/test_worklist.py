"""The worklist in a browser: it stays where the reader is, shows who reads what, and keeps views."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.claims import claim_as, claimant
from tests.e2e.reading_room import ROOT, Room, Watch, running

pytestmark = pytest.mark.browser
SAMPLES = sorted((ROOT / "samples").glob("nih_0*.jpg"))
WAIT_MS = 30_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worklist")


@pytest.fixture(scope="module")
def room(folder: Path) -> Iterator[Room]:
    with running(folder, HILUM_BLIND_SHARE="0", HILUM_LIST_POLL_SECONDS="0.2") as room:
        for number, path in enumerate(SAMPLES[:3]):
            room.upload(path, accession=f"A-{number}", patient_id=f"P-{number}", priority="HIGH")
        yield room


@pytest.fixture
def page(browser: Browser, room: Room) -> Iterator[Page]:
    context = browser.new_context(base_url=room.url, viewport={"width": 1366, "height": 768})
    page = context.new_page()
    watch = Watch(room.url, expected=r"409|404")
    watch.attach(page)
    yield page
    context.close()
    assert watch.complaints == []


def test_what_arrives_is_announced_and_moves_nothing_under_the_reader(page: Page, room: Room) -> None:
    page.goto("/")
    expect(page.locator("#rows tr")).to_have_count(3)
    expect(page.locator("#rows")).not_to_contain_text("waiting for", timeout=WAIT_MS)
    page.keyboard.press("j")
    page.keyboard.press("j")
    key = page.evaluate("document.activeElement.closest('tr').dataset.key")
    before = page.locator(f"tr[data-key='{key}']").bounding_box()
    room.upload(SAMPLES[3], accession="A-STAT", patient_id="P-9", priority="STAT")
    expect(page.locator("#arrivals-text")).to_contain_text("1 new, 1 critical", timeout=WAIT_MS)
    assert page.locator("#rows tr").count() == 3
    assert page.locator(f"tr[data-key='{key}']").bounding_box() == before
    page.keyboard.press("r")
    expect(page.locator("#rows tr")).to_have_count(4)
    expect(page.locator("#rows")).to_contain_text("A-STAT")
    expect(page.locator("#arrivals")).to_be_hidden()
    assert page.evaluate("document.activeElement.closest('tr').dataset.key") == key


def test_a_list_that_is_left_alone_takes_in_what_arrives(page: Page, room: Room) -> None:
    page.goto("/")
    before = page.locator("#rows tr").count()
    page.mouse.move(5, 5)
    room.upload(SAMPLES[4], accession="A-NEW", patient_id="P-10")
    expect(page.locator("#rows tr")).to_have_count(before + 1, timeout=WAIT_MS)


def test_a_computer_whose_clock_is_wrong_shows_the_servers_waits(page: Page, room: Room) -> None:
    page.clock.set_system_time(datetime.now(UTC) + timedelta(hours=5))
    page.goto("/")
    expect(page.locator("#wrong-clock")).to_have_text(re.compile(r"clock is (5 h|4 h 59 min) fast"))
    row = page.locator("#rows tr", has_text="A-0")
    expect(row.locator("time[data-form=due]")).to_have_text(re.compile(r"^in "))
    expect(row.locator("time[data-form=waits]")).to_have_text(re.compile(r"^(under 1|\d+) min$"))


def test_a_study_that_another_reader_has_says_so_and_can_be_taken_over(page: Page, room: Room, folder: Path) -> None:
    uid = str(room.studies()[-1]["uid"])
    claim_as(folder, uid, "Dr. Novak")
    page.goto("/")
    expect(page.locator(f"tr[data-key='{uid}']")).to_contain_text("Dr. Novak is reading")
    page.goto(f"/studies/{uid}")
    expect(page.locator("#claimed")).to_contain_text("Dr. Novak is reading this study since")
    page.click("#take-over")
    expect(page.locator("#claimed")).to_be_hidden()
    assert claimant(folder, uid) != "Dr. Novak"
    # Leaving the page gives it back: the request may arrive after the list was made, and the list then hears of it.
    page.goto("/")
    expect(page.locator(f"tr[data-key='{uid}']")).not_to_contain_text("reading", timeout=WAIT_MS)
    assert claimant(folder, uid) is None


def test_a_view_is_saved_shown_first_deleted_and_brought_back(page: Page) -> None:
    page.goto("/")
    page.select_option("select[name=band]", "critical")
    expect(page).to_have_url("/?band=critical")
    page.fill("#view-name", "Red")
    page.check("#view-default")
    page.click("#save-view button")
    expect(page.locator("#views a[aria-current]")).to_contain_text("Red")
    page.goto("/")
    expect(page).to_have_url("/?band=critical&view=Red")
    page.click(".delete-view")
    expect(page.locator("#view-undo")).to_contain_text("Red is deleted")
    page.click("#view-undo button")
    expect(page.locator("#views a", has_text="Red")).to_be_visible()
    expect(page.locator("#view-undo")).to_be_hidden()
    page.click(".delete-view")
    expect(page.locator("#view-undo")).to_be_visible()
    page.goto("/")
    expect(page).to_have_url("/")


def test_the_back_button_gives_the_filters_back(page: Page) -> None:
    page.goto("/")
    page.fill("#search", "A-1")
    page.keyboard.press("Enter")
    expect(page.locator("#rows tr")).to_have_count(1)
    page.click("#rows a.open")
    expect(page.locator(".panel-head h1")).to_contain_text("A-1")
    page.go_back()
    expect(page.locator("#search")).to_have_value("A-1")
    expect(page.locator("#rows tr")).to_have_count(1)
