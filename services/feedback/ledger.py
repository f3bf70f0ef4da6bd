"""The ledger: append, page, check. Knows rows and hashes, nothing of HTTP.

One writer at a time holds a lock from before it looks at the last read until its commit. So sequences have no gaps,
the chain has no fork, and the order of sequences is the order of commits, with any number of processes.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, Select, select
from sqlalchemy.orm import Session

from hilum.storage import plain_errors, reading, session_factory, writer_lock
from hilum.wire import ReadIn, ReadOut
from services.feedback.canonical import GENESIS, BrokenBody, canonical, link, parsed
from services.feedback.tables import ReadRow

BATCH = 500


class KeyConflict(Exception):
    """The idempotency key belongs to another read."""


@dataclass(frozen=True)
class Appended:
    """A read as it is kept; `created` is false where the same read was there already."""

    read: ReadOut
    created: bool


@dataclass(frozen=True)
class ChainCheck:
    """Of `reads` looked at, the first whose chain is broken, and how; `head_hash` is the last hash that holds."""

    reads: int
    head_hash: str
    first_broken: int | None = None
    reason: str | None = None


def read_out(row: ReadRow) -> ReadOut:
    """The wire form of a row, from its body."""
    read = parsed(row.body)
    return ReadOut(**read.model_dump(), id=row.id, sequence=row.sequence, received_at=row.received_at, hash=row.hash)


class Ledger:
    """Reads in one database. Every method may raise DatabaseUnavailable."""

    def __init__(self, engine: Engine) -> None:
        self._write = session_factory(engine)
        self.snapshot = session_factory(reading(engine))

    def append(self, read: ReadIn, key: str, synthetic: bool = False) -> Appended:
        """Keep `read` under `key`; committed, so on disk, when this returns.

        The same read again under its key gives the one that is kept; another one raises KeyConflict.
        A synthetic read goes the whole way to the database and is rolled back.
        """
        body = canonical(read)
        with plain_errors(), self._write() as session:
            writer_lock(session, "feedback:ledger")
            kept = session.scalar(select(ReadRow).where(ReadRow.id == key))
            if kept is not None:
                # Compared as reads: a newer release may know a field more than the one that wrote the body.
                if canonical(parsed(kept.body)) != body:
                    raise KeyConflict(key)
                return Appended(read_out(kept), created=False)
            row = _next(session, read, key, body)
            session.add(row)
            session.flush()
            out = read_out(row)
            if not synthetic:
                session.commit()
            return Appended(out, created=not synthetic)

    def since(self, sequence: int, limit: int) -> list[ReadOut]:
        """At most `limit` reads after `sequence`, in order."""
        with plain_errors(), self.snapshot() as session:
            rows = session.scalars(_after(sequence).limit(limit))
            return [read_out(row) for row in rows]

    def rows(self, since: int = 0) -> Iterator[ReadRow]:
        """Every row after `since`, in order, by short transactions: a slow consumer blocks nobody."""
        while True:
            with plain_errors(), self.snapshot() as session:
                batch = list(session.scalars(_after(since).limit(BATCH)))
            yield from batch
            if len(batch) < BATCH:
                return
            since = batch[-1].sequence

    def last_before(self, moment: datetime) -> ReadRow | None:
        """The last read received before `moment`; None where there is none."""
        query = select(ReadRow).where(ReadRow.received_at < moment).order_by(ReadRow.sequence.desc()).limit(1)
        with plain_errors(), self.snapshot() as session:
            return session.scalar(query)

    def row(self, sequence: int) -> ReadRow | None:
        """The read at `sequence`."""
        with plain_errors(), self.snapshot() as session:
            return session.get(ReadRow, sequence)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """One short transaction of a worker, committed at its end."""
        with plain_errors(), self._write.begin() as session:
            yield session

    def check_chain(self) -> ChainCheck:
        """Compute every hash again, and compare each row's columns with its body."""
        count, head = 0, GENESIS
        for row in self.rows():
            reason = _broken(row, count + 1, head)
            if reason is not None:
                return ChainCheck(count, head, first_broken=count + 1, reason=reason)
            count, head = count + 1, row.hash
        return ChainCheck(count, head)


def _after(sequence: int) -> Select[ReadRow]:
    return select(ReadRow).where(ReadRow.sequence > sequence).order_by(ReadRow.sequence)


def _next(session: Session, read: ReadIn, key: str, body: str) -> ReadRow:
    """The row that follows the last one; the writer's lock is held."""
    last = session.scalar(select(ReadRow).order_by(ReadRow.sequence.desc()).limit(1))
    sequence, previous_hash = (last.sequence + 1, last.hash) if last else (1, GENESIS)
    # Clocks of several servers differ; the ledger's time never runs backwards, so that "until" is a fixed set of reads.
    now = datetime.now(UTC)
    received_at = max(now, last.received_at) if last else now
    return ReadRow(
        sequence=sequence,
        id=key,
        received_at=received_at,
        body=body,
        previous_hash=previous_hash,
        hash=link(previous_hash, sequence, key, received_at, body),
        **_columns(read),
    )


def _columns(read: ReadIn) -> dict[str, Any]:
    return {
        "study_uid": read.study_uid,
        "reader": read.reader,
        "read_at": read.read_at.astimezone(UTC),
        "release_digest": read.release_digest,
        "blind": read.blind,
        "site": read.site,
        "findings": json.dumps(read.findings),
        "kind": read.kind,
        "replaces": read.replaces,
    }


def _broken(row: ReadRow, sequence: int, previous_hash: str) -> str | None:
    if row.sequence != sequence:
        return f"reads {sequence} to {row.sequence - 1} are missing"
    if row.previous_hash != previous_hash:
        return "it does not go on from the read before it"
    if row.hash != link(previous_hash, row.sequence, row.id, row.received_at, row.body):
        return "its content is not what was hashed"
    try:
        columns = _columns(parsed(row.body))
    except BrokenBody:
        return "its body is no read"
    changed = [name for name, value in columns.items() if getattr(row, name) != value]
    return f"its columns are not its body: {', '.join(changed)}" if changed else None
