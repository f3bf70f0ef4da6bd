"""The earlier study beside the one that is read: the same patient at the same site, films alone."""

from __future__ import annotations

import pytest

from services.web.priors import prior_of
from tests.releases import pattern_film
from tests.services.web.room import Room


def prior(room: Room, uid: str) -> str | None:
    with room.web.read() as session:
        found = prior_of(session, uid)
    return found.study_uid if found else None


def test_the_newest_earlier_study_of_the_patient_is_the_prior(any_room: Room) -> None:
    first = any_room.sent(pattern_film(1), patient_id="P-1", accession="A-1")
    second = any_room.sent(pattern_film(2), patient_id="P-1", accession="A-2")
    third = any_room.sent(pattern_film(3), patient_id="P-1", accession="A-3")
    other = any_room.sent(pattern_film(4), patient_id="P-2", accession="A-4")
    assert [prior(any_room, uid) for uid in (first, second, third, other)] == [None, first, second, None]


@pytest.mark.parametrize("field", ["patient_id", "site"])
def test_another_patient_or_another_site_is_no_prior(room: Room, field: str) -> None:
    facts = {"patient_id": "P-1", "site": "North"}
    room.sent(pattern_film(1), accession="A-1", **facts)
    later = room.sent(pattern_film(2), accession="A-2", **{**facts, field: "other"})
    assert prior(room, later) is None


def test_patients_without_an_id_have_no_priors(room: Room) -> None:
    room.sent(pattern_film(1))
    assert prior(room, room.sent(pattern_film(2))) is None


def test_the_page_shows_the_prior_s_films_and_nothing_of_its_answer(room: Room) -> None:
    first = room.sent(pattern_film(1), patient_id="P-1", accession="A-1")
    room.settled(first)
    second = room.sent(pattern_film(2), patient_id="P-1", accession="A-2")
    room.settled(second)
    page = room.client.get(f"/studies/{second}").text
    film = room.study(first)["films"][0]["uid"]
    assert f"/v1/studies/{first}/films/{film}/frame" in page
    assert f"/v1/studies/{first}/films/{film}/heat" not in page
    assert 'id="prior"' in page
    assert 'id="prior"' not in room.client.get(f"/studies/{first}").text
