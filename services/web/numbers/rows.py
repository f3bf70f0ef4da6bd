"""The numbers as one long table, for CSV: section, row, measure, value, unit."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO

from services.web.numbers.report import Numbers, Wait

Row = tuple[str, str, str, float | int | str, str]
# A cell that a spreadsheet would take for a formula (names of readers and sites come from outside).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def rows(found: Numbers) -> Iterator[Row]:
    """Every number."""
    yield from (
        ("period", "", "since", found.since.isoformat(), ""),
        ("period", "", "until", found.until.isoformat(), ""),
        ("now", "", "unread", found.now.unread, "studies"),
        ("now", "", "overdue", found.now.overdue, "studies"),
        ("now", "", "longest wait", round(found.now.longest_wait_seconds), "s"),
        ("now", "", "longest overdue", round(found.now.longest_overdue_seconds), "s"),
        ("volume", "", "arrived", found.arrived, "studies"),
        ("volume", "", "first reads", found.first_reads, "studies"),
        ("volume", "", "reads", found.reads, "reads"),
    )
    if found.second_review_share is not None:
        yield "volume", "", "second reviews", round(found.second_review_share, 4), "share"
    for section, waits in (("band", found.bands), ("site", found.sites), ("release", found.releases)):
        for wait in waits:
            yield from _wait(section, wait)
    for reader in found.readers:
        for measure, value, unit in (
            ("reads", reader.reads, "reads"),
            ("blind", reader.blind, "reads"),
            ("second", reader.second, "reads"),
            ("reads per hour", round(reader.reads_per_hour, 2), "reads/h"),
            ("mean time", "" if reader.mean_seconds is None else round(reader.mean_seconds, 1), "s"),
            ("agree", reader.agree, "labels"),
            ("disagree", reader.disagree, "labels"),
            ("uncertain", reader.uncertain, "labels"),
        ):
            yield "reader", reader.reader, measure, value, unit
    for section, parts in (("finding", found.findings), ("release agreement", found.by_release)):
        for part in parts:
            kind = "blind" if part.blind else "other"
            for name in ("agree", "disagree", "missed", "uncertain"):
                yield section, part.part, f"{kind} {name}", int(getattr(part, name)), "labels"
    for step in found.steps:
        for name in ("arrived", "read", "overdue"):
            yield "time", step.start.isoformat(), name, int(getattr(step, name)), "studies"
        yield "time", step.start.isoformat(), "longest wait", round(step.longest_wait_seconds), "s"


def _wait(section: str, wait: Wait) -> Iterator[Row]:
    yield section, wait.part, "studies", wait.studies, "studies"
    yield section, wait.part, "late", wait.late, "studies"
    for name in ("median", "p95", "longest"):
        yield section, wait.part, name, round(float(getattr(wait, f"{name}_seconds"))), "s"


def as_csv(found: Numbers) -> str:
    """The table as CSV, with a head line."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(("section", "row", "measure", "value", "unit"))
    for section, row, measure, value, unit in rows(found):
        writer.writerow((section, f"'{row}" if row.startswith(_FORMULA) else row, measure, value, unit))
    return text.getvalue()
