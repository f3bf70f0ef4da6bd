"""The three services as one application: the reading room at `/`, the others beside it, asked in process."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from hilum.clients.base import in_process
from services.feedback.app import create_app as create_feedback
from services.feedback.settings import FeedbackSettings
from services.inference.app import create_app as create_inference
from services.inference.settings import InferenceSettings
from services.laptop.samples import seed
from services.web.app import create_app as create_web
from services.web.hosts import KnownHost
from services.web.settings import WebSettings


def create_app(settings: WebSettings, *, samples: bool = True, started: Callable[[], None] = lambda: None) -> Starlette:
    """Mount the services; `started` is called once requests are answered. `samples`: films for an empty list."""
    shared = {"data": settings.data, "host": settings.host}
    inference = create_inference(InferenceSettings.model_validate(shared))
    feedback = create_feedback(FeedbackSettings.model_validate(shared))
    web = create_web(settings, inference=in_process(inference), feedback=in_process(feedback))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for app in (feedback, inference, web):
                await stack.enter_async_context(app.router.lifespan_context(app))
            if samples:
                await stack.enter_async_context(_seeding(web, settings.data / ".samples-unfinished"))
            started()
            yield

    # Where people sign in, they reach the reading room alone: the other two ask nobody who he is.
    beside = [] if settings.signs_in else [Mount("/inference", inference), Mount("/feedback", feedback)]
    return Starlette(
        routes=[*beside, Mount("/", web)],
        middleware=[Middleware(KnownHost, names=settings.host_names)],
        lifespan=lifespan,
    )


@contextlib.asynccontextmanager
async def _seeding(web: FastAPI, marker: Path) -> AsyncIterator[None]:
    """In the background, so that the address is printed at once; a stop waits for the film in hand at most."""
    stop = threading.Event()
    task = asyncio.create_task(asyncio.to_thread(seed, web.state.web, marker, stop))
    try:
        yield
    finally:
        stop.set()
        await task
