"""A runtime that fails on a film: 503 with a reason, never a crash, never another model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fastapi.testclient import TestClient

from hilum.release import Release
from services.inference.app import create_app
from services.inference.sessions import Array
from tests.releases import pattern_film
from tests.services.inference.conftest import settings_for, wait_until_loaded


class NoMemory:
    """A device that has no memory left."""

    provider = "cuda"

    def run(self, outputs: Sequence[str], batch: Array) -> list[Array]:
        """Fails as ONNX Runtime does: with a class of its own."""
        raise RuntimeError("CUDA failure 2: out of memory")


def test_a_runtime_that_fails_is_503_with_the_reason_and_the_next_film_is_scored(release: Release) -> None:
    app = create_app(settings_for(release.folder))
    with TestClient(app) as client:
        wait_until_loaded(client)
        serving = app.state.serving
        sound = serving._scorer
        serving._scorer = replace(sound, session=NoMemory())
        sent = {"file": ("film.png", pattern_film(0))}
        answer = client.post("/v1/predict", files=sent)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert answer.json()["type"].endswith("model-failed")
        assert "cuda: RuntimeError" in answer.json()["detail"]
        serving._scorer = sound
        assert client.post("/v1/predict", files=sent).status_code == 200
