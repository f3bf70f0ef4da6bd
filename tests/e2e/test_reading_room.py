"""The whole path of a film in a real browser: upload, list, read, history, export, self-test, pneumonia view."""

from __future__ import annotations

import csv
import io
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.reading_room import ROOT, Room, Watch, running

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
SAMPLES = sorted((ROOT / "samples").glob("nih_0*.jpg"))
# A loaded machine is slow, not wrong.
SCORED_MS = 60_000
expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def open_room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A room in which nothing is read blind."""
    with running(tmp_path_factory.mktemp("room"), HILUM_BLIND_SHARE="0") as room:
        yield room


@pytest.fixture
def watch(open_room: Room) -> Watch:
    return Watch(open_room.url)


@pytest.fixture
def page(browser: Browser, open_room: Room, watch: Watch) -> Iterator[Page]:
    # A test that cuts the line cuts it for pages alone: the service worker has its own tests in test_reads.py.
    context = browser.new_context(
        base_url=open_room.url, viewport={"width": 1366, "height": 768}, service_workers="block"
    )
    page = context.new_page()
    watch.attach(page)
    yield page
    context.close()
    assert watch.complaints == []


def scored(room: Room, page: Page, *uids: str) -> None:
    """Wait until the studies have their answer."""
    for uid in uids:
        for _ in range(SCORED_MS // 100):
            if room.study(uid)["status"] != "waiting":
                break
            page.wait_for_timeout(100)
        else:
            raise AssertionError(f"{uid} is still not scored")


def read_rows(room: Room, film: str) -> list[dict[str, str]]:
    return [row for row in csv.DictReader(io.StringIO(room.export())) if row["image_id"] == film]


def exported(room: Room, page: Page, uid: str) -> list[dict[str, str]]:
    """The study's row of the export, once the outbox has delivered its read."""
    film = str(room.study(uid)["first_film_uid"])
    for _ in range(100):
        if rows := read_rows(room, film):
            return rows
        page.wait_for_timeout(100)
    raise AssertionError("the read never reached the export")


def uid_of(page: Page) -> str:
    found = re.search(r"/studies/([\d.]+)", page.url)
    assert found
    return found.group(1)


def begin(page: Page, uid: str | None = None) -> None:
    """Open the study's page, or wait for the one that is opening, until it listens to keys."""
    if uid:
        page.goto(f"/studies/{uid}")
    expect(page.locator("#message")).to_contain_text("Nothing judged yet.")


def test_the_whole_path_of_a_film_from_upload_to_export(page: Page, open_room: Room) -> None:
    page.goto("/")
    expect(page.get_by_text("No study has arrived yet")).to_be_visible()
    expect(page.get_by_text("Decision support. Not for primary diagnosis.")).to_be_visible()

    page.keyboard.press("u")
    expect(page).to_have_url(re.compile("/upload$"))
    page.wait_for_load_state("load")
    page.set_input_files("#choose-files", SAMPLES[:4])
    expect(page.locator("#files li[data-state=stored]")).to_have_count(4, timeout=SCORED_MS)
    expect(page.locator("#totals-text")).to_contain_text("4 of 4 files · 4 stored")
    expect(page.locator("#files li").first).to_contain_text("JPEG 128 × 128")

    page.get_by_role("link", name="To the worklist").click()
    rows = page.locator("#rows tr")
    expect(rows).to_have_count(4)
    for row in rows.all():
        expect(row).to_contain_text(re.compile(r"scored"), timeout=SCORED_MS)
        expect(row).not_to_contain_text("waiting", timeout=SCORED_MS)
    page.reload()
    due = [row.locator("time").first.get_attribute("datetime") for row in rows.all()]
    assert due == sorted(str(moment) for moment in due)

    page.locator("a.open").first.click()
    first = uid_of(page)
    expect(page.locator("tr[data-finding]")).to_have_count(len(open_room.study(first)["findings"]))  # type: ignore[arg-type]
    expect(page.locator(".film.shown img.picture")).to_have_js_property("complete", True)
    page.locator("button[data-heat-of]").first.click()
    expect(page.locator(".heat-note")).to_contain_text("not location")
    page.get_by_role("button", name="All others absent").click()
    page.get_by_role("button", name="Save").click()
    expect(page).not_to_have_url(re.compile(re.escape(first)))
    expect(page.locator("#toast")).to_contain_text("saved")

    second = uid_of(page)
    page.get_by_role("button", name="Skip").click()
    expect(page).not_to_have_url(re.compile(re.escape(second)))
    assert open_room.study(second)["status"] == "scored"

    page.get_by_role("link", name="History").click()
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page.locator("#rows tr").first).to_contain_text("absent")
    (kept,) = exported(open_room, page, first)
    names = [str(item["name"]) for item in open_room.study(first)["findings"]]  # type: ignore[attr-defined]
    assert [kept[name] for name in names] == ["0"] * len(names)

    page.get_by_role("link", name="Pneumonia").click()
    expect(page.locator("#rows tr")).to_have_count(4)
    expect(page.locator("#rows tr").first).to_contain_text(re.compile("present|Between|Not established"))
    page.set_input_files("#trial-file", SAMPLES[5])
    expect(page.locator("#trial-answer .verdict")).to_be_visible(timeout=SCORED_MS)

    page.get_by_role("link", name="Self-test").click()
    page.get_by_role("button", name="Run the self-test").click()
    expect(page.locator("#summary")).to_contain_text("steps passed", timeout=SCORED_MS)
    expect(page.locator("#steps tr[data-ok=false]")).to_have_count(0)


