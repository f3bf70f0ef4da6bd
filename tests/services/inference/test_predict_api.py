"""`POST /v1/predict` and `GET /v1/model`: the right name with the right number, and clear refusals."""

from __future__ import annotations

import itertools
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from hilum.findings import finding
from hilum.release import Release
from hilum.triage import logit
from hilum.wire import ModelInfo, Prediction
from services.inference.app import create_app
from tests.releases import ALERT, FINDINGS, make_tiny_release, noise_film, pattern, pattern_film, png
from tests.services.inference.conftest import settings_for, wait_until_loaded

PROBLEM = "application/problem+json"


def predict(client: TestClient, data: bytes) -> Prediction:
    answer = client.post("/v1/predict", files={"file": ("film", data)})
    assert answer.status_code == 200, answer.text
    return Prediction.model_validate_json(answer.content)


@pytest.mark.parametrize("order", list(itertools.permutations(FINDINGS[:4]))[::5])
def test_the_finding_whose_output_fires_is_the_one_that_is_named(tmp_path: Path, order: tuple[str, ...]) -> None:
    """End to end in several orders: a service with an order of its own fails here."""
    make_tiny_release(tmp_path / "release", findings=order)
    with TestClient(create_app(settings_for(tmp_path / "release"))) as client:
        wait_until_loaded(client)
        assert [f.name for f in ModelInfo.model_validate_json(client.get("/v1/model").content).findings] == list(order)
        for k, name in enumerate(order):
            answer = predict(client, pattern_film(k))
            assert [f.name for f in answer.findings] == list(order)
            assert [f.name for f in answer.findings if f.probability > 0.9] == [name]
            assert {f.name: f.code.value for f in answer.findings} == {n: finding(n).code.value for n in order}


def test_present_means_the_alert_point_and_an_established_finding(client: TestClient) -> None:
    for k, name in enumerate(FINDINGS):
        answer = predict(client, pattern_film(k))
        scored = {f.name: f for f in answer.findings}
        assert scored[name].probability > scored[name].alert == ALERT
        assert scored[name].present == (name != "Hernia")
        assert scored[name].established == (name != "Hernia")


def test_the_acute_margin_counts_acute_established_findings_alone(client: TestClient) -> None:
    effusion = predict(client, pattern_film(FINDINGS.index("Effusion")))
    probability = effusion.findings[FINDINGS.index("Effusion")].probability
    assert effusion.acute_margin == pytest.approx(logit(probability) - logit(ALERT))
    assert effusion.critical_margin == 1.0
    heart = predict(client, pattern_film(FINDINGS.index("Cardiomegaly")))
    assert heart.acute_margin is not None
    assert heart.acute_margin < 0


def test_a_release_without_an_acute_finding_has_no_acute_margin(tmp_path: Path) -> None:
    make_tiny_release(tmp_path / "release", findings=("Cardiomegaly", "Mass"))
    with TestClient(create_app(settings_for(tmp_path / "release"))) as client:
        wait_until_loaded(client)
        assert predict(client, pattern_film(0)).acute_margin is None


def test_the_answer_names_the_release_and_times_every_phase(client: TestClient, release: Release) -> None:
    answer = predict(client, pattern_film(0))
    assert answer.release.digest == release.digest
    assert (answer.release.name, answer.release.version, answer.release.precision) == ("tiny", "1.0.0", "fp32")
    assert min(answer.timings.model_dump().values()) >= 0
    assert answer.timings.infer_seconds > 0


def test_the_golden_film_gives_the_releases_own_probabilities(client: TestClient) -> None:
    info = ModelInfo.model_validate_json(client.get("/v1/model").content)
    film = client.get("/v1/model/golden-film")
    assert film.headers["content-type"] == "image/png"
    answer = predict(client, film.content)
    assert {f.name: f.probability for f in answer.findings} == pytest.approx(info.golden, abs=1e-3)


def test_the_same_film_always_scores_the_same(client: TestClient) -> None:
    answers = [predict(client, pattern_film(None)).findings for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]


