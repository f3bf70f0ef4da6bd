"""One text per read, and the hash that chains it to the one before."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

from hilum.wire import ReadIn

# What the first read's hash goes on from.
GENESIS = "0" * 64


class BrokenBody(ValueError):
    """A body in the ledger is no read: someone changed it behind the service's back."""


def instant(value: datetime) -> str:
    """`value` in UTC to the microsecond, one text per instant."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def canonical(read: ReadIn) -> str:
    """The read as JSON: sorted keys, no spaces, ASCII, time in UTC. Equal reads give equal texts."""
    body = read.model_dump(mode="json") | {"read_at": instant(read.read_at)}
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def link(previous_hash: str, sequence: int, key: str, received_at: datetime, body: str) -> str:
    """Hash of a read: SHA-256 over previous hash, sequence, id, time received and canonical body, one per line.

    None of the first four can hold a line break, so no two records give one text.
    """
    record = "\n".join((previous_hash, str(sequence), key, instant(received_at), body))
    return hashlib.sha256(record.encode()).hexdigest()


def parsed(body: str) -> ReadIn:
    """A canonical body as a read; raises BrokenBody. Fields that a newer release has written are passed over."""
    try:
        fields = json.loads(body)
        return ReadIn.model_validate({name: fields[name] for name in fields if name in ReadIn.model_fields})
    except (ValueError, TypeError) as error:
        raise BrokenBody("a read in the ledger is not what was kept; GET /v1/ledger/check names it") from error
