"""The running service: database and ledger, ready or not yet."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from hilum.storage import DatabaseUnavailable, check, make_engine, upgrade
from services.feedback.agreement import COLLECTOR
from services.feedback.freshness import FRESHNESS
from services.feedback.gauges import GAUGES
from services.feedback.ledger import Ledger
from services.feedback.tally import Slice, Tally

SERVICE = "feedback"
MIGRATIONS = Path(__file__).parent / "migrations"
PREPARE_WAIT_SECONDS = 5
# One per site or reader that is asked about; the one that waited longest goes.
KEPT_TALLIES = 32


class Feedback:
    """The database may be away when the service starts: what it needs is made as soon as it answers."""

    def __init__(self, database_url: str) -> None:
        self._engine = make_engine(database_url)
        self._ledger = Ledger(self._engine)
        self._lock = threading.Lock()
        self._prepared = False
        self._tallies: dict[Slice, Tally] = {}

    def ledger(self) -> Ledger:
        """The ledger, its table made. Raises DatabaseUnavailable."""
        if not self._prepared:
            self._prepare()
        return self._ledger

    def tally(self, part: Slice) -> Tally:
        """Counts of a slice, caught up; a slice without times is kept and goes on where it was. DatabaseUnavailable."""
        ledger = self.ledger()
        kept = self._tallies.get(part)
        if kept is None:
            kept = Tally(ledger, part)
            if part.since is None and part.until is None:
                while len(self._tallies) >= KEPT_TALLIES:
                    self._tallies.pop(next(iter(self._tallies)), None)
                self._tallies[part] = kept
        kept.catch_up()
        return kept

    def reasons(self) -> list[str]:
        """Why no read can be kept now; empty: it can."""
        try:
            self.ledger()
            check(self._engine)
        except DatabaseUnavailable as error:
            return [str(error)]
        return []

    def close(self) -> None:
        """Let go of the database."""
        COLLECTOR.leave(self._ledger)
        GAUGES.leave(self._ledger)
        FRESHNESS.leave(self._ledger)
        self._engine.dispose()

    def _prepare(self) -> None:
        # Requests that come while one prepares wait a little and no longer: each thread is needed for the next.
        if not self._lock.acquire(timeout=PREPARE_WAIT_SECONDS):
            raise DatabaseUnavailable("the ledger's table is being prepared")
        try:
            if not self._prepared:
                # A short look first: a migration waits longer for a database than a request should.
                check(self._engine)
                upgrade(self._engine, SERVICE, MIGRATIONS)
                COLLECTOR.follow(self._ledger)
                GAUGES.follow(self._ledger)
                FRESHNESS.follow(self._ledger)
                self._prepared = True
        finally:
            self._lock.release()


def _feedback(request: Request) -> Feedback:
    feedback: Feedback = request.app.state.feedback
    return feedback


def _ledger(feedback: Annotated[Feedback, Depends(_feedback)]) -> Ledger:
    return feedback.ledger()


FeedbackDep = Annotated[Feedback, Depends(_feedback)]
LedgerDep = Annotated[Ledger, Depends(_ledger)]
