"""A real MLflow for the tests of training: SQLite, and the session's server (tests/conftest.py)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.gate import Gate
from tests.fixtures.mlflow import MlflowServer
from training.tracking.place import Place, client, place


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with all its migrations, which take seconds: made once, copied for each test."""
    folder = tmp_path_factory.mktemp("mlflow")
    client(place(str(folder), folder))
    return folder / "mlflow.db"


@pytest.fixture
def local(empty_mlflow: Path, tmp_path: Path) -> Place:
    """A fresh MLflow in a file."""
    folder = tmp_path / "store"
    folder.mkdir()
    shutil.copyfile(empty_mlflow, folder / "mlflow.db")
    return place(str(folder), tmp_path / "data")


@pytest.fixture
def gate(mlflow_server: MlflowServer) -> Iterator[Gate]:
    """The way to the MLflow server, which a test may shut: a server away without stopping it for others."""
    opened = Gate(mlflow_server.port)
    yield opened
    opened.shut()


@pytest.fixture
def served(gate: Gate, tmp_path: Path) -> Place:
    """The MLflow server behind the gate."""
    return place(gate.url, tmp_path / "data")
