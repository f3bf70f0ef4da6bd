"""The inference service's application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from hilum import __version__, docs_page, problems, telemetry
from hilum.security import BodyLimit, SameOrigin, SecurityHeaders
from services.inference import errors, several
from services.inference.api import health, legacy, open_inference, papers, v1
from services.inference.serving import Serving
from services.inference.settings import InferenceSettings

# Calls under way over gRPC get this long at the end.
DRAIN_SECONDS = 25.0

DESCRIPTION = "Scores chest films with one release. Decision support, not for primary diagnosis."


@contextlib.asynccontextmanager
async def _rpc(serving: Serving) -> AsyncIterator[None]:
    """Serve gRPC beside HTTP where a port is set."""
    if not serving.settings.grpc_port:
        yield
        return
    # Imported here: without a port the process needs no gRPC.
    from services.inference.rpc.listen import listening  # noqa: PLC0415

    async with listening(serving, drain_seconds=DRAIN_SECONDS):
        yield


def create_app(settings: InferenceSettings) -> FastAPI:
    """Make the application; its lifespan loads the release in the background."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        serving = Serving(settings)
        app.state.serving = serving
        tasks = [asyncio.create_task(serving.keep_loading()), asyncio.create_task(serving.keep_resting())]
        if several.is_child():
            # It takes its share of the connections from the moment it listens.
            await serving.tried()
            tasks.append(asyncio.create_task(serving.keep_sampling()))
        try:
            async with _rpc(serving):
                yield
        finally:
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await asyncio.to_thread(serving.close)

    app = FastAPI(
        title="Hilum inference",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    errors.install(app)
    # The first that are tried are those that films come by.
    for module in (v1, open_inference, legacy, papers, health):
        app.include_router(module.router)
    telemetry.add_metrics_page(app)
    docs_page.add(app)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes, max_bytes_in_flight=settings.max_bytes_in_flight)
    app.add_middleware(SameOrigin)
    app.add_middleware(telemetry.RequestTelemetry, service="inference")
    app.add_middleware(SecurityHeaders)
    return app
