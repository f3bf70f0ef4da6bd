"""Two readers, a decision, and a server that goes away in between."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.pictures.studio import SAMPLES, WAIT_MS, State, Studio, sign_in


def _open_first(studio: Studio, by: str, address: str, link: str) -> Page:
    page = studio.page(by)
    page.goto(address)
    page.get_by_role("link", name=link).first.click()
    expect(page.locator(".film.shown[data-painted]").first).to_be_visible(timeout=WAIT_MS)
    return page


def second_reads(studio: Studio) -> Page:
    """What is wanted from a second reader."""
    for name in ("nih_test1.dcm", "nih_test2.dcm"):
        uid = studio.scored(studio.send(SAMPLES / name))
        first, second = [finding["name"] for finding in studio.study(uid)["findings"]][:2]
        studio.read(uid, {first: 0, second: 0})
        lea = studio.page("lea")
        answer = lea.request.post(
            f"/v1/studies/{uid}/second-read",
            data={"note": "is there an effusion?"},
            headers={"Origin": studio.room.url},
        )
        assert answer.ok, answer.text()
    page = studio.page("ben")
    page.goto("/reviews")
    return page


def second_read(studio: Studio) -> Page:
    """A second reader sees the answer, not the first read."""
    return _open_first(studio, "ben", "/reviews", "Read it as second reader")


def conflict(studio: Studio) -> Page:
    """Both have read, and not alike."""
    page = studio.page("ben")
    # What the first reader called absent; the form's own order is by probability.
    name = studio.study(page.url.split("/studies/")[1])["findings"][0]["name"]
    page.bring_to_front()
    page.locator(f"tr[data-finding='{name}'] input[value='1']").check()
    page.keyboard.press("a")
    page.keyboard.press("s")
    expect(page.get_by_text("Conflict between two readers.")).to_be_visible()
    return page


def decide(studio: Studio) -> Page:
    """A lead decides: what both said alike is set."""
    return _open_first(studio, "lea", "/reviews?state=conflict", "Decide between the two")


def decided(studio: Studio) -> Page:
    """The decision stands."""
    page = studio.page("lea")
    page.keyboard.press("a")
    page.keyboard.press("s")
    expect(page.get_by_text("Decided by lea.")).to_be_visible()
    return page


def _to_read(studio: Studio, name: str) -> Page:
    page = studio.open(studio.scored(studio.send(SAMPLES / name, accession=name[:12], patient_id=name[:12])))
    page.keyboard.press("1")
    page.keyboard.press("a")
    return page


def read_kept(studio: Studio) -> Page:
    """Saved while the server is away: kept in this browser."""
    page = _to_read(studio, "nih_00002032_013.jpg")
    page.context.set_offline(True)
    page.keyboard.press("s")
    expect(page.locator("#message")).to_contain_text("kept in this browser")
    expect(page.locator("#connection")).to_have_text("Server away", timeout=WAIT_MS)
    return page


def read_sent(studio: Studio) -> Page:
    """The server is back, and the read was sent."""
    page = studio.page("anna")
    page.context.set_offline(False)
    expect(page.locator("#waiting")).to_be_hidden(timeout=WAIT_MS)
    expect(page.locator("#connection")).to_have_text("Ready", timeout=WAIT_MS)
    return page


def read_signed_out(studio: Studio) -> Page:
    """The session ended in the middle of a read."""
    page = _to_read(studio, "nih_00002146_007.jpg")
    page.locator("#comment").fill("typed before the session ended")
    page.context.clear_cookies()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#message")).to_contain_text("sign in again")
    return page


def two_tabs(studio: Studio) -> Page:
    """The same study was saved in another tab meanwhile."""
    page = studio.page("anna")
    page.goto("/")
    sign_in(page, "anna")
    page = _to_read(studio, "nih_00002720_006.jpg")
    uid = page.url.split("/studies/")[1]
    studio.read(uid, {"Effusion": 0})
    page.keyboard.press("s")
    expect(page.locator("#message")).to_contain_text("perhaps in another tab")
    return page


def history(studio: Studio) -> Page:
    """What was read, newest first."""
    page = studio.page("anna")
    page.goto("/history")
    expect(page.locator("#rows tr").first).to_be_visible()
    return page


STATES: tuple[State, ...] = (
    second_reads, second_read, conflict, decide, decided, read_kept, read_sent, read_signed_out, two_tabs, history,
)  # fmt: skip
