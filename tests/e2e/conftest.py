"""The browser that the end-to-end tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.reading_room import chromium_path, launch
from tests.fixtures.real import cannot_start


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium_path()
    if path is None:
        cannot_start("Chromium", FileNotFoundError("no /usr/bin/chromium, and HILUM_CHROMIUM names none"))
    with sync_playwright() as playwright:
        browser = launch(playwright, path)
        yield browser
        browser.close()
