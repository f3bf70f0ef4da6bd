"""What Prometheus is told of waiting: per band, per site, first scores, first reads, the outbox."""

from __future__ import annotations

import re
from datetime import timedelta

from services.web import waits
from services.web.context import utc_now
from services.web.tables import Film, Read, Study
from tests.releases import FINDINGS, pattern_film
from tests.services.web.room import Room
from tests.services.web.rows import add


def value(room: Room, series: str) -> float:
    found = re.search(rf"^{re.escape(series)} (\S+)$", room.client.get("/metrics").text, re.MULTILINE)
    assert found is not None, series
    return float(found.group(1))


def test_overdue_studies_are_told_by_band_with_the_bands_wait(any_room: Room) -> None:
    room = any_room
    now = utc_now()
    add(room, 1, now - timedelta(minutes=20), band="critical")
    add(room, 2, now - timedelta(minutes=5), band="critical")
    add(room, 3, now + timedelta(minutes=5), band="urgent")
    add(room, 4, now - timedelta(days=3), band="routine", status="read", last_read_at=now)
    add(room, 5, now - timedelta(days=3), band="routine", synthetic=True)
    # A late film reopened it: it is overdue since then, not since it was first due.
    add(room, 6, now - timedelta(days=3), band="routine", reopened_at=now - timedelta(minutes=1))
    assert value(room, 'hilum_studies_overdue{band="critical"}') == 2
    assert 1200 <= value(room, 'hilum_studies_overdue_seconds{band="critical"}') < 1260
    assert value(room, 'hilum_studies_overdue{band="urgent"}') == 0
    assert value(room, 'hilum_studies_overdue_seconds{band="urgent"}') == 0
    assert 60 <= value(room, 'hilum_studies_overdue_seconds{band="routine"}') < 120
    assert value(room, 'hilum_band_wait_seconds{band="critical"}') == 900


def test_the_busiest_sites_have_a_series_each_and_the_rest_share_one(any_room: Room) -> None:
    room = any_room
    now = utc_now()
    for number in range(waits.SITES + 3):
        add(room, number, now, arrived_at=now, site=f"site {number}")
    for number in range(5):
        add(room, 100 + number, now, arrived_at=now, site="site 0")
    add(room, 200, now, arrived_at=now - timedelta(hours=25), site="long ago")
    page = room.client.get("/metrics").text
    assert value(room, 'hilum_site_studies{site="site 0"}') == 6
    assert value(room, 'hilum_site_studies{site="(other)"}') == 3
    assert page.count("hilum_site_studies{") == waits.SITES + 1
    assert "long ago" not in page


def test_a_film_without_its_first_score_ages_and_its_score_is_timed_once(room: Room) -> None:
    before = value(room, "hilum_ranked_seconds_count")
    room.to_inference.cut = True
    uid = room.sent(pattern_film(1))
    with room.web.write() as session:
        for film in session.query(Film):
            film.arrived_at = utc_now() - timedelta(seconds=100)
    assert value(room, "hilum_films_waiting_oldest_seconds") >= 100
    room.to_inference.cut = False
    room.settled(uid)
    assert value(room, "hilum_films_waiting_oldest_seconds") == 0
    assert value(room, "hilum_ranked_seconds_count") == before + 1
    # Another release is asked about the film again: it has its rank, so nobody waits for one.
    with room.web.write() as session:
        for film in session.query(Film):
            film.state, film.next_try = "waiting", utc_now()
    assert value(room, "hilum_films_waiting_oldest_seconds") == 0
    room.settled(uid)
    assert value(room, "hilum_ranked_seconds_count") == before + 1


def test_the_first_read_is_timed_and_a_read_that_feedback_lacks_ages(room: Room) -> None:
    uid = room.settled(room.sent(pattern_film(2)))["uid"]
    series = 'hilum_first_read_seconds_count{band="critical"}'
    before = value(room, series)
    room.to_feedback.cut = True
    assert room.read(uid, {FINDINGS[0]: 1}, "k-1").status_code == 201
    assert room.read(uid, {FINDINGS[0]: 1}, "k-1").status_code == 200
    assert room.read(uid, {FINDINGS[0]: 0}, "k-2").status_code == 201
    assert value(room, series) == before + 1
    with room.web.write() as session:
        for read in session.query(Read):
            read.read_at = utc_now() - timedelta(seconds=300)
    assert 300 <= value(room, "hilum_outbox_oldest_seconds") < 400


def test_without_rows_there_is_no_number() -> None:
    waits.forget()
    assert str(waits.STUDIES_OVERDUE.labels("critical")._value.get()) == "nan"
    assert str(waits.FILMS_OLDEST._value.get()) == "nan"


def test_a_study_that_was_read_counts_no_first_read(room: Room) -> None:
    add(room, 1, utc_now(), last_read_at=utc_now())
    with room.web.read() as session:
        assert waits.unread_since(session, "1.2.1") is None
        assert session.get(Study, "1.2.1") is not None


def test_every_kind_of_refusal_starts_at_nought_so_that_its_first_is_seen(room: Room) -> None:
    """`increase` misses a series' first value: 24 truncated films were counted, and no alert saw them."""
    for kind in ("truncated-film", "damaged-film", "not-an-image", "film-too-large", "conflicting-film"):
        assert value(room, f'hilum_films_refused_total{{kind="{kind}"}}') >= 0
        assert value(room, f'hilum_dicom_refused_total{{kind="{kind}",way="stow"}}') >= 0
