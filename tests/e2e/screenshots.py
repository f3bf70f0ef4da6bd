"""Take the pictures of docs/images anew: `python -m tests.e2e.screenshots`. Only sample films are on them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e.reading_room import ROOT, chromium_path, launch, running

IMAGES = ROOT / "docs" / "images"
SAMPLES = ROOT / "samples"
WAIT_MS = 120_000


def worklist(page: Page) -> None:
    """The list as it is a minute after the first start."""
    page.goto("/")
    expect(page.locator("#rows tr").nth(20)).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("#rows")).not_to_contain_text("waiting", timeout=WAIT_MS)
    page.reload()


def study(page: Page) -> None:
    """The study that is due first, its first finding labelled, its heat map shown."""
    page.goto("/")
    page.locator("tr:not(:has-text('blind read')) a.open").first.click()
    expect(page.locator("#message")).to_contain_text("Nothing judged yet.")
    page.keyboard.press("h")
    expect(page.locator(".heat-note").first).to_be_visible(timeout=WAIT_MS)
    page.keyboard.press("1")
    page.keyboard.press("a")


def viewer(page: Page) -> None:
    """A film of 15 bits, turned and back, with a ruler, the magnifier and a narrower window."""
    page.goto("/?status=all&q=9RG1")
    page.locator("a.open").first.click()
    expect(page.locator(".film.shown[data-painted]")).to_be_visible(timeout=WAIT_MS)
    page.keyboard.press("l")
    box = page.locator(".film.shown").bounding_box()
    assert box
    x, y = box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.62
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 300, y + 10, steps=5)
    page.mouse.up()
    for key in ("Escape", "5", "g"):
        page.keyboard.press(key)
    page.mouse.move(x + 40, y - 190)


def compare(page: Page) -> None:
    """Beside the patient's earlier study, with a heat map."""
    films = [SAMPLES / "kermany_IM-0122-0001.jpeg", SAMPLES / "kermany_IM-0147-0001.jpeg"]
    for number, film in enumerate(films):
        fields = {"patient_id": "P-4", "accession": f"B-{number}"}
        parts = {"name": film.name, "mimeType": "image/jpeg", "buffer": film.read_bytes()}
        answer = page.request.post("/v1/studies", multipart={**fields, "file": parts})
        assert answer.ok, answer.text()
    page.goto(f"/studies/{answer.json()['uid']}")
    expect(page.locator("button[data-heat-of]").first).to_be_visible(timeout=WAIT_MS)
    page.keyboard.press("b")
    page.keyboard.press("h")
    expect(page.locator(".heat-note").first).to_be_visible(timeout=WAIT_MS)
    expect(page.locator(".film.shown[data-painted]")).to_have_count(2, timeout=WAIT_MS)


def shortcuts(page: Page) -> None:
    """The help of the study's page."""
    page.keyboard.press("?")
    expect(page.locator("#shortcuts kbd").first).to_be_visible()


def upload(page: Page) -> None:
    """Films that are new, here already, and none."""
    page.goto("/upload")
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes.png"
        notes.write_text("no picture")
        cut = Path(folder) / "cut-off.jpg"
        whole = next(iter(sorted(SAMPLES.glob("nih_0*.jpg")))).read_bytes()
        cut.write_bytes(whole[: len(whole) // 2])
        # Under another patient, or the samples would be here already.
        page.locator("#patient_id").fill("P-1")
        page.set_input_files("#choose-files", [*sorted(SAMPLES.glob("nih_0*"))[:5], notes, cut])
        expect(page.locator("#totals-text")).to_contain_text("7 of 7", timeout=WAIT_MS)


def self_test(page: Page) -> None:
    """All steps green."""
    page.goto("/self-test")
    page.click("#run")
    expect(page.locator("#summary")).to_contain_text("steps passed", timeout=WAIT_MS)


def pneumonia(page: Page) -> None:
    """The binary view."""
    page.goto("/pneumonia")
    expect(page.locator("#rows tr").first).to_be_visible()


def main() -> None:
    """Write the pictures."""
    path = chromium_path()
    assert path, "no Chromium"
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), samples=True) as room,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright, path)
        page = browser.new_page(base_url=room.url, viewport={"width": 1366, "height": 768})
        for take in (worklist, study, viewer, compare, shortcuts, pneumonia, self_test, upload):
            take(page)
            expect(page.locator("#connection")).to_have_text("Ready", timeout=WAIT_MS)
            page.wait_for_load_state("networkidle")
            page.screenshot(path=IMAGES / f"{take.__name__.replace('_', '-')}.png")
        browser.close()


if __name__ == "__main__":
    main()
