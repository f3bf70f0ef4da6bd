"""Undo: a saved read is taken back for a while; nothing is erased, and the study is as it was before."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import httpx

from services.web.tables import Read
from tests.releases import FINDINGS, pattern_film
from tests.services.web.room import Room, beside, open_room, wait_for

LABELS = {FINDINGS[0]: 1, FINDINGS[1]: 0}


def scored(room: Room, block: int = 0) -> str:
    uid = room.sent(pattern_film(block))
    room.settled(uid)
    return uid


def withdraw(room: Room, uid: str, read: str, key: str) -> httpx.Response:
    return room.client.post(f"/v1/studies/{uid}/reads/{read}/withdraw", headers={"Idempotency-Key": key})


def test_a_read_taken_back_leaves_the_study_unread_and_both_in_the_history(any_room: Room) -> None:
    uid = scored(any_room)
    before = any_room.study(uid)
    any_room.read(uid, LABELS, "k-1", answer_version=1)
    assert any_room.study(uid)["status"] == "read"
    answer = withdraw(any_room, uid, "k-1", "k-2")
    assert answer.status_code == 201
    after = answer.json()["study"]
    assert (after["status"], after["due_at"], after["own_version"]) == ("scored", before["due_at"], 0)
    assert [row["uid"] for row in any_room.listed()] == [uid]
    kept = [(read["kind"], read["withdrawn"], read["replaces"]) for read in after["reads"]]
    assert kept == [("withdrawal", False, "k-1"), ("read", True, None)]
    wait_for(lambda: len(any_room.ledger()) == 2)
    ledger = {read["id"]: read for read in any_room.ledger()}
    assert (ledger["k-2"]["kind"], ledger["k-2"]["replaces"], ledger["k-2"]["labels"]) == ("withdrawal", "k-1", {})
    assert ledger["k-1"]["labels"] == LABELS


def test_the_page_brings_back_what_was_set_and_shows_what_an_edit_changed(room: Room) -> None:
    uid = scored(room)
    room.read(uid, LABELS, "k-1", answer_version=1, comment="first thoughts")
    withdraw(room, uid, "k-1", "k-2")
    page = room.client.get(f"/studies/{uid}", params={"undone": "1"}).text
    assert "first thoughts</textarea>" in page
    assert page.count(" checked") == len(LABELS)
    assert "took version 1 back" in page
    room.read(uid, LABELS, "k-3", answer_version=1)
    room.read(uid, {**LABELS, FINDINGS[0]: 0}, "k-4", answer_version=1)
    page = room.client.get(f"/studies/{uid}").text
    assert f"edited version 3: {FINDINGS[0]} present → absent" in page
    assert 'id="read"' not in page
    assert room.client.get(f"/studies/{uid}", params={"again": "1"}).text.count(" checked") == len(LABELS)


def test_the_same_undo_twice_is_one_and_a_second_one_says_so(any_room: Room) -> None:
    uid = scored(any_room)
    any_room.read(uid, LABELS, "k-1", answer_version=1)
    assert [withdraw(any_room, uid, "k-1", "k-2").status_code for _ in range(3)] == [201, 200, 200]
    again = withdraw(any_room, uid, "k-1", "k-3")
    assert (again.status_code, again.json()["type"]) == (409, "urn:hilum:problem:withdrawn-already")
    assert any_room.rows()["study_reads"] == 2


def test_taking_an_edit_back_brings_the_read_before_it_back(room: Room) -> None:
    uid = scored(room)
    room.read(uid, LABELS, "k-1", answer_version=1)
    edit = room.read(uid, {FINDINGS[0]: 0}, "k-2", answer_version=1)
    assert edit.json()["read"]["replaces"] == "k-1"
    first = withdraw(room, uid, "k-1", "k-3")
    assert (first.status_code, first.json()["type"]) == (409, "urn:hilum:problem:not-the-last")
    assert withdraw(room, uid, "k-2", "k-4").status_code == 201
    study = room.study(uid)
    assert (study["status"], study["own_version"]) == ("read", 1)


def test_after_its_time_a_read_is_corrected_not_taken_back(room: Room) -> None:
    uid = scored(room)
    room.read(uid, LABELS, "k-1", answer_version=1)
    with room.web.write() as session:
        row = session.get(Read, "k-1")
        assert row is not None
        row.read_at -= timedelta(seconds=room.web.settings.undo_seconds + 1)
    answer = withdraw(room, uid, "k-1", "k-2")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:hilum:problem:too-late")
    assert "read the study again" in answer.json()["detail"]
    assert room.study(uid)["status"] == "read"


def test_nobody_takes_another_readers_read_back(room: Room) -> None:
    uid = scored(room)
    room.read(uid, LABELS, "k-1", answer_version=1)
    with beside(room, "somebody else") as other:
        for read in ("k-1", "no such read", "../k-1"):
            assert withdraw(other, uid, read, "k-2").status_code == 404
    assert room.rows()["study_reads"] == 1


def test_a_blind_read_taken_back_is_not_blind_when_read_again(tmp_path: Path, tiny_release: Path) -> None:
    """The answer was seen: what is read after that is no evidence without the answer's influence."""
    with open_room(tmp_path, tiny_release, blind_share=1.0) as room:
        uid = scored(room, 2)
        assert room.read(uid, LABELS, "k-1", answer_version=1).json()["read"]["blind"]
        withdraw(room, uid, "k-1", "k-2")
        assert room.study(uid)["answer"] is not None
        assert not room.read(uid, LABELS, "k-3", answer_version=1).json()["read"]["blind"]


def test_two_tabs_do_not_overwrite_each_other_unknowingly(room: Room) -> None:
    uid = scored(room)
    seen = room.study(uid)["own_version"]
    assert room.read(uid, LABELS, "k-1", answer_version=1, seen_version=seen).status_code == 201
    late = room.read(uid, {FINDINGS[0]: 0}, "k-2", answer_version=1, seen_version=seen)
    assert (late.status_code, late.json()["type"]) == (409, "urn:hilum:problem:read-meanwhile")
    assert room.rows()["study_reads"] == 1
    knowing = room.read(uid, {FINDINGS[0]: 0}, "k-2", answer_version=1, seen_version=1)
    assert (knowing.status_code, knowing.json()["read"]["version"]) == (201, 2)
