"""A morning's work: three DICOM studies and fifty NIH films, uploaded in a browser, each read by keyboard.

Needs the shared training films (`HILUM_TRAINING_DATA`), which are not in the repository.
"""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.reading_room import ROOT, Room, Watch, running

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]
DATA = Path(os.environ.get("HILUM_TRAINING_DATA", ROOT.parent / "shared" / "data"))
FILMS = [
    *(DATA / "dicom" / f"nih_test{number}.dcm" for number in (1, 2, 3)),
    # One film in two hundred: of many patients, of both views.
    *sorted((DATA / "nih128" / "images").glob("*.jpg"))[::200][:50],
]
WAIT_MS = 180_000


@pytest.mark.skipif(len(FILMS) < 53, reason=f"the shared training films are not in {DATA.name}/ (HILUM_TRAINING_DATA)")
def test_fifty_three_films_are_ranked_read_by_keyboard_and_exported(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path, HILUM_BLIND_SHARE="0") as room:
        watch = Watch(room.url)
        context = browser.new_context(base_url=room.url, viewport={"width": 1366, "height": 768})
        page = context.new_page()
        watch.attach(page)
        _upload_all(page)
        studies = _ranked(room, page)
        _read_all(page, len(studies))
        _exported(room, page, {str(study["first_film_uid"]) for study in studies})
        context.close()
        assert watch.complaints == []


def _upload_all(page: Page) -> None:
    page.goto("/upload")
    page.set_input_files("#choose-files", FILMS)
    expect(page.locator("#files li[data-state=stored]")).to_have_count(len(FILMS), timeout=WAIT_MS)


def _ranked(room: Room, page: Page) -> list[dict[str, object]]:
    for _ in range(WAIT_MS // 500):
        studies = room.studies()
        if all(study["status"] == "scored" for study in studies):
            break
        page.wait_for_timeout(500)
    assert len(studies) == len(FILMS)
    assert {study["status"] for study in studies} == {"scored"}
    due = [str(study["due_at"]) for study in studies]
    assert due == sorted(due)
    # The model tells films apart: not one band for all of them, and no flood of alarms.
    bands = [study["band"] for study in studies]
    assert len(set(bands)) > 1
    assert bands.count("critical") <= len(FILMS) // 3
    return studies


def _read_all(page: Page, count: int) -> None:
    page.goto("/")
    page.locator("a.open").first.click()
    for number in range(count):
        expect(page.locator("#message")).to_contain_text("Nothing judged yet.", timeout=WAIT_MS)
        here = page.url
        page.keyboard.press("a")
        page.keyboard.press("s")
        if number < count - 1:
            page.wait_for_url(lambda url, here=here: "/studies/" in url and url != here, timeout=WAIT_MS)
    page.wait_for_url(lambda url: "/studies/" not in url, timeout=WAIT_MS)
    expect(page.locator("#rows tr")).to_have_count(0)


def _exported(room: Room, page: Page, films: set[str]) -> None:
    rows: list[dict[str, str]] = []
    for _ in range(WAIT_MS // 500):
        rows = list(csv.DictReader(io.StringIO(room.export())))
        if len(rows) == len(films):
            break
        page.wait_for_timeout(500)
    assert {row["image_id"] for row in rows} == films
    assert all(set(row.values()) - {row["image_id"]} == {"0"} for row in rows)
