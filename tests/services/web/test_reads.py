"""Reads: kept once under their key, checked against the release, on their way to the ledger from the first moment."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from services.web.tables import Outbox
from tests.releases import FINDINGS, pattern_film
from tests.services.web.room import Room, wait_for

LABELS = {FINDINGS[0]: 1, FINDINGS[1]: 0, FINDINGS[2]: -1, FINDINGS[3]: None}


def scored(room: Room, block: int | None = 1, **fields: str) -> str:
    """A study with its answer."""
    uid = room.sent(pattern_film(block), **fields)
    room.settled(uid)
    return uid


def test_a_read_is_kept_closes_the_study_and_reaches_the_ledger(any_room: Room) -> None:
    uid = scored(any_room, 1, site="north")
    answer = any_room.read(uid, LABELS, "k-1", answer_version=1, seconds_spent=12.5, comment="hilum full")
    assert answer.status_code == 201, answer.text
    read, study = answer.json()["read"], answer.json()["study"]
    assert read["labels"] == {name: label for name, label in LABELS.items() if label is not None}
    assert (read["reader"], read["blind"], read["version"], read["answer_version"]) == ("reader", False, 1, 1)
    assert study["status"] == "read"
    assert any_room.listed() == []
    assert [row["uid"] for row in any_room.listed(status="read")] == [uid]
    wait_for(lambda: any_room.study(uid)["reads"][0]["delivered"])
    (kept,) = any_room.ledger()
    assert kept["id"] == "k-1"
    assert kept["labels"] == read["labels"]
    assert kept["findings"] == list(FINDINGS)
    assert kept["present"] == [FINDINGS[1]]
    assert kept["film_uids"] == [film["uid"] for film in study["films"]]
    assert (kept["site"], kept["comment"], kept["seconds_spent"]) == ("north", "hilum full", 12.5)
    assert kept["release_digest"] == study["answer"]["release"]["digest"]


def test_a_retry_under_the_same_key_is_the_same_read(any_room: Room) -> None:
    uid = scored(any_room)
    first = any_room.read(uid, LABELS, "k-1", answer_version=1)
    again = any_room.read(uid, LABELS, "k-1", answer_version=1)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["read"]["read_at"] == first.json()["read"]["read_at"]
    assert any_room.rows()["study_reads"] == any_room.rows()["outbox"] == 1


def test_a_key_that_was_used_for_another_read_is_refused(any_room: Room) -> None:
    uid, other = scored(any_room, 1), scored(any_room, 2)
    assert any_room.read(uid, LABELS, "k-1", answer_version=1).status_code == 201
    assert any_room.read(uid, {FINDINGS[0]: 0}, "k-1", answer_version=1).status_code == 409
    assert any_room.read(other, LABELS, "k-1", answer_version=1).status_code == 409
    assert any_room.rows()["study_reads"] == 1


def test_many_at_once_send_one_read_and_it_is_kept_once(any_room: Room) -> None:
    uid = scored(any_room)
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(any_room.read, uid, LABELS, "k-1", answer_version=1) for _ in range(8)]
        statuses = sorted(each.result().status_code for each in sent)
    assert statuses == [200] * 7 + [201]
    assert any_room.rows()["study_reads"] == 1


def test_many_readers_at_once_lose_no_read(any_room: Room) -> None:
    uids = [scored(any_room, block) for block in range(3)]
    keys = [f"k-{n}" for n in range(30)]
    with ThreadPoolExecutor(10) as pool:
        sent = [pool.submit(any_room.read, uids[n % 3], LABELS, key, answer_version=1) for n, key in enumerate(keys)]
        assert [each.result().status_code for each in sent] == [201] * 30
    for uid in uids:
        versions = [read["version"] for read in any_room.study(uid)["reads"]]
        assert versions == list(range(10, 0, -1))
    wait_for(lambda: len(any_room.ledger()) == 30)
    assert {read["id"] for read in any_room.ledger()} == set(keys)


def test_reading_again_makes_a_new_version_and_keeps_the_history(room: Room) -> None:
    uid = scored(room)
    room.read(uid, {FINDINGS[0]: 1}, "k-1", answer_version=1)
    room.read(uid, {FINDINGS[0]: 0}, "k-2", answer_version=1)
    reads = room.study(uid)["reads"]
    assert [(read["version"], read["labels"]) for read in reads] == [(2, {FINDINGS[0]: 0}), (1, {FINDINGS[0]: 1})]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"labels": {"No Such Finding": 1}}, "unknown-finding"),
        ({"labels": {}}, "empty-read"),
        ({"labels": {FINDINGS[0]: None}}, "empty-read"),
        ({"labels": {FINDINGS[0]: 2}}, "invalid-request"),
        ({"labels": {FINDINGS[0]: "1"}}, "invalid-request"),
        ({"labels": {FINDINGS[0]: True}}, "invalid-request"),
        ({"labels": {FINDINGS[0]: 1}, "answer_version": 9}, "unknown-answer"),
        ({"labels": {FINDINGS[0]: 1}, "answer_version": -1}, "invalid-request"),
        ({"labels": {FINDINGS[0]: 1}, "answer_version": 10**30}, "invalid-request"),
        ({"labels": {FINDINGS[0]: 1}, "seconds_spent": -1}, "invalid-request"),
        ({"labels": {FINDINGS[0]: 1}, "seconds_spent": "NaN"}, "invalid-request"),
        ({"labels": {FINDINGS[0]: 1}, "comment": "x" * 5000}, "invalid-request"),
        ({"labels": {FINDINGS[0]: 1}, "comment": "a\x00b"}, "invalid-request"),
        ({"labels": {FINDINGS[0]: 1}, "comment": "\ud800"}, "invalid-request"),
        ({"labels": {FINDINGS[0]: 1}, "film_uids": ["1.2.3"]}, "unknown-film"),
        ({"labels": {FINDINGS[0]: 1}, "film_uids": []}, "unknown-film"),
        ({"labels": {FINDINGS[0]: 1}, "reader": "somebody else"}, "invalid-request"),
        ([], "invalid-request"),
        ({}, "invalid-request"),
    ],
)
def test_a_read_that_means_nothing_here_is_refused(room: Room, body: Any, kind: str) -> None:
    uid = scored(room)
    answer = room.client.post(
        f"/v1/studies/{uid}/reads",
        content=json.dumps(body),
        headers={"Idempotency-Key": "k-1", "Content-Type": "application/json"},
    )
    assert answer.status_code == 422, answer.text
    assert answer.json()["type"] == f"urn:hilum:problem:{kind}"
    assert room.rows()["study_reads"] == room.rows()["outbox"] == 0
    assert room.study(uid)["status"] == "scored"


@pytest.mark.parametrize("key", [None, "", " ", "two words", "x" * 129, "\u00e9".encode()])
def test_a_read_without_a_proper_key_is_refused(room: Room, key: Any) -> None:
    uid = scored(room)
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = room.client.post(f"/v1/studies/{uid}/reads", json={"labels": {FINDINGS[0]: 1}}, headers=headers)
    assert answer.status_code == 400
    assert room.rows()["study_reads"] == 0


def test_a_read_of_no_study_is_a_404(room: Room) -> None:
    assert room.read("1.2.3", {FINDINGS[0]: 1}, "k-1").status_code == 404
    assert room.read("nothing", {FINDINGS[0]: 1}, "k-1").status_code == 404


def test_a_study_can_be_read_while_inference_is_away_once_its_release_is_known(room: Room) -> None:
    room.to_inference.cut = True
    uid = room.sent(pattern_film(1))
    early = room.read(uid, {FINDINGS[0]: 0}, "k-1")
    assert (early.status_code, early.json()["type"]) == (503, "urn:hilum:problem:no-release-known")
    room.to_inference.cut = False
    room.settled(uid)
    room.to_inference.cut = True
    other = room.sent(pattern_film(2))
    assert [finding["name"] for finding in room.study(other)["findings"]] == list(FINDINGS)
    read = room.read(other, {FINDINGS[0]: 0}, "k-2", answer_version=0)
    assert read.status_code == 201
    assert (read.json()["read"]["release_digest"], read.json()["read"]["blind"]) == (None, True)
    room.to_inference.cut = False
    wait_for(lambda: room.study(other)["answer"])
    assert room.study(other)["status"] == "read"


def test_a_film_that_comes_while_the_study_is_read_keeps_it_open(room: Room) -> None:
    order = {"accession": "A-1", "patient_id": "P-1"}
    uid = room.sent(pattern_film(1), **order)
    seen = [film["uid"] for film in room.settled(uid)["films"]]
    room.sent(("late.png", pattern_film(2)), **order)
    room.settled(uid)
    answer = room.read(uid, {FINDINGS[1]: 1}, "k-1", answer_version=1, film_uids=seen)
    assert answer.status_code == 201
    assert (answer.json()["study"]["status"], answer.json()["study"]["reopened"]) == ("scored", True)
    assert [row["uid"] for row in room.listed()] == [uid]


def test_reads_wait_while_feedback_is_away_and_arrive_once_when_it_is_back(any_room: Room) -> None:
    uids = [scored(any_room, block) for block in range(3)]
    any_room.to_feedback.cut = True
    for n, uid in enumerate(uids):
        assert any_room.read(uid, LABELS, f"k-{n}", answer_version=1).status_code == 201
    wait_for(lambda: all(row.attempts >= 1 for row in _outbox(any_room)))
    assert any_room.ledger() == []
    metrics = any_room.client.get("/metrics").text
    assert "hilum_outbox_waiting 3.0" in metrics
    any_room.to_feedback.cut = False
    wait_for(lambda: all(row.delivered_at for row in _outbox(any_room)))
    assert sorted(read["id"] for read in any_room.ledger()) == ["k-0", "k-1", "k-2"]


def test_an_address_that_is_not_feedback_loses_no_read(room: Room) -> None:
    uid = scored(room)
    right, room.to_feedback.target = room.to_feedback.target, room.to_inference.target
    assert room.read(uid, LABELS, "k-1", answer_version=1).status_code == 201
    wait_for(lambda: _outbox(room)[0].attempts >= 2)
    room.to_feedback.target = right
    wait_for(lambda: room.study(uid)["reads"][0]["delivered"])
    assert [read["id"] for read in room.ledger()] == ["k-1"]


def _outbox(room: Room) -> list[Outbox]:
    with room.web.read() as session:
        return list(session.scalars(select(Outbox)))


def test_a_read_that_feedback_refuses_is_kept_and_shown(room: Room) -> None:
    uid = scored(room)
    room.to_feedback.cut = True
    assert room.read(uid, LABELS, "k-1", answer_version=1).status_code == 201
    with room.web.write() as session:
        row = session.get(Outbox, "k-1")
        assert row is not None
        row.payload = {**row.payload, "labels": {"Not A Finding": 1}}
    room.to_feedback.cut = False
    wait_for(lambda: room.study(uid)["reads"][0]["refused"])
    assert not room.study(uid)["reads"][0]["delivered"]
    ready = room.client.get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    assert "refused 1 read" in str(ready.json()["warnings"])
    assert "hilum_outbox_refused 1.0" in room.client.get("/metrics").text
