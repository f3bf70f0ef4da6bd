"""The audit log: every view and every change, written before it is answered. It never holds a patient's name.

What is written: who, how they signed in, from which address, when, what was asked for (the path without its query),
which study, and the answer's status. A change has a row of status 0 before it begins, and a second one where it was
refused. The same view by the same person within `REPEAT_SECONDS` is one row: a page that refreshes itself is one view.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session as Rows

from hilum.storage import writer_lock
from services.web.context import Web, utc_now
from services.web.identity.person import Person
from services.web.identity.tables import Audit

REPEAT_SECONDS = 300.0
REMEMBERED = 20_000
FIRST = "0" * 64
# Pages and files with no patient behind them.
_NOTHING_TO_SEE = re.compile(r"/(static/.*|docs(/.*)?|openapi\.json|about|upload|self-test|favicon\.ico|v1/events)")
_STUDY = re.compile(r"/studies/([0-9.]{1,64})(?=/|$)")


@dataclass(frozen=True)
class Entry:
    """One row to be. `action`: view, change, sign-in, sign-out, unmask or export; `status`: of the answer, 0: begun."""

    who: str
    how: str
    address: str
    action: str
    what: str
    status: int
    study_uid: str = ""


def entry_of(person: Person, address: str, method: str, path: str, status: int) -> Entry:
    """Of a request; `path` without its query, which may hold what was searched for."""
    study = _STUDY.search(path)
    action = "view" if method in {"GET", "HEAD", "OPTIONS"} else "change"
    what = "unknown path" if status == 404 and study is None else path
    shown = "".join(c if c.isprintable() else "?" for c in what)[:190]
    return Entry(person.name, person.how, address[:64], action, f"{method} {shown}", status, study[1] if study else "")


def shows_patients(path: str) -> bool:
    """Whether a view of `path` is written down."""
    return not _NOTHING_TO_SEE.fullmatch(path)


def digest(row: Audit) -> str:
    """sha256 over the row and the digest of the row before."""
    body = [row.number, row.at.isoformat(), row.who, row.how, row.address, row.action, row.what, row.study_uid,
            row.status, row.previous]  # fmt: skip
    return hashlib.sha256(json.dumps(body, ensure_ascii=True).encode()).hexdigest()


def append(rows: Rows, entries: list[Entry], now: datetime) -> None:
    """Add `entries` to the chain, one writer at a time."""
    writer_lock(rows, "audit")
    last = rows.execute(select(Audit.number, Audit.digest).order_by(Audit.number.desc()).limit(1)).one_or_none()
    number, previous = (0, FIRST) if last is None else (last[0], last[1])
    for entry in entries:
        number += 1
        row = Audit(
            number=number, at=now, who=entry.who[:128], how=entry.how, address=entry.address, action=entry.action,
            what=entry.what, study_uid=entry.study_uid, status=entry.status, previous=previous,
        )  # fmt: skip
        previous = row.digest = digest(row)
        rows.add(row)


def entries_after(rows: Rows, number: int, limit: int) -> list[Audit]:
    """The next rows of the log."""
    return list(rows.scalars(select(Audit).where(Audit.number > number).order_by(Audit.number).limit(limit)))


def log_of(rows: Rows) -> Iterator[Audit]:
    """Every row in order, a thousand in memory at a time."""
    number = 0
    while found := entries_after(rows, number, 1000):
        yield from found
        number = found[-1].number
        rows.expunge_all()


def whole_log(web: Web) -> Iterator[Audit]:
    """The same, with a transaction for each thousand: who takes the export slowly holds nothing up."""
    number = 0
    while True:
        with web.read() as rows:
            found = entries_after(rows, number, 1000)
        if not found:
            return
        yield from found
        number = found[-1].number


def first_break(log: Iterator[Audit]) -> int | None:
    """Number of the first row that does not follow from the one before, or was changed; None: the chain is whole.

    A tail that was cut off shows only against a head that was kept elsewhere (the last line of an export).
    """
    number, previous = 0, FIRST
    for row in log:
        if row.number != number + 1 or row.previous != previous or row.digest != digest(row):
            return row.number
        number, previous = row.number, row.digest
    return None


class Trail:
    """Writes entries for one process. Those that wait at the same time share one commit."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self._waiting: list[tuple[Entry, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._views: OrderedDict[tuple[str, str, Entry], float] = OrderedDict()

    async def record(self, entry: Entry) -> None:
        """Return once the entry is on disk; raises DatabaseUnavailable where it can't be."""
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, kept))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await kept

    async def record_unmask(self, person: Person, address: str) -> None:
        """Identity is about to be shown again."""
        await self.record(Entry(person.name, person.how, address[:64], "unmask", "PUT /v1/mask", 0))

    async def record_view(self, person: Person, entry: Entry) -> None:
        """The same, once in `REPEAT_SECONDS` for each view of each session."""
        key = (person.session, str(person.masked), entry)
        now = time.monotonic()
        if now - self._views.get(key, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return
        await self.record(entry)
        self._views[key] = now
        self._views.move_to_end(key)
        if len(self._views) > REMEMBERED:
            self._views.popitem(last=False)

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._append, [entry for entry, _ in batch])
            except Exception as error:
                for _, kept in batch:
                    if not kept.done():
                        kept.set_exception(error)
            else:
                for _, kept in batch:
                    if not kept.done():
                        kept.set_result(None)

    def _append(self, entries: list[Entry]) -> None:
        with self.web.write() as rows:
            append(rows, entries, utc_now())
