"""Films as nobody should send them, in the browser: each is named calmly, and no page gives way."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from services.web.app import create_app
from services.web.settings import WebSettings
from tests.e2e.reading_room import Room, Watch
from tests.fixtures.quick import quick_folder
from tests.hilum.imaging.bodies import dicom, large_grey
from tests.servers import serve
from tests.services.web.room import wait_for

pytestmark = pytest.mark.browser
ROOT_UID = "1.2.826.0.1.3680043.99."
HOSTILE = {
    "PatientID": "<script>alert(1)</script>\r\nX: y",
    "PatientName": "\r\n<b>x</b>",
    "AccessionNumber": "A" * 10_000,
    "InstitutionName": "\u202e" + "N" * 10_000,
    "StudyDescription": "../../etc/passwd",
    "SpecificCharacterSet": "ISO_IR 999",
    "StudyDate": "29991231",
}


TOO_WIDE = """() => [...document.querySelectorAll("html, body, main, .panel, .panel-body, .films")]
  .filter((each) => each.scrollWidth > each.clientWidth + 1)
  .map((each) => `${each.tagName} ${each.className}: ${each.scrollWidth} > ${each.clientWidth}`)"""


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    """The reading room alone, without inference: nothing here asks for a score, and it starts at once."""
    with quick_folder() as folder:
        app = create_app(WebSettings.model_validate({"data": folder, "blind_share": 0.0}))
        with serve(app) as served:
            wait_for(app.state.web.prepared.is_set)
            yield Room(served.url)


@pytest.fixture
def page(browser: Browser, room: Room) -> Iterator[Page]:
    context = browser.new_context(base_url=room.url, viewport={"width": 1366, "height": 768})
    page = context.new_page()
    watch = Watch(room.url)
    watch.attach(page)
    page.on("dialog", lambda dialog: watch.complaints.append(f"a script ran: {dialog.message}"))
    yield page
    context.close()
    assert watch.complaints == []


def sent(room: Room, study: str, film: str, name: str = "film.dcm", **header: str) -> httpx.Response:
    body = dicom(large_grey(), StudyInstanceUID=ROOT_UID + study, SOPInstanceUID=ROOT_UID + film, **header)
    return httpx.post(f"{room.url}/v1/studies", files=[("file", (name, body))], timeout=60)


def stands(page: Page) -> None:
    """Nothing is wider than the screen, wherever a page may be moved."""
    assert page.evaluate(TOO_WIDE) == []


def test_long_and_hostile_headers_are_text_and_move_nothing(page: Page, room: Room) -> None:
    name = "../../../etc/passwd\r\n<script>alert(2)</script>.dcm"
    assert sent(room, "1", "1.1", name, **HOSTILE).status_code == 201
    page.goto("/")
    expect(page.locator("#rows")).to_contain_text("<script>alert(1)</script>")
    stands(page)
    page.goto(f"/studies/{ROOT_UID}1")
    expect(page.locator(".panel-head")).to_contain_text("A" * 64)
    expect(page.locator(".film.shown")).to_be_in_viewport(ratio=0.99)
    stands(page)


def test_a_film_of_another_patient_is_told_as_that_and_an_empty_accession_has_a_name(page: Page, room: Room) -> None:
    assert sent(room, "2", "2.1", AccessionNumber="TWO", PatientID="P-1").status_code == 201
    assert sent(room, "2", "2.2", "other.dcm", AccessionNumber="TWO", PatientID="P-2").status_code == 409
    page.goto(f"/studies/{ROOT_UID}2")
    expect(page.locator(".panel-body")).to_contain_text("other.dcm: The study already names another patient")
    expect(page.locator(".panel-head")).to_contain_text("P-1")
    assert (
        sent(room, "2", "2.1", "again.dcm", AccessionNumber="TWO", PatientID="P-1", ViewPosition="AP").status_code
        == 409
    )
    page.reload()
    expect(page.locator(".panel-body")).to_contain_text("again.dcm: another film under the same UID; it differs in")
    stands(page)
    assert sent(room, "3", "3.1", AccessionNumber="", PatientID="").status_code == 201
    page.goto("/")
    expect(page.locator("#rows")).to_contain_text("no accession")
    page.goto(f"/studies/{ROOT_UID}3")
    expect(page.locator(".panel-body")).to_contain_text("The patient ID is missing; check whose film this is.")
