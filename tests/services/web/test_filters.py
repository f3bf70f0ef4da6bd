"""Filters and search of the list: what they find, what they must not tell, and the ranges that the database has."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from services.web.filters import MATCH_LIMIT, known_sites, local_midnight
from services.web.present import catch_up
from services.web.tables import Study
from services.web.worklist import ListFilters, list_studies
from tests.releases import FINDINGS, pattern_film
from tests.services.web.room import Room
from tests.services.web.rows import NOW, add, answered


def uids(room: Room, **query: object) -> list[str]:
    return [study["uid"] for study in room.listed(**query)]


def test_a_search_finds_how_a_number_begins_whatever_its_case(any_room: Room) -> None:
    add(any_room, 1, NOW, accession="ACC-100", patient_id="p-7")
    add(any_room, 2, NOW, accession="acc-101", patient_id="P-70")
    add(any_room, 3, NOW, accession="X_1%", patient_id="")
    assert uids(any_room, q="acc-10") == ["1.2.1", "1.2.2"]
    assert uids(any_room, q="ACC-100") == ["1.2.1"]
    assert uids(any_room, q="P-7") == ["1.2.1", "1.2.2"]
    assert uids(any_room, q="x_1%") == ["1.2.3"]
    assert uids(any_room, q="x11") == []
    assert uids(any_room, q="1.2.2") == ["1.2.2"]
    assert uids(any_room, q="  acc-101 ") == ["1.2.2"]


def test_a_hostile_text_is_a_text(any_room: Room) -> None:
    hostile = ["' OR 1=1 --", "%", "_", "\\", "<script>", "é" * 128, "😀", "]]>"]
    for number, words in enumerate(hostile):
        add(any_room, number, NOW, accession=f"{words[:60]}x")
    for number, words in enumerate(hostile):
        assert uids(any_room, q=words[:40]) == [f"1.2.{number}"], words
    assert len(uids(any_room, q="\x00")) == len(hostile), "what no database can hold is no filter"


def test_a_text_that_begins_very_many_numbers_says_that_it_is_too_short(room: Room) -> None:
    with room.web.write() as session:
        session.add_all(
            Study(uid=f"1.3.{n}", accession=f"B{n}", arrived_at=NOW, due_at=NOW, status="scored", band="routine",
                  score=0.0, reason="")
            for n in range(MATCH_LIMIT + 1)
        )  # fmt: skip
    answer = room.client.get("/v1/studies", params={"q": "b", "limit": 1}).json()
    assert answer["truncated"]
    assert len(answer["studies"]) == 1
    assert not room.client.get("/v1/studies", params={"q": "b77", "limit": 1}).json()["truncated"]
    assert "Type more of the number" in room.client.get("/", params={"q": "b"}).text


def test_a_site_is_found_by_its_name_or_by_a_part_of_it(any_room: Room) -> None:
    add(any_room, 1, NOW, site="North Wing")
    add(any_room, 2, NOW + timedelta(hours=1), site="Northgate")
    add(any_room, 3, NOW, site="South")
    assert uids(any_room, site="North Wing") == ["1.2.1"]
    assert uids(any_room, site="North") == []
    assert uids(any_room, q="north") == ["1.2.1", "1.2.2"]
    with any_room.web.read() as session:
        assert known_sites(session) == ["North Wing", "Northgate", "South"]


def test_days_are_of_arrival_and_both_are_included(any_room: Room) -> None:
    noon = local_midnight(date(2026, 3, 10)) + timedelta(hours=12)
    for number in range(5):
        arrived = noon + timedelta(days=number)
        add(any_room, number, arrived + timedelta(hours=20), arrived_at=arrived)
    assert uids(any_room, since="2026-03-11", until="2026-03-12") == ["1.2.1", "1.2.2"]
    assert uids(any_room, since="2026-03-13") == ["1.2.3", "1.2.4"]
    assert uids(any_room, until="2026-03-10", status="all") == ["1.2.0"]
    assert len(uids(any_room, since="0001-01-01", until="9999-12-31")) == 5
    assert any_room.client.get("/v1/studies", params={"since": "soon"}).status_code == 422
    # On the page a date that is none narrows nothing.
    assert "A-4" in any_room.client.get("/", params={"since": "soon"}).text


def test_a_finding_filter_lists_what_is_present_and_established(any_room: Room) -> None:
    for number, findings in enumerate([["Effusion"], ["Mass", "Effusion"], ["Mass"]]):
        add(any_room, number, NOW + timedelta(hours=3 - number))
        answered(any_room, f"1.2.{number}", *findings)
    # The service does so by itself, a part at a time.
    for _ in range(3):
        with any_room.web.write() as session:
            assert catch_up(session, limit=1) <= 1
    with any_room.web.write() as session:
        assert catch_up(session) == 0
    assert uids(any_room, finding="Effusion") == ["1.2.1", "1.2.0"]
    assert uids(any_room, finding="Edema") == []
    assert uids(any_room, finding="Hernia") == []
    assert uids(any_room, finding="Mass", status="all") == ["1.2.2", "1.2.1"]


def test_a_scored_and_then_read_study_moves_between_the_lists_of_its_finding(any_room: Room) -> None:
    uid = any_room.sent(pattern_film(2))
    study = any_room.settled(uid)
    assert uids(any_room, finding=FINDINGS[2]) == [uid]
    assert uids(any_room, finding=FINDINGS[1]) == []
    any_room.read(uid, {FINDINGS[2]: 1}, "k", answer_version=study["answer_version"])
    assert uids(any_room, finding=FINDINGS[2]) == []
    assert uids(any_room, finding=FINDINGS[2], status="read") == [uid]


def test_filters_join_and_page_without_repeating(any_room: Room) -> None:
    for number in range(12):
        add(
            any_room,
            number,
            NOW + timedelta(minutes=number),
            site="North" if number % 2 else "South",
            band="urgent" if number % 3 else "critical",
            blind=number % 4 == 1,
        )
    wanted = [f"1.2.{n}" for n in range(12) if n % 2 and (n % 3 or n % 4 == 1)]
    found: list[str] = []
    cursor: str | None = None
    with any_room.web.read() as session:
        while True:
            filters = ListFilters(band="urgent", site="North")
            page = list_studies(session, filters, reader="reader", cursor=cursor, limit=2)
            found += [study.uid for study in page.studies]
            cursor = page.next_cursor
            if cursor is None:
                break
    assert found == wanted


def test_a_blind_study_is_in_every_band_and_shows_every_finding_and_no_due_time(any_room: Room) -> None:
    add(any_room, 1, datetime(2026, 11, 21, 12, 1, tzinfo=UTC), band="critical", blind=True, reason="Mass 90 %")
    add(any_room, 2, NOW + timedelta(hours=9), band="routine")
    for query in ({"band": "critical"}, {"band": "routine"}, {"finding": "Mass"}, {"finding": "Edema"}):
        first = any_room.listed(**query)[0]
        assert (first["uid"], first["band"], first["reason"], first["due_at"]) == ("1.2.1", None, None, None)
    page = any_room.client.get("/").text
    row = page[page.index('data-key="1.2.1"') : page.index('data-key="1.2.2"')]
    assert "after your read" in row
    assert "Mass" not in row
    assert "overdue" not in row
    assert 'data-form="due"' not in row


def test_the_address_keeps_the_filters_and_the_page_offers_them(any_room: Room) -> None:
    for number in range(60):
        add(any_room, number, NOW + timedelta(minutes=number), site="North", band="urgent")
    page = any_room.client.get("/", params={"band": "urgent", "site": "North", "since": "2026-11-01"}).text
    following = page[page.index('rel="next"') :]
    for kept in ("band=urgent", "site=North", "since=2026-11-01", "cursor="):
        assert kept in following[: following.index(">")]
    assert "<option selected>North</option>" in page
    assert 'value="2026-11-01"' in page


def test_a_row_says_why_how_long_and_until_when(any_room: Room) -> None:
    add(any_room, 1, NOW, reason="Pneumothorax 84 %", band="critical", priority="STAT")
    page = any_room.client.get("/").text
    row = page[page.index('data-key="1.2.1"') :]
    assert "Pneumothorax 84\u00a0%" in row
    assert "ordered as STAT" in row
    assert 'data-form="waits"' in row
    assert 'data-form="due"' in row


@pytest.mark.parametrize("column", ["accession", "patient_id"])
@pytest.mark.parametrize(("where", "index"), [("", ""), (" AND status <> 'read'", "_unread")])
def test_a_search_is_one_range_of_an_index(any_still_room: Room, column: str, where: str, index: str) -> None:
    assert any_still_room.listed() == []  # the tables are there
    with any_still_room.web.engine.connect() as connection:
        postgresql = connection.dialect.name == "postgresql"
        if postgresql:
            connection.execute(text("SET enable_seqscan = off"))
        lowered = f"lower({column})" + (' COLLATE "C"' if postgresql else "")
        explain = "EXPLAIN" if postgresql else "EXPLAIN QUERY PLAN"
        asked = f"{explain} SELECT uid FROM studies WHERE {lowered} >= 'a1' AND {lowered} < 'a2'{where}"
        plan = " ".join(str(row) for row in connection.execute(text(asked)))
    assert f"ix_prefix_{column}{index}" in plan
