"""The promoter's application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from hilum import __version__, docs_page, problems, telemetry
from hilum.security import BodyLimit, SameOrigin, SecurityHeaders
from services.promoter.api import health, promotion
from services.promoter.promoter import Parts, Promoter
from services.promoter.service import Service, parts
from services.promoter.settings import PromoterSettings

DESCRIPTION = "Moves a candidate through staging and canary to production, by commits, as its gates judge."


def create_app(settings: PromoterSettings, *, given: Parts | None = None) -> FastAPI:
    """Make the application; its lifespan runs the turns. Raises ValueError, OSError where a setting can't be used."""
    service = Service(settings, Promoter(given or parts(settings)))

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        worker = asyncio.create_task(service.work())
        try:
            yield
        finally:
            worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await worker

    app = FastAPI(
        title="Hilum promoter",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    problems.install(app)
    app.include_router(promotion.router)
    app.include_router(health.router)
    telemetry.add_metrics_page(app)
    docs_page.add(app)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(SameOrigin)
    app.add_middleware(telemetry.RequestTelemetry, service="promoter")
    app.add_middleware(SecurityHeaders)
    return app
