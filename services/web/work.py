"""What runs beside the requests: bring the tables up, then score films and deliver reads until the end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from hilum.storage import DatabaseUnavailable, plain_errors, session_factory, upgrade
from services.web.context import Web, utc_now
from services.web.dicom.backfill import run_backfill
from services.web.dicom.deliver import run_results
from services.web.live_look import run_live
from services.web.numbers.facts import run_numbers
from services.web.outbox import hurry_reads, run_outbox
from services.web.queue import end_leases
from services.web.scoring import run_scoring
from services.web.shadow.live import run_exposure
from services.web.shadow.worker import run_shadow
from services.web.upkeep import run_upkeep

log = structlog.get_logger("hilum.web.work")
MIGRATIONS = Path(__file__).parent / "migrations"
IDENTITY_MIGRATIONS = Path(__file__).parent / "identity" / "migrations"
RETRY_SECONDS = 1.0


def prepare(web: Web) -> None:
    """Migrate, and take back what a killed process had in hand. Raises DatabaseUnavailable."""
    upgrade(web.engine, "web", MIGRATIONS)
    upgrade(web.engine, "identity", IDENTITY_MIGRATIONS)
    with plain_errors(), session_factory(web.engine).begin() as session:
        hurry_reads(session, utc_now())
        if web.engine.dialect.name == "sqlite":
            end_leases(session, utc_now())
    web.prepared.set()


async def work(web: Web) -> None:
    """Run until cancelled. A database that is away at the start is waited for; the service is not ready meanwhile."""
    web.films_waiting.bind()
    web.reads_waiting.bind()
    web.results_waiting.bind()
    while True:
        try:
            await asyncio.to_thread(prepare, web)
            break
        except DatabaseUnavailable as error:
            log.warning("the start waits for the database", reason=str(error))
            await asyncio.sleep(RETRY_SECONDS)
        except Exception:
            # A faulty migration: the service stays up, not ready, and says so.
            log.exception("the tables can't be prepared")
            await asyncio.sleep(60 * RETRY_SECONDS)
    async with asyncio.TaskGroup() as group:
        for _ in range(web.settings.scoring_parallel):
            group.create_task(run_scoring(web))
        group.create_task(run_outbox(web))
        group.create_task(run_results(web))
        group.create_task(run_backfill(web))
        group.create_task(run_numbers(web))
        group.create_task(run_shadow(web))
        group.create_task(run_exposure(web))
        group.create_task(run_upkeep(web))
        group.create_task(run_live(web))
