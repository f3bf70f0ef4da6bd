"""Measure the viewer in a real browser on loopback: how soon the next study's first pixels stand on the screen.

Runs the real `hilum run` with films made of a real sample's pixels. Counts from the key to the moment at which Chromium
painted the film's first picture (Element Timing), and to its stored values being drawn.
Writes `docs/benchmarks/viewer-<cpu>.csv`. Without a graphics card the
processor draws, which is slower.
"""

from __future__ import annotations

import argparse
import csv
import functools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from rich.console import Console
from rich.table import Table

from bench.machine import describe, slug
from hilum.imaging import decode_frame
from tests.e2e.reading_room import ARGUMENTS, ROOT, Room, chromium_path, running
from tests.hilum.imaging.bodies import dicom

console = Console(stderr=True)
SAMPLES = ROOT / "samples"
# The moment of the key, and of both pictures, on the one clock that all pages of the browser share.
TIMES = """
addEventListener("keydown", (event) => {
  sessionStorage.setItem("bench.key", String(performance.timeOrigin + event.timeStamp));
}, true);
window.bench = {};
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (entry.identifier === "film") window.bench.first ??= performance.timeOrigin + entry.renderTime;
  }
}).observe({ type: "element", buffered: true });
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const at = performance.timeOrigin + entry.startTime;
    if (entry.name === "hilum:frame") window.bench.frame ??= at;
    if (entry.name === "hilum:preloaded") window.bench.preloaded ??= at;
  }
}).observe({ type: "mark", buffered: true });
"""
ASK = "() => ({ ...window.bench, key: Number(sessionStorage.getItem('bench.key')) })"
MEGAPIXEL = 1_000_000


@dataclass(frozen=True)
class Figure:
    """One measured value; `samples` is how many single measurements it comes from."""

    name: str
    value: float
    unit: str
    samples: int = 1


