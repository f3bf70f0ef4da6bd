"""The training export, read back with a CSV reader as a data scientist would."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from services.feedback.ledger import Ledger
from tests.fixtures.reads import FINDINGS, START, a_read
from tests.services.feedback.conftest import Post


def _export(client: TestClient, **params: str | list[str]) -> list[list[str]]:
    answer = client.get("/v1/export.csv", params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(answer.text)))


@pytest.fixture
def keys() -> Iterator[str]:
    return (f"key-{number}" for number in range(10_000))


def test_an_empty_ledger_exports_the_header_alone(client: TestClient) -> None:
    assert _export(client) == [["image_id"]]
    assert _export(client, finding="Mass") == [["image_id", "Mass"]]


def test_each_film_has_a_row_and_each_finding_a_column_in_the_releases_order(client: TestClient, post: Post) -> None:
    labels = {"Mass": -1, "Effusion": 1, "Pneumothorax": 0}
    post(a_read(1, film_uids=["1.2.1.1", "1.2.1.2"], labels=labels))
    assert _export(client) == [
        ["image_id", "Effusion", "Pneumothorax", "Mass"],
        ["1.2.1.1", "1", "0", "-1"],
        ["1.2.1.2", "1", "0", "-1"],
    ]


def test_not_judged_is_blank_and_never_absent(client: TestClient, post: Post) -> None:
    post(a_read(1, labels={"Effusion": None, "Mass": 0}))
    assert _export(client)[1] == ["1.2.1.1", "", "", "0"]


def test_the_latest_read_of_a_study_counts_whole(client: TestClient, post: Post, keys: Iterator[str]) -> None:
    post(a_read(1, labels={"Effusion": 1, "Mass": 1}), key=next(keys))
    post(a_read(1, read_at=START + timedelta(hours=1), labels={"Effusion": 0}), key=next(keys))
    # An older read that an outbox sends late does not win over the newer one.
    post(a_read(1, read_at=START - timedelta(hours=1), labels={"Effusion": -1}), key=next(keys))
    assert _export(client)[1:] == [["1.2.1.1", "0", "", ""]]


def test_of_two_reads_made_at_one_instant_the_one_received_last_counts(
    client: TestClient, post: Post, keys: Iterator[str]
) -> None:
    post(a_read(1, labels={"Effusion": 1}), key=next(keys))
    post(a_read(1, labels={"Effusion": 0}), key=next(keys))
    assert _export(client)[1:] == [["1.2.1.1", "0", "", ""]]


def test_a_clock_that_runs_ahead_does_not_win_for_ever(client: TestClient, post: Post, keys: Iterator[str]) -> None:
    post(a_read(1, read_at=START + timedelta(days=3650), labels={"Effusion": 1}), key=next(keys))
    post(a_read(1, read_at=datetime.now(UTC) + timedelta(seconds=5), labels={"Effusion": 0}), key=next(keys))
    assert _export(client)[1:] == [["1.2.1.1", "0", "", ""]]


def test_a_film_named_twice_has_one_row(client: TestClient, post: Post, keys: Iterator[str]) -> None:
    post(a_read(1, film_uids=["same", "same"], labels={"Effusion": 1}), key=next(keys))
    post(a_read(2, film_uids=["same", "other"], labels={"Effusion": 0}), key=next(keys))
    assert sorted(_export(client)[1:]) == [["other", "0", "", ""], ["same", "0", "", ""]]


def test_columns_begin_with_the_newest_reads_order_and_then_name_the_others(
    client: TestClient, post: Post, keys: Iterator[str]
) -> None:
    post(a_read(1, findings=["Hernia", "Effusion"], labels={"Hernia": 1}), key=next(keys))
    post(a_read(2, findings=["Mass", "Effusion"], labels={"Effusion": 1}), key=next(keys))
    assert _export(client) == [
        ["image_id", "Mass", "Effusion", "Hernia"],
        ["1.2.2.1", "", "1", ""],
        ["1.2.1.1", "", "", "1"],
    ]


def test_a_finding_chosen_keeps_its_column_and_the_films_judged_on_it(
    client: TestClient, post: Post, keys: Iterator[str]
) -> None:
    post(a_read(1, labels={"Mass": 0, "Effusion": 1}), key=next(keys))
    post(a_read(2, labels={"Effusion": 1}), key=next(keys))
    assert _export(client, finding="Mass") == [["image_id", "Mass"], ["1.2.1.1", "0"]]
    assert _export(client, finding=["Mass", "Effusion"])[0] == ["image_id", "Mass", "Effusion"]
    assert _export(client, finding="Unheard of") == [["image_id", "Unheard of"]]


def test_until_gives_the_same_rows_whatever_comes_later(client: TestClient, post: Post, keys: Iterator[str]) -> None:
    post(a_read(1, labels={"Effusion": 1}), key=next(keys))
    second = post(a_read(2, labels={"Effusion": 1}), key=next(keys)).json()["received_at"]
    before = _export(client, until=second)
    post(a_read(1, read_at=START + timedelta(days=1), labels={"Effusion": 0}), key=next(keys))
    assert before == [["image_id", *FINDINGS], ["1.2.1.1", "1", "", ""]]
    assert _export(client, until=second) == before


def test_since_includes_its_own_instant(client: TestClient, post: Post, keys: Iterator[str]) -> None:
    post(a_read(1, labels={"Effusion": 1}), key=next(keys))
    second = post(a_read(2, labels={"Effusion": 1}), key=next(keys)).json()["received_at"]
    assert _export(client, since=second)[1:] == [["1.2.2.1", "1", "", ""]]
    elsewhere = datetime.fromisoformat(second).astimezone(tz=None).isoformat()
    assert _export(client, since=elsewhere) == _export(client, since=second)
    assert _export(client, since=second, until=second) == [["image_id"]]


@pytest.mark.parametrize("name", ["since", "until"])
@pytest.mark.parametrize(
    "value", ["yesterday", "2026-11-21T08:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]
)
def test_a_time_that_makes_no_sense_is_refused(client: TestClient, name: str, value: str) -> None:
    answer = client.get("/v1/export.csv", params={name: value})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1"])
def test_no_cell_is_taken_for_a_formula(client: TestClient, post: Post, text: str) -> None:
    post(a_read(1, film_uids=[text], findings=[text], labels={text: -1}))
    answer = client.get("/v1/export.csv")
    header, row = list(csv.reader(io.StringIO(answer.text, newline="")))
    assert header == ["image_id", f"'{text}"]
    assert row == [f"'{text}", "-1"]


def test_commas_quotes_and_line_breaks_stay_in_their_cell(client: TestClient, post: Post) -> None:
    odd = 'a,"b"\r\nc;é'
    post(a_read(1, film_uids=[odd], findings=[odd], labels={odd: 1}))
    answer = client.get("/v1/export.csv")
    assert list(csv.reader(io.StringIO(answer.text, newline=""))) == [["image_id", odd], [odd, "1"]]


def test_more_reads_than_one_batch_are_all_exported_once(client: TestClient, ledger: Ledger) -> None:
    for number in range(700):
        read = a_read(number % 600, read_at=START + timedelta(seconds=number), labels={"Mass": number // 600})
        ledger.append(read, f"key-{number}")
    rows = _export(client)[1:]
    assert len(rows) == 600
    assert {row[0]: row[3] for row in rows} == {f"1.2.{n}.1": str(int(n < 100)) for n in range(600)}
