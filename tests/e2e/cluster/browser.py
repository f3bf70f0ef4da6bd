"""A radiologist in Chromium, through the ingress: signs in, uploads three films, reads three studies.

    E2E_PASSWORD=... python -m tests.e2e.cluster.browser https://127.0.0.1:30443

Prints the UIDs of the studies that were read. A process of its own: Playwright's loop stays out of the other steps.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Error, Page, expect, sync_playwright

from tests.e2e.cluster.site import FILMS, chromium
from tests.e2e.reading_room import ARGUMENTS

HOST = "hilum.test"
STATUS = "uid => fetch(`/v1/studies/${uid}`).then(answer => answer.json()).then(study => study.status)"


def main() -> int:
    """Do it; the exit status says whether all of it went well."""
    address = urlsplit(sys.argv[1])
    path = chromium()
    if not path:
        sys.stderr.write("there is no Chromium: HILUM_CHROMIUM names one\n")
        return 2
    # The browser asks for the name that stands in the certificate; the test's certificate is its own authority.
    arguments = [*ARGUMENTS, f"--host-resolver-rules=MAP {HOST}:443 {address.hostname}:{address.port or 443}"]
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        context = browser.new_context(
            base_url=f"https://{HOST}", ignore_https_errors=True, viewport={"width": 1366, "height": 768}
        )
        page = context.new_page()
        steadily(lambda: sign_in(page))
        steadily(lambda: page.goto("/upload"))
        page.wait_for_load_state("load")
        page.set_input_files("#choose-files", [fresh(film) for film in FILMS[3:6]])
        all_stored(page, 3)
        page.get_by_role("link", name="To the worklist").click()
        expect(page.locator("a.open").first).to_be_visible()
        shot(page, "worklist")
        read = [one_read(page) for _ in range(3)]
        browser.close()
    sys.stdout.write("\n".join(read) + "\n")
    return 0


def steadily(visit: Callable[[], object]) -> None:
    """Try again what a change of the machine's network broke off, as a reader would.

    A pod that starts or ends on the browser's own machine is such a change: Chromium then ends every connection
    (ERR_NETWORK_CHANGED). A hospital's readers do not sit on the cluster's node. Or the page itself was on its way
    elsewhere: after a read it goes on to the next study.
    """
    for _ in range(5):
        with contextlib.suppress(Error, AssertionError):
            visit()
            return
        time.sleep(2)
    visit()


def sign_in(page: Page) -> None:
    """By name and password; the list is shown then."""
    page.goto("/")
    if "/login" in page.url:
        page.get_by_label("Name").fill("anna")
        page.get_by_label("Password").fill(os.environ["E2E_PASSWORD"])
        page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#connection")).to_be_visible(timeout=10_000)


def all_stored(page: Page, films: int) -> None:
    """Wait for all of them; what failed is tried again (`steadily` says why): "already here" if it had arrived."""
    settled = page.locator("#files li:is([data-state=stored], [data-state=duplicate])")
    for _ in range(5):
        expect(page.locator("#files li:not([data-state=sending])")).to_have_count(films)
        if settled.count() == films:
            return
        page.locator("#retry").click()
    expect(settled).to_have_count(films)


def fresh(film: Path) -> dict[str, object]:
    """The film with bytes of its own behind its end, so that it is another film than any before."""
    return {"name": film.name, "mimeType": "image/jpeg", "buffer": film.read_bytes() + os.urandom(16)}


def one_read(page: Page) -> str:
    """Open the study that is first on the list, call everything absent, save; its UID."""
    steadily(lambda: page.goto("/"))
    page.locator("a.open").first.click()
    expect(page.locator("#message")).to_contain_text("Nothing judged yet.")
    found = re.search(r"/studies/([\d.]+)", page.url)
    assert found, page.url
    uid = found.group(1)
    shot(page, "study")
    page.get_by_role("button", name="All others absent").click()
    page.get_by_role("button", name="Save").click()
    # Asked by the page itself, which alone knows where the name leads; it goes on to the next study meanwhile.
    for _ in range(300):
        with contextlib.suppress(Error):
            if page.evaluate(STATUS, uid) == "read":
                return uid
        page.wait_for_timeout(200)
    raise AssertionError(f"the read of {uid} was not kept: {page.locator('#message').inner_text()}")


def shot(page: Page, name: str) -> None:
    """A picture for whoever looks at the run."""
    if folder := os.environ.get("E2E_SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")


if __name__ == "__main__":
    sys.exit(main())
