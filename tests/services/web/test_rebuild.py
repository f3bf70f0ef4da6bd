"""`hilum web rebuild`: web's reads are a projection; the ledger gives them again, and gets what it lacks."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, inspect, select

from hilum.wire import ReadOut
from services.web.context import utc_now
from services.web.rebuild import Rebuilt, finish, take
from services.web.tables import Outbox, Read, Review, Study
from tests.releases import FINDINGS, pattern_film
from tests.services.web.room import Room, wait_for


def scored(room: Room, block: int) -> str:
    uid = room.sent(pattern_film(block))
    room.settled(uid)
    return uid


def projection(room: Room) -> dict[str, list[dict[str, Any]]]:
    """Every row that reads make, without the outbox's own times."""
    with room.web.read() as session:
        found = {}
        for table in (Read, Review, Study):
            columns = [column.key for column in inspect(table).columns]
            rows = session.scalars(select(table)).all()
            found[table.__name__] = sorted(({name: getattr(row, name) for name in columns} for row in rows), key=repr)
        kept = session.scalars(select(Outbox).order_by(Outbox.id)).all()
        found["Outbox"] = [{"id": row.id, "payload": row.payload, "refused": row.refused} for row in kept]
    return found


def rebuild(room: Room) -> Rebuilt:
    done = Rebuilt()
    take(room.web, [ReadOut.model_validate(read) for read in room.ledger()], done)
    finish(room.web, done, utc_now())
    return done


def forget(room: Room) -> None:
    """As after a backup of the films' rows alone."""
    with room.web.write() as session:
        session.execute(delete(Outbox))
        session.execute(delete(Read))
        session.execute(delete(Review))
        for study in session.scalars(select(Study)):
            study.status, study.last_read_at, study.reopened_at = "scored", None, None


def test_what_was_dropped_is_made_again_equal_to_what_was_there(any_room: Room) -> None:
    uids = [scored(any_room, block) for block in range(3)]
    any_room.read(uids[0], {FINDINGS[0]: 1, FINDINGS[1]: None}, "k-1", answer_version=1, comment="ä", seconds_spent=2.5)
    any_room.read(uids[0], {FINDINGS[0]: 0}, "k-2", answer_version=1)
    any_room.read(uids[1], {FINDINGS[0]: 0}, "k-3", answer_version=1)
    any_room.client.post(f"/v1/studies/{uids[1]}/reads/k-3/withdraw", headers={"Idempotency-Key": "k-4"})
    wait_for(lambda: len(any_room.ledger()) == 4)
    before = projection(any_room)
    assert rebuild(any_room).made == 0
    assert projection(any_room) == before
    forget(any_room)
    assert projection(any_room) != before
    done = rebuild(any_room)
    assert (done.reads, done.made, done.elsewhere, done.sent_again) == (4, 4, 0, 0)
    assert projection(any_room) == before
    # The browser that sends a read again, because it never heard, still gets its 200.
    again = any_room.read(uids[0], {FINDINGS[0]: 1, FINDINGS[1]: None}, "k-1", answer_version=1, comment="ä")
    assert again.status_code == 200


def test_what_the_ledger_lacks_is_sent_to_it_and_never_removed(room: Room) -> None:
    uid = scored(room, 1)
    room.to_feedback.cut = True
    room.read(uid, {FINDINGS[0]: 1}, "k-1", answer_version=1)
    with room.web.write() as session:
        row = session.get(Outbox, "k-1")
        assert row is not None
        row.delivered_at = utc_now()
    done = Rebuilt()
    finish(room.web, done, utc_now())
    assert done.sent_again == 1
    room.to_feedback.cut = False
    wait_for(lambda: [read["id"] for read in room.ledger()] == ["k-1"])


def test_a_changed_row_is_mended_and_a_read_of_a_study_that_is_not_here_is_counted(room: Room) -> None:
    uid = scored(room, 1)
    room.read(uid, {FINDINGS[0]: 1}, "k-1", answer_version=1)
    wait_for(room.ledger)
    with room.web.write() as session:
        row = session.get(Read, "k-1")
        assert row is not None
        row.labels, row.reader = {FINDINGS[0]: 0}, "somebody"
    (read,) = room.ledger()
    done = Rebuilt()
    stray = ReadOut.model_validate(read | {"id": "k-9", "study_uid": "1.2.3"})
    take(room.web, [ReadOut.model_validate(read), stray], done)
    finish(room.web, done, utc_now())
    assert (done.mended, done.elsewhere) == (1, 1)
    assert room.study(uid)["reads"][0]["labels"] == {FINDINGS[0]: 1}
