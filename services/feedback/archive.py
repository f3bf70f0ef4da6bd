"""Each read as an immutable object beside its row, and the chain's signed head once a day.

The row is on disk before a read is acknowledged; its object follows within seconds. Whoever holds the objects and the
heads can check the ledger without its database, and a database that was rewritten or cut off is found out.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hilum.release.signing import new_key, read_key, sign, write_key
from hilum.storage import BlobMissing, Blobs
from services.feedback.canonical import GENESIS, instant
from services.feedback.lease import Lease
from services.feedback.ledger import Ledger
from services.feedback.tables import ReadRow

READS, HEADS = "ledger/reads", "ledger/heads"
BATCH = 100


class NotImmutable(Exception):
    """An object that must never change is not what the ledger says."""


def object_key(sequence: int) -> str:
    """Where the object of read `sequence` lies; names sort as sequences do."""
    return f"{READS}/{sequence:012d}.json"


def object_of(row: ReadRow) -> bytes:
    """The read as an object: all that its hash is made of, and the hash."""
    held = {
        "sequence": row.sequence,
        "id": row.id,
        "received_at": instant(row.received_at),
        "previous_hash": row.previous_hash,
        "hash": row.hash,
        "body": row.body,
    }
    return json.dumps(held, sort_keys=True, indent=1).encode() + b"\n"


def put_once(blobs: Blobs, key: str, data: bytes) -> None:
    """Keep `data` under `key` unless it is there; raises NotImmutable where something else is."""
    try:
        if blobs.get(key) != data:
            raise NotImmutable(f"{key} is not what the ledger holds")
    except BlobMissing:
        blobs.put(key, data)


def archive(ledger: Ledger, blobs: Blobs) -> int:
    """Write the objects of the reads that came since the last time; how many. 0 while another process does it."""
    lease = Lease(ledger, "archive")
    mark = lease.take()
    if mark is None:
        return 0
    sequence, count = mark[0], 0
    for row in ledger.rows(sequence):
        put_once(blobs, object_key(row.sequence), object_of(row))
        sequence, count = row.sequence, count + 1
        if count % BATCH == 0:
            lease.go_on(sequence)
    lease.go_on(sequence, done=True)
    return count


def ledger_key(path: Path) -> Ed25519PrivateKey:
    """The key that signs heads; made, for its owner alone, where there is none yet."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Another process may make it at the same moment.
        with contextlib.suppress(FileExistsError):
            write_key(new_key(), path)
    return read_key(path)


def head(ledger: Ledger, key: Ed25519PrivateKey, before: datetime, day: str = "") -> bytes:
    """The signed head of the reads received before `before`: JSON with `head` (what is signed) and `signature`."""
    last = ledger.last_before(before)
    signed = {
        "format": 1,
        "day": day,
        "before": instant(before),
        "sequence": last.sequence if last else 0,
        "hash": last.hash if last else GENESIS,
    }
    return json.dumps({"head": signed, "signature": json.loads(sign(signed_bytes(signed), key))}, indent=1).encode()


def signed_bytes(signed: dict[str, object]) -> bytes:
    """What the signature is over: the head as JSON with sorted keys and no spaces."""
    return json.dumps(signed, sort_keys=True, separators=(",", ":")).encode()


def _days(first: date, until: date) -> Iterator[date]:
    while first < until:
        yield first
        first += timedelta(days=1)


def export_heads(ledger: Ledger, blobs: Blobs, key: Ed25519PrivateKey, now: datetime) -> int:
    """Sign the head of every day (UTC) that is over and has none yet, from the first read's day on; how many."""
    first = ledger.row(1)
    if first is None:
        return 0
    lease = Lease(ledger, "heads")
    mark = lease.take()
    if mark is None:
        return 0
    begin = date.fromisoformat(mark[1]) + timedelta(days=1) if mark[1] else first.received_at.date()
    count, note = 0, mark[1]
    for day in _days(begin, now.astimezone(UTC).date()):
        end = datetime.combine(day + timedelta(days=1), time(), UTC)
        name = f"{HEADS}/{day.isoformat()}.json"
        if not blobs.exists(name):
            blobs.put(name, head(ledger, key, end, day.isoformat()))
        count, note = count + 1, day.isoformat()
        lease.go_on(count, note)
    lease.go_on(mark[0] + count, note, done=True)
    return count
