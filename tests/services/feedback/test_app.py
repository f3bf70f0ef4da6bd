"""What every service answers, here for feedback; and that its tables are what its code says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from hilum.storage import UtcDateTime, make_engine, upgrade
from hilum.wire import ReadIn
from services.feedback.service import MIGRATIONS, SERVICE
from services.feedback.settings import FeedbackSettings
from services.feedback.tables import Base
from tests.fixtures.reads import a_read


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = make_engine(database_url)
    yield made
    made.dispose()


def test_a_started_service_is_alive_and_ready(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "reasons": []})


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("DELETE", "/v1/reads", 405)])
def test_what_does_not_exist_is_a_problem(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_another_sites_page_can_not_add_a_read(client: TestClient) -> None:
    headers = {"Idempotency-Key": "key-1", "Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    assert client.post("/v1/reads", json=a_read(1).model_dump(mode="json"), headers=headers).status_code == 403
    assert client.get("/v1/ledger/check").json()["reads"] == 0


def test_every_answer_carries_the_browsers_rules(client: TestClient) -> None:
    for path in ("/v1/reads", "/v1/export.csv", "/nothing"):
        assert "default-src 'none'" in client.get(path).headers["content-security-policy"]


def test_the_docs_name_every_call_and_fetch_nothing_from_outside(client: TestClient) -> None:
    page = client.get("/docs").text
    for path in ("/v1/reads", "/v1/export.csv", "/v1/ledger/check", "/readyz"):
        assert path in page
    assert "https://" not in page


def test_the_services_port_is_8001_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HILUM_PORT", raising=False)
    assert FeedbackSettings().port == 8001
    monkeypatch.setenv("HILUM_PORT", "18001")
    assert FeedbackSettings().port == 18001


def test_the_migrations_make_the_tables_that_the_code_describes(engine: Engine) -> None:
    upgrade(engine, SERVICE, MIGRATIONS)

    def same_type(_context: object, _reflected: object, _column: object, found: object, wanted: object) -> bool | None:
        # A time with its zone is reflected as the database's own type.
        return False if isinstance(wanted, UtcDateTime) else None

    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": f"alembic_version_{SERVICE}", "compare_type": same_type}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_the_body_of_a_read_has_the_fields_that_the_first_migration_knew(client: TestClient) -> None:
    """A new field of `ReadIn` needs a default: bodies in the ledger never get it."""
    first = "study_uid film_uids answer_version release_digest blind reader read_at findings labels"
    required = {name for name, field in ReadIn.model_fields.items() if field.is_required()}
    assert required == set(first.split())
