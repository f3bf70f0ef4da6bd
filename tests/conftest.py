"""Real servers for tests, started once per session when a test first asks: PostgreSQL, S3, and MLflow on these two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

import hilum.imaging  # noqa: F401 - before pydicom, which would load GDCM into this process
from tests.fixtures.mlflow import MlflowServer
from tests.fixtures.pauses import pytest_collection_finish, pytest_terminal_summary  # noqa: F401 - pytest calls them
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.real import cannot_start
from tests.fixtures.seaweed import ACCESS_KEY, SECRET_KEY, SeaweedServer


@dataclass(frozen=True)
class S3:
    """A bucket of one test. The keys of access are in the environment (`AWS_*`), as in production."""

    endpoint: str
    bucket: str

    @property
    def url(self) -> str:
        """For `HILUM_BLOBS_URL`; `endpoint` is for `HILUM_S3_ENDPOINT`."""
        return f"s3://{self.bucket}/films"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's PostgreSQL. A test that stops a server makes its own instead."""
    try:
        server = PostgresServer()
        server.start()
    except (RuntimeError, OSError) as error:
        cannot_start("PostgreSQL", error)
    yield server
    server.remove()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """SQLAlchemy URL of a fresh, empty database."""
    name = postgres_server.create_database()
    yield postgres_server.database_url(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[SeaweedServer]:
    """The session's S3 service. A test that stops a server makes its own instead."""
    try:
        server = SeaweedServer()
        server.start()
    except (RuntimeError, OSError) as error:
        cannot_start("SeaweedFS", error)
    yield server
    server.remove()


@pytest.fixture
def aws_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test servers' keys of access, and nothing from this machine's own configuration."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture
def s3(s3_server: SeaweedServer, aws_keys: None) -> Iterator[S3]:
    """A fresh, empty bucket."""
    bucket = s3_server.create_bucket()
    yield S3(s3_server.endpoint, bucket)
    s3_server.remove_bucket(bucket)


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


@pytest.fixture(scope="session", autouse=True)
def locked_uses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Uses of locked films in tests are written to a ledger of their own, never to the repository's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HILUM_LOCKED_USES", str(tmp_path_factory.mktemp("ledger") / "locked-uses.jsonl"))
        yield
