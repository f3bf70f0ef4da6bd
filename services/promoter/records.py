"""Where gates keep their records: `gates/RELEASE/ENVIRONMENT-ATTEMPT<part>.json` in a store of bytes.

`part` tells a canary's steps apart (`-shadow`, `-exposed-1`), and production's guard (`-guard`). A staging gate's Job
writes here; the promoter writes what it judged itself. A record is found by its attempt, so that an old one decides
nothing.
"""

from __future__ import annotations

from dataclasses import replace

from hilum.gates import BadRecord, GateRecord
from hilum.gates.page import page
from hilum.gates.timeline import TIMELINE, entry
from hilum.storage import BlobMissing, Blobs, BlobsUnavailable
from services.promoter.promotion import Promotion


class RecordsUnavailable(Exception):
    """The store does not answer, or holds what is no record: nothing is known."""


def key_of(environment: str, digest: str, attempt: int, part: str = "") -> str:
    """The place of a record."""
    return f"gates/{digest}/{environment}-{attempt}{part}.json"


def with_timeline(record: GateRecord, promotion: Promotion) -> GateRecord:
    """`record` with the way of `promotion` so far among its figures, from which its page draws."""
    steps = [entry(note.at, note.state.value) for note in promotion.timeline]
    return replace(record, figures={**record.figures, TIMELINE: steps})


class Records:
    """Gate records in `store`."""

    def __init__(self, store: Blobs) -> None:
        self._store = store

    def get(self, key: str) -> GateRecord | None:
        """The record at `key`; None: there is none yet. Raises RecordsUnavailable."""
        text = self.text(key)
        if text is None:
            return None
        try:
            return GateRecord.from_json(text)
        except BadRecord as error:
            raise RecordsUnavailable(f"the record {key}: {error}") from error

    def text(self, key: str) -> bytes | None:
        """The bytes at `key`, a record or what stands beside it. Raises RecordsUnavailable."""
        try:
            return self._store.get(key)
        except BlobMissing:
            return None
        except BlobsUnavailable as error:
            raise RecordsUnavailable(str(error)) from error

    def put(self, key: str, record: GateRecord) -> None:
        """Keep `record` and its page. Raises RecordsUnavailable."""
        try:
            self._store.put(key.removesuffix(".json") + ".html", page(record).encode())
            self._store.put(key, record.to_json().encode())
        except BlobsUnavailable as error:
            raise RecordsUnavailable(str(error)) from error
