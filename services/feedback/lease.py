"""One writer at a time: a row of the database says who works until when; who dies is followed when the time is up."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from hilum.storage import writer_lock
from services.feedback.ledger import Ledger
from services.feedback.tables import Mark

LEASE_SECONDS = 120


class LeaseLost(Exception):
    """Another process has taken the work over: what this one made must not be written any more."""


class Lease:
    """The right to do the work called `name`, and the mark of how far it has come."""

    def __init__(self, ledger: Ledger, name: str) -> None:
        self._ledger = ledger
        self._name = name
        self._me = uuid.uuid4().hex

    def take(self) -> tuple[int, str] | None:
        """(sequence, note) of the mark where the work is this process's now; None while another one is at it."""
        with self._ledger.writing() as session:
            writer_lock(session, f"feedback:{self._name}")
            mark = session.get(Mark, self._name)
            if mark is None:
                mark = Mark(name=self._name, sequence=0, note="", holder="")
                session.add(mark)
            now = datetime.now(UTC)
            if mark.holder not in {"", self._me} and mark.held_until is not None and mark.held_until > now:
                return None
            mark.holder, mark.held_until = self._me, now + timedelta(seconds=LEASE_SECONDS)
            return mark.sequence, mark.note

    def go_on(self, sequence: int, note: str = "", *, done: bool = False) -> None:
        """Note how far the work has come and keep it, or give it back where `done`. Raises LeaseLost."""
        with self._ledger.writing() as session:
            writer_lock(session, f"feedback:{self._name}")
            mark = session.get(Mark, self._name)
            if mark is None or mark.holder != self._me:
                raise LeaseLost(self._name)
            mark.sequence, mark.note = sequence, note
            mark.holder = "" if done else self._me
            mark.held_until = None if done else datetime.now(UTC) + timedelta(seconds=LEASE_SECONDS)
