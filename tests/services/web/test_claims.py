"""Claims, skips and closing: who reads what now, what nobody reads, and what was reported elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from services.web.claims import claim_study
from services.web.context import utc_now
from services.web.skip_policy import SkipPolicy
from services.web.skips import skip_study
from services.web.tables import Study
from services.web.worklist import ListFilters, list_studies
from tests.releases import FINDINGS, pattern_film
from tests.services.web.room import Room
from tests.services.web.rows import NOW, add

CLOSE = {"by": "RIS", "reason": "report signed"}


@contextmanager
def claimed_by(room: Room, reader: str, uid: str, seconds: float = 600.0) -> Iterator[None]:
    """Another reader's claim."""
    with room.web.write() as session:
        claim_study(session, uid, reader=reader, now=utc_now(), seconds=seconds)
    yield


def order(room: Room, uid: str, action: str, key: str, **body: str) -> httpx.Response:
    headers = {"Idempotency-Key": key}
    return room.client.post(f"/v1/studies/{uid}/{action}", json={**CLOSE, **body}, headers=headers)


def line(room: Room, uid: str, **query: Any) -> dict[str, Any]:
    """The study's line in the list."""
    (found,) = [study for study in room.listed(**query) if study["uid"] == uid]
    return found


def test_a_claim_is_shown_renewed_and_released(any_room: Room) -> None:
    uid = add(any_room, 1, NOW)
    first = any_room.client.post(f"/v1/studies/{uid}/claim").json()
    assert first["mine"]
    assert line(any_room, uid)["claim"]["reader"] == first["reader"]
    again = any_room.client.post(f"/v1/studies/{uid}/claim").json()
    assert again["expires_at"] > first["expires_at"]
    assert any_room.client.delete(f"/v1/studies/{uid}/claim").status_code == 204
    assert any_room.client.delete(f"/v1/studies/{uid}/claim").status_code == 204
    assert line(any_room, uid)["claim"] is None


def test_another_readers_claim_is_refused_until_it_is_taken_over(any_room: Room) -> None:
    uid = add(any_room, 1, NOW)
    with claimed_by(any_room, "Dr. Novak", uid):
        refused = any_room.client.post(f"/v1/studies/{uid}/claim")
        assert (refused.status_code, refused.json()["reader"]) == (409, "Dr. Novak")
        assert not line(any_room, uid)["claim"]["mine"]
        assert "Dr. Novak is reading" in any_room.client.get("/").text
        assert any_room.listed(unclaimed=True) == []
        # Releasing is of one's own claim alone.
        any_room.client.delete(f"/v1/studies/{uid}/claim")
        assert line(any_room, uid)["claim"]["reader"] == "Dr. Novak"
        taken = any_room.client.post(f"/v1/studies/{uid}/claim", params={"take_over": True})
        assert taken.json()["mine"]
        assert len(any_room.listed(unclaimed=True)) == 1


def test_a_claim_ends_by_itself(any_room: Room) -> None:
    uid = add(any_room, 1, NOW)
    with claimed_by(any_room, "Dr. Novak", uid, seconds=-1):
        assert line(any_room, uid)["claim"] is None
        assert any_room.client.post(f"/v1/studies/{uid}/claim").json()["mine"]


