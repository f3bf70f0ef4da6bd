"""The database goes away and comes back: 503 with a reason meanwhile, never a 500, and no restart is needed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from hilum.storage import make_engine
from services.feedback.app import create_app
from services.feedback.settings import FeedbackSettings
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.reads import a_read
from tests.fixtures.real import cannot_start

BODY = a_read(1, labels={"Effusion": 1}).model_dump(mode="json")
COMES_BACK_SECONDS = 30


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server of this test's own, to stop and crash."""
    try:
        server = PostgresServer()
        server.start()
    except (RuntimeError, OSError) as error:
        cannot_start("PostgreSQL", error)
    yield server
    server.remove()


def _send(client: TestClient, key: str) -> int:
    answer = client.post("/v1/reads", json=BODY, headers={"Idempotency-Key": key})
    if answer.status_code == 503:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"] == "5"
        assert answer.json()["type"] == "urn:hilum:problem:database-unavailable"
    status: int = answer.status_code
    return status


def _every_page_is_unavailable(client: TestClient) -> None:
    for path in ("/v1/reads", "/v1/export.csv", "/v1/ledger/check"):
        answer = client.get(path)
        assert (path, answer.status_code) == (path, 503)
        assert answer.headers["content-type"] == "application/problem+json"
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert not ready.json()["ready"]
    assert "the database can't be used" in ready.json()["reasons"][0]
    assert client.get("/healthz").status_code == 200
    assert client.get("/metrics").status_code == 200


def _send_until_kept(client: TestClient, key: str) -> None:
    deadline = time.monotonic() + COMES_BACK_SECONDS
    while _send(client, key) not in {200, 201}:
        assert time.monotonic() < deadline, "the database is back, the service is not"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "crashed"])
def test_a_postgresql_that_goes_and_comes_back_is_used_again(own_postgres: PostgresServer, crash: bool) -> None:
    settings = FeedbackSettings(database_url=own_postgres.url, archive_seconds=0)
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        assert _send(client, "before") == 201
        own_postgres.kill() if crash else own_postgres.stop()
        assert _send(client, "during") == 503
        _every_page_is_unavailable(client)
        with own_postgres.silent():
            began = time.monotonic()
            page = client.get("/metrics")
            # Prometheus gives a page up after 10 s, and a connection takes that long to fail.
            assert time.monotonic() - began < 8
        assert page.status_code == 200
        assert "\nhilum_newdata_lag_seconds " not in page.text

        own_postgres.start()
        _send_until_kept(client, "during")
        assert _send(client, "before") == 200
        assert client.get("/readyz").json() == {"ready": True, "reasons": []}
        found = client.get("/v1/ledger/check").json()
        assert (found["holds"], found["reads"]) == (True, 2)


@pytest.mark.slow
def test_a_service_that_starts_before_its_database_is_ready_once_that_answers(own_postgres: PostgresServer) -> None:
    own_postgres.stop()
    settings = FeedbackSettings(database_url=own_postgres.url, archive_seconds=0)
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        assert _send(client, "early") == 503
        _every_page_is_unavailable(client)
        own_postgres.start()
        _send_until_kept(client, "early")
        assert client.get("/readyz").status_code == 200


def test_connections_ended_by_the_server_cost_no_read(postgres_url: str) -> None:
    settings = FeedbackSettings(database_url=postgres_url, archive_seconds=0)
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        assert _send(client, "before") == 201
        other = make_engine(postgres_url)
        with other.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        other.dispose()
        assert _send(client, "after") == 201


def test_a_sqlite_file_that_is_damaged_is_unavailable_and_said(tmp_path: Path) -> None:
    (tmp_path / "feedback.db").write_bytes(b"this is no database" * 1000)
    settings = FeedbackSettings(database_url=f"sqlite:///{tmp_path / 'feedback.db'}", archive_seconds=0)
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        assert _send(client, "key") == 503
        _every_page_is_unavailable(client)
