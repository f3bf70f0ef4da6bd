"""The training export: one row per film, from the read of its study that counts.

A read that was taken back counts no longer; an adjudication counts before every other read, else the latest one.

Reads are chosen by the time the ledger received them: "until" gives the same rows for ever, and "since" misses none
that came late. Among those chosen, a study's latest read is the one made last (`read_at`, but never later than it was
received: a clock that runs ahead does not win for ever).
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, exists, func, select
from sqlalchemy.orm import aliased

from hilum.storage import plain_errors
from hilum.wire import ReadIn
from services.feedback.canonical import parsed
from services.feedback.ledger import Ledger
from services.feedback.tables import ReadRow

BATCH = 500
# A spreadsheet takes a cell that begins so for a formula (OWASP, "CSV Injection"); the last four are wide forms.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True)
class Selection:
    """Reads received from `since` to before `until`; with `findings`, only these columns and films judged on one."""

    since: datetime | None = None
    until: datetime | None = None
    findings: tuple[str, ...] = ()
    site: str | None = None
    reader: str | None = None
    release: str | None = None
    blind: bool | None = None

    def where(self) -> list[ColumnElement[bool]]:
        """SQL: the reads that are chosen; neither withdrawals nor, up to `until`, what they take back."""
        taking = aliased(ReadRow)
        taken_back = exists().where(taking.kind == "withdrawal", taking.replaces == ReadRow.id)
        if self.until is not None:
            taken_back = taken_back.where(taking.received_at < self.until)
        found: list[ColumnElement[bool]] = [ReadRow.kind != "withdrawal", ~taken_back]
        if self.since is not None:
            found.append(ReadRow.received_at >= self.since)
        if self.until is not None:
            found.append(ReadRow.received_at < self.until)
        wanted = {
            ReadRow.site: self.site,
            ReadRow.reader: self.reader,
            ReadRow.release_digest: self.release,
            ReadRow.blind: self.blind,
        }
        found += [column == value for column, value in wanted.items() if value is not None]
        return found


def csv_lines(ledger: Ledger, selection: Selection) -> Iterator[str]:
    """The CSV in pieces, the header first. Raises DatabaseUnavailable, before the first piece where it is away."""
    sequences, findings = latest(ledger, selection)
    columns = list(dict.fromkeys(selection.findings)) or findings
    yield csv_text([["image_id", *map(plain_cell, columns)]])
    seen: set[str] = set()
    for start in range(0, len(sequences), BATCH):
        rows: list[list[str]] = []
        for read in reads_at(ledger, sequences[start : start + BATCH]):
            labels = ["" if read.labels.get(name) is None else str(read.labels[name]) for name in columns]
            films = [uid for uid in dict.fromkeys(read.film_uids) if uid not in seen]
            seen.update(films)
            if any(labels) or not selection.findings:
                rows.extend([plain_cell(uid), *labels] for uid in films)
        yield csv_text(rows)


def latest(ledger: Ledger, selection: Selection) -> tuple[list[int], list[str]]:
    """Sequences of each study's latest read, newest first, and their findings: the newest read's order, then others."""
    made = case((ReadRow.read_at < ReadRow.received_at, ReadRow.read_at), else_=ReadRow.received_at)
    newest = ((ReadRow.kind == "adjudication").desc(), made.desc(), ReadRow.sequence.desc())
    rank = func.row_number().over(partition_by=ReadRow.study_uid, order_by=newest).label("rank")
    query = select(ReadRow.sequence, ReadRow.findings, made.label("made"), rank)
    chosen = query.where(*selection.where()).subquery()
    latest = (
        select(chosen.c.sequence, chosen.c.findings)
        .where(chosen.c.rank == 1)
        .order_by(chosen.c.made.desc(), chosen.c.sequence.desc())
    )
    sequences: list[int] = []
    orders: dict[str, None] = {}
    with plain_errors(), ledger.snapshot() as session:
        for sequence, findings in session.execute(latest.execution_options(yield_per=BATCH)):
            sequences.append(sequence)
            orders[findings] = None
    names = itertools.chain.from_iterable(json.loads(order) for order in orders)
    return sequences, list(dict.fromkeys(names))


def reads_at(ledger: Ledger, sequences: list[int]) -> list[ReadIn]:
    """These reads, in this order. A short transaction per batch is safe: what is in the ledger never changes."""
    with plain_errors(), ledger.snapshot() as session:
        found = session.execute(select(ReadRow.sequence, ReadRow.body).where(ReadRow.sequence.in_(sequences)))
        bodies = {sequence: body for sequence, body in found}  # noqa: C416 - rows are not pairs to a type checker
    return [parsed(bodies[sequence]) for sequence in sequences]


def plain_cell(value: str) -> str:
    """`value`, quoted where a spreadsheet would take it for a formula."""
    return f"'{value}" if value.startswith(_FORMULA) else value


def csv_text(rows: list[list[str]]) -> str:
    """Rows as lines of CSV."""
    piece = io.StringIO()
    csv.writer(piece).writerows(rows)
    return piece.getvalue()
