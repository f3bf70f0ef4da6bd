"""Drop a folder of 10,000 films on the upload page of a real `hilum run`, in a real Chromium, and look how it bears it.

    python -m bench.many_films [--films 10000]

The films are small pictures made of a sample's, none like another. Measured: how long until each has its outcome, how
long the page was ever without a frame (is it calm?), the list's answers meanwhile, memory of page and service; at the
end every film must be listed exactly once. `--minutes` presses Stop then, and what was stored must be listed exactly
once. Writes `docs/benchmarks/many-films-<cpu>.csv`.
"""

from __future__ import annotations

import argparse
import csv
import math
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from rich.console import Console

from bench.machine import describe, slug
from tests.e2e.reading_room import ARGUMENTS, Room, chromium_path, running
from tests.releases import make_tiny_release

ROOT = Path(__file__).resolve().parent.parent
SIDE = 64
LOOK_SECONDS = 1.0
console = Console(stderr=True)
# The longest time between two frames since the last question, in milliseconds.
FRAMES = """
window.bench = { last: performance.now(), worst: 0 };
(function frame(now) {
  window.bench.worst = Math.max(window.bench.worst, now - window.bench.last);
  window.bench.last = now;
  requestAnimationFrame(frame);
})(performance.now());
"""
ASK = """() => {
  const worst = window.bench.worst;
  window.bench.worst = 0;
  return { worst, text: document.getElementById("totals-text").textContent,
    open: !document.getElementById("totals").hidden && document.getElementById("to-list").hidden };
}"""


@dataclass
class Seen:
    """What was looked at once a second."""

    gaps: list[float] = field(default_factory=list)
    lists: list[float] = field(default_factory=list)
    service: list[float] = field(default_factory=list)


def make_films(folder: Path, count: int) -> None:
    """`count` PNGs of 64 pixels a side: the sample, each with grain of its own."""
    sample = next(path for path in sorted((ROOT / "samples").glob("*.jpg")))
    with Image.open(sample) as picture:
        base = np.asarray(picture.convert("L").resize((SIDE, SIDE)), dtype=np.int16)
    rng = np.random.default_rng(1)
    folder.mkdir()
    for number in range(count):
        grain = base + rng.integers(-6, 7, base.shape, dtype=np.int16)
        Image.fromarray(np.clip(grain, 0, 255).astype(np.uint8)).save(folder / f"film-{number:05}.png")


def drop(page: Page, folder: Path) -> None:
    """Drop `folder` on the page, as the desktop does."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 200, "data": data})


def memory_of(page: Page) -> float:
    """Megabytes of the page's heap, after the browser has tidied up."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"] / 1e6)


def _metric(room: Room, name: str) -> float:
    """Of the service's own process: resident memory in bytes, processor time in seconds."""
    lines = httpx.get(f"{room.url}/metrics", timeout=60).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def _service_mb(room: Room) -> float:
    return _metric(room, "process_resident_memory_bytes") / 1e6


def watch(page: Page, room: Room, count: int, longest: float) -> tuple[Seen, float]:
    """Look until each film has its outcome, for `longest` seconds; what was seen, and the seconds."""
    seen, began, said = Seen(), time.monotonic(), 0.0
    while True:
        if time.monotonic() - began > longest and page.locator("#stop").is_visible():
            page.click("#stop")
        page.wait_for_timeout(1000 * LOOK_SECONDS)
        now = page.evaluate(ASK)
        seen.gaps.append(now["worst"])
        started = time.monotonic()
        httpx.get(f"{room.url}/v1/studies?limit=50", timeout=60).raise_for_status()
        seen.lists.append(1000 * (time.monotonic() - started))
        if len(seen.service) * 10 < time.monotonic() - began:
            seen.service.append(_service_mb(room))
        if time.monotonic() - said > 20:
            said = time.monotonic()
            console.print(f"{time.monotonic() - began:.0f} s: {now['text']}; worst gap {now['worst']:.0f} ms")
        if not now["open"] and now["text"].startswith(f"{count:,} of {count:,} files"):
            console.print(now["text"])
            return seen, time.monotonic() - began


def listed(room: Room) -> Counter[str]:
    """How often each study stands in the list."""
    found: Counter[str] = Counter()
    cursor = ""
    with httpx.Client(base_url=room.url, timeout=60) as client:
        while True:
            query = {"status": "all", "limit": "200", **({"cursor": cursor} if cursor else {})}
            answer = client.get("/v1/studies", params=query).raise_for_status().json()
            found.update(study["uid"] for study in answer["studies"])
            cursor = answer["next_cursor"]
            if not cursor:
                return found


def main() -> None:
    """Drop, watch, count, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks" / f"many-films-{slug()}.csv")
    parser.add_argument("--minutes", type=float, default=math.inf, help="Press Stop after this time.")
    asked = parser.parse_args()
    path = chromium_path()
    if path is None:
        sys.exit("no Chromium: HILUM_CHROMIUM can name one")
    with tempfile.TemporaryDirectory(prefix="hilum-bench-") as name, sync_playwright() as playwright:
        folder = Path(name)
        make_films(folder / "films", asked.films)
        release = make_tiny_release(folder / "tiny").folder
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        with running(folder, HILUM_RELEASE=str(release), HILUM_TRUSTED_KEYS="") as room:
            page = browser.new_context(base_url=room.url, viewport={"width": 1366, "height": 768}).new_page()
            page.add_init_script(FRAMES)
            page.goto("/upload")
            page.wait_for_load_state("networkidle")
            before, service = memory_of(page), _service_mb(room)
            processor = _metric(room, "process_cpu_seconds_total")
            drop(page, folder / "films")
            seen, seconds = watch(page, room, asked.films, 60 * asked.minutes)
            processor = _metric(room, "process_cpu_seconds_total") - processor
            outcomes = page.evaluate("() => document.getElementById('totals-text').textContent")
            after, found = memory_of(page), listed(room)
        browser.close()
    stored = int(re.findall(r"(\d+) stored", outcomes)[0])
    rows: list[tuple[str, str]] = [
        ("machine", describe()),
        ("films dropped", str(asked.films)),
        ("what the page says at the end", outcomes),
        ("studies listed", str(len(found))),
        ("studies listed twice", str(sum(times > 1 for times in found.values()))),
        ("seconds until each film had its outcome", f"{seconds:.0f}"),
        ("films stored a second", f"{stored / seconds:.1f}"),
        ("processor time of the service for each film (ms)", f"{1000 * processor / stored:.1f}"),
        (
            "longest time between two frames of the page, in each second: median (ms)",
            f"{statistics.median(seen.gaps):.0f}",
        ),
        ("longest time between two frames of the page: worst (ms)", f"{max(seen.gaps):.0f}"),
        ("list's first page meanwhile: median (ms)", f"{statistics.median(seen.lists):.0f}"),
        ("list's first page meanwhile: worst (ms)", f"{max(seen.lists):.0f}"),
        ("memory of the page before, after (MB)", f"{before:.0f}, {after:.0f}"),
        ("memory of the service before, at most (MB)", f"{service:.0f}, {max(seen.service):.0f}"),
    ]
    with asked.out.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([("what", "value"), *rows])
    for what, value in rows:
        console.print(f"{what}: {value}", highlight=False)
    if len(found) != stored or sum(found.values()) != stored or (stored < asked.films and asked.minutes == math.inf):
        sys.exit("not every film is listed exactly once")


if __name__ == "__main__":
    main()
