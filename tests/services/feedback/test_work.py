"""The worker beside the requests: objects, heads and training data by themselves, and nothing where nothing lasts."""

from __future__ import annotations

import time
from pathlib import Path

from fastapi.testclient import TestClient

from services.feedback.app import create_app
from services.feedback.settings import FeedbackSettings
from tests.fixtures.reads import a_read


def saved(client: TestClient) -> None:
    body = a_read(1, labels={"Mass": 1}).model_dump_json()
    headers = {"Content-Type": "application/json", "Idempotency-Key": "k-1"}
    assert client.post("/v1/reads", content=body, headers=headers).status_code == 201


def test_a_read_becomes_an_object_and_training_data_by_itself(tmp_path: Path) -> None:
    settings = FeedbackSettings(data=tmp_path, archive_seconds=0.05, compaction_seconds=0.1)
    with TestClient(create_app(settings)) as client:
        saved(client)
        wanted = [tmp_path / "newdata" / "ledger/reads/000000000001.json", tmp_path / "newdata" / "reads.jsonl"]
        end = time.monotonic() + 30
        while not all(path.exists() for path in wanted):
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.05)
    assert (tmp_path / "ledger-key.pem").exists()


def test_a_server_without_a_bucket_writes_nothing_into_a_folder_that_goes(postgres_url: str, tmp_path: Path) -> None:
    settings = FeedbackSettings(data=tmp_path, database_url=postgres_url, archive_seconds=0.01)
    with TestClient(create_app(settings)) as client:
        saved(client)
        time.sleep(0.2)
    assert list(tmp_path.iterdir()) == []
