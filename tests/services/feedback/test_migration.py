"""A ledger that the previous version filled: its chain holds after the migration, and old keys are still known."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from hilum.storage import make_engine, upgrade
from services.feedback.canonical import GENESIS, canonical, instant, link
from services.feedback.ledger import Ledger
from services.feedback.service import MIGRATIONS
from tests.fixtures.reads import a_read

# What a read held before 0002.
OLD = (
    "study_uid", "film_uids", "answer_version", "release_digest", "blind", "reader", "read_at", "findings", "labels",
    "present", "seconds_spent", "comment", "site",
)  # fmt: skip
INSERT = """INSERT INTO reads (sequence, id, received_at, body, previous_hash, hash, study_uid, reader, read_at,
 release_digest, blind, site, findings) VALUES (:sequence, :id, :received_at, :body, :previous, :hash, :study_uid,
 :reader, :read_at, :release_digest, :blind, :site, :findings)"""


def test_reads_of_the_previous_version_keep_their_hashes_and_their_keys(database_url: str, tmp_path: Path) -> None:
    before = tmp_path / "before"
    before.mkdir()
    shutil.copy(MIGRATIONS / "0001_reads.py", before)
    engine = make_engine(database_url)
    upgrade(engine, "feedback", before)
    previous, received = GENESIS, datetime(2026, 11, 20, 8, tzinfo=UTC)
    kept = received if engine.dialect.name == "postgresql" else received.replace(tzinfo=None)
    with engine.begin() as connection:
        for sequence in (1, 2):
            read = a_read(sequence, labels={"Mass": 1})
            fields = {name: value for name, value in json.loads(canonical(read)).items() if name in OLD}
            body = json.dumps(fields, sort_keys=True, separators=(",", ":"))
            digest = link(previous, sequence, f"key-{sequence}", received, body)
            row = {
                "sequence": sequence, "id": f"key-{sequence}", "received_at": kept, "body": body, "previous": previous,
                "hash": digest, "study_uid": read.study_uid, "reader": read.reader,
                "read_at": read.read_at if engine.dialect.name == "postgresql" else read.read_at.replace(tzinfo=None),
                "release_digest": read.release_digest, "blind": read.blind, "site": read.site,
                "findings": json.dumps(read.findings),
            }  # fmt: skip
            if engine.dialect.name == "sqlite":
                row |= {name: str(row[name]) + ".000000" for name in ("received_at", "read_at")}
            connection.execute(text(INSERT), row)
            previous = digest
    assert instant(received).endswith("+00:00")
    upgrade(engine, "feedback", MIGRATIONS)
    ledger = Ledger(engine)
    chain = ledger.check_chain()
    assert (chain.reads, chain.first_broken, chain.head_hash) == (2, None, previous)
    assert not ledger.append(a_read(1, labels={"Mass": 1}), "key-1").created
    added = ledger.append(a_read(3, kind="second", labels={"Mass": 0}), "key-3")
    assert (added.created, added.read.kind, added.read.sequence) == (True, "second", 3)
    assert ledger.check_chain().first_broken is None
    engine.dispose()
