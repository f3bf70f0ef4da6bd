"""Scoring: in the end every film is scored or says why not, whatever inference does meanwhile."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from services.inference.app import create_app as create_inference
from services.inference.settings import InferenceSettings
from services.web.tables import Answer, Film, Prediction
from services.web.urgency import locked_study
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.real import cannot_start
from tests.hilum.imaging.bodies import dicom
from tests.releases import FINDINGS, make_tiny_release, pattern, pattern_film, png
from tests.services.web.room import Room, open_room, wait_for


@contextlib.contextmanager
def served_instead(room: Room, app: FastAPI) -> Iterator[None]:
    """Another inference answers until the block ends."""
    portal, before = room.client.portal, room.to_inference.target
    assert portal is not None
    with portal.wrap_async_context_manager(app.router.lifespan_context(app)):
        wait_for(lambda: "loaded" not in (app.state.serving.reason or ""))
        room.to_inference.target = app
        yield
        room.to_inference.target = before


def moment(text: str) -> datetime:
    """A time from the JSON API."""
    return datetime.fromisoformat(text)


@pytest.mark.parametrize("block", range(len(FINDINGS)))
def test_the_finding_that_is_on_the_film_is_the_one_that_is_named(room: Room, block: int) -> None:
    uid = room.sent(pattern_film(block))
    answer = room.settled(uid)["answer"]
    assert [finding["name"] for finding in answer["findings"]] == list(FINDINGS)
    # The tiny release's Hernia is not established: it has a probability and is never present.
    established = [FINDINGS[block]] if FINDINGS[block] != "Hernia" else []
    assert [finding["name"] for finding in answer["findings"] if finding["present"]] == established
    best = max(answer["findings"], key=lambda finding: finding["probability"])
    assert best["name"] == FINDINGS[block]


def test_films_wait_while_inference_is_away_and_are_scored_when_it_is_back(any_room: Room) -> None:
    any_room.to_inference.cut = True
    uids = [any_room.sent(pattern_film(block)) for block in range(4)]
    wait_for(lambda: all(film.attempts >= 2 for film in _films(any_room)))
    for row in any_room.listed():
        assert (row["status"], row["band"]) == ("waiting", "urgent")
        assert moment(row["due_at"]) - moment(row["arrived_at"]) == timedelta(hours=4)
    ready = any_room.client.get("/readyz")
    assert ready.status_code == 200
    assert "inference" in str(ready.json()["warnings"])
    any_room.to_inference.cut = False
    for uid in uids:
        any_room.settled(uid)
    rows = any_room.rows()
    assert (rows["predictions"], rows["answers"]) == (4, 4)


def _films(room: Room) -> list[Film]:
    with room.web.read() as session:
        return list(session.scalars(select(Film)))


def test_a_film_that_waits_is_never_ahead_of_one_that_is_known_to_be_critical(room: Room) -> None:
    critical = room.sent(pattern_film(2))
    room.settled(critical)
    room.to_inference.cut = True
    waiting = room.sent(pattern_film(0))
    assert [row["uid"] for row in room.listed()] == [critical, waiting]


@pytest.mark.parametrize(
    "change", [{"PresentationIntentType": "FOR PROCESSING"}, {"ViewPosition": "LL"}], ids=["raw", "lateral"]
)
def test_a_film_that_cannot_be_scored_stays_in_the_list_as_urgent(room: Room, change: dict[str, str]) -> None:
    uid = room.sent(("film.dcm", dicom(**change)))
    study = room.study(uid)
    assert (study["status"], study["band"]) == ("not_scored", "urgent")
    assert study["reason"].startswith("not scored: ")
    assert moment(study["due_at"]) - moment(study["arrived_at"]) == timedelta(hours=4)
    assert room.listed()[0]["uid"] == uid
    assert study["films"][0]["reason"]
    assert "POST /v1/predict" not in room.to_inference.requests


def test_a_film_unlike_those_of_the_training_is_not_scored_and_says_so(room: Room) -> None:
    flat = np.full((256, 256), 128, dtype=np.uint8)
    uid = room.sent(("flat.png", png(flat)))
    study = room.settled(uid, "not_scored")
    assert study["band"] == "urgent"
    assert study["answer"] is None
    assert study["reason"].startswith("not scored: ")


def test_the_answer_is_the_maximum_over_the_studys_films(room: Room) -> None:
    uid = room.sent(("a.png", pattern_film(1)), ("b.png", pattern_film(2)), accession="A-1")
    study = room.settled(uid)
    films = {film["file_name"]: film["uid"] for film in study["films"]}
    present = {f["name"]: f["film_uid"] for f in study["answer"]["findings"] if f["present"]}
    assert present == {FINDINGS[1]: films["a.png"], FINDINGS[2]: films["b.png"]}
    assert study["band"] == "critical"


def test_a_late_film_raises_urgency_and_reopens_a_study_that_was_read(any_room: Room) -> None:
    order = {"accession": "A-1", "patient_id": "P-1"}
    uid = any_room.sent(pattern_film(None), **order)
    before = any_room.settled(uid)
    assert before["band"] == "routine"
    assert any_room.read(uid, {FINDINGS[0]: 0}, "k-1", answer_version=1).status_code == 201
    assert any_room.study(uid)["status"] == "read"
    assert any_room.listed() == []
    # Hours go by.
    with any_room.web.write() as session:
        study = locked_study(session, uid)
        assert study is not None
        study.arrived_at -= timedelta(hours=7)
    assert any_room.sent(("late.png", pattern_film(2)), **order) == uid
    assert any_room.listed()[0]["uid"] == uid
    after = any_room.settled(uid)
    assert "overdue by 6 h" in any_room.client.get("/").text
    assert "A film came or was withdrawn after this study was read" in any_room.client.get(f"/studies/{uid}").text
    assert (after["band"], after["answer_version"], after["reopened"]) == ("critical", 2, True)
    assert moment(after["due_at"]) < moment(before["due_at"])
    assert [read["answer_version"] for read in after["reads"]] == [1]
    assert any_room.read(uid, {FINDINGS[2]: 1}, "k-2", answer_version=2).status_code == 201
    assert any_room.study(uid)["status"] == "read"
    assert not any_room.study(uid)["reopened"]


def test_a_late_film_never_lowers_urgency(any_room: Room) -> None:
    order = {"accession": "A-1", "patient_id": "P-1"}
    uid = any_room.sent(pattern_film(2), **order)
    before = any_room.settled(uid)
    any_room.to_inference.cut = True
    any_room.sent(("late.png", pattern_film(None)), **order)
    between = any_room.study(uid)
    assert (between["status"], between["band"], between["due_at"]) == ("waiting", "critical", before["due_at"])
    any_room.to_inference.cut = False
    after = any_room.settled(uid)
    assert (after["band"], after["due_at"], after["answer_version"]) == ("critical", before["due_at"], 2)


def test_while_a_late_film_waits_the_study_is_urgent_at_least(room: Room) -> None:
    order = {"accession": "A-1", "patient_id": "P-1"}
    uid = room.sent(pattern_film(None), **order)
    before = room.settled(uid)
    room.to_inference.cut = True
    room.sent(("late.png", pattern_film(1)), **order)
    assert room.study(uid)["band"] == "urgent"
    room.to_inference.cut = False
    after = room.settled(uid)
    assert after["band"] == "urgent"
    assert moment(after["due_at"]) < moment(before["due_at"])


def test_each_film_is_scored_once(room: Room) -> None:
    for block in range(4):
        room.settled(room.sent(pattern_film(block)))
    room.send(pattern_film(0))
    assert room.to_inference.requests.count("POST /v1/predict") == 4


def test_an_answer_is_of_one_release_also_when_a_newer_one_scores_the_late_film(
    room: Room, tmp_path: Path, tiny_release: Path
) -> None:
    order = {"accession": "A-1", "patient_id": "P-1"}
    uid = room.sent(pattern_film(2), **order)
    old = room.settled(uid)["answer"]["release"]["digest"]
    newer = make_tiny_release(tmp_path / "newer", FINDINGS[::-1], version="2.0.0").folder
    with served_instead(room, create_inference(InferenceSettings(data=tmp_path, release=newer, trusted_keys=""))):
        room.sent(("late.png", pattern_film(0)), **order)
        study = room.settled(uid)
    answer = study["answer"]
    assert answer["release"]["digest"] != old
    assert [finding["name"] for finding in answer["findings"]] == list(FINDINGS[::-1])
    assert {f["film_uid"] for f in answer["findings"] if f["present"]} == {film["uid"] for film in study["films"]}
    with room.web.read() as session:
        assert len(session.scalars(select(Prediction)).all()) == 3
        assert len(session.scalars(select(Answer)).all()) == 2
    assert [finding["name"] for finding in study["findings"]] == list(FINDINGS[::-1])


def test_a_film_that_another_process_had_in_hand_when_it_died_is_scored(tmp_path: Path, tiny_release: Path) -> None:
    with open_room(tmp_path, tiny_release) as room:
        room.to_inference.cut = True
        uid = room.sent(pattern_film(1))
        with room.web.write() as session:
            film = session.scalars(select(Film)).one()
            film.leased_until = film.arrived_at + timedelta(days=1)
            film.next_try = film.arrived_at + timedelta(days=1)
    with open_room(tmp_path, tiny_release) as room:
        room.settled(uid)


def test_a_heat_map_comes_from_the_release_that_answered(room: Room) -> None:
    uid = room.sent(pattern_film(1))
    film = room.settled(uid)["films"][0]["uid"]
    path = f"/v1/studies/{uid}/films/{film}/heat"
    first = room.client.get(path, params={"finding": FINDINGS[1]})
    assert (first.status_code, first.headers["content-type"]) == (200, "image/png")
    # Another release's map has the same address: no browser may show one without asking.
    assert first.headers["cache-control"] == "private, no-cache"
    asked = len(room.to_inference.requests)
    assert room.client.get(path, params={"finding": FINDINGS[1]}).content == first.content
    assert len(room.to_inference.requests) == asked
    assert room.client.get(path, params={"finding": "Nothing"}).status_code == 404
    room.to_inference.cut = True
    away = room.client.get(path, params={"finding": FINDINGS[2]})
    assert (away.status_code, away.headers["retry-after"]) == (503, "5")


def test_a_film_is_shown_as_png_whatever_it_came_as(room: Room) -> None:
    for body in (dicom(), pattern_film(1), png(pattern(2, 600))):
        uid = room.sent(("film", body))
        film = room.study(uid)["films"][0]["uid"]
        for name in ("image.png", "thumbnail.png"):
            path = f"/v1/studies/{uid}/films/{film}/{name}"
            picture = room.client.get(path)
            assert picture.status_code == 200
            assert picture.content.startswith(b"\x89PNG")
            again = room.client.get(path, headers={"If-None-Match": picture.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")


def test_a_film_that_inference_refuses_is_not_scored_and_says_why(
    room: Room, tmp_path: Path, tiny_release: Path
) -> None:
    strict = create_inference(InferenceSettings(data=tmp_path, release=tiny_release, trusted_keys="", max_pixels=2000))
    with served_instead(room, strict):
        uid = room.sent(pattern_film(1))
        study = room.settled(uid, "not_scored")
    assert study["films"][0]["reason"]
    assert study["films"][0]["reason"] in study["reason"]
    assert study["band"] == "urgent"


def test_an_address_that_is_not_inference_keeps_films_waiting(room: Room) -> None:
    right = room.to_inference.target
    room.to_inference.target = room.feedback_app
    uid = room.sent(pattern_film(1))
    wait_for(lambda: _films(room)[0].attempts >= 2)
    assert room.study(uid)["status"] == "waiting"
    room.to_inference.target = right
    room.settled(uid)


def test_a_film_that_inference_fails_on_holds_up_no_other(room: Room) -> None:
    room.to_inference.cut = True
    first = room.sent(pattern_film(1), priority="STAT")
    others = [room.sent(pattern_film(block)) for block in (2, 3, 4)]
    room.to_inference.poison = pattern_film(1)
    room.to_inference.cut = False
    for uid in others:
        room.settled(uid)
    assert room.study(first)["status"] == "waiting"
    room.to_inference.poison = None
    room.settled(first)


def test_a_film_whose_bytes_are_gone_is_said_to_be(room: Room) -> None:
    room.to_inference.cut = True
    uid = room.sent(pattern_film(1))
    film = room.study(uid)["films"][0]["uid"]
    (key,) = room.blobs()
    room.web.blobs.delete(key)
    room.to_inference.cut = False
    assert "missing" in room.settled(uid, "not_scored")["reason"]
    for name in ("original", "image.png"):
        assert room.client.get(f"/v1/studies/{uid}/films/{film}/{name}").status_code == 503
    other = room.send(("film.png", pattern_film(2)), patient_id="P")
    assert other.status_code == 201


def test_no_heat_map_is_drawn_by_another_release_than_the_one_that_answered(room: Room, tmp_path: Path) -> None:
    uid = room.sent(pattern_film(1))
    film = room.settled(uid)["films"][0]["uid"]
    newer = make_tiny_release(tmp_path / "newer", FINDINGS, version="2.0.0").folder
    with served_instead(room, create_inference(InferenceSettings(data=tmp_path, release=newer, trusted_keys=""))):
        answer = room.client.get(f"/v1/studies/{uid}/films/{film}/heat", params={"finding": FINDINGS[1]})
    assert answer.status_code == 409


def test_a_database_that_goes_away_and_comes_back_needs_no_restart(tmp_path: Path, tiny_release: Path) -> None:
    try:
        server = PostgresServer()
        server.start()
    except (RuntimeError, OSError) as error:
        cannot_start("PostgreSQL", error)
    try:
        url = server.database_url(server.create_database())
        with open_room(tmp_path, tiny_release, database_url=url) as room:
            room.to_inference.cut = True
            uid = room.sent(pattern_film(1))
            server.stop()
            assert room.send(pattern_film(2)).status_code == 503
            assert room.read(uid, {FINDINGS[0]: 1}, "k-1").status_code == 503
            assert room.client.get("/readyz").status_code == 503
            metrics = room.client.get("/metrics")
            assert metrics.status_code == 200
            assert "hilum_worklist_overdue_seconds NaN" in metrics.text
            with server.silent():
                began = time.monotonic()
                metrics = room.client.get("/metrics")
                # Prometheus gives a page up after 10 s, and a connection takes that long to fail; feedback's share of
                # the page, which lies in this process too, is in it.
                assert time.monotonic() - began < 10
            assert metrics.status_code == 200
            assert "hilum_worklist_overdue_seconds NaN" in metrics.text
            room.to_inference.cut = False
            server.start()
            room.settled(uid)
            assert room.send(pattern_film(2)).status_code == 201
    finally:
        server.remove()
