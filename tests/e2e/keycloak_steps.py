"""What a person sees of a real OpenID provider, each step in a browser of its own; `bench.keycloak` runs them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, BrowserContext, Page, expect

from bench.keycloak_server import Keycloak, rotate

IDLE_SECONDS = 6.0
expect.set_options(timeout=30_000)


@dataclass(frozen=True)
class Doors:
    """What the steps need: a browser, the reading room's address, the provider and the people's password."""

    browser: Browser
    room: str
    provider: Keycloak
    password: str

    @contextmanager
    def person(self) -> Iterator[Page]:
        """A browser in which nobody is signed in."""
        context: BrowserContext = self.browser.new_context(base_url=self.room)
        try:
            yield context.new_page()
        finally:
            context.close()

    def sign_in(self, page: Page, name: str, password: str | None = None) -> None:
        """As a person does it: our page, the provider's form, back."""
        page.goto("/history")
        page.get_by_role("link", name="Sign in with").click()
        self.fill(page, name, password)

    def fill(self, page: Page, name: str, password: str | None = None) -> None:
        """Keycloak's own form."""
        page.locator("#username").fill(name)
        page.locator("#password").fill(password or self.password)
        page.locator("#kc-login").click()


def statuses(page: Page, *paths: str) -> list[int]:
    """What the browser's own session is answered."""
    return [page.request.get(path, max_redirects=0).status for path in paths]


def reads_and_leaves(doors: Doors) -> None:
    """A reader signs in, lands where they wanted to go, sees the list and not the audit log, and signs out of both"""
    with doors.person() as page:
        doors.sign_in(page, "anna")
        expect(page).to_have_url(f"{doors.room}/history")
        expect(page.get_by_text("Reading as anna")).to_be_visible()
        assert statuses(page, "/v1/studies", "/v1/audit", "/numbers") == [200, 403, 403]
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(re.compile(f"^{doors.room}/login"))
        assert statuses(page, "/v1/studies") == [401]
        page.get_by_role("link", name="Sign in with").click()
        expect(page.locator("#password")).to_be_visible()


def roles(doors: Doors) -> None:
    """A lead has the numbers, an admin the audit log and not the list"""
    for name, expected in (("lea", [200, 403, 200]), ("adam", [403, 200, 200])):
        with doors.person() as page:
            doors.sign_in(page, name)
            page.wait_for_url(f"{doors.room}/history")
            assert statuses(page, "/v1/studies", "/v1/audit", "/numbers") == expected, name


def no_role(doors: Doors) -> None:
    """A person of the provider without a role of ours is told so, and not signed in"""
    with doors.person() as page:
        doors.sign_in(page, "eve")
        expect(page.get_by_role("alert")).to_contain_text("no role in this reading room")
        assert statuses(page, "/v1/studies") == [401]


def wrong_password(doors: Doors) -> None:
    """A wrong password stays at the provider's form and signs nobody in"""
    with doors.person() as page:
        doors.sign_in(page, "anna", "wrong")
        expect(page.get_by_text("Invalid username or password")).to_be_visible()
        assert statuses(page, "/v1/studies") == [401]


def stolen(doors: Doors) -> None:
    """A callback that this browser did not begin is refused"""
    with doors.person() as page:
        answer = page.goto("/auth/callback?code=x&state=y&session_state=z")
        assert answer is not None
        assert answer.status == 400
        expect(page.get_by_role("alert")).to_contain_text("not finished here")


def another_issuer(doors: Doors) -> None:
    """A code that another realm of the same Keycloak gave for our own state is refused"""
    with doors.person() as page:
        began = page.request.get("/auth/start", max_redirects=0).headers["location"]
        page.goto(began.replace("/realms/hospital/", "/realms/elsewhere/"))
        doors.fill(page, "mallory")
        expect(page).to_have_url(re.compile(f"^{doors.room}/auth/callback.*elsewhere"))
        expect(page.get_by_role("alert")).to_contain_text("The provider signed nobody in")
        assert statuses(page, "/v1/studies") == [401]


def session_over(doors: Doors) -> None:
    """A session that is over leads back to the same page, by the provider's session without a password"""
    with doors.person() as page:
        doors.sign_in(page, "anna")
        page.wait_for_url(f"{doors.room}/history")
        page.goto("about:blank")
        time.sleep(IDLE_SECONDS + 1)
        assert statuses(page, "/v1/studies") == [401]
        page.goto("/upload")
        expect(page).to_have_url(f"{doors.room}/login?next=%2Fupload")
        page.get_by_role("link", name="Sign in with").click()
        expect(page).to_have_url(f"{doors.room}/upload")
        expect(page.get_by_text("Reading as anna")).to_be_visible()


def new_keys(doors: Doors) -> None:
    """A new signing key of the realm is taken up without a restart"""
    rotate(doors.provider)
    time.sleep(31)  # Keys are asked for again after half a minute at the earliest.
    with doors.person() as page:
        doors.sign_in(page, "anna")
        expect(page.get_by_text("Reading as anna")).to_be_visible()


def another_address(doors: Doors) -> None:
    """An issuer that is written otherwise than the provider writes it is said in a line, and nobody is signed in"""
    with doors.person() as page:
        page.goto("/login")
        page.get_by_role("link", name="Sign in with").click()
        expect(page.get_by_role("alert")).to_contain_text("calls itself otherwise than HILUM_OIDC_ISSUER")


def away(doors: Doors) -> None:
    """When the provider goes away, who is signed in goes on reading"""
    with doors.person() as page:
        doors.sign_in(page, "anna")
        page.wait_for_url(f"{doors.room}/history")
        doors.provider.stop()
        page.goto("/")
        expect(page.get_by_text("Reading as anna")).to_be_visible()


def away_at_the_start(doors: Doors) -> None:
    """While the provider is away from the start, the page to sign in says so"""
    with doors.person() as page:
        page.goto("/login")
        page.get_by_role("link", name="Sign in with").click()
        expect(page.get_by_role("alert")).to_contain_text("The provider does not answer")


Step = Callable[[Doors], None]
# Each line is one start of the reading room: its settings beside the usual ones, and what is seen then.
STARTS: tuple[tuple[dict[str, str], tuple[Step, ...]], ...] = (
    ({}, (reads_and_leaves, roles, no_role, wrong_password, stolen, another_issuer, new_keys)),
    ({"HILUM_SESSION_IDLE_MINUTES": str(IDLE_SECONDS / 60)}, (session_over,)),
    ({"HILUM_OIDC_ISSUER": "{issuer}/"}, (another_address,)),
    ({}, (away,)),
    ({}, (away_at_the_start,)),
)
