"""A reading room's rows after years: made studies, films, findings and reads, written in bulk. No real patient."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, exists, insert, select, text

from services.web.list_tables import PresentFinding
from services.web.numbers.tables import ReadFact
from services.web.tables import Answer, Base, Film, Outbox, Read, Study

SITES = [f"Site {number:02d}" for number in range(30)]
# Share of studies in which each is present; the last ones are rare on purpose.
FINDINGS = {"Effusion": 0.1, "Atelectasis": 0.08, "Consolidation": 0.05, "Pneumothorax": 0.01, "Fracture": 0.0005}
SPACING = timedelta(seconds=80)
CHUNK = 20_000


@dataclass(frozen=True)
class Size:
    """How many studies there are, and how many of the newest are unread."""

    studies: int
    unread: int


def uid_of(number: int) -> str:
    """The UID of study `number`."""
    return f"2.25.{10**30 + number}"


def accession_of(number: int) -> str:
    """Its accession number: years of consecutive ones, as a hospital's are."""
    return f"ACC{2000000 + number}"


def patient_of(number: int) -> str:
    """Its patient: about three studies each."""
    return f"P{(number * 7919) % 333_331:07d}"


def _rows(
    size: Size, now: datetime
) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any] | None, list[Any]]]:
    chance = random.Random(7)  # noqa: S311 - the same rows in every run
    for number in range(size.studies):
        uid = uid_of(number)
        arrived = now - SPACING * (size.studies - number)
        band, hours = chance.choices([("critical", 0.25), ("urgent", 4.0), ("routine", 24.0)], [8, 30, 62])[0]
        due = arrived + timedelta(hours=hours * chance.uniform(0.75, 1.0))
        read = number < size.studies - size.unread
        read_at = arrived + timedelta(hours=hours * chance.uniform(0.2, 1.1)) if read else None
        study = {
            "uid": uid,
            "accession": accession_of(number),
            "accession_issuer": "",
            "patient_id": patient_of(number),
            "patient_id_issuer": "",
            # A few sites send most; the last sends hardly anything.
            "site": SITES[min(int(chance.expovariate(0.2)), len(SITES) - 1)],
            "priority": "",
            "location": "",
            "arrived_at": arrived,
            "status": "read" if read else "scored",
            "band": band,
            "score": 0.5,
            "reason": "Effusion 84 %",
            "due_at": due,
            "answer_version": 1,
            "present_version": 1,
            "last_read_at": read_at,
            "blind": chance.random() < 0.2,
            "synthetic": False,
            "closed_by": "",
            "closed_reason": "",
            "skipped_by": 0,
        }
        film = {
            "uid": f"{uid}.1",
            "study_uid": uid,
            "number": 1,
            "sha256": "0" * 64,
            "blob_key": "films/none",
            "byte_count": 1,
            "media_type": "image/png",
            "file_name": "film.png",
            "view": "PA",
            "width": 1,
            "height": 1,
            "bits": 8,
            "lossy": False,
            "arrived_at": arrived,
            "warnings": [],
            "state": "scored",
            "attempts": 1,
            "next_try": arrived,
        }
        reading = None
        if read:
            reading = {
                "id": f"k-{number}",
                "study_uid": uid,
                "version": 1,
                "reader": f"reader {number % 12}",
                "labels": {"Effusion": 1},
                "answer_version": 1,
                "release_digest": "d",
                "blind": False,
                "read_at": read_at,
                "comment": "",
                "request_digest": "d",
            }
        present = [
            {"study_uid": uid, "finding": name, "due_at": due, "last_read_at": read_at, "unread": not read}
            for name, share in FINDINGS.items()
            if chance.random() < share
        ]
        yield study, film, reading, present


def _followers(study: dict[str, Any], reading: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the workers made of the read long ago: its delivery, and its row for the lead's numbers."""
    read_at = reading["read_at"]
    sent = {
        "id": reading["id"],
        "payload": {"study_uid": study["uid"], "film_uids": [f"{study['uid']}.1"], "labels": reading["labels"]},
        "attempts": 1,
        "next_try": read_at,
        "delivered_at": read_at,
    }
    fact = {
        "read_id": reading["id"],
        "study_uid": study["uid"],
        "read_at": read_at,
        "due_at": study["due_at"],
        "reader": reading["reader"],
        "site": study["site"],
        "band": study["band"],
        "release_digest": "d",
        "blind": reading["blind"],
        "first": True,
        "second": False,
        "wait_seconds": (read_at - study["arrived_at"]).total_seconds(),
        "agree": 1,
        "disagree": 0,
        "uncertain": 0,
    }
    return sent, fact


def fill(connection: Connection, size: Size) -> None:
    """Write all rows and bring the database's statistics up to date, as its own upkeep does."""
    now = datetime.now(UTC)
    parts: dict[type[Base], list[dict[str, Any]]] = {
        table: [] for table in (Study, Film, Read, PresentFinding, Outbox, ReadFact)
    }

    def flush() -> None:
        for table, rows in parts.items():
            _write(connection, table, rows)
            rows.clear()

    for study, film, reading, present in _rows(size, now):
        parts[Study].append(study)
        parts[Film].append(film)
        if reading is not None:
            parts[Read].append(reading)
            sent, fact = _followers(study, reading)
            parts[Outbox].append(sent)
            parts[ReadFact].append(fact)
        parts[PresentFinding] += present
        if len(parts[Study]) >= CHUNK:
            flush()
    flush()
    connection.execute(text("ANALYZE"))


def answer_some(connection: Connection, count: int) -> list[str]:
    """Give `count` unread studies an answer, so that they can be read; their UIDs."""
    unread = select(Study.uid).where(Study.status == "scored", ~exists().where(Answer.study_uid == Study.uid))
    uids = list(connection.scalars(unread.order_by(Study.due_at.desc()).limit(count)))
    release = {"name": "bench", "version": "1", "digest": "d", "precision": "fp32"}
    findings = [
        {
            "name": name, "code": {"value": name, "scheme": "99BENCH", "meaning": name}, "probability": 0.5,
            "rule_out": 0.2, "alert": 0.8, "present": False, "established": True, "film_uid": "",
        }
        for name in ("Effusion", "Atelectasis", "Consolidation", "Pneumothorax")
    ]  # fmt: skip
    row = {"version": 1, "release_digest": "d", "precision": "fp32", "made_at": datetime.now(UTC)}
    payload = {"release": release, "findings": findings}
    connection.execute(insert(Answer), [{"study_uid": uid, "payload": payload, **row} for uid in uids])
    return uids


def _write(connection: Connection, table: type[Base], rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        connection.execute(insert(table), rows)
        return
    dialect = connection.dialect
    binds = {
        column.name: column.type.dialect_impl(dialect).bind_processor(dialect)
        for column in table.__table__.columns
        if column.name in rows[0]
    }
    raw = connection.connection.driver_connection
    assert raw is not None  # noqa: S101
    with raw.cursor() as cursor, cursor.copy(f"COPY {table.__tablename__} ({', '.join(binds)}) FROM STDIN") as copy:
        for values in _bound(rows, binds):
            copy.write_row(values)


def _bound(rows: Iterable[dict[str, Any]], binds: dict[str, Any]) -> Iterator[list[Any]]:
    for row in rows:
        yield [bind(row[name]) if bind else row[name] for name, bind in binds.items()]
