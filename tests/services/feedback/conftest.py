"""Feedback in this process, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from hilum.storage import make_engine
from hilum.wire import ReadIn
from services.feedback.app import create_app
from services.feedback.ledger import Ledger
from services.feedback.settings import FeedbackSettings
from tests.fixtures.quick import quick_folder

Post = Callable[..., Any]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder whose rows need no disk."""
    with quick_folder() as folder:
        yield folder


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'feedback.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> FeedbackSettings:
    return FeedbackSettings(database_url=database_url, data=tmp_path / "data", archive_seconds=0)


@pytest.fixture
def client(settings: FeedbackSettings) -> Iterator[TestClient]:
    """The application, started. An unexpected error is a 500 here as for any caller."""
    with TestClient(create_app(settings), raise_server_exceptions=False) as started:
        yield started


@pytest.fixture
def ledger(client: TestClient, database_url: str) -> Iterator[Ledger]:
    """The ledger behind the application, without HTTP."""
    engine = make_engine(database_url)
    yield Ledger(engine)
    engine.dispose()


@pytest.fixture
def post(client: TestClient) -> Post:
    """Send a read under a key."""

    def send(read: ReadIn | dict[str, Any], key: str | None = "key-1", **params: str) -> Any:
        headers = {"Content-Type": "application/json"} | ({} if key is None else {"Idempotency-Key": key})
        body = read.model_dump_json() if isinstance(read, ReadIn) else json.dumps(read)
        return client.post("/v1/reads", content=body, headers=headers, params=params)

    return send
