"""Structured logs without patient data, and the Prometheus page."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import os
import random
import sys
import time

import structlog
from fastapi import FastAPI, Request, Response
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hilum import telemetry_traces

# A series with each series' birth would double their number, and nothing asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]

REQUEST_SECONDS = Histogram(
    "hilum_request_seconds",
    "Time from the request's head to the end of the answer.",
    ["service", "method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
)
REQUESTS = Counter("hilum_requests_total", "Requests answered.", ["service", "method", "route", "status"])

# A program may send any word as its method; only these become label values.
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})

# Seeded by the system once. It tells log lines apart and protects nothing; asking the system for each request gives the
# interpreter lock away, and a busy server gets it back only milliseconds later.
_numbers = random.Random()  # noqa: S311 - see above

log = structlog.get_logger("hilum.request")


# A study's UID is in the hospital's systems: it leads to the patient. The log tells studies apart by a pseudonym.
PSEUDONYMS = {"study_uid": "study", "film_uid": "film", "uid": "object"}


def pseudonym(uid: str, salt: str) -> str:
    """What stands for `uid` in the log: 16 hexadecimal digits, the same for the same `salt`."""
    return hmac.new(salt.encode(), uid.encode(), hashlib.sha256).hexdigest()[:16]


def _pseudonyms(salt: str) -> structlog.typing.Processor:
    def replace(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        for key, name in PSEUDONYMS.items():
            if key in event:
                event[name] = pseudonym(str(event.pop(key)), salt)
        return event

    return replace


def _trace(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Which trace a line belongs to, where traces are on."""
    if (found := telemetry_traces.exemplar()) is not None:
        event.setdefault("trace_id", found["trace_id"])
    return event


def configure_logging(level: str = "info", style: str = "auto", salt: str = "") -> None:
    """Send every log line, uvicorn's too, through structlog to stderr: `style` json, text or auto.

    `salt` is that of the pseudonyms which stand for studies and films.
    """
    text = style == "text" or (style == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _pseudonyms(salt),
        _trace,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        # Not the default, which prints local variables: a read, a header, a patient.
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if text
        else structlog.processors.JSONRenderer()
    )
    if text:
        shared.pop()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    # They tell addresses, and an object's holds its film's UID.
    for name in ("httpx", "httpcore", "urllib3", "botocore", "boto3", "s3transfer", "alembic.runtime.migration", "PIL"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Its warnings quote header values. What is wrong with a film is said by `hilum.imaging`.
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)


class RequestTelemetry:
    """Count and time each request by its route (never by its path: that may hold identifiers)."""

    def __init__(self, app: ASGIApp, service: str) -> None:
        self.app = app
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on under a request id."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, _flushing(send))
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        method = scope["method"] if scope["method"] in METHODS else "other"
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with (
            structlog.contextvars.bound_contextvars(
                request_id=f"{_numbers.getrandbits(48):012x}", service=self.service
            ),
            telemetry_traces.serving(method, Headers(scope=scope)) as span,
        ):
            try:
                await self.app(scope, receive, watched)
            finally:
                route = getattr(scope.get("route"), "path", "unmatched")
                elapsed = time.perf_counter() - started
                REQUEST_SECONDS.labels(self.service, method, route).observe(elapsed, telemetry_traces.exemplar())
                REQUESTS.labels(self.service, method, route, str(status)).inc()
                telemetry_traces.describe(span, method, route, status)
                log.debug("request", method=method, route=route, status=status, milliseconds=round(elapsed * 1e3, 1))


def _flushing(send: Send) -> Send:
    """Before the server hears that the end is complete: then the process may be gone."""

    async def flushing(message: Message) -> None:
        if message["type"].startswith("lifespan.shutdown"):
            await asyncio.to_thread(telemetry_traces.flush)
        await send(message)

    return flushing


def add_metrics_page(app: FastAPI) -> None:
    """Serve `GET /metrics`."""

    @app.get("/metrics", include_in_schema=False)
    def metrics(request: Request) -> Response:
        return metrics_answer(request)


def metrics_answer(request: Request) -> Response:
    """Everything counted, as the asker takes it: OpenMetrics (exemplars: traces behind latencies) or plain text."""
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(_registry()), media_type=media_type)


def _registry() -> CollectorRegistry:
    """What is counted: by this process, or by all where several share a folder (prometheus-client's own setting)."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
