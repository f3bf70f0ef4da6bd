"""Counts per patient for the agreement of every finding and release, kept up with the ledger as it grows.

Of a reader's several reads of a study the last counts, blind and shown apart: what is read in sight of the answer never
replaces what was read before it. A read that was taken back counts no longer.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from hilum.wire import ReadIn
from services.feedback.canonical import BrokenBody, parsed
from services.feedback.ledger import Ledger
from services.feedback.statistics import BLANK, FN, FP, TN, TP, UNCERTAIN, Agreement, agreement
from services.feedback.tables import ReadRow


@dataclass(frozen=True)
class Slice:
    """Reads received from `since` to before `until`, of one site, one reader or all."""

    since: datetime | None = None
    until: datetime | None = None
    site: str | None = None
    reader: str | None = None

    def holds(self, row: ReadRow) -> bool:
        """Whether the row is one of them."""
        return (
            (self.since is None or row.received_at >= self.since)
            and (self.until is None or row.received_at < self.until)
            and (self.site is None or row.site == self.site)
            and (self.reader is None or row.reader == self.reader)
        )


@dataclass(frozen=True)
class Line:
    """Agreement of one finding with one release, of blind or of shown reads."""

    finding: str
    release: str
    blind: bool
    found: Agreement


def column(read: ReadIn, finding: str) -> int:
    """Which count a read's label of `finding` adds to."""
    label = read.labels.get(finding)
    if label is None:
        return BLANK
    if label == -1:
        return UNCERTAIN
    if finding in read.present:
        return TP if label == 1 else FP
    return FN if label == 1 else TN


@dataclass(frozen=True)
class Counted:
    """What one read added, so that it can be taken away again: (release, blind), patient, finding -> column."""

    release: str
    blind: bool
    patient: str
    columns: dict[str, int]


class Tally:
    """Counts of one slice of a ledger; `catch_up` adds what came since."""

    def __init__(self, ledger: Ledger, part: Slice = Slice()) -> None:
        self._ledger = ledger
        self._part = part
        self._lock = threading.Lock()
        self._sequence = 0
        self._current: dict[tuple[str, str, bool], str] = {}
        self._counted: dict[str, Counted] = {}
        self._names: dict[tuple[str, bool], dict[str, None]] = defaultdict(dict)

    def catch_up(self) -> None:
        """Raises DatabaseUnavailable."""
        with self._lock:
            for row in self._ledger.rows(self._sequence):
                self._sequence = row.sequence
                if not self._part.holds(row):
                    continue
                try:
                    self._add(row.id, parsed(row.body))
                except BrokenBody:
                    continue

    def _add(self, key: str, read: ReadIn) -> None:
        if read.kind == "withdrawal":
            self._counted.pop(read.replaces or "", None)
            return
        if read.release_digest is None:
            return
        place = (read.study_uid, read.reader, read.blind)
        self._counted.pop(self._current.get(place, ""), None)
        self._current[place] = key
        # Who has no pseudonym is one patient per study.
        patient = read.patient or f"study {read.study_uid}"
        columns = {name: column(read, name) for name in read.findings}
        self._counted[key] = Counted(read.release_digest, read.blind, patient, columns)
        self._names[read.release_digest, read.blind].update(dict.fromkeys(read.findings))

    def lines(self) -> Iterator[Line]:
        """Every finding of every release, blind and shown apart, in the releases' own order."""
        with self._lock:
            groups: dict[tuple[str, bool], dict[str, list[Counted]]] = defaultdict(lambda: defaultdict(list))
            for counted in self._counted.values():
                groups[counted.release, counted.blind][counted.patient].append(counted)
            names = {key: list(found) for key, found in self._names.items()}
        for (release, blind), patients in sorted(groups.items()):
            for finding in names[release, blind]:
                counts = np.zeros((len(patients), 6), dtype=np.int64)
                for number, of_patient in enumerate(patients.values()):
                    for counted in of_patient:
                        if finding in counted.columns:
                            counts[number, counted.columns[finding]] += 1
                yield Line(finding, release, blind, agreement(counts))
