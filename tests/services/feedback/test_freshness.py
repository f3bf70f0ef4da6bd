"""`hilum_newdata_lag_seconds` from the rows."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from hilum.storage import open_blobs
from services.feedback.freshness import lag_seconds
from services.feedback.ledger import Ledger
from services.feedback.newdata import compact
from tests.fixtures.reads import a_read
from tests.services.feedback.conftest import Post


def lag(client: TestClient) -> float:
    (found,) = (
        sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
        if sample.name == "hilum_newdata_lag_seconds"
    )
    return found


def test_reads_age_until_the_bucket_holds_them(client: TestClient, ledger: Ledger, post: Post, tmp_path: Path) -> None:
    assert lag(client) == 0
    post(a_read(1), key="k-1")
    post(a_read(2), key="k-2")
    first = ledger.row(1)
    assert first is not None
    with ledger.snapshot() as session:
        assert lag_seconds(session, first.received_at + timedelta(hours=2)) == 7200
        assert lag_seconds(session, first.received_at - timedelta(hours=2)) == 0
    compact(ledger, open_blobs((tmp_path / "films").as_uri()), open_blobs((tmp_path / "newdata").as_uri()))
    assert lag(client) == 0
    post(a_read(3), key="k-3")
    third = ledger.row(3)
    assert third is not None
    with ledger.snapshot() as session:
        assert lag_seconds(session, third.received_at + timedelta(seconds=60)) == 60
