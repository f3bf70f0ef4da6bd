"""What drift is judged by: told on wish only, and the reference statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
from fastapi.testclient import TestClient

from hilum.drift.quality import NAMES
from hilum.release.pose import KINDS
from hilum.release.reference import SCORE_EDGES
from hilum.settings import REPOSITORY
from services.inference.app import create_app
from tests.releases import pattern_film
from tests.services.inference.conftest import settings_for, wait_until_loaded


def test_features_are_told_on_wish_only_since_an_older_reader_refuses_an_unknown_field(client: TestClient) -> None:
    files = {"file": ("film.png", pattern_film(1))}
    plain = client.post("/v1/predict", files=files).json()
    asked = client.post("/v1/predict?features=true", files=files).json()
    assert "features" not in plain
    assert tuple(asked["features"]["quality"]) == NAMES
    assert {k: v for k, v in asked.items() if k not in {"features", "timings"}} == {
        k: v for k, v in plain.items() if k != "timings"
    }
    several = client.post("/v1/predict", files=[("file", (f"{k}.png", pattern_film(k))) for k in (0, 1)]).json()
    assert "features" not in several["films"][0]["prediction"]


def test_a_release_without_reference_statistics_says_so(client: TestClient) -> None:
    answer = client.get("/v1/model/reference")
    assert answer.status_code == 404
    assert "no reference statistics" in answer.json()["detail"]


def test_the_bundled_release_tells_its_reference_statistics_and_places_films_in_them() -> None:
    with TestClient(create_app(settings_for(REPOSITORY / "models" / "default"))) as client:
        wait_until_loaded(client)
        found = client.get("/v1/model/reference").json()
        golden = client.get("/v1/model/golden-film").content
        told = client.post("/v1/predict?features=true", files={"file": ("f.png", golden)}).json()["features"]
    population = {p["name"]: p for p in found["populations"]}["nih"]
    assert [sum(row) for row in population["scores"]] == [population["films"]] * len(found["findings"])
    assert len(population["scores"][0]) == len(SCORE_EDGES) - 1
    assert len(told["pose"]) == len(KINDS)
    # A film of one of the populations, in 16 dimensions.
    assert min(_distance(told["places"], each) for each in found["populations"]) < 60


def _distance(places: list[float], population: dict[str, Any]) -> float:
    away = np.array(places) - np.array(population["features_mean"])
    return float(away @ np.linalg.solve(np.array(population["features_covariance"]), away))
