"""What a reader sees while something is on its way or has failed: a film, a score, the database, the service."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, Route, expect

from hilum.findings import known_findings
from services.inference.app import create_app
from services.inference.settings import InferenceSettings
from tests.e2e.pictures.studio import FILMS, SAMPLES, WAIT_MS, State, Studio
from tests.releases import make_tiny_release
from tests.servers import serve

FILM = ("**/films/*/preview.png", "**/films/*/frame")
# What the browser asked for and waits for.
HELD: list[Route] = []


def hold(route: Route) -> None:
    """Answer nothing yet."""
    HELD.append(route)


@contextlib.contextmanager
def no_release(folder: Path) -> Iterator[dict[str, str]]:
    """Settings of a room whose release is missing: it takes films and reads, and scores nothing."""
    yield {"HILUM_RELEASE": str(folder / "missing"), "HILUM_TRUSTED_KEYS": ""}


@contextlib.contextmanager
def on_trial(folder: Path) -> Iterator[dict[str, str]]:
    """Settings of a room whose every patient gets the answer of canary's release."""
    release = make_tiny_release(folder / "trial", known_findings()[:14], name="trial", version="2.0.0").folder
    with serve(create_app(InferenceSettings(data=folder / "trial-data", release=release, trusted_keys=""))) as canary:
        yield {"HILUM_CANARY_URL": canary.url, "HILUM_EXPOSURE_SHARE": "1", "HILUM_EXPOSURE_WAIT_SECONDS": "30"}


def list_limited(studio: Studio) -> Page:
    """Scoring is away: studies wait, the list goes on, and the header says so."""
    for number, film in enumerate(FILMS[:4]):
        studio.send(film, accession=f"F-{number}", patient_id=f"P-5{number}")
    page = studio.page("anna")
    page.goto("/")
    expect(page.locator("#connection")).to_have_text("Limited", timeout=WAIT_MS)
    return page


def study_waiting(studio: Studio) -> Page:
    """A study without its score can be looked at."""
    page = studio.page("anna")
    page.goto("/")
    page.locator("a.open").first.click()
    expect(page.locator(".film.shown[data-painted]").first).to_be_visible(timeout=WAIT_MS)
    expect(page.get_by_text("Waiting for its score.")).to_be_visible()
    return page


def _held(studio: Studio, uid: str) -> Page:
    page = studio.page("anna")
    page.goto(f"/studies/{uid}", wait_until="domcontentloaded")
    expect(page.locator("#connection")).to_have_text("Ready", timeout=WAIT_MS)
    return page


def film_loading(studio: Studio) -> Page:
    """A slow line: the page stands and can be used, the film is on its way."""
    uid = studio.scored(studio.send(SAMPLES / "nih_test1.dcm"))
    page = studio.page("anna")
    for address in FILM:
        page.route(address, hold)
    _held(studio, uid)
    expect(page.get_by_text("The film is on its way")).to_be_visible()
    return page


def film_broken(studio: Studio) -> Page:
    """The stored values did not come: the small picture stays, and it is said."""
    page = studio.page("anna")
    uid = page.url.split("/studies/")[1]
    for route in HELD:
        route.abort()
    page.unroute_all()
    page.route(FILM[1], lambda route: route.abort())
    _held(studio, uid)
    expect(page.get_by_role("button", name="Try again")).to_be_visible(timeout=WAIT_MS)
    page.unroute_all()
    return page


def not_ready(studio: Studio) -> Page:
    """Another program holds the database: nothing is kept, and it is said."""
    page = studio.page("anna")
    with contextlib.closing(sqlite3.connect(studio.folder / "data" / "web.db", timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        page.goto("/history")
        expect(page.get_by_role("heading", name="Hilum is not ready")).to_be_visible()
        other.rollback()
    return page


def went_wrong(studio: Studio) -> Page:
    """A row that nobody can read any more: an error of ours, as a page."""
    page = studio.page("anna")
    uid = page.request.get("/v1/studies").json()["studies"][0]["uid"]
    studio.rows("UPDATE answers SET payload = 'cut off' WHERE study_uid = ?", uid)
    page.goto(f"/studies/{uid}")
    expect(page.get_by_role("heading", name="Something went wrong")).to_be_visible()
    return page


def release_on_trial(studio: Studio) -> Page:
    """An exposed patient: the answer is that of a release on trial."""
    page = studio.open(studio.scored(studio.send(SAMPLES / "nih_test2.dcm")))
    expect(page.get_by_text("Release on trial.")).to_be_visible()
    return page


LIMITED: tuple[State, ...] = (list_limited, study_waiting)
TROUBLE: tuple[State, ...] = (film_loading, film_broken, not_ready, went_wrong)
TRIAL: tuple[State, ...] = (release_on_trial,)