def test_a_reader_needs_no_mouse(page: Page, open_room: Room) -> None:
    scored(open_room, page, *open_room.upload(SAMPLES[6]), *open_room.upload(SAMPLES[7]))
    page.goto("/")
    expect(page.locator("#connection")).to_have_text("Ready")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/studies/"))
    uid = uid_of(page)
    begin(page)
    name = page.locator("tr[data-finding]").nth(1).get_attribute("data-finding")
    page.keyboard.press("j")
    page.keyboard.press("1")
    page.keyboard.press("j")
    page.keyboard.press("3")
    page.keyboard.press("a")
    expect(page.locator("#message")).to_contain_text(f"present: {name}")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("All others absent")
    page.keyboard.press("s")  # asleep while the dialog is open
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(re.escape(uid)))
    page.keyboard.press("s")
    expect(page).not_to_have_url(re.compile(re.escape(uid)))
    (row,) = exported(open_room, page, uid)
    assert row[str(name)] == "1"
    assert sorted(row.values()).count("-1") == 1
    page.keyboard.press("w")
    expect(page).to_have_url(re.compile("/$"))


def test_a_search_and_its_empty_answer(page: Page, open_room: Room) -> None:
    open_room.upload(SAMPLES[8], accession="FIND-ME")
    page.goto("/")
    expect(page.locator("#connection")).to_have_text("Ready")
    page.keyboard.press("/")
    page.keyboard.type("FIND-ME")
    page.keyboard.press("Enter")
    expect(page.locator("#rows tr")).to_have_count(1)
    page.locator("#search").fill("nobody has this")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No study fits these filters")).to_be_visible()


