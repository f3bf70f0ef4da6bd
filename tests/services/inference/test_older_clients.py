"""`POST /predict`: the contract that older clients have."""

from __future__ import annotations

import base64
import json

import pytest
from fastapi.testclient import TestClient

from tests.releases import FINDINGS, noise_film, pattern_film


def text(film: bytes) -> str:
    return base64.b64encode(film).decode()


@pytest.mark.parametrize("k", [0, 1, 2, 4])
def test_names_and_probabilities_are_in_the_releases_order(client: TestClient, k: int) -> None:
    answer = client.post("/predict", json={"image": text(pattern_film(k))})
    assert answer.status_code == 200
    assert set(answer.json()) == {"predictions", "probabilities"}
    assert answer.json()["predictions"] == [FINDINGS[k]]
    probabilities = answer.json()["probabilities"]
    assert len(probabilities) == len(FINDINGS)
    assert probabilities.index(max(probabilities)) == k


def test_a_data_url_line_breaks_and_other_fields_are_taken(client: TestClient) -> None:
    film = pattern_film(2)
    broken = base64.encodebytes(film).decode()
    expected = client.post("/predict", json={"image": text(film)}).json()
    for body in (
        {"image": f"data:image/png;base64,{text(film)}"},
        {"image": broken},
        {"image": text(film), "threshold": 0.3},
    ):
        assert client.post("/predict", json=body).json() == expected


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"garbage", 422),
        (b"\xff\xfe", 422),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"image": null}', 422),
        (b'{"image": 5}', 422),
        (b'{"image": "%%%"}', 422),
        (b'{"image": "abc"}', 422),
        ('{"image": "é"}'.encode(), 422),
        (b'{"image": ""}', 400),
        (b'{"image": "aGVsbG8="}', 415),
    ],
)
def test_what_is_no_film_in_base64_is_refused(client: TestClient, body: bytes, status: int) -> None:
    answer = client.post("/predict", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_another_content_type_is_refused(client: TestClient) -> None:
    body = json.dumps({"image": text(pattern_film(0))})
    assert client.post("/predict", content=body, headers={"content-type": "text/plain"}).status_code == 415
    assert client.post("/predict", files={"file": pattern_film(0)}).status_code == 415


def test_a_film_that_is_not_scored_is_never_an_empty_list_of_findings(client: TestClient) -> None:
    answer = client.post("/predict", json={"image": text(noise_film())})
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:hilum:problem:not-scorable"
