"""The outbox worker: takes each read to feedback, for ever if need be. The key makes a second delivery harmless."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from hilum import telemetry_traces
from hilum.clients.base import Refused, Unavailable
from hilum.storage import DatabaseUnavailable
from hilum.wire import ReadIn
from services.web.context import Web, utc_now
from services.web.tables import Outbox, Read

log = structlog.get_logger("hilum.web.outbox")
# Feedback judged the read itself; every other refusal is about the way there.
ABOUT_THE_READ = frozenset({400, 409, 413, 422})
# How long a row stays with the process that sends it.
SENDING_SECONDS = 30.0
# So many failures in a row are an outage: when it ends, every waiting read goes at once.
OUTAGE = 3
Outcome = Literal["delivered", "refused", "unavailable", "idle"]


@dataclass(frozen=True)
class Outgoing:
    """A read that this process sends now."""

    id: str
    payload: dict[str, Any]
    attempts: int
    trace: str = ""


def take_read(session: Session, now: datetime) -> Outgoing | None:
    """The read that was tried least, the oldest among equals, of those that may be tried now."""
    query = (
        select(Outbox)
        .join(Read, Read.id == Outbox.id)
        .where(Outbox.delivered_at.is_(None), Outbox.refused.is_(None), Outbox.next_try <= now)
        # A read that feedback fails on must not keep it from the others.
        .order_by(Outbox.attempts, Read.read_at, Read.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=Outbox)
    )
    row = session.scalars(query).first()
    if row is None:
        return None
    row.attempts += 1
    row.next_try = now + timedelta(seconds=SENDING_SECONDS)
    session.flush()
    return Outgoing(row.id, dict(row.payload), row.attempts, row.trace)


async def send_one(web: Web) -> Outcome:
    """Send the oldest waiting read; "idle" where none may be tried now."""

    def take() -> Outgoing | None:
        with web.write() as session:
            return take_read(session, utc_now())

    outgoing = await asyncio.to_thread(take)
    if outgoing is None:
        return "idle"
    try:
        with telemetry_traces.within(outgoing.trace, "send read"):
            await web.feedback.append(ReadIn.model_validate(outgoing.payload), outgoing.id)
    except Refused as error:
        if error.status in ABOUT_THE_READ:
            log.error("feedback refuses a read; a person must look", read=outgoing.id, status=error.status)
            await asyncio.to_thread(_mark, web, outgoing.id, refused=f"{error.status}: {error.detail}")
            return "refused"
        log.warning("feedback refuses to be asked", status=error.status, detail=error.detail)
        await asyncio.to_thread(_later, web, outgoing)
        return "unavailable"
    except Unavailable as error:
        log.info("a read waits for feedback", read=outgoing.id, attempts=outgoing.attempts, reason=error.detail)
        await asyncio.to_thread(_later, web, outgoing)
        return "unavailable"
    await asyncio.to_thread(_mark, web, outgoing.id, delivered_at=utc_now())
    return "delivered"


def _mark(web: Web, read_id: str, **values: Any) -> None:
    with web.write() as session:
        session.execute(update(Outbox).where(Outbox.id == read_id).values(**values))


def _later(web: Web, outgoing: Outgoing) -> None:
    longest = web.settings.retry_max_seconds
    pause = min(2.0 ** min(outgoing.attempts - 1, 16), longest) * random.uniform(0.75, 1.0)  # noqa: S311
    _mark(web, outgoing.id, next_try=utc_now() + timedelta(seconds=pause))


def hurry_reads(session: Session, now: datetime) -> None:
    """Feedback is back, or this process has just started: every waiting read may be tried now."""
    waiting = update(Outbox).where(Outbox.delivered_at.is_(None), Outbox.refused.is_(None))
    session.execute(waiting.values(next_try=now))


async def run_outbox(web: Web) -> None:
    """Send until cancelled; never ends by an error of its own."""
    failures = 0
    while True:
        try:
            outcome = await send_one(web)
        except DatabaseUnavailable as error:
            log.warning("the outbox waits for the database", reason=str(error))
            outcome = "unavailable"
        except Exception:
            log.exception("the outbox failed")
            outcome = "unavailable"
        if outcome == "unavailable":
            failures += 1
            await asyncio.sleep(min(0.25 * failures, 2.0))
            continue
        if failures >= OUTAGE and outcome == "delivered":

            def hurry() -> None:
                with web.write() as session:
                    hurry_reads(session, utc_now())

            await asyncio.to_thread(hurry)
        if outcome != "idle":
            failures = 0
        if outcome == "idle":
            await web.reads_waiting.wait(web.settings.poll_seconds)
