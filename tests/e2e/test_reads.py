"""Reads as people make them: two keys, undo, second readers, a decision, away and back, two tabs, signed out."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect

from services.web.identity.passwords import hashed
from services.web.identity.users import User, write_users
from tests.e2e.reading_room import ROOT, Room, running

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]
SAMPLES = sorted((ROOT / "samples").glob("nih_0*.jpg"))
PASSWORD = "five wet stones in a row"
expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    folder = tmp_path_factory.mktemp("room")
    users = folder / "users.toml"
    encoded = hashed(PASSWORD)
    roles = {"anna": {"reader"}, "ben": {"reader"}, "lea": {"reader", "lead"}}
    write_users(users, {name: User(name, encoded, frozenset(held)) for name, held in roles.items()})
    settings = {"HILUM_USERS_FILE": str(users), "HILUM_BLIND_SHARE": "0", "HILUM_SECOND_READ_SHARE": "1"}
    with running(folder, **settings) as started:
        yield started


@pytest.fixture
def person(browser: Browser, room: Room) -> Iterator[Callable[[str], Page]]:
    """A browser of one person, signed in."""
    contexts: list[BrowserContext] = []

    def sign(name: str) -> Page:
        context = browser.new_context(base_url=room.url, viewport={"width": 1366, "height": 768})
        contexts.append(context)
        page = context.new_page()
        page.goto("/")
        sign_in(page, name)
        return page

    yield sign
    for context in contexts:
        # Closed in the middle of a navigation that the page began itself, Chromium was once seen never to answer.
        for page in context.pages:
            with contextlib.suppress(Error):
                page.goto("about:blank", timeout=10_000)
        context.close()


def sign_in(page: Page, name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#connection")).to_be_visible()


def sent(page: Page, room: Room, number: int, accession: str) -> str:
    """Upload a sample film as its own study, and wait for its score."""
    film = SAMPLES[number]
    part = {"name": film.name, "mimeType": "image/jpeg", "buffer": film.read_bytes()}
    fields: dict[str, Any] = {"accession": accession, "file": part}
    answer = page.request.post("/v1/studies", multipart=fields, headers={"Origin": room.url})
    assert answer.ok, answer.text()
    uid = str(answer.json()["uid"])
    for _ in range(600):
        if study(page, uid)["status"] != "waiting":
            return uid
        page.wait_for_timeout(100)
    raise AssertionError("not scored")


def study(page: Page, uid: str) -> dict[str, Any]:
    found: dict[str, Any] = page.request.get(f"/v1/studies/{uid}").json()
    return found


def begin(page: Page, uid: str, query: str = "") -> None:
    for _ in range(5):
        try:
            page.goto(f"/studies/{uid}{query}")
            break
        except Error as error:
            # The list shows itself anew when something in it changes.
            if "interrupted by another navigation" not in str(error):
                raise
    expect(page).to_have_url(re.compile(f"/studies/{re.escape(uid)}"))
    expect(page.locator("#message")).not_to_have_text("")


def kept_here(page: Page) -> int:
    for _ in range(5):
        try:
            page.wait_for_load_state()
            found: int = page.evaluate(COUNT_KEPT)
            return found
        except Error as error:
            # The page shows itself anew when what waited was sent.
            if "context was destroyed" not in str(error):
                raise
    raise AssertionError("the page never came to rest")


COUNT_KEPT = """() => new Promise((resolve) => {
  const opening = indexedDB.open("hilum", 1);
  opening.onsuccess = () => {
    const count = opening.result.transaction("reads").objectStore("reads").count();
    count.onsuccess = () => resolve(count.result);
  };
})"""


def test_the_walk_list_read_undo_conflict_decision_offline_and_back_online(
    person: Callable[[str], Page], room: Room
) -> None:
    anna = person("anna")
    uid = sent(anna, room, 0, "DAY")
    later = sent(anna, room, 6, "LATER")
    anna.goto("/")
    anna.get_by_role("link", name="DAY", exact=True).click()
    expect(anna.locator("#message")).to_have_text("Nothing judged yet.")
    anna.keyboard.press("1")
    expect(anna.locator("#message")).to_contain_text("present:")
    anna.keyboard.press("t")
    expect(anna.locator("#message")).to_have_text("Nothing judged yet.")
    # A clean read is two keys.
    anna.keyboard.press("a")
    anna.keyboard.press("s")
    expect(anna.locator("#undo-saved")).to_contain_text("Undo the read of DAY")
    anna.keyboard.press("t")
    expect(anna).to_have_url(re.compile("undone=1"))
    expect(anna.locator("#message")).to_contain_text("absent")
    assert study(anna, uid)["status"] == "scored"
    anna.locator("#comment").fill("lungs look fine")
    anna.get_by_role("button", name="Save").click()
    expect(anna.locator("#undo-saved")).to_be_visible()
    assert [read["kind"] for read in study(anna, uid)["reads"]] == ["read", "withdrawal", "read"]

    ben = person("ben")
    ben.goto("/reviews")
    ben.get_by_role("link", name="Read it as second reader").click()
    expect(ben.get_by_text("Another person has read this study")).to_be_visible()
    assert "lungs look fine" not in ben.content()
    expect(ben.locator("#message")).not_to_have_text("")
    ben.keyboard.press("1")
    ben.keyboard.press("a")
    ben.keyboard.press("s")
    expect(ben.get_by_text("Conflict between two readers.")).to_be_visible()
    expect(ben.locator("#decide")).to_have_count(0)

    lea = person("lea")
    lea.goto("/reviews?state=conflict")
    lea.get_by_role("link", name="Decide between the two").click()
    expect(lea.get_by_text("Your read decides.")).to_be_visible()
    expect(lea.locator("#message")).not_to_have_text("")
    lea.keyboard.press("a")
    lea.keyboard.press("s")
    expect(lea.get_by_text("Decided by lea.")).to_be_visible()
    assert study(lea, uid)["review"]["state"] == "settled"
    assert study(lea, uid)["reads"][0]["kind"] == "adjudication"

    begin(anna, later)
    anna.context.set_offline(True)
    anna.keyboard.press("2")
    anna.keyboard.press("s")
    expect(anna.locator("#message")).to_contain_text("kept in this browser")
    expect(anna.locator("#connection")).to_have_text("Server away")
    assert study(lea, later)["status"] == "scored"
    anna.context.set_offline(False)
    expect(anna.locator("#waiting")).to_be_hidden()
    expect(anna.locator("#connection")).to_have_text("Ready")
    for _ in range(100):
        if kept_here(anna) == 0 and study(anna, later)["reads"]:
            break
        anna.wait_for_timeout(100)
    assert [read["reader"] for read in study(anna, later)["reads"]] == ["anna"]


def test_a_read_saved_offline_arrives_once_after_its_tab_was_closed(person: Callable[[str], Page], room: Room) -> None:
    page = person("anna")
    uid = sent(page, room, 1, "CLOSED")
    begin(page, uid)
    page.context.set_offline(True)
    page.keyboard.press("a")
    page.keyboard.press("s")
    expect(page.locator("#message")).to_contain_text("kept in this browser")
    assert kept_here(page) == 1
    context = page.context
    page.close()
    context.set_offline(False)
    again = context.new_page()
    again.goto("/")
    # By this page or by the service worker, whoever was faster.
    for _ in range(200):
        if study(again, uid)["reads"] and kept_here(again) == 0:
            break
        again.wait_for_timeout(100)
    assert kept_here(again) == 0
    assert len(study(again, uid)["reads"]) == 1


def test_the_service_worker_sends_what_waits_without_any_page(person: Callable[[str], Page], room: Room) -> None:
    page = person("anna")
    uid = sent(page, room, 2, "WORKER")
    begin(page, uid)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.context.set_offline(True)
    page.keyboard.press("a")
    page.keyboard.press("s")
    expect(page.locator("#message")).to_contain_text("kept in this browser")
    devtools = page.context.new_cdp_session(page)
    seen: list[dict[str, Any]] = []
    devtools.on("ServiceWorker.workerRegistrationUpdated", lambda event: seen.extend(event["registrations"]))
    devtools.send("ServiceWorker.enable")
    page.wait_for_timeout(200)
    page.goto("about:blank")
    page.context.set_offline(False)
    registration = next(each["registrationId"] for each in seen if each["scopeURL"].startswith(room.url))
    # What the browser does by itself when the network is back.
    event = {"origin": room.url, "registrationId": registration, "tag": "hilum-reads", "lastChance": False}
    devtools.send("ServiceWorker.dispatchSyncEvent", event)
    for _ in range(200):
        if study(page, uid)["reads"]:
            break
        page.wait_for_timeout(100)
    assert len(study(page, uid)["reads"]) == 1


def test_a_session_that_ends_in_the_middle_of_a_read_loses_nothing_typed(
    person: Callable[[str], Page], room: Room
) -> None:
    page = person("anna")
    uid = sent(page, room, 3, "EXPIRED")
    begin(page, uid)
    page.keyboard.press("1")
    page.locator("#comment").fill("typed before the session ended")
    page.context.clear_cookies()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#message")).to_contain_text("sign in again")
    # Somebody else signs in at this browser first: the read stays Anna's, and waits.
    page.goto("/")
    sign_in(page, "ben")
    expect(page.locator("#waiting")).to_contain_text("1 read kept here")
    page.wait_for_timeout(500)
    assert kept_here(page) == 1
    assert study(page, uid)["own_version"] == 0
    page.context.clear_cookies()
    page.goto(f"/studies/{uid}")
    sign_in(page, "anna")
    # The read is sent by the page itself, some moments after it is there.
    for _ in range(100):
        if kept_here(page) == 0:
            break
        page.wait_for_timeout(100)
    expect(page.locator("#waiting")).to_be_hidden()
    (read,) = study(page, uid)["reads"]
    assert (read["reader"], read["comment"]) == ("anna", "typed before the session ended")


def test_what_is_set_and_not_saved_survives_signing_in_again(person: Callable[[str], Page], room: Room) -> None:
    page = person("anna")
    uid = sent(page, room, 4, "DRAFT")
    begin(page, uid)
    page.keyboard.press("3")
    page.locator("#comment").fill("half a thought")
    page.context.clear_cookies()
    page.reload()
    sign_in(page, "anna")
    expect(page.locator("#message")).to_contain_text("uncertain:")
    expect(page.locator("#comment")).to_have_value("half a thought")


def test_two_tabs_and_the_back_button_make_no_read_that_nobody_meant(person: Callable[[str], Page], room: Room) -> None:
    first = person("anna")
    uid = sent(first, room, 5, "TABS")
    begin(first, uid)
    second = first.context.new_page()
    begin(second, uid)
    second.keyboard.press("a")
    second.keyboard.press("s")
    expect(second).not_to_have_url(re.compile(re.escape(uid)))
    first.bring_to_front()
    first.keyboard.press("1")
    first.keyboard.press("s")
    expect(first.locator("#message")).to_contain_text("perhaps in another tab")
    assert len(study(first, uid)["reads"]) == 1
    first.keyboard.press("s")
    expect(first).not_to_have_url(re.compile(re.escape(uid)))
    assert [read["version"] for read in study(first, uid)["reads"]] == [2, 1]
    second.go_back()
    expect(second.locator("#read")).to_have_count(0)
    expect(second.locator("#go-on")).to_be_focused()
    assert len(study(first, uid)["reads"]) == 2
