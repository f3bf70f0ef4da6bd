"""The worklist: earliest due first, paged so that nothing is skipped or shown twice while studies arrive."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from services.web.findings import list_by_finding
from services.web.summary import summarise
from services.web.worklist import next_unread, previous_unread
from tests.releases import FINDINGS, pattern_film
from tests.services.web.room import Room
from tests.services.web.rows import NOW, add


def pages(room: Room, between: list[tuple[int, datetime]] | None = None, **query: object) -> list[str]:
    """Every uid, page by page; after each page one of the studies of `between` arrives."""
    found: list[str] = []
    cursor = None
    while True:
        answer = room.client.get("/v1/studies", params={"limit": 3, **query, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        found += [study["uid"] for study in answer.json()["studies"]]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found
        if between:
            add(room, *between.pop())


def test_the_study_that_is_due_first_is_first(any_room: Room) -> None:
    hours = [5, 1, 4, 2, 3, 3]
    for number, hour in enumerate(hours):
        add(any_room, number, NOW + timedelta(hours=hour))
    assert pages(any_room) == ["1.2.1", "1.2.3", "1.2.4", "1.2.5", "1.2.2", "1.2.0"]


def test_paging_shows_each_study_once_while_others_arrive(any_room: Room) -> None:
    for number in range(20):
        add(any_room, number, NOW + timedelta(minutes=number))
    arriving = [(100 + n, NOW + timedelta(minutes=(7 * n) % 25, seconds=30)) for n in range(6)]
    found = pages(any_room, arriving)
    assert len(found) == len(set(found))
    assert [uid for uid in found if len(uid) < 7 and int(uid[4:]) < 20] == [f"1.2.{n}" for n in range(20)]


def test_equal_due_times_page_by_uid(any_room: Room) -> None:
    for number in range(8):
        add(any_room, number, NOW)
    assert pages(any_room) == [f"1.2.{n}" for n in range(8)]


def test_unread_is_the_default_and_the_history_is_newest_first(any_room: Room) -> None:
    for number in range(7):
        read_at = NOW + timedelta(hours=number)
        add(any_room, number, NOW, status="read", last_read_at=read_at)
    add(any_room, 8, NOW, status="waiting")
    add(any_room, 9, NOW + timedelta(1), status="not_scored")
    assert pages(any_room) == ["1.2.8", "1.2.9"]
    assert pages(any_room, status="read") == [f"1.2.{n}" for n in reversed(range(7))]
    assert pages(any_room, status="waiting") == ["1.2.8"]
    assert pages(any_room, status="not_scored") == ["1.2.9"]
    assert len(pages(any_room, status="all")) == 9


def test_a_band_and_a_text_filter_the_list(any_room: Room) -> None:
    add(any_room, 1, NOW, band="critical", patient_id="P_1%")
    add(any_room, 2, NOW, band="urgent", patient_id="PX12", site="North Wing")
    assert pages(any_room, band="critical") == ["1.2.1"]
    assert pages(any_room, q="north") == ["1.2.2"]
    assert pages(any_room, q="a-2") == ["1.2.2"]
    assert pages(any_room, q="P_1%") == ["1.2.1"]
    assert pages(any_room, q="%") == []
    assert pages(any_room, q="nothing") == []
    assert len(pages(any_room, q="\x00")) == 2


@pytest.mark.parametrize(
    "cursor",
    ["x", "%%%", "W10", "bnVsbA", "WyJyZWFkIiwgIjIwMjYtMTEtMjFUMDA6MDA6MDArMDA6MDAiLCAiMS4yIl0", "WyJkdWUiLDEsMl0"],
)
def test_a_cursor_that_the_list_did_not_give_is_refused(room: Room, cursor: str) -> None:
    answer = room.client.get("/v1/studies", params={"cursor": cursor})
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("bad-cursor")


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 10_000}, {"status": "gone"}, {"band": "red"}, {"q": "x" * 500}]
)
def test_a_question_that_makes_no_sense_is_refused(room: Room, query: dict[str, object]) -> None:
    answer = room.client.get("/v1/studies", params=query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_next_and_previous_follow_the_list_and_skip_what_is_read(any_room: Room) -> None:
    for number in range(4):
        add(any_room, number, NOW + timedelta(hours=number), status="read" if number == 1 else "scored")
    with any_room.web.read() as session:
        assert next_unread(session) == "1.2.0"
        assert next_unread(session, "1.2.0") == "1.2.2"
        assert next_unread(session, "1.2.1") == "1.2.2"
        assert next_unread(session, "1.2.3") is None
        assert next_unread(session, "9.9") is None
        assert previous_unread(session, "1.2.2") == "1.2.0"
        assert previous_unread(session, "1.2.0") is None


def test_the_counts_are_of_unread_studies(any_room: Room) -> None:
    add(any_room, 1, NOW - timedelta(hours=1), band="critical")
    add(any_room, 2, NOW + timedelta(hours=1), band="urgent", status="not_scored")
    add(any_room, 3, NOW, band="routine", status="read", last_read_at=NOW)
    with any_room.web.read() as session:
        counts = summarise(session, reader="reader", now=NOW)
    assert (counts.critical, counts.urgent, counts.routine, counts.blind) == (1, 1, 0, 0)
    assert (counts.unread, counts.overdue, counts.not_scored, counts.any_read) == (2, 1, 1, True)


def test_the_list_of_a_finding_is_newest_first_and_paged(any_room: Room) -> None:
    uids = [any_room.sent(pattern_film(block)) for block in (0, 1, 2)]
    for uid in uids:
        any_room.settled(uid)
    found: list[tuple[str, bool]] = []
    cursor = None
    with any_room.web.read() as session:
        while True:
            page = list_by_finding(session, FINDINGS[1], reader="reader", cursor=cursor, limit=2)
            found += [(row.study.uid, row.finding is not None and row.finding.present) for row in page.rows]
            cursor = page.next_cursor
            if cursor is None:
                break
    assert found == [(uids[2], False), (uids[1], True), (uids[0], False)]


def test_films_come_out_ranked_by_what_is_on_them(room: Room) -> None:
    """Block 2 is a pneumothorax, which is acute; 1 is an atelectasis; None shows nothing."""
    order = {block: room.sent(pattern_film(block)) for block in (None, 1, 2)}
    for uid in order.values():
        room.settled(uid)
    listed = room.listed()
    assert [row["uid"] for row in listed] == [order[2], order[1], order[None]]
    assert [row["band"] for row in listed] == ["critical", "urgent", "routine"]
    assert listed[0]["reason"].startswith("Pneumothorax ")
    due = [datetime.fromisoformat(row["due_at"]) - datetime.fromisoformat(row["arrived_at"]) for row in listed]
    assert due[0] <= timedelta(minutes=15) < due[1] <= timedelta(hours=4) < due[2] <= timedelta(hours=24)


def test_an_order_makes_a_study_more_urgent_and_never_less(room: Room) -> None:
    plain = room.sent(pattern_film(None), patient_id="P-1")
    stat = room.sent(pattern_film(None), patient_id="P-2", priority="STAT")
    icu = room.sent(pattern_film(None), patient_id="P-3", location="ICU")
    low = room.sent(pattern_film(2), patient_id="P-4", priority="LOW")
    bands = {uid: room.settled(uid)["band"] for uid in (plain, stat, icu, low)}
    assert bands == {plain: "routine", stat: "critical", icu: "urgent", low: "critical"}