def test_a_jpeg_and_a_16_bit_png_score_like_the_png(client: TestClient) -> None:
    film = pattern(2)
    stream = BytesIO()
    Image.fromarray(film).save(stream, "JPEG", quality=85)
    deep = png(film.astype(np.uint16) * 257)
    expected = [f.probability for f in predict(client, png(film)).findings]
    for data in (stream.getvalue(), deep):
        assert [f.probability for f in predict(client, data).findings] == pytest.approx(expected, abs=0.01)


def test_a_film_with_hardly_any_contrast_is_out_of_domain(client: TestClient) -> None:
    rng = np.random.default_rng(0)
    flat = (100 + rng.integers(0, 3, (256, 256))).astype(np.uint8)
    answer = predict(client, png(flat))
    assert answer.findings == []
    assert answer.acute_margin is None
    assert not answer.domain.in_domain
    assert answer.domain.reason is not None
    assert "contrast" in answer.domain.reason


def test_a_film_unlike_those_learnt_from_is_out_of_domain(client: TestClient) -> None:
    answer = predict(client, noise_film())
    assert answer.domain.score > answer.domain.threshold
    assert not answer.domain.in_domain
    assert answer.findings == []
    assert "chest film" in (answer.domain.reason or "")


@pytest.mark.parametrize(
    ("data", "status", "kind"),
    [
        (b"", 400, "empty-file"),
        (b"hello, this is text", 415, "not-an-image"),
        (pattern_film(0)[:-40], 400, "truncated-film"),
        (png(np.zeros((8, 8), dtype=np.uint8)), 422, "film-too-small"),
        (png(np.full((64, 64), 90, dtype=np.uint8)), 422, "not-scorable"),
    ],
    ids=["empty", "text", "truncated", "small", "blank"],
)
def test_a_bad_film_is_a_problem_with_its_own_status(client: TestClient, data: bytes, status: int, kind: str) -> None:
    answer = client.post("/v1/predict", files={"file": ("film.png", data)})
    assert answer.status_code == status
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json()["type"] == f"urn:hilum:problem:{kind}"
    assert answer.json()["detail"]


def test_a_pixel_bomb_is_refused_from_its_header(client: TestClient) -> None:
    header = b"\x00\x00\x00\rIHDR" + (40_000).to_bytes(4) * 2 + b"\x08\x00\x00\x00\x00"
    bomb = b"\x89PNG\r\n\x1a\n" + header + zlib.crc32(header[4:]).to_bytes(4) + bytes(100)
    answer = client.post("/v1/predict", files={"file": bomb})
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:hilum:problem:film-too-large")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"json": {"image": "x"}}, 415),
        ({"content": b"raw bytes", "headers": {"content-type": "image/png"}}, 415),
        ({"content": b"raw bytes"}, 415),
        ({"data": {"file": "text"}}, 415),
        ({"content": b"garbage", "headers": {"content-type": "multipart/form-data; boundary=b"}}, 400),
        ({"content": b"garbage", "headers": {"content-type": "multipart/form-data"}}, 400),
        ({"files": {"other": b"x"}}, 422),
        ({"files": {"file": (None, "text")}}, 422),
        ({"files": [("file", b"one"), ("file", b"two")]}, 415),
        ({"files": [("file", pattern_film(0))], "data": {"view": "SIDEWAYS"}}, 422),
        ({"files": [("file", pattern_film(0))], "data": {"view": ["PA", "PA"]}}, 422),
        ({"files": [("file", pattern_film(0)), ("view", b"PA")]}, 422),
        ({"files": [("file", pattern_film(0))], "data": {"file": "text"}}, 422),
        ({"files": [("file", b"x")] * 17}, 422),
        ({"files": [("file", b"x")] * 18}, 400),
    ],
)
def test_a_request_that_is_no_form_of_films_is_refused(
    client: TestClient, request_: dict[str, object], status: int
) -> None:
    answer = client.post("/v1/predict", **request_)  # type: ignore[arg-type]
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/predict"])
def test_unknown_calls_are_problems_too(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in {404, 405}
    assert answer.headers["content-type"] == PROBLEM
