"""`python -m tests.e2e.pictures`: take the pictures of docs/images anew, a state of the reading room each.

`--axe` asks axe-core (by npm) of every state whether it is accessible, instead; `--large FOLDER` takes every state at
1366 x 768 and 3840 x 2160 into another folder, to look at; `--only NAME...` goes through the rooms of these states.
Only sample films and made ones are on the pictures, and made-up people.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Error, Page, sync_playwright

from tests.e2e.pictures import doors, lists, others, studies, trouble, two_readers
from tests.e2e.pictures.accessible import complaints, fetch
from tests.e2e.pictures.numbers import take_numbers
from tests.e2e.pictures.studio import State, studio
from tests.e2e.reading_room import ROOT, chromium_path, launch

IMAGES = ROOT / "docs" / "images"
SIZES = {"": (1366, 768), "-4k": (3840, 2160)}
# The states whose picture at the larger size stands in the docs too.
LARGE = {"worklist", "viewer"}
Settings = Callable[[Path], AbstractContextManager[dict[str, str]]]


def plain(**settings: str) -> Settings:
    """A room that needs nothing beside it."""
    return lambda _: nullcontext(settings)


# Each line is one room: its settings, and the states in the order in which they follow one another.
ROOMS: tuple[tuple[Settings, tuple[State, ...]], ...] = (
    (plain(), (*lists.EMPTY, *doors.STATES, *lists.STATES, *others.STATES)),
    (plain(), studies.STATES),
    (plain(HILUM_BLIND_SHARE="1"), studies.BLIND),
    (plain(), two_readers.STATES),
    (trouble.no_release, trouble.LIMITED),
    (plain(), trouble.TROUBLE),
    (trouble.on_trial, trouble.TRIAL),
)


def name_of(state: State) -> str:
    """The picture's name."""
    return state.__name__.replace("_", "-")


def keep(page: Page, target: Path) -> None:
    """Take one picture, as small as it may be."""
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
    target.parent.mkdir(parents=True, exist_ok=True)
    picture.save(target, quality=82, method=6)


def take(page: Page, name: str, *, folder: Path, large: bool) -> None:
    """The state as it stands, at each size."""
    page.bring_to_front()
    for _ in range(50):
        if page.evaluate("() => [...document.images].every((each) => each.complete || !each.getClientRects().length)"):
            break
        page.wait_for_timeout(100)
    page.wait_for_timeout(400)
    both = large or name in LARGE
    for suffix, (width, height) in list(SIZES.items())[: 2 if both else 1]:
        if both:
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(600)
        keep(page, folder / f"{name}{suffix}.webp")
    if both:
        width, height = SIZES[""]
        page.set_viewport_size({"width": width, "height": height})


def ask(page: Page, name: str, *, script: str, found: list[str]) -> None:
    """What axe-core complains of, each once with the first state that shows it."""
    for text in complaints(page, script):
        if not any(text in known for known in found):
            found.append(f"{name}: {text}")
            print(found[-1], flush=True)


def walk(browser: Browser, look: Callable[[Page, str], None], only: Sequence[str]) -> list[str]:
    """Reach every state and `look` at it; returns what failed, in words."""
    failed = []
    with tempfile.TemporaryDirectory() as name:
        for number, (settings, states) in enumerate(ROOMS):
            if only and not set(only) & {name_of(state) for state in states}:
                continue
            folder = Path(name) / str(number)
            with settings(folder) as made, studio(browser, folder, **made) as room:
                for state in states:
                    try:
                        look(state(room), name_of(state))
                    except (AssertionError, Error) as error:
                        failed.append(f"{name_of(state)}: {str(error)[:600]}")
                        print(failed[-1], file=sys.stderr, flush=True)
    return failed


def main() -> None:
    """Exit status 1 where a state was not reached."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.pictures", description=__doc__)
    parser.add_argument("--large", type=Path, metavar="FOLDER", help="both sizes, into this folder")
    parser.add_argument("--axe", action="store_true", help="no pictures: whether the states are accessible")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="the rooms of these states alone")
    options = parser.parse_args()
    path = chromium_path()
    if path is None:
        raise SystemExit("Chromium is not there: no /usr/bin/chromium, and HILUM_CHROMIUM names none.")
    folder = options.large or IMAGES
    with sync_playwright() as playwright:
        browser = launch(playwright, path)
        look: Callable[[Page, str], None] = partial(take, folder=folder, large=options.large is not None)
        found: list[str] = []
        if options.axe:
            with tempfile.TemporaryDirectory() as place:
                script = fetch(Path(place))
            look = partial(ask, script=script, found=found)
        failed = walk(browser, look, options.only)
        if not options.only or {"numbers", "numbers-by-part"} & set(options.only):
            take_numbers(browser, look)
        browser.close()
    if options.axe:
        print(f"{len(found)} complaint(s) of axe-core")
        raise SystemExit(1 if found or failed else 0)
    size = sum(each.stat().st_size for each in folder.glob("*.webp"))
    print(f"{len(list(folder.glob('*.webp')))} pictures, {size / 1e6:.1f} MB, in {folder}")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