def test_of_many_who_claim_at_once_one_gets_it(any_room: Room) -> None:
    uid = add(any_room, 1, NOW)
    got: list[str] = []

    def ask(reader: str) -> None:
        try:
            with any_room.web.write() as session:
                claim_study(session, uid, reader=reader, now=utc_now(), seconds=600)
            got.append(reader)
        except Exception as error:
            assert "reads this study" in str(error)

    threads = [threading.Thread(target=ask, args=(f"reader {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_a_read_is_kept_whoever_holds_the_claim(room: Room) -> None:
    uid = room.sent(pattern_film(1))
    study = room.settled(uid)
    with claimed_by(room, "Dr. Novak", uid):
        read = room.read(uid, {FINDINGS[1]: 1}, "k", answer_version=study["answer_version"])
    assert read.status_code == 201


@pytest.mark.parametrize("call", ["claim", "skip"])
def test_what_is_not_here_can_be_neither_claimed_nor_skipped(room: Room, call: str) -> None:
    assert room.client.post(f"/v1/studies/9.9.9/{call}").status_code == 404
    assert room.client.post(f"/v1/studies/..%2f/{call}").status_code == 404


def test_a_study_that_everybody_skips_is_escalated_and_never_sinks(any_room: Room) -> None:
    soon = utc_now() + timedelta(hours=20)
    uid = add(any_room, 1, soon, arrived_at=utc_now())
    add(any_room, 2, utc_now() + timedelta(minutes=5), band="critical")
    add(any_room, 3, utc_now() + timedelta(hours=3), band="urgent")
    for reader in ("a", "a", "b"):
        with any_room.web.write() as session:
            outcome = skip_study(
                session, uid, reader=reader, skips=SkipPolicy(3, 9), policy=any_room.web.policy, now=utc_now()
            )
        assert not outcome.escalated
    assert line(any_room, uid)["skipped_by"] == 2
    assert "hilum_studies_escalated 0.0" in any_room.client.get("/metrics").text
    skipped = any_room.client.post(f"/v1/studies/{uid}/skip").json()
    assert skipped == {"skipped_by": 3, "times": 4, "escalated": True}
    # Behind what is critical already, before what was less urgent.
    assert [study["uid"] for study in any_room.listed()] == ["1.2.2", uid, "1.2.3"]
    assert [study["uid"] for study in any_room.listed(status="escalated")] == [uid]
    assert datetime.fromisoformat(line(any_room, uid)["due_at"]) <= utc_now() + timedelta(minutes=15)
    assert "hilum_studies_escalated 1.0" in any_room.client.get("/metrics").text
    assert "skipped by all" in any_room.client.get("/").text


def test_one_reader_who_skips_again_and_again_escalates_too(room: Room) -> None:
    uid = add(room, 1, utc_now() + timedelta(hours=20))
    outcomes = [room.client.post(f"/v1/studies/{uid}/skip").json() for _ in range(5)]
    assert [outcome["escalated"] for outcome in outcomes] == [False] * 4 + [True]
    assert outcomes[-1]["skipped_by"] == 1


def test_reading_ends_an_escalation(room: Room) -> None:
    uid = room.sent(pattern_film(1))
    study = room.settled(uid)
    for _ in range(5):
        room.client.post(f"/v1/studies/{uid}/skip")
    assert room.study(uid)["escalated"]
    room.read(uid, {FINDINGS[1]: 1}, "k", answer_version=study["answer_version"])
    after = room.study(uid)
    assert (after["escalated"], after["skipped_by"]) == (False, 0)
    # A read study is nobody's to pass over.
    assert room.client.post(f"/v1/studies/{uid}/skip").json() == {"skipped_by": 0, "times": 0, "escalated": False}


def test_a_study_that_is_reported_elsewhere_leaves_the_list_and_says_who_closed_it(any_room: Room) -> None:
    uid = any_room.sent(pattern_film(1))
    any_room.settled(uid)
    closed = order(any_room, uid, "close", "ris-1")
    assert closed.status_code == 200
    assert closed.json()["closed"]["by"] == "RIS"
    assert any_room.listed() == []
    assert any_room.listed(status="read") == []
    assert [study["uid"] for study in any_room.listed(status="closed")] == [uid]
    assert "report signed" in any_room.client.get("/", params={"status": "closed"}).text
    assert "report signed" in any_room.client.get(f"/studies/{uid}").text
    # The same order again, and another one for what is closed already, change nothing.
    assert order(any_room, uid, "close", "ris-1").json() == closed.json()
    assert order(any_room, uid, "close", "ris-2", by="PACS").json() == closed.json()
    assert order(any_room, uid, "close", "ris-1", by="PACS").status_code == 409


def test_a_closed_study_is_opened_again_by_order_and_a_late_retry_does_not_close_it(any_room: Room) -> None:
    uid = any_room.sent(pattern_film(1))
    due = any_room.settled(uid)["due_at"]
    order(any_room, uid, "close", "ris-1")
    opened = order(any_room, uid, "reopen", "ris-2", reason="report withdrawn").json()
    assert (opened["status"], opened["closed"], opened["due_at"], opened["reopened"]) == ("scored", None, due, True)
    order(any_room, uid, "close", "ris-1")
    assert [study["uid"] for study in any_room.listed()] == [uid]


def test_a_late_film_opens_a_closed_study(any_room: Room) -> None:
    uid = any_room.sent(pattern_film(1), accession="A-9", patient_id="P-9")
    any_room.settled(uid)
    order(any_room, uid, "close", "ris-1")
    assert any_room.send(pattern_film(2), accession="A-9", patient_id="P-9").json()["uid"] == uid
    study = any_room.settled(uid)
    assert (study["closed"], study["reopened"]) == (None, True)
    assert [row["uid"] for row in any_room.listed()] == [uid]


def test_a_read_study_can_be_opened_again_and_keeps_its_read(any_room: Room) -> None:
    uid = any_room.sent(pattern_film(1))
    study = any_room.settled(uid)
    any_room.read(uid, {FINDINGS[1]: 1}, "k", answer_version=study["answer_version"])
    assert order(any_room, uid, "reopen", "lead-1", by="lead", reason="second look").json()["status"] == "scored"
    assert len(any_room.study(uid)["reads"]) == 1


def test_an_order_without_a_key_a_name_or_a_reason_is_refused(room: Room) -> None:
    uid = add(room, 1, NOW)
    assert room.client.post(f"/v1/studies/{uid}/close", json=CLOSE).status_code == 400
    for wrong in ({"by": ""}, {"reason": "  "}, {"by": "x" * 200}, {"reason": "\0"}):
        assert order(room, uid, "close", "k", **wrong).status_code == 422
    assert order(room, "9.9.9", "close", "k").status_code == 404


def test_a_row_of_one_reader_is_not_mine_for_another(room: Room) -> None:
    uid = add(room, 1, NOW)
    with claimed_by(room, "a", uid), room.web.read() as session:
        for reader in ("a", "b"):
            page = list_studies(session, ListFilters(), reader=reader)
            claim = page.studies[0].claim
            assert claim is not None
            assert claim.mine == (reader == "a")
        assert session.get(Study, uid) is not None
