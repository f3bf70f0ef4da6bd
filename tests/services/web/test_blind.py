"""Blind studies: until the reader's read is kept, nothing that is answered says what the model thinks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from services.web.blind import in_blind_share
from services.web.context import utc_now
from services.web.findings import list_by_finding
from services.web.summary import summarise
from services.web.tables import Read
from tests.hilum.imaging.bodies import dicom
from tests.releases import FINDINGS, pattern_film
from tests.services.web.room import Room, open_room, wait_for

SECRET_KEYS = {"probability", "rule_out", "alert", "present", "release", "release_digest"}


@pytest.fixture
def blind_room(tmp_path: Path, tiny_release: Path) -> Iterator[Room]:
    """A room where every patient is in the blind share."""
    with open_room(tmp_path, tiny_release, blind_share=1.0) as room:
        yield room


def leaks(document: Any) -> list[str]:
    """Every key that tells what the model thinks and is not empty, anywhere in the document."""
    found = []
    if isinstance(document, dict):
        for key, value in document.items():
            if key in SECRET_KEYS | {"band", "score", "reason", "answer"} and value not in (None, [], {}):
                found.append(f"{key}={value}")
            found += leaks(value)
    elif isinstance(document, list):
        for item in document:
            found += leaks(item)
    return found


def scored(room: Room, block: int) -> str:
    """A blind study that has its answer."""
    uid = room.sent(pattern_film(block))
    room.settled(uid)
    return uid


def test_nothing_of_the_answer_is_said_before_the_read_and_all_of_it_after(blind_room: Room) -> None:
    uid = scored(blind_room, 2)
    study = blind_room.study(uid)
    listed = blind_room.client.get("/v1/studies").json()
    again = blind_room.send(pattern_film(2)).json()
    for document in (study, listed, again):
        assert leaks(document) == [], json.dumps(document)
    assert study["blind"]
    assert [finding["name"] for finding in study["findings"]] == list(FINDINGS)
    heat = f"/v1/studies/{uid}/films/{study['films'][0]['uid']}/heat"
    assert blind_room.client.get(heat, params={"finding": FINDINGS[2]}).status_code == 404

    read = blind_room.read(uid, {FINDINGS[2]: 0}, "k-1", answer_version=study["answer_version"])
    assert read.status_code == 201
    assert read.json()["read"]["blind"]
    after = read.json()["study"]
    assert (after["blind"], after["band"]) == (False, "critical")
    assert [f["name"] for f in after["answer"]["findings"] if f["present"]] == [FINDINGS[2]]
    assert blind_room.client.get(heat, params={"finding": FINDINGS[2]}).status_code == 200
    wait_for(blind_room.ledger)
    (kept,) = blind_room.ledger()
    assert kept["blind"]
    assert kept["release_digest"] == after["answer"]["release"]["digest"]
    assert kept["present"] == [FINDINGS[2]]


def test_a_second_read_is_no_longer_blind(blind_room: Room) -> None:
    uid = scored(blind_room, 1)
    blind_room.read(uid, {FINDINGS[1]: 0}, "k-1", answer_version=1)
    again = blind_room.read(uid, {FINDINGS[1]: 1}, "k-2", answer_version=1)
    assert not again.json()["read"]["blind"]


def test_a_failed_read_reveals_nothing(blind_room: Room) -> None:
    uid = scored(blind_room, 1)
    for labels in ({}, {"Nothing": 1}):
        answer = blind_room.read(uid, labels, "k-1", answer_version=1)
        assert answer.status_code == 422
        assert leaks(answer.json()) == []
    assert leaks(blind_room.study(uid)) == []


def test_the_order_of_the_list_stays_by_due_time(blind_room: Room) -> None:
    routine, critical = scored(blind_room, 3), scored(blind_room, 2)
    assert [row["uid"] for row in blind_room.listed()] == [critical, routine]


def test_a_filter_by_band_neither_tells_nor_hides_a_blind_study(blind_room: Room) -> None:
    uid = scored(blind_room, 2)
    for band in ("critical", "urgent", "routine"):
        assert [row["uid"] for row in blind_room.listed(band=band)] == [uid]


def test_neither_the_counts_nor_the_list_of_a_finding_tell(blind_room: Room) -> None:
    uid = scored(blind_room, 2)
    with blind_room.web.read() as session:
        counts = summarise(session, reader="reader", now=utc_now())
        (row,) = list_by_finding(session, FINDINGS[2], reader="reader").rows
    assert (counts.critical, counts.blind, counts.unread) == (0, 1, 1)
    assert row.study.uid == uid
    assert row.finding is None
    assert leaks(asdict(row)) == []
    blind_room.read(uid, {FINDINGS[2]: 1}, "k-1", answer_version=1)
    with blind_room.web.read() as session:
        (row,) = list_by_finding(session, FINDINGS[2], reader="reader").rows
    assert row.finding is not None
    assert row.finding.present


def test_another_readers_read_reveals_nothing_to_this_one(blind_room: Room) -> None:
    uid = scored(blind_room, 2)
    blind_room.read(uid, {FINDINGS[2]: 1}, "k-1", answer_version=1)
    with blind_room.web.write() as session:
        row = session.get(Read, "k-1")
        assert row is not None
        row.reader = "somebody else"
    study = blind_room.study(uid)
    assert study["blind"]
    assert leaks(study) == []
    assert study["reads"] == []
    assert leaks(blind_room.client.get("/v1/studies", params={"status": "read"}).json()) == []


def test_a_film_that_cannot_be_scored_has_nothing_to_withhold(blind_room: Room) -> None:
    uid = blind_room.sent(("film.dcm", dicom(PresentationIntentType="FOR PROCESSING")))
    assert blind_room.study(uid)["reason"].startswith("not scored")


def test_the_share_is_by_patient_and_about_as_large_as_asked() -> None:
    patients = [f"P-{n}" for n in range(10_000)]
    chosen = [patient for patient in patients if in_blind_share(patient, "salt", 0.2)]
    assert 1_850 < len(chosen) < 2_150
    assert chosen == [patient for patient in patients if in_blind_share(patient, "salt", 0.2)]
    assert chosen != [patient for patient in patients if in_blind_share(patient, "pepper", 0.2)]
    assert set(chosen) <= {patient for patient in patients if in_blind_share(patient, "salt", 0.3)}
    assert not any(in_blind_share(patient, "salt", 0.0) for patient in patients)
    assert all(in_blind_share(patient, "salt", 1.0) for patient in patients)


def test_a_patients_studies_are_all_blind_or_none_is(tmp_path: Path, tiny_release: Path) -> None:
    with open_room(tmp_path, tiny_release, blind_share=0.5) as room:
        for patient in range(12):
            for block in range(2):
                room.sent(pattern_film(block), patient_id=f"P-{patient}")
        blind: dict[str, set[bool]] = {}
        for row in room.listed():
            blind.setdefault(row["patient_id"], set()).add(row["blind"])
        assert all(len(values) == 1 for values in blind.values())
        assert {True, False} == {value for values in blind.values() for value in values}
