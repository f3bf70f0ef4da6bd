"""The viewer in a real browser: pixels against `hilum.imaging`, rulers, marks, priors, preload, contrast, layout."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Playwright, Request, expect, sync_playwright

from hilum.imaging import decode, decode_8bit, decode_frame
from hilum.imaging.voi import Window, windowed
from tests.e2e.reading_room import ARGUMENTS, ROOT, Room, Watch, chromium_path, running
from tests.fixtures.real import cannot_start
from tests.hilum.imaging.bodies import dicom

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
expect.set_options(timeout=30_000)
SAMPLES = ROOT / "samples"
NEMA = SAMPLES / "nema_rg1.dcm"
# Each value of 12 bits sixteen times: what 8 bits can't tell apart is in it.
DEEP = (np.arange(256 * 256, dtype=np.uint16) % 4096).reshape(256, 256)
NO_CARD = """
const before = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, options) {
  return kind === "webgl2" ? null : before.call(this, kind, options);
};
"""
# The machine that tests may have no graphics card; then the browser plays one, of which the page would want nothing.
ANY_CARD = """
const before = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, options) {
  if (kind !== "webgl2") return before.call(this, kind, options);
  const context = before.call(this, kind, { ...options, failIfMajorPerformanceCaveat: false });
  context.getExtension = () => null;
  return context;
};
"""
SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (entry.hadRecentInput) continue;
    const moved = entry.sources.map(({ node, previousRect, currentRect }) =>
      [node?.nodeName, node?.className, JSON.stringify(previousRect), JSON.stringify(currentRect)]);
    window.shifts.push(`${entry.value}: ${moved}`);
  }
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium with WebGL by software, for the machine may have no graphics card."""
    path = chromium_path()
    if path is None:
        cannot_start("Chromium", FileNotFoundError("no /usr/bin/chromium, and HILUM_CHROMIUM names none"))
    arguments = [*ARGUMENTS, "--enable-unsafe-swiftshader", "--force-color-profile=srgb"]
    browser = playwright.chromium.launch(executable_path=path, args=arguments)
    yield browser
    browser.close()


class Films:
    """The room's studies, each uploaded when first asked for."""

    def __init__(self, room: Room, folder: Path) -> None:
        self.room = room
        self.deep = folder / "deep.dcm"
        header: dict[str, Any] = {"WindowCenter": 2048, "WindowWidth": 4096, "BitsStored": 12}
        self.deep.write_bytes(
            dicom(DEEP, ImagerPixelSpacing=[0.2, 0.1], PatientOrientation=["L", "F"], PatientID="DEEP", **header)
        )
        self.flat = folder / "flat.dcm"
        rescaled = {**header, "WindowCenter": 3000, "WindowWidth": 6000, "RescaleSlope": 2, "RescaleIntercept": -1024}
        self.flat.write_bytes(dicom(DEEP, PatientID="FLAT", **rescaled))
        self.known: dict[str, str] = {}

    def uid(self, name: str) -> str:
        if name not in self.known:
            made = {
                "deep": lambda: self.room.upload(self.deep),
                "flat": lambda: self.room.upload(self.flat),
                "real": lambda: self.room.upload(NEMA),
                "old": lambda: self.room.upload(*_jpegs(0), accession="OLD", patient_id="P-1", site="North"),
                "new": lambda: self.room.upload(*_jpegs(1, 2), accession="NEW", patient_id="P-1", site="North"),
            }[name]()
            self.known[name] = made[0]
        return self.known[name]


def _jpegs(*numbers: int) -> list[Path]:
    found = sorted(SAMPLES.glob("nih_0*.jpg"))
    return [found[number] for number in numbers]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Films]:
    folder = tmp_path_factory.mktemp("viewer")
    with running(folder, HILUM_BLIND_SHARE="0") as room:
        films = Films(room, folder)
        for name in ("deep", "flat", "real", "old", "new"):
            films.uid(name)
        for uid in films.known.values():
            _wait_scored(room, uid)
        yield films


def _wait_scored(room: Room, uid: str) -> None:
    for _ in range(600):
        if room.study(uid)["status"] != "waiting":
            return
        time.sleep(0.1)
    raise AssertionError("not scored")


