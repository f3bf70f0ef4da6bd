"""A release whose guard sees how a film hangs, served: refused with the reason, or scored with a warning."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from hilum.imaging import decode
from hilum.imaging.preprocess import preprocess
from hilum.release import domain, write_release
from hilum.release.pose import KINDS, MIRRORED, SIDE, PoseHead
from hilum.release.signing import new_key
from services.inference.app import create_app
from tests.releases import make_tiny_release, pattern_film
from tests.services.inference.conftest import settings_for, wait_until_loaded

UPSIDE_DOWN_BLOCK, MIRRORED_BLOCK = 15, 3


def head() -> PoseHead:
    """Says "upside down" of a film whose last block is bright, "mirrored" of one whose fourth is."""
    weight = np.zeros((len(KINDS), SIDE, SIDE), dtype=np.float32)
    weight[KINDS.index("upside down"), -8:, -8:] = 10 / 64
    weight[KINDS.index(MIRRORED), :8, -8:] = 10 / 64
    bias = np.full(len(KINDS), -5.0, dtype=np.float32)
    bias[0] = 0.0
    return PoseHead((), ((weight.reshape(len(KINDS), -1), bias),), np.full(len(KINDS), 2.0, dtype=np.float32))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("guarded")
    plain = make_tiny_release(folder / "plain")
    (folder / "release").mkdir()
    for name in plain.manifest.files:
        shutil.copy(plain.folder / name, folder / "release")
    domain.write(replace(domain.read(plain.folder / "domain.npz"), pose=head()), Path(folder / "release/domain.npz"))
    write_release(folder / "release", plain.manifest.model_dump(mode="json", exclude={"files"}), new_key())
    with TestClient(create_app(settings_for(folder / "release"))) as client:
        wait_until_loaded(client)
        yield client


def test_a_film_that_hangs_wrongly_has_a_reason_and_a_score_and_no_findings(guarded: TestClient) -> None:
    answer = guarded.post("/v1/predict", files={"file": pattern_film(UPSIDE_DOWN_BLOCK)}).json()
    assert answer["findings"] == []
    assert answer["domain"]["in_domain"] is False
    assert answer["domain"]["score"] > answer["domain"]["threshold"]
    assert answer["domain"]["reason"] == domain.REASONS["upside down"]


def test_a_mirrored_film_is_scored_with_a_warning(guarded: TestClient) -> None:
    answer = guarded.post("/v1/predict", files={"file": pattern_film(MIRRORED_BLOCK)}).json()
    assert len(answer["findings"]) > 0
    assert answer["domain"]["in_domain"] is True
    assert {"code": "maybe_mirrored", "text": domain.MAYBE_MIRRORED} in answer["warnings"]


def test_a_film_that_hangs_as_it_should_is_scored_without_a_warning(guarded: TestClient) -> None:
    answer = guarded.post("/v1/predict", files={"file": pattern_film(0)}).json()
    assert answer["domain"]["in_domain"] is True
    assert [warning["code"] for warning in answer["warnings"]] == []


def test_a_refused_film_has_no_heat_map_but_the_reason(guarded: TestClient) -> None:
    model = guarded.get("/v1/model").json()
    query = {"finding": model["findings"][0]["name"], "release": model["release"]["digest"]}
    answer = guarded.post("/v1/explain", params=query, files={"file": pattern_film(UPSIDE_DOWN_BLOCK)})
    assert answer.status_code == 422
    assert answer.json()["detail"] == domain.REASONS["upside down"]


def test_the_tensor_protocol_gives_the_same_score(guarded: TestClient) -> None:
    predicted = guarded.post("/v1/predict", files={"file": pattern_film(UPSIDE_DOWN_BLOCK)}).json()["domain"]
    model = guarded.get("/v1/model").json()
    release = guarded.app.state.serving.scorer.manifest  # type: ignore[attr-defined]
    film = preprocess(decode(pattern_film(UPSIDE_DOWN_BLOCK)).pixels, release.input)
    tensor = {"name": "film", "shape": [1, *film.shape], "datatype": "FP32", "data": film.ravel().tolist()}
    answer = guarded.post(f"/v2/models/{model['release']['name']}/infer", json={"inputs": [tensor]})
    outputs = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    assert outputs["domain_distance"] == pytest.approx([predicted["score"]], rel=1e-5)
