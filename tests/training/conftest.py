"""A real MLflow for the tests of training: SQLite, and once per session a server on PostgreSQL and S3."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.gate import Gate
from tests.fixtures.mlflow import MlflowServer
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.real import cannot_start
from tests.fixtures.seaweed import ACCESS_KEY, SECRET_KEY, SeaweedServer
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


@pytest.fixture(scope="session")
def mlflow_bucket(s3_server: SeaweedServer) -> str:
    """The bucket of the session's MLflow server."""
    return s3_server.create_bucket()


@pytest.fixture(scope="session")
def mlflow_server(
    postgres_server: PostgresServer,
    s3_server: SeaweedServer,
    mlflow_bucket: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[MlflowServer]:
    """The session's MLflow server: rows in PostgreSQL, artifacts in S3."""
    server = MlflowServer(
        postgres_server.database_url(postgres_server.create_database()),
        f"s3://{mlflow_bucket}/mlflow",
        tmp_path_factory.mktemp("mlflow-server"),
        AWS_ACCESS_KEY_ID=ACCESS_KEY,
        AWS_SECRET_ACCESS_KEY=SECRET_KEY,
        AWS_REGION="us-east-1",
        MLFLOW_S3_ENDPOINT_URL=s3_server.endpoint,
    )
    try:
        server.start()
    except (RuntimeError, OSError) as error:
        cannot_start("MLflow", error)
    yield server
    server.stop()


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
