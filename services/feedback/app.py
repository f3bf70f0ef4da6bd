"""The feedback service's application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from hilum import __version__, docs_page, problems, telemetry
from hilum.security import BodyLimit, SameOrigin, SecurityHeaders
from hilum.storage import DatabaseUnavailable
from services.feedback.api import agreement, export, health, reads
from services.feedback.canonical import BrokenBody
from services.feedback.service import SERVICE, Feedback
from services.feedback.settings import FeedbackSettings
from services.feedback.work import work

DESCRIPTION = "The ledger of reads: what radiologists said, kept for ever, and the training export."
RETRY_AFTER_SECONDS = 5
log = structlog.get_logger("hilum.feedback")


async def _database_away(_: Request, error: Exception) -> JSONResponse:
    log.warning("the database is away", reason=str(error))
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return problems.Problem(503, "database-unavailable", f"{error}; try again.", headers=headers).response()


async def _ledger_broken(_: Request, error: Exception) -> JSONResponse:
    log.error("the ledger is broken", reason=str(error))
    return problems.Problem(500, "ledger-broken", f"{error}.").response()


def create_app(settings: FeedbackSettings) -> FastAPI:
    """Make the application; its lifespan brings the table up to date, or leaves that until the database answers."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        feedback = Feedback(settings.database(SERVICE))
        app.state.feedback = feedback
        for reason in await asyncio.to_thread(feedback.reasons):
            log.warning("started, not ready", reason=reason)
        worker = asyncio.create_task(work(feedback, settings))
        try:
            yield
        finally:
            worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await worker
            await asyncio.to_thread(feedback.close)

    app = FastAPI(
        title="Hilum feedback",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    app.add_exception_handler(DatabaseUnavailable, _database_away)
    app.add_exception_handler(BrokenBody, _ledger_broken)
    for module in (reads, export, agreement, health):
        app.include_router(module.router)
    telemetry.add_metrics_page(app)
    docs_page.add(app)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(SameOrigin)
    app.add_middleware(telemetry.RequestTelemetry, service=SERVICE)
    app.add_middleware(SecurityHeaders)
    return app
