"""The reading room's application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import httpx
from fastapi import Depends, FastAPI

from hilum import __version__, docs_page, problems
from hilum.clients.base import over_network
from hilum.clients.feedback import FeedbackClient
from hilum.clients.inference import InferenceClient
from hilum.security import BodyLimit, SameOrigin, SecurityHeaders
from hilum.storage import make_engine, open_blobs
from hilum.telemetry import RequestTelemetry
from services.web import errors, pages, promotions
from services.web.api import (
    audit,
    claims,
    closing,
    drift,
    events,
    evidence,
    evidence_gate,
    films,
    health,
    informative,
    mask,
    numbers,
    reviews,
    studies,
    upload,
    views,
)
from services.web.context import Web
from services.web.dicom import qido, stow, wado
from services.web.dicom.server import DicomServer
from services.web.hosts import KnownHost
from services.web.identity import login, provider_pages
from services.web.identity.access import guard
from services.web.identity.gate import Gate
from services.web.identity.service import Identity
from services.web.settings import WebSettings
from services.web.shadow.canary import Canary
from services.web.work import work

DESCRIPTION = "Ranks chest films so that the most urgent are read first. Decision support, not for primary diagnosis."


def create_app(
    settings: WebSettings,
    *,
    inference: httpx.AsyncClient | None = None,
    feedback: httpx.AsyncClient | None = None,
    canary: httpx.AsyncClient | None = None,
    promoter: httpx.AsyncClient | None = None,
) -> FastAPI:
    """Make the application. The clients reach the services over the network unless they are given."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        ask = inference or over_network(settings.inference_url, answer_seconds=settings.inference_timeout_seconds)
        tell = feedback or over_network(settings.feedback_url, answer_seconds=settings.feedback_timeout_seconds)
        trial = canary
        if trial is None and settings.canary_url:
            trial = over_network(settings.canary_url, answer_seconds=settings.canary_timeout_seconds)
        async with ask, tell, trial or contextlib.nullcontext():
            web = Web(
                settings=settings,
                engine=make_engine(settings.database("web")),
                blobs=open_blobs(settings.blobs(), settings.s3_endpoint),
                inference=InferenceClient(ask),
                feedback=FeedbackClient(tell),
                decoders=ThreadPoolExecutor(settings.decode_threads, "decode"),
                ingesters=ThreadPoolExecutor(settings.ingest_threads, "ingest"),
                canary=None
                if trial is None
                else Canary(InferenceClient(trial), settings.canary_timeout_seconds, settings.shadow_queue),
            )
            app.state.web = web
            app.state.identity = Identity.of(web)
            app.state.promoter = promotions.client(settings, promoter)
            worker = asyncio.create_task(work(web))
            dicom = DicomServer(web) if settings.dicom_port else None
            try:
                if dicom is not None:
                    dicom.start()
                yield
            finally:
                if dicom is not None:
                    await asyncio.to_thread(dicom.stop)
                worker.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await worker
                for threads in (web.ingesters, web.decoders, *([web.canary.threads] if web.canary else [])):
                    threads.shutdown(wait=True, cancel_futures=True)
                if app.state.promoter is not None:
                    await app.state.promoter.aclose()
                web.engine.dispose()

    app = FastAPI(
        title="Hilum reading room",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(guard)],
    )
    problems.install(app)
    errors.install(app)
    for module in (
        upload,
        events,
        studies,
        claims,
        closing,
        views,
        informative,
        reviews,
        films,
        evidence,
        evidence_gate,
        drift,
        numbers,
        health,
        audit,
        mask,
        login,
        provider_pages,
    ):
        app.include_router(module.router)
    for dicomweb in (stow, qido, wado):
        app.include_router(dicomweb.router)
    docs_page.add(app)
    pages.install(app)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(Gate, shown=pages.shown)
    app.add_middleware(SameOrigin)
    app.add_middleware(KnownHost, names=settings.host_names)
    app.add_middleware(RequestTelemetry, service="web")
    app.add_middleware(SecurityHeaders, over_tls=settings.behind_tls)
    return app