def _film(side: int, number: int) -> bytes:
    """A 12-bit DICOM film of `side` pixels: the real 15-bit sample's pixels, tiled, none like another."""
    real = decode_frame((SAMPLES / "nema_rg1.dcm").read_bytes()).values >> 3
    times = -(-side // min(real.shape))
    pixels = np.tile(real, (times, times))[:side, :side].astype(np.uint16)
    pixels[0, 0] = number
    window = {"WindowCenter": 1875, "WindowWidth": 3750, "PhotometricInterpretation": "MONOCHROME1"}
    return dicom(pixels, BitsStored=12, PatientID=f"P-{number}", **window)


def _wait(room: Room, uids: list[str]) -> None:
    for uid in uids:
        while room.study(uid)["status"] == "waiting":
            time.sleep(0.1)


@contextmanager
def _page(browser: Browser, room: Room) -> Iterator[tuple[BrowserContext, Page]]:
    context = browser.new_context(base_url=room.url, viewport={"width": 1366, "height": 768})
    page = context.new_page()
    page.add_init_script(TIMES)
    yield context, page
    context.close()


def _here(page: Page, *, preloaded: bool) -> dict[str, float]:
    """The page's times, once the film stands there and the next one is fetched."""
    wanted = {"first", "frame", "preloaded"} if preloaded else {"first", "frame"}
    deadline = time.perf_counter() + 120
    while time.perf_counter() < deadline:
        found: dict[str, float] = page.evaluate(ASK)
        if wanted <= found.keys():
            return found
        page.wait_for_timeout(20)
    raise SystemExit(f"never seen on {page.url}: {wanted - found.keys()}")


def _walk(page: Page, count: int, keys: str) -> tuple[list[float], list[float]]:
    """Milliseconds from the last of `keys` to first pixels and to stored values, over `count` studies."""
    page.goto("/")
    page.locator("a.open").first.click()
    first, full = [], []
    for number in range(count):
        _here(page, preloaded=True)
        before = page.url
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_url(lambda url, before=before: url != before, timeout=60_000)
        times = _here(page, preloaded=False)
        first.append(times["first"] - times["key"])
        full.append(times["frame"] - times["key"])
        console.print(f"{keys} {number}: {first[-1]:.0f} ms, {full[-1]:.0f} ms")
    return first, full


def _figures(name: str, first: list[float], full: list[float]) -> list[Figure]:
    count = len(first)
    made = []
    for what, values in (("first pixels", first), ("stored values drawn", full)):
        made.append(Figure(f"{name}: key to {what}, p50", statistics.median(values), "ms", count))
        made.append(Figure(f"{name}: key to {what}, p95", statistics.quantiles(values, n=20)[-1], "ms", count))
    return made


def _walks(browser: Browser, folder: Path, studies: int, side: int) -> list[Figure]:
    name = f"{side} x {side}, 12 bit"
    with running(folder, HILUM_BLIND_SHARE="0") as room:
        uids = []
        for number in range(studies + 2):
            path = folder / f"{number}.dcm"
            path.write_bytes(_film(side, number))
            uids += room.upload(path)
        _wait(room, uids)
        with _page(browser, room) as (_, page):
            looked = _walk(page, studies // 2, "n")
        with _page(browser, room) as (_, page):
            saved = _walk(page, studies, "as")
    return [*_figures(f"{name}: next (n)", *looked), *_figures(f"{name}: save and next (s)", *saved)]


def _memory(page: Page) -> float:
    """Megabytes of this page's heap and buffers, after the browser has tidied up."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    found = session.send("Runtime.getHeapUsage")
    return float((found["usedSize"] + found.get("backingStorageSize", 0)) / 1e6)


def _large(browser: Browser, folder: Path) -> list[Figure]:
    """The largest upload that is taken: 64 MB."""
    figures = []
    with running(folder, HILUM_BLIND_SHARE="0") as room:
        path = folder / "large.dcm"
        path.write_bytes(_film(5_650, 1))
        uids = room.upload(path)
        _wait(room, uids)
        for turn in ("first time", "again"):
            with _page(browser, room) as (_, page):
                began = time.perf_counter()
                page.goto(f"/studies/{uids[0]}")
                _here(page, preloaded=False)
                seconds = time.perf_counter() - began
                figures.append(Figure(f"64 MB film, opened ({turn}): stored values drawn", 1000 * seconds, "ms"))
                figures.append(Figure(f"64 MB film ({turn}): memory of the page", _memory(page), "MB"))
                moved = page.evaluate(_DRAG)
                figures.append(Figure(f"64 MB film ({turn}): one step of the window, painted", moved, "ms", 20))
    return figures


_DRAG = """async () => {
  const began = performance.now();
  for (let n = 0; n < 20; n += 1) {
    document.dispatchEvent(new KeyboardEvent("keydown", { key: n % 2 ? "d" : "D", bubbles: true }));
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  }
  document.querySelector(".film.shown canvas.pixels").getContext("2d").getImageData(0, 0, 1, 1);
  return (performance.now() - began) / 20;
}"""


def _many(browser: Browser, folder: Path) -> list[Figure]:
    """A study of twenty films of 18 MB, each shown: what the page holds at the end."""
    count = 20
    with running(folder, HILUM_BLIND_SHARE="0") as room:
        pixels = decode_frame((SAMPLES / "nema_rg1.dcm").read_bytes()).values >> 3
        pixels = np.tile(pixels, (2, 2))[:3000, :3000].astype(np.uint16)
        study = "1.2.826.0.1.3680043.8.498.77"
        uid = ""
        for number in range(count):
            path = folder / f"{number}.dcm"
            pixels[0, 0] = number
            path.write_bytes(dicom(pixels, BitsStored=12, StudyInstanceUID=study, PatientID="P-1"))
            (uid,) = room.upload(path)
        with _page(browser, room) as (_, page):
            page.goto(f"/studies/{uid}")
            _here(page, preloaded=False)
            one = _memory(page)
            for _ in range(count - 1):
                page.keyboard.press("v")
                page.wait_for_selector(".film.shown[data-painted]", timeout=60_000)
            all_of_them = _memory(page)
    return [
        Figure("study of 20 films of 18 MB: memory of the page with one shown", one, "MB"),
        Figure("study of 20 films of 18 MB: memory after all were shown", all_of_them, "MB"),
    ]


def main() -> None:
    """Measure, print, and write the CSV."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=30, help="studies of each size to read (default 30)")
    parser.add_argument("--sides", type=int, nargs="+", default=[1024, 2500], help="film sizes in pixels")
    parser.add_argument("--no-large", action="store_true", help="leave the 64 MB film and the many films out")
    options = parser.parse_args()
    path = chromium_path()
    if path is None:
        sys.exit("no Chromium: HILUM_CHROMIUM can name one")
    stages: list[Callable[[Browser, Path], list[Figure]]] = [
        functools.partial(_walks, studies=options.studies, side=side) for side in options.sides
    ]
    stages += [] if options.no_large else [_large, _many]
    figures = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        for stage in stages:
            with tempfile.TemporaryDirectory(prefix="hilum-bench-") as folder:
                figures += stage(browser, Path(folder))
            # After each: the first figures are not lost by what comes last.
            _write(figures)
        browser.close()
    table = Table("figure", "value", "unit", "n", title=describe())
    for figure in figures:
        table.add_row(figure.name, f"{figure.value:.3g}", figure.unit, str(figure.samples))
    console.print(table)


def _write(figures: list[Figure]) -> None:
    target = ROOT / "docs/benchmarks" / f"viewer-{slug()}.csv"
    with target.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["figure", "value", "unit", "n", "machine"])
        for figure in figures:
            writer.writerow([figure.name, f"{figure.value:.3g}", figure.unit, figure.samples, describe()])


if __name__ == "__main__":
    main()
