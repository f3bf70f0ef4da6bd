"""Pages of whoever is not in yet, or not allowed, or has no server."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.e2e.pictures.studio import PASSWORD, State, Studio, sign_in


def _try(page: Page, name: str, password: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_load_state()


def login(studio: Studio) -> Page:
    """The page to sign in."""
    page = studio.nobody()
    page.goto("/")
    expect(page.get_by_label("Name")).to_be_focused()
    return page


def login_wrong(studio: Studio) -> Page:
    """A wrong password."""
    page = studio.nobody()
    page.goto("/")
    _try(page, "anna", "wrong")
    expect(page.get_by_role("alert")).to_contain_text("not right")
    return page


def login_wait(studio: Studio) -> Page:
    """Too many wrong passwords."""
    page = studio.nobody()
    page.goto("/")
    for _ in range(7):
        _try(page, "mallory", "guess")
    expect(page.get_by_role("alert")).to_contain_text("Too many tries")
    return page


def login_again(studio: Studio) -> Page:
    """The session ended while a page was open: sign in, and go on there."""
    page = studio.nobody()
    page.goto("/")
    sign_in(page, "ben", PASSWORD)
    studio.rows("UPDATE sessions SET revoked_at = ? WHERE name = 'ben'", studio.earlier(seconds=1))
    page.goto("/history")
    expect(page).to_have_url(re.compile("/login"))
    expect(page.get_by_text("Your session is over.")).to_be_visible()
    return page


def not_allowed(studio: Studio) -> Page:
    """A reader opens what a lead may see."""
    page = studio.page("anna")
    page.goto("/numbers")
    expect(page.get_by_role("heading", name="not allowed")).to_be_visible()
    return page


def admin_at_the_list(studio: Studio) -> Page:
    """An admin opens the list: looking after sign-in opens no film."""
    page = studio.page("adam") if "adam" in studio.pages else studio.nobody()
    if "adam" not in studio.pages:
        page.goto("/about")
        _try(page, "adam", PASSWORD)
        studio.pages["adam"] = page
    page.goto("/")
    return page


def not_found(studio: Studio) -> Page:
    """An address of no study."""
    page = studio.page("anna")
    page.goto("/studies/1.2.3")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    return page


STATES: tuple[State, ...] = (
    login,
    login_wrong,
    login_wait,
    login_again,
    not_allowed,
    admin_at_the_list,
    not_found,
)
