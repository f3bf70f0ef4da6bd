"""Where records lie: `gates/RELEASE/ENVIRONMENT-ATTEMPT.json` and `.html`, beside each other in one store."""

from __future__ import annotations

from hilum.gates.page import page
from hilum.gates.record import GateRecord
from hilum.storage.blobs import Blobs


def key_of(release: str, environment: str, attempt: int, kind: str = "json") -> str:
    """Key of a record; `kind` json or html."""
    return f"gates/{release or 'unknown'}/{environment}-{attempt}.{kind}"


def keep(record: GateRecord, blobs: Blobs) -> str:
    """Write the record and its page, durable when this returns; the key of the JSON. Raises BlobsUnavailable."""
    where = record.release, record.environment, record.attempt
    blobs.put(key_of(*where, kind="html"), page(record).encode("utf-8"))
    key = key_of(*where)
    blobs.put(key, record.to_json().encode("utf-8"))
    return key


def kept(blobs: Blobs, release: str, environment: str, attempt: int) -> GateRecord:
    """The record that was kept; raises BlobMissing, BadRecord, BlobsUnavailable."""
    return GateRecord.from_json(blobs.get(key_of(release, environment, attempt)))
