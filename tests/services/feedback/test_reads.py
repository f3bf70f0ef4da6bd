"""Append and page, by HTTP, on both databases."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from hilum.wire import ReadIn, ReadOut, ReadPage
from services.feedback.app import create_app
from services.feedback.settings import FeedbackSettings
from tests.fixtures.reads import FINDINGS, a_read
from tests.services.feedback.conftest import Post


def _problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    return document


def _count(client: TestClient) -> int:
    reads: int = client.get("/v1/ledger/check").json()["reads"]
    return reads


def test_a_read_is_kept_and_comes_back_as_it_was_sent(client: TestClient, post: Post) -> None:
    read = a_read(
        1,
        labels={"Effusion": 1, "Pneumothorax": 0, "Mass": -1},
        present=["Effusion"],
        comment='Drain\u00e9d\u2014\u80ba; "quoted", =1+1\n\U0001fac1',
        seconds_spent=12.25,
        site="North",
    )
    answer = post(read)
    assert answer.status_code == 201
    kept = ReadOut.model_validate_json(answer.content)
    assert kept.model_dump(include=set(ReadIn.model_fields)) == read.model_dump()
    assert (kept.sequence, kept.id) == (1, "key-1")
    assert kept.received_at.tzinfo is not None
    assert ReadPage.model_validate_json(client.get("/v1/reads").content).reads == [kept]


def test_the_same_read_again_gives_the_one_that_is_kept(client: TestClient, post: Post) -> None:
    first = post(a_read(1))
    again = post(a_read(1))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert _count(client) == 1


def test_the_same_instant_in_another_zone_is_the_same_read(post: Post) -> None:
    body = a_read(1).model_dump(mode="json")
    assert post(body | {"read_at": "2026-01-05T08:00:01Z"}).status_code == 201
    assert post(body | {"read_at": "2026-01-05T13:45:01.000+05:45"}).status_code == 200


def test_another_read_under_the_same_key_is_a_conflict(client: TestClient, post: Post) -> None:
    post(a_read(1, labels={"Effusion": 1}))
    problem = _problem(post(a_read(1, labels={"Effusion": 0})), 409)
    assert problem["type"] == "urn:hilum:problem:idempotency-key-conflict"
    assert _count(client) == 1


def test_the_same_read_under_another_key_is_another_read(client: TestClient, post: Post) -> None:
    assert post(a_read(1), key="key-1").status_code == 201
    assert post(a_read(1), key="key-2").status_code == 201
    assert _count(client) == 2


@pytest.mark.parametrize("key", [None, "", " ", "two words", "x" * 201, "tab\tkey"])
def test_a_read_without_a_usable_key_is_refused(client: TestClient, post: Post, key: str | None) -> None:
    _problem(post(a_read(1), key=key), 400)
    assert _count(client) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"labels": {"Fracture": 1}},
        {"labels": {"effusion": 1}},
        {"labels": {"Effusion": 2}},
        {"labels": {"Effusion": "1"}},
        {"labels": {"Effusion": 0.5}},
        {"present": ["Fracture"]},
        {"findings": []},
        {"findings": ["Effusion", "Effusion"]},
        {"film_uids": []},
        {"film_uids": [""]},
        {"study_uid": ""},
        {"study_uid": "x" * 129},
        {"reader": ""},
        {"reader": None},
        {"reader": "nul\0"},
        {"comment": "nul\0"},
        {"site": "half \ud800 a pair"},
        {"labels": {"\ud800": 1}},
        {"labels": {"\ud800": 5}},
        {"\ud800": 1},
        {"present": ["\udfff"]},
        {"findings": ["Effusion", "nul\0"]},
        {"answer_version": -1},
        {"blind": "perhaps"},
        {"read_at": "2026-11-21T08:00:00"},
        {"read_at": "2026-11-21"},
        {"read_at": "0001-01-01T00:00:00+14:00"},
        {"read_at": "9999-12-31T23:59:59-12:00"},
        {"seconds_spent": -1},
        {"comment": "x" * 4001},
        {"unknown": 1},
    ],
    ids=ascii,
)
def test_a_read_that_makes_no_sense_is_refused_and_not_kept(
    client: TestClient, post: Post, change: dict[str, Any]
) -> None:
    _problem(post(a_read(1).model_dump(mode="json") | change), 422)
    assert _count(client) == 0


@pytest.mark.parametrize(
    "body",
    [b"", b"not json", b"[]", b"null", b"{", b"\xff\xfe", b"[" * 100_000, b'{"seconds_spent": NaN}', b"1e999"],
    ids=lambda body: repr(body[:20]),
)
def test_a_body_that_is_no_read_is_refused(client: TestClient, body: bytes) -> None:
    headers = {"Idempotency-Key": "key-1", "Content-Type": "application/json"}
    answer = client.post("/v1/reads", content=body, headers=headers)
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_not_finite_is_refused(client: TestClient, number: str) -> None:
    body = a_read(1, seconds_spent=7.5).model_dump_json().replace("7.5", number)
    headers = {"Idempotency-Key": "key-1", "Content-Type": "application/json"}
    _problem(client.post("/v1/reads", content=body, headers=headers), 422)


def test_a_body_far_larger_than_a_read_is_refused(client: TestClient) -> None:
    headers = {"Idempotency-Key": "key-1", "Content-Type": "application/json"}
    _problem(client.post("/v1/reads", content=b" " * 1_000_001, headers=headers), 413)


def test_a_label_not_judged_is_kept_as_such(post: Post) -> None:
    answer = post(a_read(1, labels={"Effusion": None, "Mass": 0}))
    assert answer.json()["labels"] == {"Effusion": None, "Mass": 0}


def test_a_synthetic_read_goes_the_whole_way_and_leaves_nothing(client: TestClient, post: Post) -> None:
    post(a_read(1), key="real-1")
    tried = post(a_read(2), key="self-test", synthetic="true")
    assert tried.status_code == 200
    assert tried.json()["sequence"] == 2
    assert _count(client) == 1
    # The next one is real: it takes the place that the synthetic one only tried.
    assert post(a_read(3), key="real-2").json()["sequence"] == 2
    _problem(post(a_read(4, labels={"Fracture": 1}), key="self-test", synthetic="true"), 422)


def test_pages_follow_one_another_without_a_gap_or_a_double(client: TestClient, post: Post) -> None:
    for number in range(7):
        post(a_read(number), key=f"key-{number}")
    seen: list[int] = []
    since: int | None = 0
    while since is not None:
        page = client.get("/v1/reads", params={"since": since, "limit": 3}).json()
        seen += [read["sequence"] for read in page["reads"]]
        since = page["next"]
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    assert client.get("/v1/reads", params={"limit": 7}).json()["next"] is None
    assert client.get("/v1/reads", params={"since": 7}).json() == {"reads": [], "next": None}


@pytest.mark.parametrize("query", ["since=-1", "since=x", f"since={2**63}", "limit=0", "limit=1001"])
def test_a_page_that_makes_no_sense_is_refused(client: TestClient, query: str) -> None:
    _problem(client.get(f"/v1/reads?{query}"), 422)


def test_the_largest_sequence_is_a_fair_question(client: TestClient) -> None:
    assert client.get("/v1/reads", params={"since": 2**63 - 1}).json() == {"reads": [], "next": None}


def test_reads_survive_a_restart_of_the_service(settings: FeedbackSettings) -> None:
    headers = {"Idempotency-Key": "key-1"}
    with TestClient(create_app(settings)) as first:
        kept = first.post("/v1/reads", json=a_read(1).model_dump(mode="json"), headers=headers).json()
    with TestClient(create_app(settings)) as second:
        assert second.get("/v1/reads").json()["reads"] == [kept]


def test_time_received_never_runs_backwards(post: Post) -> None:
    times = [datetime.fromisoformat(post(a_read(n), key=f"key-{n}").json()["received_at"]) for n in range(20)]
    assert times == sorted(times)


def test_findings_keep_the_releases_order(client: TestClient, post: Post) -> None:
    post(a_read(1, findings=list(reversed(FINDINGS))))
    assert client.get("/v1/reads").json()["reads"][0]["findings"] == list(reversed(FINDINGS))
