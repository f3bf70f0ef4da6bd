"""Upload, one finding, most informative, self-test, about."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.pictures.studio import FILMS, WAIT_MS, State, Studio


def upload(studio: Studio) -> Page:
    """Films that are new, here already, and none."""
    page = studio.page("anna")
    page.goto("/upload")
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes.png"
        notes.write_text("no picture")
        cut = Path(folder) / "cut-off.jpg"
        whole = FILMS[0].read_bytes()
        cut.write_bytes(whole[: len(whole) // 2])
        page.locator("#patient_id").fill("P-1")
        page.set_input_files("#choose-files", [*FILMS[:5], notes, cut])
        expect(page.locator("#totals-text")).to_contain_text("7 of 7", timeout=WAIT_MS)
    return page


def upload_empty(studio: Studio) -> Page:
    """Before anything is chosen."""
    page = studio.page("anna")
    page.goto("/upload")
    return page


def self_test(studio: Studio) -> Page:
    """All steps green."""
    page = studio.page("anna")
    page.goto("/self-test")
    page.click("#run")
    expect(page.locator("#summary")).to_contain_text("steps passed", timeout=WAIT_MS)
    return page


def pneumonia(studio: Studio) -> Page:
    """One finding as yes or no."""
    page = studio.page("anna")
    page.goto("/pneumonia")
    expect(page.locator("#rows tr").first).to_be_visible()
    return page


def informative(studio: Studio) -> Page:
    """The order of active learning."""
    page = studio.page("lea")
    page.goto("/informative")
    return page


def about(studio: Studio) -> Page:
    """The release, its model card, and what this is for."""
    page = studio.page("anna")
    page.goto("/about")
    return page


STATES: tuple[State, ...] = (upload_empty, upload, self_test, pneumonia, informative, about)
