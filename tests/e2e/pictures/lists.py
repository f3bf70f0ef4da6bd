"""The list and the tables beside it."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.claims import claim_as
from tests.e2e.pictures.studio import FILMS, SAMPLES, WAIT_MS, State, Studio


def list_empty(studio: Studio) -> Page:
    """Nothing has arrived yet."""
    page = studio.page("anna")
    page.goto("/")
    expect(page.get_by_text("No study has arrived yet")).to_be_visible()
    return page


def worklist(studio: Studio) -> Page:
    """All samples are scored."""
    _fill(studio)
    page = studio.page("anna")
    page.goto("/")
    expect(page.locator("#rows tr").nth(15)).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("#rows")).not_to_contain_text("waiting for", timeout=WAIT_MS)
    page.reload()
    return page


def _fill(studio: Studio) -> None:
    """Every sample film, from two sites, some ordered as urgent."""
    if len(studio.page("anna").request.get("/v1/studies").json()["studies"]) > 5:
        return
    for number, film in enumerate([*FILMS, *sorted(SAMPLES.glob("*.jpeg")), *sorted(SAMPLES.glob("*.dcm"))]):
        order = {3: "STAT", 7: "HIGH"}.get(number, "")
        site = ("North clinic", "South clinic")[number % 2]
        fields = (
            {} if film.suffix == ".dcm" else {"accession": f"B-{1040 + number}", "patient_id": f"P-{2210 + number}"}
        )
        studio.send(film, site=site, priority=order, location="ED" if number == 5 else "", **fields)


def list_filtered(studio: Studio) -> Page:
    """One band, saved as a view; another reader has a study of it."""
    page = studio.page("anna")
    studies = page.request.get("/v1/studies?band=urgent").json()["studies"]
    claim_as(studio.folder, studies[1]["uid"], "Dr. Novak")
    page.goto("/?band=urgent")
    page.fill("#view-name", "Urgent")
    page.click("#save-view button")
    expect(page.locator("#views a[aria-current]")).to_contain_text("Urgent")
    return page


def list_nothing(studio: Studio) -> Page:
    """A search that nothing fits."""
    page = studio.page("anna")
    page.goto("/?q=ACC-2026-0815")
    expect(page.locator(".empty")).to_be_visible()
    return page


def list_arrivals(studio: Studio) -> Page:
    """A reader is in the list, and two studies have come meanwhile."""
    page = studio.page("anna")
    page.goto("/?status=unread")
    page.keyboard.press("j")
    page.keyboard.press("j")
    for number, priority in enumerate(["STAT", ""]):
        studio.send(FILMS[number], by="ben", accession=f"C-{number}", patient_id=f"P-9{number}", priority=priority)
    expect(page.locator("#arrivals-text")).to_contain_text("2 new", timeout=WAIT_MS)
    return page


def list_overdue(studio: Studio) -> Page:
    """Studies whose due time has passed, one that everybody skipped, one that somebody reads, one that came back."""
    page = studio.page("anna")
    uids = [study["uid"] for study in page.request.get("/v1/studies").json()["studies"]]
    for uid, minutes in zip(uids[:3], (47, 12, 3), strict=True):
        moments = studio.earlier(minutes=minutes), studio.earlier(minutes=minutes + 15), uid
        studio.rows("UPDATE studies SET due_at = ?, arrived_at = ? WHERE uid = ?", *moments)
    for name in ("anna", "ben", "lea"):
        studio.page(name).request.post(f"/v1/studies/{uids[6]}/skip", headers={"Origin": studio.room.url})
    claim_as(studio.folder, uids[4], "Dr. Novak")
    page.goto("/")
    expect(page.locator(".overdue").first).to_be_visible()
    return page


def list_masked(studio: Studio) -> Page:
    """A shared screen: no accession number, no patient."""
    page = studio.page("ben")
    page.goto("/")
    page.locator("#mask").click()
    expect(page.locator("#mask")).to_have_attribute("aria-pressed", "true")
    page.wait_for_load_state()
    page.wait_for_timeout(500)
    return page


def unmask(studio: Studio) -> None:
    """Show identity again."""
    page = studio.page("ben")
    page.goto("/")
    page.locator("#mask").click()
    expect(page.locator("#mask")).to_have_attribute("aria-pressed", "false")


def list_away(studio: Studio) -> Page:
    """The server went away while the list is open."""
    unmask(studio)
    page = studio.page("ben")
    page.goto("/?status=unread")
    expect(page.locator("#connection")).to_have_text("Ready", timeout=WAIT_MS)
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_have_text("Server away", timeout=WAIT_MS)
    return page


def list_shortcuts(studio: Studio) -> Page:
    """The keys of the list."""
    studio.page("ben").context.set_offline(False)
    page = studio.page("ben")
    page.goto("/")
    expect(page.locator("#connection")).to_have_text("Ready", timeout=WAIT_MS)
    page.keyboard.press("?")
    expect(page.locator("#shortcuts kbd").first).to_be_visible()
    return page


def reported_elsewhere(studio: Studio) -> Page:
    """Studies that another system closed."""
    page = studio.page("anna")
    uid = page.request.get("/v1/studies").json()["studies"][-1]["uid"]
    body, headers = {"by": "RIS", "reason": "report signed"}, {"Origin": studio.room.url, "Idempotency-Key": uid}
    answer = page.request.post(f"/v1/studies/{uid}/close", data=body, headers=headers)
    assert answer.ok, answer.text()
    page.goto(f"/studies/{uid}")
    expect(page.locator("#closed")).to_be_visible()
    return page


EMPTY: tuple[State, ...] = (list_empty,)
STATES: tuple[State, ...] = (
    worklist, list_filtered, list_nothing, list_arrivals, list_masked, list_away, list_shortcuts, list_overdue,
    reported_elsewhere,
)  # fmt: skip
