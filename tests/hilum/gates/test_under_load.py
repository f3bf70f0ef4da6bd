"""Releases whose faults show under load alone: a film at a time is answered well, a full call of the model is not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from hilum.clients.base import over_network
from hilum.clients.inference import InferenceClient
from hilum.gates.film_set import FilmSet, LabelledFilm, load_set, write_set
from hilum.gates.plan import load_plan
from hilum.gates.record import Check
from hilum.gates.replay import empty_side, replay, throughput
from hilum.gates.speed import speed_checks
from hilum.gates.staging import at_once_of, metric_of, until_ready
from hilum.release.signing import new_key
from hilum.storage.files import FileBlobs
from services.inference.app import create_app
from services.inference.settings import InferenceSettings
from tests.e2e.promotion import candidates, surgery
from tests.releases import FINDINGS, make_tiny_release, pattern, png
from tests.servers import serve

FILMS = 24


def film_set(folder: Path) -> FilmSet:
    """Films of each finding, none like another."""
    rng = np.random.default_rng(2)
    films = []
    for n in range(FILMS):
        pixels = np.clip(pattern(n % len(FINDINGS)).astype(float) + rng.normal(0, 2, (256, 256)), 0, 255)
        films.append((LabelledFilm(f"films/{n:03}.png", f"p{n}", {"Effusion": 1}), png(pixels.astype(np.uint8))))
    write_set(FileBlobs(folder), films)
    return load_set(FileBlobs(folder))


async def asked(url: str, films: FilmSet) -> tuple[int, set[str], list[Check]]:
    """How many films failed one at a time, which technical questions of staging a load then fails, and all of them."""
    async with over_network(url) as http:
        client = InferenceClient(http)
        await until_ready(client)
        info = await client.model()
        sides = empty_side(info, FINDINGS, FILMS), empty_side(info, FINDINGS, FILMS)

        async def nothing() -> None:
            """No memory is looked at."""

        await replay((client, client), sides, films, FILMS, nothing)
        alone = sides[1].failed
        at_once = at_once_of(await metric_of(http, "hilum_workers"))
        await throughput((client, client), sides, films, at_once)
    checks = speed_checks(*sides, load_plan(), None)
    return alone, {check.name for check in checks if check.verdict == "fail"}, checks


@pytest.mark.parametrize(
    ("change", "fails"),
    [(None, set()), (surgery.eight_at_once, {"errors"}), (surgery.leans_on_its_neighbours, {"answers under load"})],
)
def test_what_fails_under_load_alone_is_seen_by_the_load(
    tmp_path: Path, change: candidates.Surgery | None, fails: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A call that costs far more than decoding a film: films wait for it and share the next on a busy machine too.
    monkeypatch.setattr(surgery, "DEAR", 1000)
    active = make_tiny_release(tmp_path / "active").folder
    folder = candidates.make(tmp_path / "other", "1.2.0", new_key(), change, base=active).folder
    # Sixteen films decoded at once and one call of the model at a time, as on a GPU: films share a call.
    settings = InferenceSettings.model_validate({"release": folder, "trusted_keys": "", "workers": 16, "lanes": 1})
    # Not shown: the renderer of a test's log takes minutes over the arrays in each of the tracebacks.
    with capture_logs(), serve(create_app(settings)) as server:
        alone, failed, said = asyncio.run(asked(server.url, film_set(tmp_path / "set")))
    assert alone == 0, said
    assert failed & {"errors", "answers under load"} == fails, said


@pytest.mark.parametrize(("workers", "films"), [(None, 4), (2, 4), (16, 32), (64, 80)])
def test_the_load_is_all_that_a_service_takes_at_once_and_as_many_again(workers: float | None, films: int) -> None:
    assert at_once_of(workers) == films
