"""`hilum_reads_total`, as Prometheus would scrape it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from services.feedback.agreement import AgreementCollector
from services.feedback.app import create_app
from services.feedback.canonical import canonical
from services.feedback.ledger import Ledger
from services.feedback.settings import FeedbackSettings
from tests.fixtures.reads import FINDINGS, a_read
from tests.services.feedback.conftest import Post

Series = tuple[str, str, str, str]


def _reads_total(client: TestClient) -> dict[Series, float]:
    found: dict[Series, float] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            if sample.name == "hilum_reads_total":
                labels = sample.labels
                found[labels["finding"], labels["agreement"], labels["release"], labels["blind"]] = sample.value
    return found


def _counted(client: TestClient) -> dict[Series, float]:
    return {series: value for series, value in _reads_total(client).items() if value}


@pytest.fixture
def some_reads(post: Post) -> Iterator[dict[Series, float]]:
    """Reads of every kind, and what they count."""
    labels = {"Effusion": 1, "Pneumothorax": 0, "Mass": -1}
    post(a_read(1, labels=labels, present=["Effusion"]), key="1")
    post(a_read(2, labels=labels, present=["Pneumothorax", "Mass"]), key="2")
    post(a_read(3, labels={"Effusion": 1, "Mass": None}, present=["Effusion"], blind=True), key="3")
    post(a_read(4, labels={"Effusion": 0}, release_digest="sha256:bb"), key="4")
    post(a_read(5, labels={"Effusion": 0}, release_digest=None), key="5")
    return {
        ("Effusion", "agree", "sha256:aa", "false"): 1,
        ("Effusion", "disagree", "sha256:aa", "false"): 1,
        ("Pneumothorax", "agree", "sha256:aa", "false"): 1,
        ("Pneumothorax", "disagree", "sha256:aa", "false"): 1,
        ("Mass", "uncertain", "sha256:aa", "false"): 2,
        ("Effusion", "agree", "sha256:aa", "true"): 1,
        ("Effusion", "agree", "sha256:bb", "false"): 1,
        ("Effusion", "unscored", "none", "false"): 1,
    }


def test_labels_are_counted_against_what_the_release_called_present(
    client: TestClient, some_reads: dict[Series, float]
) -> None:
    assert _counted(client) == some_reads
    assert _counted(client) == some_reads  # a second look counts nothing twice


def test_every_series_of_a_release_starts_at_0_with_its_first_read(client: TestClient, post: Post) -> None:
    post(a_read(1, labels={"Effusion": 1}, present=["Effusion"]))
    series = _reads_total(client)
    expected = {
        (finding, agreement, "sha256:aa", blind)
        for finding in FINDINGS
        for agreement in ("agree", "disagree", "uncertain")
        for blind in ("true", "false")
    }
    assert set(series) == expected
    assert sum(series.values()) == 1


def test_a_synthetic_read_makes_the_series_known_and_counts_nothing(client: TestClient, post: Post) -> None:
    post(a_read(1, labels={"Effusion": 1}), synthetic="true")
    assert set(_reads_total(client).values()) == {0}


def test_a_repeated_and_a_refused_read_count_nothing(client: TestClient, post: Post) -> None:
    read = a_read(1, labels={"Effusion": 1})
    for body in (read, read, a_read(1, labels={"Effusion": 0}), a_read(1, labels={"Fracture": 0})):
        post(body)
    assert sum(_reads_total(client).values()) == 1


def test_the_counts_are_true_after_a_restart(
    settings: FeedbackSettings, client: TestClient, some_reads: dict[Series, float]
) -> None:
    with TestClient(create_app(settings)) as restarted:
        assert _counted(restarted) == some_reads


def test_a_replica_counts_what_another_one_kept(settings: FeedbackSettings, post: Post) -> None:
    with TestClient(create_app(settings)) as other:
        assert _reads_total(other) == {}
        post(a_read(1, labels={"Effusion": 1}))
        assert sum(_reads_total(other).values()) == 1


def test_a_ledger_that_was_not_read_to_its_end_shows_no_part_of_it() -> None:
    """Shown after a start, a part would look like reads that come now."""
    rows = [SimpleNamespace(sequence=n, body=canonical(a_read(n, labels={"Effusion": 1}))) for n in (1, 2)]
    answers = threading.Event()

    def slowly(after: int) -> Iterator[Any]:
        yield from (row for row in rows[:1] if row.sequence > after)
        assert answers.wait(30)
        yield from (row for row in rows[1:] if row.sequence > after)

    collector = AgreementCollector()
    collector.follow(cast(Ledger, SimpleNamespace(rows=slowly)))

    def shown() -> float:
        return sum(sample.value for family in collector.collect() for sample in family.samples)

    assert shown() == 0
    answers.set()
    assert shown() == 2


def test_requests_are_counted_by_route_and_never_by_path(client: TestClient) -> None:
    client.get("/v1/reads/patient-name")
    text = client.get("/metrics").text
    assert "hilum_requests_total{" in text
    assert "patient-name" not in text
