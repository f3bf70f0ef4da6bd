"""Second reads: blind to the first, agreed or in conflict, decided by a third person."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.web.standing import in_second_share
from tests.releases import FINDINGS, pattern_film
from tests.services.web.room import Room, beside, open_room, wait_for

ANNA, BEN, LEA = "anna", "ben", "lea"


@pytest.fixture
def shared(tmp_path: Path, tiny_release: Path) -> Iterator[Room]:
    """Anna reads in a room where every study is read twice."""
    with open_room(tmp_path, tiny_release, reader=ANNA, second_read_share=1.0) as room:
        yield room


def first_read(room: Room, labels: dict[str, Any], key: str = "a-1") -> str:
    uid = room.sent(pattern_film(1))
    room.settled(uid)
    assert room.read(uid, labels, key, answer_version=1, comment="seen by anna").status_code == 201
    return uid


def test_a_study_of_the_share_wants_a_second_read_that_is_blind_to_the_first(shared: Room) -> None:
    uid = first_read(shared, {FINDINGS[0]: 1})
    assert shared.study(uid)["review"]["state"] == "wanted"
    assert not shared.client.get("/v1/reviews").json()["reviews"][0]["mine"]
    with beside(shared, BEN) as ben:
        (line,) = ben.client.get("/v1/reviews", params={"state": "wanted"}).json()["reviews"]
        assert (line["study"]["uid"], line["mine"], line["readers"]) == (uid, True, [])
        study = ben.study(uid)
        assert (study["second"], study["reads"], study["own_version"]) == (True, [], 0)
        for path in (f"/studies/{uid}", "/history", "/", "/reviews"):
            shown = ben.client.get(path)
            assert shown.status_code == 200
            assert "seen by anna" not in shown.text
            assert "present: " not in shown.text
        for path in (f"/v1/studies/{uid}", "/v1/studies?status=read", "/v1/reviews"):
            assert ANNA not in json.dumps(ben.client.get(path).json())
        answer = ben.read(uid, {FINDINGS[0]: 1}, "b-1", answer_version=1).json()
        wait_for(lambda: len(shared.ledger()) == 2)
    assert answer["read"]["kind"] == "second"
    assert (answer["study"]["review"]["state"], answer["study"]["second"]) == ("agreed", False)
    assert [read["reader"] for read in answer["study"]["reads"]] == [BEN, ANNA]
    assert {read["id"]: read["kind"] for read in shared.ledger()} == {"a-1": "read", "b-1": "second"}


def test_a_conflict_is_decided_by_a_third_person(shared: Room) -> None:
    uid = first_read(shared, {FINDINGS[0]: 1, FINDINGS[1]: 0, FINDINGS[2]: 0})
    with beside(shared, BEN) as ben, beside(shared, LEA) as lea:
        ben.read(uid, {FINDINGS[0]: 0, FINDINGS[1]: 0}, "b-1", answer_version=1)
        review = ben.study(uid)["review"]
        assert (review["state"], review["differs"]) == ("conflict", [FINDINGS[0]])
        decided = {FINDINGS[0]: 1, FINDINGS[1]: 0}
        for party in (shared, ben):
            refused = party.read(uid, decided, "x-1", answer_version=1, kind="adjudication")
            assert (refused.status_code, refused.json()["type"]) == (403, "urn:hilum:problem:third-person-needed")
        assert lea.client.get("/v1/reviews").json()["reviews"][0]["mine"]
        assert f"/studies/{uid}?adjudicate=1" in lea.client.get("/reviews", params={"state": "conflict"}).text
        form = lea.client.get(f"/studies/{uid}", params={"adjudicate": "1"}).text
        # What both say alike is set, what is in dispute is not.
        assert ("Your read decides." in form, form.count(" checked")) == (True, 1)
        assert 'id="read"' not in ben.client.get(f"/studies/{uid}", params={"adjudicate": "1"}).text
        assert "Conflict between two readers." in ben.client.get(f"/studies/{uid}").text
        settled = lea.read(uid, decided, "l-1", answer_version=1, kind="adjudication")
        assert (settled.status_code, settled.json()["read"]["kind"]) == (201, "adjudication")
        assert settled.json()["study"]["review"]["state"] == "settled"
        taken_back = lea.client.post(f"/v1/studies/{uid}/reads/l-1/withdraw", headers={"Idempotency-Key": "l-2"})
        assert taken_back.json()["study"]["review"]["state"] == "conflict"


def test_an_edit_that_agrees_ends_the_conflict(shared: Room) -> None:
    uid = first_read(shared, {FINDINGS[0]: 1})
    with beside(shared, BEN) as ben:
        ben.read(uid, {FINDINGS[0]: 0}, "b-1", answer_version=1)
        assert shared.study(uid)["review"]["state"] == "conflict"
        edit = ben.read(uid, {FINDINGS[0]: 1}, "b-2", answer_version=1).json()
    assert (edit["read"]["kind"], edit["read"]["replaces"]) == ("second", "b-1")
    assert edit["study"]["review"]["state"] == "agreed"


def test_a_lead_asks_for_a_second_read_of_what_is_read(room: Room) -> None:
    unread = room.sent(pattern_film(2))
    path = "/v1/studies/{}/second-read"
    early = room.client.post(path.format(unread), json={})
    assert (early.status_code, early.json()["type"]) == (409, "urn:hilum:problem:not-read-yet")
    assert room.client.post(path.format("1.2.3"), json={}).status_code == 404
    uid = first_read(room, {FINDINGS[0]: 1})
    assert room.study(uid)["review"] is None
    asked = room.client.post(path.format(uid), json={"note": "the left apex"})
    assert asked.status_code == 201
    assert asked.json()["review"] | {"asked_at": ""} == {
        "why": "lead", "asked_by": "reader", "asked_at": "", "note": "the left apex", "state": "wanted", "differs": [],
    }  # fmt: skip
    assert room.client.post(path.format(uid), json={"note": "again"}).json()["review"]["note"] == "the left apex"


def test_nothing_is_adjudicated_that_two_people_did_not_read(room: Room) -> None:
    uid = first_read(room, {FINDINGS[0]: 1})
    answer = room.read(uid, {FINDINGS[0]: 1}, "x-1", answer_version=1, kind="adjudication")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:hilum:problem:nothing-to-adjudicate")


def test_a_second_read_does_not_bring_a_study_back_into_the_list(shared: Room) -> None:
    uid = first_read(shared, {FINDINGS[0]: 1})
    assert shared.listed() == []
    with beside(shared, BEN) as ben:
        assert ben.listed() == []
        ben.read(uid, {FINDINGS[0]: 1}, "b-1", answer_version=1)
    assert shared.study(uid)["status"] == "read"


def test_a_blind_study_is_blind_to_the_second_reader_too(tmp_path: Path, tiny_release: Path) -> None:
    with open_room(tmp_path, tiny_release, reader=ANNA, second_read_share=1.0, blind_share=1.0) as room:
        uid = first_read(room, {FINDINGS[0]: 1})
        with beside(room, BEN) as ben:
            study = ben.study(uid)
            assert (study["answer"], study["band"], study["reads"]) == (None, None, [])
            assert ben.read(uid, {FINDINGS[0]: 0}, "b-1", answer_version=1).json()["read"]["blind"]


def test_the_share_of_second_reads_is_as_large_as_asked_and_not_the_blind_share() -> None:
    chosen = [uid for uid in map(str, range(10_000)) if in_second_share(uid, "salt", 0.1)]
    assert 850 < len(chosen) < 1_150