@pytest.fixture
def watch(films: Films) -> Watch:
    return Watch(films.room.url)


@pytest.fixture
def page(browser: Browser, films: Films, watch: Watch) -> Iterator[Page]:
    context = browser.new_context(base_url=films.room.url, viewport={"width": 1366, "height": 768})
    page = context.new_page()
    page.add_init_script(ANY_CARD)
    watch.expected = "GPU stall due to ReadPixels"
    watch.attach(page)
    yield page
    context.close()
    assert watch.complaints == []


def begin(page: Page, uid: str, painter: str | None = "webgl2") -> None:
    page.goto(f"/studies/{uid}")
    shown = page.locator(".film.shown").first
    expect(shown).to_have_attribute("data-painted", painter or re.compile("."))
    # The form takes the focus when it is ready; a key before that is the film's.
    expect(page.locator("#message")).to_contain_text("Nothing judged yet.")


def until(page: Page, holds: str) -> None:
    """Wait for an expression; the page's policy forbids what Playwright's own wait does."""
    for _ in range(600):
        if page.evaluate(holds):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never: {holds}")


def picture(page: Page, canvas: str = "pixels") -> npt.NDArray[np.uint8]:
    """The stage's pixels as they stand on the screen, or the magnifier's."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    url = page.evaluate(
        "document.querySelector('.film.shown canvas.PLACE').toDataURL('image/png')".replace("PLACE", canvas)
    )
    with Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))) as image:
        channels = np.asarray(image.convert("RGB"))
    assert np.array_equal(channels[..., 0], channels[..., 1])
    return np.asarray(channels[..., 0])


def centred(stage: npt.NDArray[np.uint8], shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """The part of the stage on which a film of `shape` lies at 1:1, in its middle."""
    top, left = ((whole - part + 1) // 2 for whole, part in zip(stage.shape, shape, strict=True))
    return stage[top : top + shape[0], left : left + shape[1]]


def far(one: npt.NDArray[Any], two: npt.NDArray[Any]) -> int:
    """The largest difference in grey levels."""
    return int(np.abs(one.astype(int) - two.astype(int)).max())


def set_window(page: Page, centre: float, width: float) -> None:
    for name, value in (("centre", centre), ("width", width)):
        page.locator(f"#{name}").fill(str(value))
        page.keyboard.press("Tab")
    page.locator(".film.shown").first.focus()


@pytest.mark.parametrize("painter", ["webgl2", "canvas"])
def test_each_of_4096_values_is_windowed_as_on_the_server(page: Page, films: Films, painter: str) -> None:
    if painter == "canvas":
        page.add_init_script(NO_CARD)
    begin(page, films.uid("flat"), painter)
    page.keyboard.press("z")
    expect(page.locator(".film.shown .readout")).to_contain_text("100 %")
    shown = centred(picture(page), (256, 256))
    assert far(shown, decode_8bit(decode(films.flat.read_bytes()))) <= 1
    for centre, width in ((2000, 64), (100, 4000), (4000, 1)):
        set_window(page, centre, width)
        expected = np.rint(windowed(DEEP.astype(np.float64) * 2 - 1024, Window(centre, width)) * 255)
        assert far(centred(picture(page), (256, 256)), expected) <= 1


@pytest.mark.parametrize("painter", ["webgl2", "canvas"])
def test_a_real_15_bit_film_is_windowed_exactly_at_one_to_one(page: Page, films: Films, painter: str) -> None:
    if painter == "canvas":
        page.add_init_script(NO_CARD)
    frame = decode_frame(NEMA.read_bytes())
    begin(page, films.uid("real"), painter)
    page.keyboard.press("z")
    expect(page.locator(".film.shown .readout")).to_contain_text("100 %")
    stage = picture(page)
    height, width = stage.shape
    top, left = ((part - whole) // 2 for whole, part in zip(stage.shape, frame.values.shape, strict=True))
    inside = (slice(top, top + height), slice(left, left + width))
    assert far(stage, frame.table[frame.values[inside]]) <= 1

    # The magnifier, in the middle until the pointer moves, shows the same piece two and a half times as large.
    page.keyboard.press("g")
    lens = Image.fromarray(picture(page, "lens"))
    apart = {}
    for times in (1.5, 2, 2.25, 2.5, 2.75, 3, 4):
        side = round(lens.width / times)
        small = np.asarray(lens.resize((side, side), Image.Resampling.BOX), dtype=float)
        apart[times] = np.abs(small - centred(stage, (side, side))).mean()
    assert min(apart, key=lambda times: apart[times]) == 2.5, apart
    page.keyboard.press("g")

    # Three hundred of 32,768 values from black to white: 8 bits would show three greys of it.
    middle = float(np.median(frame.values[inside]))
    set_window(page, round(middle), 300)
    values = frame.values[inside].astype(np.float64)
    expected = np.rint((1 - windowed(values, Window(round(middle), 300))) * 255)
    shown = picture(page)
    assert far(shown, expected) <= 1
    assert len(np.unique(shown)) > 200

    page.keyboard.press("i")
    assert far(picture(page), 255 - expected) <= 1
    page.keyboard.press("i")
    page.keyboard.press("o")
    page.keyboard.press("z")
    turned = picture(page)
    whole = np.rint((1 - windowed(frame.values.astype(np.float64), Window(round(middle), 300))) * 255)
    whole = np.rot90(whole, -1)
    top, left = ((part - size) // 2 for size, part in zip(turned.shape, whole.shape, strict=True))
    assert far(turned, whole[top : top + height, left : left + width]) <= 1


def test_both_painters_show_a_reduced_film_alike(browser: Browser, films: Films) -> None:
    shown = []
    for script in (ANY_CARD, NO_CARD):
        context = browser.new_context(base_url=films.room.url, viewport={"width": 1366, "height": 768})
        page = context.new_page()
        page.add_init_script(script)
        begin(page, films.uid("real"), None)
        shown.append((page.locator(".film.shown").get_attribute("data-painted"), picture(page)))
        context.close()
    assert [name for name, _ in shown] == ["webgl2", "canvas"]
    assert shown[0][1].std() > 20
    # Where a sample falls on the border of two pixels, the card and the processor may choose differently.
    assert np.mean(np.abs(shown[0][1].astype(int) - shown[1][1].astype(int))) < 0.5


def test_sides_turn_with_the_film_and_are_not_guessed(page: Page, films: Films) -> None:
    begin(page, films.uid("real"))
    side = {name: page.locator(f".film.shown .side[data-at={name}]") for name in ("top", "right", "bottom", "left")}
    assert {name: mark.text_content() for name, mark in side.items()} == {
        "top": "H",
        "right": "L",
        "bottom": "F",
        "left": "R",
    }
    page.keyboard.press("o")
    expect(side["right"]).to_have_text("H")
    assert {name: mark.text_content() for name, mark in side.items()} == {
        "top": "R",
        "right": "H",
        "bottom": "L",
        "left": "F",
    }
    expect(page.locator("#film-status")).to_contain_text("Turned by 90 degrees")
    page.keyboard.press("O")
    expect(side["top"]).to_have_text("H")
    begin(page, films.uid("old"))
    expect(page.locator(".film.shown .readout")).to_contain_text("sides not stated")
    expect(page.locator(".film.shown .readout")).to_contain_text("px, uncalibrated")
    assert page.locator(".film.shown .side[data-at=top]").text_content() == ""
    expect(page.locator(".film.shown .marks")).to_have_text("LOSSY")


def test_a_ruler_gives_the_length_of_a_known_distance(page: Page, films: Films) -> None:
    begin(page, films.uid("deep"))
    page.keyboard.press("z")
    page.keyboard.press("l")
    box = page.locator(".film.shown").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    # At 1:1 a hundred screen pixels across are a hundred film pixels of 0.1 mm.
    page.mouse.move(x - 50, y)
    page.mouse.down()
    page.mouse.move(x + 50, y, steps=4)
    page.mouse.up()
    length = page.locator(".film.shown .rulers .length")
    expect(length).to_have_text("10.0 mm at the detector (less in the patient)")
    # Down, each film pixel of 0.2 mm is two screen pixels high: the same millimetres.
    page.mouse.move(x, y - 50)
    page.mouse.down()
    page.mouse.move(x, y + 50, steps=4)
    page.mouse.up()
    expect(length.nth(1)).to_have_text("10.0 mm at the detector (less in the patient)")
    page.keyboard.press("Delete")
    expect(length).to_have_count(1)
    page.keyboard.press("r")
    expect(length).to_have_count(0)


def test_a_ruler_needs_no_mouse_and_says_pixels_where_there_is_no_spacing(page: Page, films: Films) -> None:
    begin(page, films.uid("old"))
    page.keyboard.press("z")
    page.keyboard.press("l")
    page.keyboard.press("Enter")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".film.shown .rulers .length")).to_have_text("40 px, uncalibrated")
    expect(page.locator("#film-status")).to_have_text("Ruler: 40 px, uncalibrated")
    page.keyboard.press("Escape")
    expect(page.locator("#ruler")).to_have_attribute("aria-pressed", "false")


def test_windows_by_drag_by_preset_and_by_key_and_back(page: Page, films: Films) -> None:
    begin(page, films.uid("deep"))
    centre, width = page.locator("#centre"), page.locator("#width")
    assert (centre.input_value(), width.input_value()) == ("2048", "4096")
    box = page.locator(".film.shown").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 100, y + 100, steps=5)
    page.mouse.up()
    assert int(centre.input_value()) > 2048
    assert int(width.input_value()) > 4096
    assert page.locator("#preset option:checked").text_content() == "Own window"
    page.keyboard.press("5")
    assert page.locator("#preset option:checked").text_content() == "Lungs"
    assert int(centre.input_value()) < 2048
    assert int(width.input_value()) < 4096
    page.keyboard.press("d")
    expect(page.locator("#film-status")).to_contain_text("Window centre")
    page.keyboard.press("4")
    assert (centre.input_value(), width.input_value()) == ("2048", "4096")
    page.select_option("#preset", label="High contrast")
    assert abs(int(width.input_value()) - 0.84 * 4096) < 60
    page.keyboard.press("Escape")
    page.locator(".film.shown").focus()
    page.keyboard.press("g")
    expect(page.locator(".film.shown canvas.lens")).to_be_visible()
    page.mouse.move(x - 60, y - 60)
    page.keyboard.press("r")
    expect(page.locator(".film.shown canvas.lens")).to_be_hidden()
    assert (centre.input_value(), width.input_value()) == ("2048", "4096")


def test_the_wheel_zooms_where_the_pointer_is_and_fit_brings_the_whole_film_back(page: Page, films: Films) -> None:
    begin(page, films.uid("real"))
    fit = page.locator(".film.shown .readout").text_content()
    box = page.locator(".film.shown").bounding_box()
    assert box
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    spot = "document.querySelector('.film.shown .sheet').getBoundingClientRect().toJSON()"
    before = page.evaluate(spot)
    page.mouse.wheel(0, -500)
    until(page, f"({spot}).width > {before['width']} * 1.5")
    after = page.evaluate(spot)
    at = [(box["x"] + 100 - rect["x"]) / rect["width"] for rect in (before, after)]
    assert abs(at[0] - at[1]) < 0.002
    page.locator(".film.shown").focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(spot)["x"] > after["x"]
    page.keyboard.press("f")
    expect(page.locator(".film.shown .readout")).to_have_text(str(fit))


def test_the_earlier_study_of_the_patient_stands_beside(page: Page, films: Films) -> None:
    begin(page, films.uid("new"))
    shown = page.locator(".stage .film.shown")
    page.keyboard.press("b")
    expect(shown).to_have_count(2)
    expect(shown.nth(1)).to_contain_text("PRIOR")
    expect(shown.nth(1)).to_have_attribute("data-painted", "webgl2")
    page.keyboard.press("c")
    expect(shown).to_have_count(3)
    page.keyboard.press("h")
    expect(page.locator(".heat-note:visible")).to_have_count(2)
    assert page.locator(".film.prior img.heat").count() == 0
    opacity = page.locator("#opacity").input_value()
    page.keyboard.press("[")
    assert int(page.locator("#opacity").input_value()) == int(opacity) - 10
    page.keyboard.press("b")
    expect(shown).to_have_count(2)


def test_the_help_shows_every_shortcut_that_works_here(page: Page, films: Films) -> None:
    begin(page, films.uid("deep"))
    page.keyboard.press("?")
    shown = set(page.locator("#shortcuts kbd").all_text_contents())
    assert shown >= set("jk1230asxnpehifz+-oOdD<>.45678glmvcb[]rwu?")
    assert shown >= {"Esc", "↑", "↓", "Delete", "wheel", "drag", "Shift + drag", "double click"}
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert len(page.locator("#shortcuts dt").all()) == len({*page.locator("#shortcuts dd").all_text_contents()})


def test_a_frame_that_does_not_come_is_said_and_can_be_tried_again(page: Page, films: Films, watch: Watch) -> None:
    watch.expected = "status of 503|GPU stall due to ReadPixels"
    page.route("**/frame", lambda route: route.fulfill(status=503, json={"detail": "The store is away"}))
    page.goto(f"/studies/{films.uid('deep')}")
    note = page.locator(".film.shown .film-note")
    expect(note).to_contain_text("Only a small 8-bit picture is shown: The store is away.")
    expect(page.locator(".film.shown img.picture")).to_have_js_property("complete", True)
    expect(page.locator("#centre")).to_be_disabled()
    page.unroute("**/frame")
    note.get_by_role("button", name="Try again").click()
    expect(page.locator(".film.shown")).to_have_attribute("data-painted", "webgl2")
    expect(note).to_be_hidden()


def test_a_blind_next_study_brings_pixels_beforehand_and_no_answer(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path, HILUM_BLIND_SHARE="1") as room:
        uids = [room.upload(path)[0] for path in _jpegs(3, 4)]
        for uid in uids:
            _wait_scored(room, uid)
        asked: list[str] = []
        bodies: list[str] = []
        context = browser.new_context(base_url=room.url)
        page = context.new_page()

        def note(request: Request) -> None:
            asked.append(request.url.removeprefix(room.url))
            answer = request.response()
            if answer and "json" in (answer.headers.get("content-type") or ""):
                bodies.append(answer.text())

        page.on("requestfinished", note)
        page.goto("/")
        page.locator("a.open").first.click()
        until(page, "performance.getEntriesByName('hilum:preloaded').length === 1")
        after = next(uid for uid in uids if uid not in page.url)
        films = [url for url in asked if f"/v1/studies/{after}/films" in url]
        assert {url.rsplit("/", 1)[1] for url in films} == {"films", "preview.png", "thumbnail.png", "frame"}
        assert not [url for url in asked if "/heat?" in url]
        assert not [text for text in bodies if '"probability"' in text]
        page.keyboard.press("h")
        page.wait_for_timeout(300)
        assert not [url for url in asked if "/heat?" in url]
        assert page.locator("[data-heat], #opacity").count() == 0
        context.close()


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (3840, 2160)])
def test_nothing_shifts_nothing_is_cut_off_and_every_text_is_legible(
    browser: Browser, films: Films, width: int, height: int
) -> None:
    context = browser.new_context(base_url=films.room.url, viewport={"width": width, "height": height})
    page = context.new_page()
    page.add_init_script(SHIFTS)
    begin(page, films.uid("new"), None)
    page.keyboard.press("b")
    page.keyboard.press("h")
    expect(page.locator(".heat-note:visible")).to_have_count(1)
    expect(page.locator("#connection")).to_have_text("Ready")
    assert page.evaluate("window.shifts") == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for part in page.locator(".toolbar > *, .strip > *").all():
        box = part.bounding_box()
        assert box
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= height
    stage = page.locator(".stage").bounding_box()
    assert stage
    assert stage["height"] > 0.6 * height
    faint = page.evaluate((Path(__file__).parent / "contrast.js").read_text(encoding="utf-8"))
    assert faint == []
    context.close()
