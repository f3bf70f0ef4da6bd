"""A site of its own for each test: repository, registered model, stores."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from hilum.release import read_release
from hilum.release.signing import new_key
from tests.fixtures.git import GitServer
from tests.fixtures.mlflow import MlflowServer
from tests.releases import make_tiny_release, trust
from tests.services.promoter.site import Site, files
from training.registry import register
from training.tracking.place import client, place

KEY = new_key()
# Registers a release of the site's model under a version and gives it the alias; returns (number, digest).
Ask = Callable[..., tuple[str, str]]


@pytest.fixture(scope="session")
def git_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    server = GitServer(tmp_path_factory.mktemp("git"))
    yield server
    server.close()


@pytest.fixture
def site(git_server: GitServer, mlflow_server: MlflowServer, tmp_path: Path) -> Site:
    model = f"tiny-{uuid.uuid4().hex[:8]}"
    bare = git_server.repository(model, files())
    keys = trust(tmp_path / "keys.txt", KEY)
    return Site(bare, f"{git_server.url}/{model}.git", mlflow_server.url, model, tmp_path, keys)


@pytest.fixture
def lone_site(git_server: GitServer, tmp_path: Path) -> Site:
    """A site whose registry does not answer: what is committed needs none."""
    name = f"alone-{uuid.uuid4().hex[:8]}"
    bare = git_server.repository(name, files())
    keys = trust(tmp_path / "keys.txt", KEY)
    return Site(bare, f"{git_server.url}/{name}.git", "http://127.0.0.1:9", name, tmp_path, keys)


@pytest.fixture
def registry(mlflow_server: MlflowServer, tmp_path: Path) -> MlflowClient:
    return client(place(mlflow_server.url, tmp_path / "data"))


@pytest.fixture
def ask(site: Site, registry: MlflowClient, mlflow_server: MlflowServer, tmp_path: Path) -> Ask:
    def asked(version: str = "2.0.0", *, key: object = KEY, alias: bool = True, **defects: object) -> tuple[str, str]:
        folder = tmp_path / f"release-{version}"
        draft = make_tiny_release(folder, key=key, version=version, name=site.model, **defects)  # type: ignore[arg-type]
        made = register(registry, place(mlflow_server.url, tmp_path / "data"), read_release(draft.folder, None))
        if alias:
            registry.set_registered_model_alias(site.model, "candidate", made.version.number)
        return made.version.number, draft.digest

    return asked
