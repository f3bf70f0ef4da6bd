"""Pictures and frames of films over HTTP: what comes, how it is kept by a browser, and what a broken one answers."""

from __future__ import annotations

import gzip

import numpy as np

from hilum.imaging import decode, decode_8bit, decode_frame
from tests.hilum.imaging.bodies import dicom, grey, sample
from tests.hilum.imaging.test_frames import opened
from tests.releases import pattern_film
from tests.services.web.room import Room

DEEP = (grey().astype(np.uint16) << 4) + 5


def film_path(room: Room, uid: str) -> str:
    return f"/v1/studies/{uid}/films/{room.study(uid)['films'][0]['uid']}"


def test_a_frame_holds_each_stored_value_of_a_12_bit_film(room: Room) -> None:
    body = dicom(DEEP, BitsStored=12, ImagerPixelSpacing=[0.2, 0.2])
    uid = room.sent(("a.dcm", body))
    answer = room.client.get(f"{film_path(room, uid)}/frame")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.hilum.frame"
    assert answer.headers["content-encoding"] == "gzip"
    head, table, values = opened(answer.content)
    assert np.array_equal(values, DEEP)
    assert np.array_equal(table[values], decode_8bit(decode(body)))
    assert head["spacing"]["kind"] == "detector"


def test_who_takes_no_gzip_gets_the_same_frame_plain(room: Room) -> None:
    path = f"{film_path(room, room.sent(pattern_film(1)))}/frame"
    plain = room.client.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == "Accept-Encoding"
    assert plain.content == room.client.get(path).content == decode_frame(pattern_film(1)).to_bytes()


def test_a_browser_shows_what_it_has_and_is_told_that_nothing_changed(room: Room) -> None:
    base = film_path(room, room.sent(pattern_film(1)))
    for name in ("image.png", "preview.png", "thumbnail.png", "frame"):
        first = room.client.get(f"{base}/{name}")
        assert first.headers["cache-control"] == "private, max-age=0, stale-while-revalidate=600"
        again = room.client.get(f"{base}/{name}", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    assert len({room.client.get(f"{base}/{name}").headers["etag"] for name in ("preview.png", "frame")}) == 2


def test_a_frame_is_made_once_and_then_kept(room: Room) -> None:
    base = film_path(room, room.sent(pattern_film(1)))
    first = room.client.get(f"{base}/frame").content
    (key,) = room.blobs("derived/frame-v1/")
    assert gzip.decompress(room.web.blobs.get(key)) == first


def test_a_film_whose_bytes_are_damaged_in_the_store_answers_calmly(room: Room) -> None:
    uid = room.sent(("a.dcm", sample("nih_test1.dcm")))
    base = film_path(room, uid)
    (key,) = room.blobs("films/")
    whole = room.web.blobs.get(key)
    room.web.blobs.delete(key)
    for name in ("frame", "preview.png", "image.png"):
        answer = room.client.get(f"{base}/{name}")
        assert answer.status_code == 503
        assert answer.json()["type"].endswith("film-missing")
    room.web.blobs.put(key, whole[: len(whole) // 2])
    answer = room.client.get(f"{base}/frame")
    assert answer.status_code == 503
    assert "can't be shown" in answer.json()["detail"]
    assert room.blobs("derived/frame-v1/") == []


def test_films_can_be_listed_without_any_answer(room: Room) -> None:
    uid = room.sent(pattern_film(1), pattern_film(2), accession="A")
    answer = room.client.get(f"/v1/studies/{uid}/films").json()
    assert [set(film) for film in answer["films"]] == [{"uid", "width", "height"}] * 2
    assert room.client.get("/v1/studies/1.2.3/films").status_code == 404
    assert room.client.get("/v1/studies/none/films").status_code == 404


def test_another_study_s_film_is_not_served_under_this_study(room: Room) -> None:
    one, two = room.sent(pattern_film(1)), room.sent(pattern_film(2))
    film = room.study(two)["films"][0]["uid"]
    for name in ("frame", "preview.png", "image.png", "original"):
        assert room.client.get(f"/v1/studies/{one}/films/{film}/{name}").status_code == 404
