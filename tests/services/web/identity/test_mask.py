"""While a session is masked, nothing that it gets holds a patient's identity."""

from __future__ import annotations

import re

import pytest

from services.web.identity.audit import whole_log
from tests.releases import pattern_film
from tests.services.web.identity.every_route import STREAMS, routes_of
from tests.services.web.identity.people import sign_in
from tests.services.web.room import Room

IDENTITY = ("PAT-SECRET", "ACC-SECRET", "mueller_hans.png")


def answers(room: Room, uid: str) -> dict[str, str]:
    """Every GET without parameters of its own, and those of the study."""
    film = room.study(uid)["films"][0]["uid"]
    paths = {f"/studies/{uid}?again=1"}
    for method, path, _ in routes_of(room.app):
        if method == "GET" and path not in STREAMS:
            address = re.sub(r"\{(uid|study|study_uid)\}", uid, path)
            paths.add(re.sub(r"\{film[^}]*\}", film, address))
    return {path: room.client.get(path, headers={"accept": "text/html"}).text for path in sorted(paths)}


@pytest.fixture
def one(room: Room) -> str:
    """A study with an identity."""
    uid = room.sent((IDENTITY[2], pattern_film(1)), patient_id=IDENTITY[0], accession=IDENTITY[1])
    room.settled(uid)
    return uid


def mask(room: Room, masked: bool) -> None:
    assert room.client.put("/v1/mask", json={"masked": masked}).json() == {"masked": masked}


def test_no_answer_to_a_masked_session_holds_an_identity(room: Room, one: str) -> None:
    before = answers(room, one)
    assert [path for path, text in before.items() if "PAT-SECRET" in text]
    mask(room, True)
    for path, text in answers(room, one).items():
        for word in IDENTITY:
            assert word not in text, (path, word)
    film = room.study(one)["films"][0]["uid"]
    original = room.client.get(f"/v1/studies/{one}/films/{film}/original")
    assert (original.status_code, original.json()["type"]) == (403, "urn:hilum:problem:masked")
    assert f"•••• {one[-4:]}" in room.client.get("/").text
    mask(room, False)
    assert "PAT-SECRET" in room.client.get("/").text
    assert room.client.get(f"/v1/studies/{one}/films/{film}/original").status_code == 200


def test_showing_identity_again_is_in_the_audit_log(room: Room, one: str) -> None:
    mask(room, True)
    assert "unmask" not in {row.action for row in whole_log(room.web)}
    mask(room, False)
    assert [row.who for row in whole_log(room.web) if row.action == "unmask"] == ["reader"]


def test_the_mask_is_the_sessions_own(shut_room: Room) -> None:
    sign_in(shut_room, "anna")
    uid = shut_room.sent(pattern_film(1), patient_id="PAT-SECRET")
    mask(shut_room, True)
    anna = {"cookie": f"hilum_session={shut_room.client.cookies['hilum_session']}"}
    shut_room.client.cookies.clear()
    sign_in(shut_room, "bert")
    assert shut_room.study(uid)["patient_id"] == "PAT-SECRET"
    shut_room.client.cookies.clear()
    assert shut_room.client.get(f"/v1/studies/{uid}", headers=anna).json()["patient_id"] == "••••"


def test_a_body_that_is_no_mask_is_refused(room: Room) -> None:
    for body in ({}, {"masked": "no"}, {"masked": 1}, {"masked": True, "more": 1}):
        assert room.client.put("/v1/mask", json=body).status_code == 422
