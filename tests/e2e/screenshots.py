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
        for take in (worklist, study, pneumonia, self_test, upload):
            take(page)
            expect(page.locator("#connection")).to_have_text("Ready", timeout=WAIT_MS)
            page.wait_for_load_state("networkidle")
            page.screenshot(path=IMAGES / f"{take.__name__.replace('_', '-')}.png")
        browser.close()


if __name__ == "__main__":
    main()