def bomb() -> bytes:
    """A PNG whose header claims 40,000 x 40,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def test_each_bad_file_gets_a_clear_line_and_no_study(
    page: Page, open_room: Room, watch: Watch, tmp_path: Path
) -> None:
    watch.expected = r"status of 4\d\d"
    good = SAMPLES[9].read_bytes()
    bad = {
        "empty.png": b"",
        "text.png": b"this is no picture",
        "cut.jpg": good[: len(good) // 2],
        "bomb.png": bomb(),
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    page.goto("/upload")
    before = page.request.get("/v1/studies?status=all&limit=200").json()["studies"]
    page.set_input_files("#choose-files", [tmp_path / name for name in bad])
    expect(page.locator("#files li[data-state=refused]")).to_have_count(len(bad), timeout=SCORED_MS)
    for line in page.locator("#files li .outcome").all():
        expect(line).to_contain_text(re.compile(r"Refused: .{15,}"))
    expect(page.locator("#totals-text")).to_contain_text(f"{len(bad)} refused")
    assert page.request.get("/v1/studies?status=all&limit=200").json()["studies"] == before

    page.set_input_files("#choose-files", [SAMPLES[9]])
    expect(page.locator("#files li[data-state=stored]")).to_have_count(1, timeout=SCORED_MS)
    page.set_input_files("#choose-files", [SAMPLES[9]])
    expect(page.locator("#files li[data-state=duplicate]")).to_contain_text("Already here", timeout=SCORED_MS)


def test_a_file_above_the_limit_is_refused_before_it_is_sent(page: Page, tmp_path: Path) -> None:
    large = tmp_path / "large.dcm"
    with large.open("wb") as stream:
        stream.truncate(64_000_001)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.goto("/upload")
    page.set_input_files("#choose-files", large)
    expect(page.locator("#files li")).to_contain_text("Not sent: larger than 64 MB")
    assert sent == []


def test_a_read_waits_in_the_browser_while_the_server_is_away(page: Page, open_room: Room, watch: Watch) -> None:
    watch.expected = "Failed to load resource"
    (uid,) = open_room.upload(SAMPLES[10], accession="AWAY")
    scored(open_room, page, uid)
    begin(page, uid)

    def refuse(route: Route) -> None:
        route.abort()

    page.route("**/reads", refuse)
    page.keyboard.press("1")
    page.keyboard.press("s")
    expect(page.locator("#message")).to_contain_text("kept in this browser")
    expect(page.locator("#waiting")).to_contain_text("1 read kept here, not sent yet")
    page.reload()
    expect(page.locator("#message")).to_contain_text("kept in this browser")
    assert open_room.study(uid)["reads"] == []

    # The server takes the read, but its answer is lost on the way: sent again, it is still one read.
    answered: list[int] = []

    def lose_the_answer(route: Route) -> None:
        answered.append(route.fetch().status)
        route.abort()

    # The later route comes first, so that no try slips through between the two.
    page.route("**/reads", lose_the_answer, times=1)
    for _ in range(200):
        if answered:
            break
        page.wait_for_timeout(100)
    page.unroute("**/reads", refuse)
    expect(page.locator("#waiting")).to_be_hidden(timeout=20_000)
    assert answered == [201]
    assert len(open_room.study(uid)["reads"]) == 1  # type: ignore[arg-type]


def test_a_double_click_is_one_read(page: Page, open_room: Room) -> None:
    (uid,) = open_room.upload(SAMPLES[11])
    scored(open_room, page, uid)
    begin(page, uid)
    page.get_by_role("button", name="All others absent").click()
    page.get_by_role("button", name="Save").dblclick()
    expect(page).not_to_have_url(re.compile(re.escape(uid)))
    assert len(open_room.study(uid)["reads"]) == 1  # type: ignore[arg-type]


def test_a_study_can_be_read_again_and_its_history_stays(page: Page, open_room: Room) -> None:
    (uid,) = open_room.upload(SAMPLES[12])
    scored(open_room, page, uid)
    begin(page, uid)
    for key in "1as":
        page.keyboard.press(key)
    expect(page).not_to_have_url(re.compile(re.escape(uid)))
    page.goto(f"/studies/{uid}")
    expect(page.get_by_text("1 read of this study")).to_be_visible()
    expect(page.locator("#go-on")).to_be_focused()
    page.keyboard.press("e")
    expect(page).to_have_url(re.compile("again=1"))
    expect(page.locator("#message")).to_contain_text("present:")
    expect(page.locator("input:checked").first).to_have_value("1")
    page.keyboard.press("2")
    page.keyboard.press("s")
    expect(page).not_to_have_url(re.compile(re.escape(uid)))
    assert [read["version"] for read in open_room.study(uid)["reads"]] == [2, 1]  # type: ignore[attr-defined]


def test_a_film_that_comes_while_the_study_is_read_is_announced_and_labels_stay(page: Page, open_room: Room) -> None:
    (uid,) = open_room.upload(SAMPLES[1], accession="LATE", patient_id="P-LATE")
    scored(open_room, page, uid)
    begin(page, uid)
    page.keyboard.press("3")
    page.locator("#comment").fill("only one view yet")
    assert open_room.upload(SAMPLES[2], accession="LATE", patient_id="P-LATE") == [uid]
    expect(page.get_by_text("This study changed:")).to_be_visible()
    page.get_by_role("link", name="Show it as it is now").click()
    expect(page.locator(".stage .film")).to_have_count(2)
    expect(page.locator("#message")).to_contain_text("uncertain:")
    expect(page.locator("#comment")).to_have_value("only one view yet")
    page.keyboard.press("c")
    expect(page.locator(".stage .film.shown")).to_have_count(2)


def test_films_go_under_the_patient_that_was_in_the_form_when_they_were_chosen(page: Page, open_room: Room) -> None:
    page.goto("/upload")
    page.locator("#patient_id").fill("FIRST")
    # Chosen and renamed in one go: the films still wait when the form changes.
    page.set_input_files("#choose-files", SAMPLES[:6])
    page.locator("#patient_id").fill("SECOND")
    expect(page.locator("#files li[data-state=stored]")).to_have_count(6, timeout=SCORED_MS)
    links = page.locator("#files li a").all()
    uids = [str(link.get_attribute("href")).removeprefix("/studies/") for link in links]
    assert {open_room.study(uid)["patient_id"] for uid in uids} == {"FIRST"}


def test_the_list_refreshes_and_keeps_the_place(page: Page, open_room: Room) -> None:
    first, *_ = open_room.upload(SAMPLES[13])
    scored(open_room, page, first)
    page.goto("/?status=all")
    expect(page.locator("#connection")).to_have_text("Ready")
    page.keyboard.press("j")
    held = page.evaluate("document.activeElement.closest('tr').dataset.key")
    count = page.locator("#rows tr").count()
    open_room.upload(ROOT / "samples" / "nih_test1.dcm", priority="STAT")
    # Somebody is in the list: what came is announced, and shown when it is asked for.
    expect(page.locator("#arrivals")).to_contain_text("1 new", timeout=20_000)
    expect(page.locator("#rows tr")).to_have_count(count)
    page.locator("#arrivals button").click()
    expect(page.locator("#rows tr")).to_have_count(count + 1)
    assert page.locator(f"#rows tr[data-key='{held}']").count() == 1


def test_a_blind_study_shows_no_answer_until_its_read_is_saved(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path, HILUM_BLIND_SHARE="1") as room:
        watch = Watch(room.url, expected="status of 404")
        context = browser.new_context(base_url=room.url)
        page = context.new_page()
        watch.attach(page)
        (uid,) = room.upload(SAMPLES[0])
        scored(room, page, uid)
        for path in ("/", f"/studies/{uid}", "/pneumonia", "/history"):
            page.goto(path)
            page.wait_for_load_state("networkidle")
            table = page.locator("table.studies tbody, table.findings tbody")
            if table.count():
                expect(table).not_to_contain_text("%")
            assert "data-heat-of" not in page.content()
        begin(page, uid)
        shown = [row.get_attribute("data-finding") for row in page.locator("tr[data-finding]").all()]
        assert shown == [item["name"] for item in room.study(uid)["findings"]]  # type: ignore[attr-defined]
        page.keyboard.press("1")
        page.keyboard.press("s")
        expect(page.get_by_text("Your blind read is saved.")).to_be_visible()
        expect(page.locator("table.findings tbody")).to_contain_text("%")
        assert room.study(uid)["reads"][0]["blind"] is True  # type: ignore[index]
        context.close()
        assert watch.complaints == []


def test_a_wrong_address_is_a_page_for_people(page: Page, watch: Watch) -> None:
    watch.expected = "status of 404"
    page.goto("/studies/1.2.3")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    expect(page.get_by_role("link", name="To the worklist")).to_be_visible()
