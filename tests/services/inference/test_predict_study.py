"""`POST /v1/predict` with several films of one study: each film's answer, and what they give together."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from hilum.wire import Prediction, StudyPrediction
from services.inference.api.examples import PREDICTION, STUDY
from tests.hilum.imaging.bodies import dicom
from tests.releases import FINDINGS, noise_film, pattern, pattern_film

STUDY_UID = "1.2.826.0.1.3680043.8.498.1"


def send(client: TestClient, *films: bytes, views: list[str] | None = None) -> httpx.Response:
    data = {} if views is None else {"view": views}
    return client.post("/v1/predict", files=[("file", film) for film in films], data=data)


def answered(client: TestClient, *films: bytes, views: list[str] | None = None) -> StudyPrediction:
    answer = send(client, *films, views=views)
    assert answer.status_code == 200, answer.text
    return StudyPrediction.model_validate_json(answer.content)


def alone(client: TestClient, film: bytes) -> Prediction:
    return Prediction.model_validate_json(send(client, film).content)


def film_of(block: int, **header: Any) -> bytes:
    return dicom(pattern(block), **{"StudyInstanceUID": STUDY_UID, **header})


def test_each_finding_is_the_highest_of_the_films_and_names_its_film(client: TestClient) -> None:
    films = [pattern_film(2), pattern_film(0), pattern_film(4)]
    answer = answered(client, *films)
    singles = [alone(client, film) for film in films]
    assert answer.release == singles[0].release
    assert [film.number for film in answer.films] == answer.combined.films == [1, 2, 3]
    for film, single in zip(answer.films, singles, strict=True):
        assert (film.status, film.reason) == ("scored", None)
        assert film.prediction is not None
        assert film.prediction.findings == single.findings
    assert [f.name for f in answer.combined.findings] == list(FINDINGS)
    for k, found in enumerate(answer.combined.findings):
        values = [single.findings[k].probability for single in singles]
        assert found.probability == max(values)
        assert values[found.film - 1] == max(values)
    assert [f.name for f in answer.combined.findings if f.present] == [FINDINGS[0], FINDINGS[2], FINDINGS[4]]
    assert {f.name: f.film for f in answer.combined.findings if f.present} == {
        FINDINGS[2]: 1,
        FINDINGS[0]: 2,
        FINDINGS[4]: 3,
    }
    margins = [single.acute_margin for single in singles if single.acute_margin is not None]
    assert answer.combined.acute_margin == max(margins)
    assert answer.combined.critical_margin == singles[0].critical_margin
    assert answer.combined.method == "maximum over frontal films"


@pytest.mark.parametrize(
    "lateral",
    [
        {"ViewPosition": "LL"},
        {"ViewPosition": None, "SeriesDescription": "Chest lateral"},
        {"ViewPosition": None, "PatientOrientation": ["A", "F"]},
    ],
    ids=["view position", "series description", "orientation"],
)
def test_a_lateral_beside_a_frontal_is_shown_and_not_scored(client: TestClient, lateral: dict[str, Any]) -> None:
    answer = answered(client, film_of(0), film_of(2, **lateral))
    assert [film.status for film in answer.films] == ["scored", "not_scored"]
    assert "lateral" in (answer.films[1].reason or "")
    assert answer.films[1].prediction is None
    assert answer.films[1].study_uid == STUDY_UID
    assert answer.combined.films == [1]
    # Finding 2 fires in the lateral alone.
    assert [f.name for f in answer.combined.findings if f.present] == [FINDINGS[0]]
    assert {f.film for f in answer.combined.findings} == {1}


def test_the_view_of_a_film_without_a_header_may_be_sent_with_it(client: TestClient) -> None:
    answer = answered(client, pattern_film(0), pattern_film(2), pattern_film(4), views=["PA", "lateral", ""])
    assert [film.status for film in answer.films] == ["scored", "not_scored", "scored"]
    assert [film.view for film in answer.films] == ["PA", "LATERAL", ""]
    assert answer.combined.films == [1, 3]


def test_a_view_sent_as_frontal_does_not_make_a_lateral_header_frontal(client: TestClient) -> None:
    answer = answered(client, film_of(0), film_of(2, ViewPosition="RL"), views=["PA", "PA"])
    assert [film.status for film in answer.films] == ["scored", "not_scored"]


def test_a_film_out_of_domain_counts_for_nothing_and_says_why(client: TestClient) -> None:
    answer = answered(client, noise_film(), pattern_film(1))
    assert [film.status for film in answer.films] == ["not_scored", "scored"]
    assert answer.films[0].prediction is not None
    assert answer.films[0].reason == answer.films[0].prediction.domain.reason
    assert answer.combined.films == [2]
    assert [f.name for f in answer.combined.findings if f.present] == [FINDINGS[1]]


def test_a_study_without_a_film_to_score_says_so_and_is_no_normal_study(client: TestClient) -> None:
    answer = answered(client, film_of(0, ViewPosition="LL"), noise_film())
    assert answer.combined.findings == []
    assert answer.combined.acute_margin is None
    assert "No film of the study was scored" in (answer.combined.reason or "")


def test_one_film_with_its_view_answers_as_one_film(client: TestClient) -> None:
    assert Prediction.model_validate_json(send(client, pattern_film(0), views=["PA"]).content).findings
    refused = send(client, pattern_film(0), views=["LATERAL"])
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:hilum:problem:not-scorable")
    assert "lateral" in refused.json()["detail"]


def test_films_of_two_studies_are_refused(client: TestClient) -> None:
    answer = send(client, film_of(0), pattern_film(1), film_of(2, StudyInstanceUID="1.2.3.4"))
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:hilum:problem:several-studies")


def test_a_bad_film_among_good_ones_refuses_the_call_and_is_named(client: TestClient) -> None:
    answer = send(client, pattern_film(0), pattern_film(1)[:-40])
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:hilum:problem:truncated-film")
    assert answer.json()["detail"].startswith("Film 2 of 2: ")
    assert answer.json()["film"] == 2


def test_every_film_of_a_study_is_counted_in_the_metrics(client: TestClient) -> None:
    def scored() -> float:
        lines = client.get("/metrics").text.splitlines()
        return sum(float(x.split()[-1]) for x in lines if x.startswith('hilum_predict_seconds_count{phase="infer"'))

    before = scored()
    answered(client, pattern_film(0), pattern_film(1), film_of(0, ViewPosition="LL"))
    assert scored() - before == 2


def test_the_examples_in_the_openapi_document_are_answers() -> None:
    Prediction.model_validate(PREDICTION)
    StudyPrediction.model_validate(STUDY)
