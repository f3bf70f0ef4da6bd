"""Check the ledger against its own chain, its objects and the heads that were signed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from hilum.release.signing import BadSignature, check
from hilum.storage import BlobMissing, Blobs
from services.feedback.archive import HEADS, READS, object_key, object_of, signed_bytes
from services.feedback.ledger import Ledger


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `ok` or not, in a sentence."""

    ok: bool
    text: str


def verify(ledger: Ledger, blobs: Blobs, trusted: frozenset[str] = frozenset()) -> Iterator[Finding]:
    """Chain, heads, objects, in this order. Without `trusted` keys a head's own key is taken at its word, and said."""
    chain = ledger.check_chain()
    if chain.first_broken is None:
        yield Finding(True, f"chain: {chain.reads} reads hold; head {chain.head_hash}")
    else:
        yield Finding(False, f"chain: read {chain.first_broken} is broken: {chain.reason}")
    yield from _heads(ledger, blobs, trusted)
    yield from _objects(ledger, blobs)


def _heads(ledger: Ledger, blobs: Blobs, trusted: frozenset[str]) -> Iterator[Finding]:
    names = sorted(key for key in blobs.keys(f"{HEADS}/"))
    for name in names:
        reason = _wrong_head(ledger, blobs.get(name), trusted)
        if reason is not None:
            yield Finding(False, f"{name}: {reason}")
    said = "" if trusted else " (no trusted key was given: only that each fits its own key)"
    yield Finding(True, f"heads: {len(names)} looked at{said}")


def _wrong_head(ledger: Ledger, data: bytes, trusted: frozenset[str]) -> str | None:
    try:
        held = json.loads(data)
        signed, signature = held["head"], held["signature"]
        check(signed_bytes(signed), json.dumps(signature), trusted or frozenset({str(signature["public_key"])}))
    except (BadSignature, ValueError, KeyError, TypeError):
        return "its signature does not fit, or its key is not trusted"
    if signed["sequence"] == 0:
        return None
    row = ledger.row(int(signed["sequence"]))
    if row is None:
        return f"read {signed['sequence']}, which it signs, is gone from the ledger"
    return None if row.hash == signed["hash"] else f"read {signed['sequence']} is not the one that was signed"


def _objects(ledger: Ledger, blobs: Blobs) -> Iterator[Finding]:
    count = missing = last = 0
    for row in ledger.rows():
        last = row.sequence
        try:
            if blobs.get(object_key(row.sequence)) != object_of(row):
                yield Finding(False, f"{object_key(row.sequence)}: it is not the ledger's read {row.sequence}")
            count += 1
        except BlobMissing:
            missing += 1
    beyond = [key for key in blobs.keys(f"{READS}/") if key > object_key(last)]
    if beyond:
        yield Finding(False, f"{len(beyond)} reads have an object and no row: the ledger's end was cut off")
    yield Finding(True, f"objects: {count} looked at, {missing} not written yet")
