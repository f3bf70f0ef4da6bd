"""`POST /v1/explain`: the heat map is of the right finding, the right release and the right place."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from hilum.release import Release
from services.inference.heat import FAINT, strength
from services.inference.scorer import Scorer
from tests.releases import FINDINGS, pattern, pattern_film, png


def heat(client: TestClient, release: Release, finding: str, film: bytes) -> np.ndarray:
    query = {"finding": finding, "release": release.digest}
    answer = client.post("/v1/explain", params=query, files={"file": film})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["hilum-explanation"] == "influence, not location"
    with Image.open(BytesIO(answer.content)) as image:
        assert (image.mode, image.size) == ("RGBA", (256, 256))
        return np.asarray(image)


@pytest.mark.parametrize("k", range(len(FINDINGS)))
def test_the_map_lights_up_where_the_finding_is_and_nowhere_else(client: TestClient, release: Release, k: int) -> None:
    opacity = heat(client, release, FINDINGS[k], pattern_film(k))[..., 3]
    row, column = divmod(k, 4)
    block = opacity[row * 64 : (row + 1) * 64, column * 64 : (column + 1) * 64]
    assert block[32, 32] > 150
    outside = opacity.copy()
    outside[max(row * 64 - 40, 0) : (row + 1) * 64 + 40, max(column * 64 - 40, 0) : (column + 1) * 64 + 40] = 0
    assert outside.max() == 0


def test_a_finding_that_is_not_there_has_a_transparent_map(client: TestClient, release: Release) -> None:
    assert heat(client, release, FINDINGS[1], pattern_film(0))[..., 3].max() < 30


def test_a_finding_below_its_alert_point_has_a_fainter_map(client: TestClient, release: Release) -> None:
    film = pattern(0)
    film[:64, 64:128] = 60  # The second block is a little brighter than the rest: far below the alert point.
    faint = heat(client, release, FINDINGS[1], png(film))[..., 3]
    full = heat(client, release, FINDINGS[1], pattern_film(1))[..., 3]
    assert full.max() > 150
    assert 0 < faint.max() < 0.3 * full.max()
    assert np.unravel_index(faint.argmax(), faint.shape)[1] in range(60, 132)


def test_the_strength_of_a_map_grows_with_the_probability(scorer: Scorer) -> None:
    spec = scorer.variant.findings[0]
    low, high = spec.rule_out.threshold, spec.alert.threshold
    drawn = [strength(p, spec) for p in (0.0, low / 2, low, (low + high) / 2, high, 1.0)]
    assert drawn == sorted(drawn)
    assert drawn[0] == drawn[2] == FAINT
    assert drawn[-2] == drawn[-1] == 1.0
    same = spec.model_copy(update={"rule_out": spec.alert})
    assert (strength(high, same), strength(high / 2, same)) == (1.0, FAINT)


def test_the_film_stays_readable_under_the_map(client: TestClient, release: Release) -> None:
    assert heat(client, release, FINDINGS[0], pattern_film(0))[..., 3].max() <= 0.65 * 255 + 1


def test_a_map_of_another_release_is_refused(client: TestClient) -> None:
    query = {"finding": FINDINGS[0], "release": "0" * 64}
    answer = client.post("/v1/explain", params=query, files={"file": pattern_film(0)})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:hilum:problem:another-release")


def test_a_finding_that_the_release_does_not_score_is_unknown(client: TestClient, release: Release) -> None:
    query = {"finding": "Fracture", "release": release.digest}
    answer = client.post("/v1/explain", params=query, files={"file": pattern_film(0)})
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:hilum:problem:unknown-finding")


@pytest.mark.parametrize("query", [{}, {"finding": "Effusion"}, {"release": "0" * 64}])
def test_finding_and_release_must_be_named(client: TestClient, query: dict[str, str]) -> None:
    assert client.post("/v1/explain", params=query, files={"file": pattern_film(0)}).status_code == 422


@pytest.mark.parametrize(("film", "status"), [(b"", 400), (b"text", 415), (png(np.full((64, 64), 9, np.uint8)), 422)])
def test_a_bad_film_has_no_map(client: TestClient, release: Release, film: bytes, status: int) -> None:
    query = {"finding": FINDINGS[0], "release": release.digest}
    assert client.post("/v1/explain", params=query, files={"file": film}).status_code == status
