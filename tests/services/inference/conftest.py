"""A tiny real release, served."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from hilum.release import Release
from services.inference.app import create_app
from services.inference.scorer import Scorer, open_scorer
from services.inference.settings import InferenceSettings
from tests.releases import make_tiny_release
from tests.servers import Served, serve


def settings_for(folder: Path, **changes: object) -> InferenceSettings:
    return InferenceSettings.model_validate({"release": folder, "trusted_keys": "", **changes})


def wait_until_loaded(client: TestClient) -> None:
    for _ in range(500):
        if "being loaded" not in client.get("/readyz").text:
            return
        time.sleep(0.01)
    raise RuntimeError("the release was neither loaded nor refused in time")


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return make_tiny_release(tmp_path_factory.mktemp("tiny") / "release")


@pytest.fixture(scope="session")
def scorer(release: Release) -> Scorer:
    return open_scorer(release)


@pytest.fixture(scope="session")
def client(release: Release) -> Iterator[TestClient]:
    with TestClient(create_app(settings_for(release.folder))) as opened:
        wait_until_loaded(opened)
        yield opened


@pytest.fixture(scope="session")
def server(release: Release) -> Iterator[Served]:
    with serve(create_app(settings_for(release.folder, max_body_bytes=2_000_000))) as served:
        yield served
